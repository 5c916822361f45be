"""LaMa at work: only the trusted context reaches it, only the known file is run, and its colours land where they belong."""

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

from layer_checks import assert_links_are_mutual, filled  # noqa: E402
from made_inpainters import bring, same_each_time  # noqa: E402
from scenes import BORDERED, EVERY, t_junction, two_planes  # noqa: E402

from photo_diorama.core.errors import DioramaError  # noqa: E402
from photo_diorama.core.inpaint import inpaint, lama  # noqa: E402
from photo_diorama.core.inpaint.lama import Lama, LamaNetwork, load_lama, paint_region, working_size  # noqa: E402
from photo_diorama.core.inpaint.needed_networks import Downloaded  # noqa: E402
from photo_diorama.core.layers.regions import Region  # noqa: E402
from photo_diorama.core.pipeline import build_diorama  # noqa: E402
from photo_diorama.core.settings import InpaintSettings, Settings  # noqa: E402

CHOSEN = InpaintSettings(inpainter="lama", hidden_depth="nearest")
SETTINGS = Settings().with_values({"inpainter": "lama", "depth_kind": "metric", "border": 0.2, "device": "cpu"})
RED, BLUE = 0, 2
NOTHING = 1.5 / 255


class Mean(torch.nn.Module):
    """Paints the mean colour of what is not masked, and leaves the rest."""

    def forward(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        known = 1.0 - mask
        mean = (image * known).sum(dim=[2, 3], keepdim=True) / known.sum(dim=[2, 3], keepdim=True).clamp(min=1.0)
        return image * known + mean * mask


class Told(torch.nn.Module):
    """Gives back the mask in red and the image's mean in green and blue: so that a test sees what was given."""

    def forward(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.cat([mask, image.sum(1, keepdim=True), torch.zeros_like(mask)], dim=1)


class Nothing(torch.nn.Module):
    def forward(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return image[:, :2] / mask


def scripted(module: torch.nn.Module, folder: Path) -> Path:
    path = folder / "some lama.pt"
    torch.jit.script(module).save(str(path))
    return path


@pytest.fixture
def models(monkeypatch, tmp_path) -> Path:
    """A models folder into which `Mean` was imported as LaMa."""
    bring(monkeypatch, tmp_path / "models", {"lama": scripted(Mean(), tmp_path)})
    return tmp_path / "models"


class Watched:
    """Stands for the module and keeps what it is given."""

    def __init__(self, module: torch.nn.Module | None = None):
        self.module, self.given = module or Mean(), []

    def __call__(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        self.given.append((image.numpy().copy(), mask.numpy().copy()))
        return self.module(image, mask)


def run(monkeypatch, module, image, settings=CHOSEN):
    monkeypatch.setattr(inpaint, "choose_inpainter", lambda settings, downloaded: Lama(settings, network=LamaNetwork(module, "cpu")))
    return inpaint.inpaint(image, BORDERED, settings)[0]


def made_region(height: int, width: int) -> tuple[Region, np.ndarray]:
    """A striped blue wall with a hole in the middle, red all around it; and its trusted context."""
    rows, columns = np.mgrid[:height, :width]
    synthesis = (np.abs(rows - height / 2) < height / 8) & (np.abs(columns - width / 2) < width / 8)
    context = (np.abs(rows - height / 2) < height / 4) & (np.abs(columns - width / 2) < width / 4) & ~synthesis
    colour = np.zeros((height, width, 3), np.float32)
    colour[context, BLUE] = np.where((rows + columns) // 2 % 2, 0.4, 0.8)[context]
    colour[~context] = (1, 0, 0)
    distance = np.where(context, 5, 0).astype(np.int16)
    return Region((slice(0, height), slice(0, width)), synthesis, context, distance, colour), context


@pytest.mark.parametrize("name", ["two planes", "T-junction", "nested", "at the frame", "relief"])
def test_only_context_reaches_it_and_no_foreground_comes_back(monkeypatch, name):
    """The nearest surface is pure red, and no other has any red."""
    module = Watched()
    image = run(monkeypatch, module, EVERY[name]().split(BORDERED))
    assert_links_are_mutual(image)
    assert module.given
    for picture, mask in module.given:
        assert picture.dtype == mask.dtype == np.float32 and picture.shape[:2] == (1, 3) and mask.shape[:2] == (1, 1)
        assert picture.shape[2:] == mask.shape[2:] and not np.any(np.array(mask.shape[2:]) % 8)
        assert set(np.unique(mask)) <= {0.0, 1.0} and not picture[:, :, mask[0, 0] == 1].any()
        assert name == "relief" or picture[0, RED].max() <= NOTHING
        assert 0 <= picture.min() and picture.max() <= 1
    for layer in image.layers[1:]:
        assert name == "relief" or layer.colour[layer.present][:, RED].max() <= NOTHING


def test_the_untrusted_rim_is_masked(monkeypatch):
    module, wide = Watched(), Watched()
    run(monkeypatch, module, two_planes().split(BORDERED), replace(CHOSEN, eroded_rim=0.0))
    run(monkeypatch, wide, two_planes().split(BORDERED), replace(CHOSEN, eroded_rim=4 / 160))
    ((_, first),), ((_, other),) = module.given, wide.given
    assert first.shape == other.shape and (first <= other).all() and (other - first).sum() > 4 * 200


def test_what_it_paints_is_in_the_hidden_layers(monkeypatch):
    """A plain mean: one colour for all that one region invents."""
    image = run(monkeypatch, Watched(), two_planes().split(BORDERED))
    hidden = image.layers[1].colour[image.layers[1].present]
    assert np.ptp(hidden, axis=0).max() < 1e-6 and 0.4 < hidden[0, BLUE] < 0.8


def test_the_photo_and_the_depth_are_those_of_the_other_fills(monkeypatch):
    image, other = run(monkeypatch, Watched(), t_junction().split(BORDERED)), filled("T-junction")
    for field in ("present", "disparity"):
        assert np.array_equal(getattr(image.layers[0], field), getattr(other.layers[0], field))
    photographed = ~image.layers[0].synthesised  # each inpainter invents a border of its own
    assert np.array_equal(image.layers[0].colour[photographed], other.layers[0].colour[photographed])
    plain = inpaint.inpaint
    monkeypatch.undo()
    by_ours = plain(t_junction().split(BORDERED), BORDERED, InpaintSettings("exemplar", hidden_depth="nearest"))[0]
    for layer, same in zip(image.layers, by_ours.layers, strict=True):
        assert np.array_equal(layer.present, same.present) and np.array_equal(layer.disparity, same.disparity)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (5, 300), (77, 131), (3, 3)])
def test_any_size_is_filled_up_with_masked_pixels(height, width):
    module, rng = Watched(Told()), np.random.default_rng(0)
    known = rng.random((height, width)) < 0.5
    answer = LamaNetwork(module, "cpu").paint(rng.random((height, width, 3), dtype=np.float32), known)
    ((_, mask),) = module.given
    assert answer.shape == (height, width, 3) and np.array_equal(answer[..., 0] == 1, ~known)
    assert min(mask.shape[2:]) >= 64 and mask.sum() == mask.size - known.sum()


@pytest.mark.parametrize(("height", "width"), [(600, 700), (1500, 1200), (300, 2000)])
def test_large_regions_are_shrunk_and_keep_the_contexts_detail(height, width):
    module = Watched()
    region, source = made_region(height, width)
    colours = paint_region(LamaNetwork(module, "cpu"), region, source)
    ((picture, mask),) = module.given
    assert mask.size <= 1.1 * 512 * 512 + 8 * 2000 and picture[0, RED].max() < 1e-6
    assert (mask == 0).sum() > 0.1 * mask.size * source.mean()
    assert colours.shape == (region.synthesis.sum(), 3) and np.isfinite(colours).all()
    assert colours[:, RED].max() == 0 and abs(colours[:, BLUE].mean() - 0.6) < 0.03
    assert colours[:, BLUE].std() > 0.05  # the stripes, which the shrunk picture has no more


def test_a_context_thinner_than_a_shrunk_pixel_still_counts():
    region, _ = made_region(1200, 1200)
    thin = np.zeros(region.context.shape, bool)
    thin[500] = region.context[500]
    colours = paint_region(LamaNetwork(Watched(), "cpu"), region, thin)
    assert colours[:, RED].max() == 0 and abs(np.median(colours[:, BLUE]) - 0.6) < 0.1


@pytest.mark.parametrize(("height", "width"), [(512, 512), (513, 600), (4000, 3000), (20, 9000)])
def test_the_working_area_is_bounded(height, width):
    small = working_size(height, width)
    assert small == (height, width) if height * width <= 512**2 else small[0] * small[1] <= 1.05 * 512**2


def test_an_answer_that_is_no_picture_is_refused():
    with pytest.raises(DioramaError, match="lama"):
        LamaNetwork(Nothing(), "cpu").paint(np.zeros((70, 70, 3), np.float32), np.ones((70, 70), bool))


# the whole way, from the imported file


def test_a_photo_becomes_the_same_diorama_each_time(models, tmp_path):
    first = same_each_time(t_junction().saved(tmp_path), SETTINGS, models)
    for layer in first.image.layers[1:]:
        assert layer.colour[layer.present][:, RED].max() <= NOTHING


def test_a_missing_file_is_told_before_anything_is_done(tmp_path):
    started = []
    with pytest.raises(DioramaError) as told:
        build_diorama(*two_planes().saved(tmp_path), SETTINGS, models=tmp_path, progress=lambda *step: started.append(step))
    assert not started
    assert all(word in str(told.value) for word in ("lama", "big-lama.pt", "Apache-2.0", "download", "import", "diffusion"))


def test_a_file_that_was_changed_after_its_check_is_never_loaded(models, tmp_path, monkeypatch):
    """Of the same length, so that only its hash tells."""
    path = next(models.glob("big-lama*"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("it was loaded"))
    with pytest.raises(DioramaError, match="not the file that was checked"):
        load_lama(Downloaded(models))


def test_only_the_bytes_that_were_hashed_are_loaded(models, monkeypatch):
    loaded = []
    real = torch.jit.load
    monkeypatch.setattr(torch.jit, "load", lambda file, **options: (loaded.append(file.getvalue()), real(file, **options))[1])
    load_lama(Downloaded(models))
    (content,) = loaded
    assert hashlib.sha256(content).hexdigest() == lama.checked_content.__globals__["weights_named"]("lama").sha256


def test_a_file_that_is_no_torchscript_is_told(monkeypatch, tmp_path):
    (tmp_path / "some.pt").write_bytes(b"PK\x03\x04 not a network" * 100)
    bring(monkeypatch, tmp_path / "models", {"lama": tmp_path / "some.pt"})
    with pytest.raises(DioramaError, match="cannot be loaded"):
        load_lama(Downloaded(tmp_path / "models"))
