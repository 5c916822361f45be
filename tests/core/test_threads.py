"""One number of threads: who hears it, and that no result depends on it."""

import threading

import cv2
import numpy as np
import pytest
from mutations import depth_map
from PIL import Image

from photo_diorama.core.errors import DioramaError
from photo_diorama.core.hidden_depth import choose_surface
from photo_diorama.core.inpaint import fill_colour
from photo_diorama.core.mesh import triangulate
from photo_diorama.core.pipeline import build_diorama
from photo_diorama.core.settings import Settings, each_option
from photo_diorama.core.threads import MAX_THREADS, hand_on_threads, thread_count, threads_used, use_threads


@pytest.fixture(autouse=True)
def nobody_asked():
    use_threads(0)
    yield
    use_threads(0)


def test_zero_takes_what_there_is_and_a_number_is_taken_as_it_is():
    free = thread_count()
    assert 1 <= free <= MAX_THREADS
    for count in (1, 3, 100):
        use_threads(count)
        assert thread_count() == count
    use_threads(0)
    assert thread_count() == free


def test_opencv_and_torch_hear_it_and_get_their_own_back():
    torch = pytest.importorskip("torch")
    before = cv2.getNumThreads(), torch.get_num_threads()
    use_threads(3)
    assert (cv2.getNumThreads(), torch.get_num_threads()) == (3, 3)
    use_threads(0)
    assert (cv2.getNumThreads(), torch.get_num_threads()) == before


def test_a_number_that_was_never_asked_for_is_never_told(monkeypatch):
    monkeypatch.setattr("photo_diorama.core.threads._own", {})
    monkeypatch.setattr(cv2, "setNumThreads", lambda count: pytest.fail("told"))
    use_threads(0)
    with threads_used(0):
        assert thread_count() >= 1


def test_meanwhile_ends_also_after_a_fault():
    use_threads(2)
    with threads_used(0):
        assert thread_count() == 2
    with pytest.raises(ZeroDivisionError), threads_used(5):
        assert thread_count() == 5
        raise ZeroDivisionError
    assert thread_count() == 2


@pytest.mark.parametrize("count", [-1, 1025, 1.5, True, "2"])
def test_an_impossible_number_is_a_sentence(count):
    use_threads(2)
    with pytest.raises(DioramaError, match="threads is"):
        use_threads(count)
    assert thread_count() == 2


def test_it_is_no_option_of_a_diorama():
    assert "threads" not in {f.name for _, f in each_option()}


def _built(folder, count: int, **options):
    pools = []

    class Counted(fill_colour.ThreadPoolExecutor):
        def __init__(self, workers):
            pools.append(workers)
            super().__init__(workers)

    with pytest.MonkeyPatch.context() as patch, threads_used(count):
        for module in (triangulate, fill_colour, choose_surface):
            patch.setattr(module, "ThreadPoolExecutor", Counted)
        built = build_diorama(folder / "photo.png", folder / "depth.npy", Settings().with_values(options))
        assert cv2.getNumThreads() == count and set(pools) == {count} and len(pools) >= 3
    return built.mesh


def test_every_number_of_threads_gives_the_same_bytes(tmp_path):
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 256, (30, 45, 3), np.uint8)
    photo = cv2.resize(noise, (300, 200), interpolation=cv2.INTER_CUBIC)
    depth = cv2.resize(depth_map(), (300, 200), interpolation=cv2.INTER_NEAREST)
    depth[120:170, 40:90], depth[60:90, 200:230] = 2.0, 1.2
    Image.fromarray(photo).save(tmp_path / "photo.png")
    np.save(tmp_path / "depth.npy", depth)
    options = {"soft_edge": 0.01, "shader": "principled", "delight": 1.0, "depth_kind": "metric"}
    one, *others = (_built(tmp_path, count, **options) for count in (1, 2, 7))
    assert len(one.meshes) >= 4
    for other in others:
        assert other.atlas.tobytes() == one.atlas.tobytes() and other.soft.tobytes() == one.soft.tobytes()
        assert {k: a.tobytes() for k, a in other.albedo.items()} == {k: a.tobytes() for k, a in one.albedo.items()}
        for a, b in zip(one.meshes, other.meshes, strict=True):
            assert a.role == b.role
            for part in ("vertices", "triangles", "uvs", "normals"):
                assert np.array_equal(getattr(a, part), getattr(b, part)), (a.role, part)  # or both None


def test_torch_hears_it_in_a_thread_of_its_own():
    """A build in Blender's window runs in a new thread, and PyTorch counts for each thread."""
    torch = pytest.importorskip("torch")
    heard = []
    use_threads(3)
    worker = threading.Thread(target=lambda: (hand_on_threads(), heard.append(torch.get_num_threads())))
    worker.start()
    worker.join()
    assert heard == [3]
