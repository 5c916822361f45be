"""Blender for these tests: the extension registered once, an empty file for each test, small photos with depth."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def extension():
    """The bpy module with the extension registered; tests skip where there is no bpy."""
    bpy = pytest.importorskip("bpy", reason="needs Blender as a module: pip install bpy")
    import photo_diorama

    photo_diorama.register()
    yield bpy
    photo_diorama.unregister()


@pytest.fixture
def blender(extension):
    """The bpy module with an empty file open and nothing kept of an earlier build."""
    from photo_diorama.operators.building import build_operator

    extension.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    build_operator.kept.results.clear()
    return extension


@pytest.fixture(autouse=True)
def recall(monkeypatch):
    """The slow stages of the pipeline are computed once for all tests that build of the same."""
    import recalled

    recalled.recall(monkeypatch.setattr)


@pytest.fixture
def street(tmp_path):
    """A photo of two planes and its depth."""
    from made_photos import two_planes

    return two_planes(tmp_path)


@pytest.fixture
def ball(tmp_path):
    """A photo of a sphere before a wall and its depth."""
    from made_photos import sphere

    return sphere(tmp_path)


@pytest.fixture
def lane(tmp_path):
    """A photo of a receding ground with a ball and posts on it, and its depth."""
    from made_photos import lane

    return lane(tmp_path)


@pytest.fixture
def import_photo(blender):
    """Calls the operator as a script does and returns the root of what it made."""

    from made_photos import OPTIONS

    def call(photo, depth, **options):
        told = blender.ops.photo_diorama.import_photo(filepath=str(photo), depth=str(depth), **{**OPTIONS, **options})
        assert told == {"FINISHED"}
        return blender.context.view_layer.objects.active

    return call


@pytest.fixture
def rebuild(blender):
    """Rebuilds a diorama by its operator; fails where it does not finish."""

    def call(root, **options):
        blender.context.view_layer.objects.active = root
        assert blender.ops.photo_diorama.rebuild(**options) == {"FINISHED"}

    return call


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder that stands for the user's own."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def worker(home):
    """A process that runs command lines; its files are those of `home`."""
    from command_lines import Worker

    worker = Worker(home)
    yield worker
    worker.close()
