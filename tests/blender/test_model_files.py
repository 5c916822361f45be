"""The list of networks in the preferences: download from a real server on this machine, import, remove; and what it refuses."""

from types import SimpleNamespace

import pytest

bpy = pytest.importorskip("bpy", reason="needs Blender as a module: pip install bpy")

import sys  # noqa: E402
from pathlib import Path  # noqa: E402

from fake_layout import FakeLayout  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))
from loopback_server import Fault, unproxied_server  # noqa: E402
from made_weights import CONTENT, entry  # noqa: E402

from photo_diorama.core.models import store as models  # noqa: E402
from photo_diorama.operators.building import model_files  # noqa: E402


@pytest.fixture
def folder(blender, tmp_path, monkeypatch):
    """An empty models folder that the operators use."""
    place = tmp_path / "models"
    monkeypatch.setattr(model_files, "models_folder", lambda context: place)
    return place


@pytest.fixture
def online(blender):
    system = blender.context.preferences.system
    was = system.use_online_access
    system.use_online_access = True
    yield
    system.use_online_access = was


@pytest.fixture
def server(monkeypatch):
    yield from unproxied_server(monkeypatch)


def known_as(monkeypatch, weights) -> None:
    monkeypatch.setattr(models, "weights_named", lambda key: weights)


def test_a_download_ends_in_the_folder(folder, online, server, monkeypatch):
    known_as(monkeypatch, entry(server.serve("/net", CONTENT)))
    assert bpy.ops.photo_diorama.download_model(key="net") == {"FINISHED"}
    assert (folder / "net.pth").read_bytes() == CONTENT
    assert bpy.ops.photo_diorama.remove_model(key="net") == {"FINISHED"}
    assert not (folder / "net.pth").exists()


def test_wrong_bytes_are_refused_in_a_sentence(folder, online, server, monkeypatch):
    known_as(monkeypatch, entry(server.serve("/net", CONTENT, always=Fault(wrong_bytes=True))))
    with pytest.raises(RuntimeError, match="net.pth"):
        bpy.ops.photo_diorama.download_model(key="net")
    assert not (folder / "net.pth").exists()


def test_nothing_is_asked_for_without_online_access(folder, blender, server, monkeypatch):
    blender.context.preferences.system.use_online_access = False
    known_as(monkeypatch, entry(server.serve("/net", CONTENT)))
    assert not bpy.ops.photo_diorama.download_model.poll()
    with pytest.raises(RuntimeError):
        bpy.ops.photo_diorama.download_model(key="net")
    assert not server.requests and not folder.exists()


def test_a_file_of_ones_own_is_taken_only_when_it_is_the_right_one(folder, tmp_path, monkeypatch):
    known_as(monkeypatch, entry("https://weights.invalid/net"))
    wrong, right = tmp_path / "wrong.pth", tmp_path / "anything.bin"
    wrong.write_bytes(CONTENT[::-1])
    right.write_bytes(CONTENT)
    with pytest.raises(RuntimeError, match="wrong.pth"):
        bpy.ops.photo_diorama.import_model(key="net", filepath=str(wrong))
    assert not (folder / "net.pth").exists()
    assert bpy.ops.photo_diorama.import_model(key="net", filepath=str(right)) == {"FINISHED"}
    assert (folder / "net.pth").read_bytes() == CONTENT


def test_the_list_shows_every_network_with_size_licence_and_buttons(blender, tmp_path, monkeypatch):
    from photo_diorama.ui.preferences import model_list

    monkeypatch.setattr(model_list, "models_folder", lambda context: tmp_path)
    layout = FakeLayout()
    model_list.draw_models(layout, blender.context)
    labels = layout.said("label")
    for weights in models.CATALOGUE:
        at = labels.index(weights.key)
        assert f"{weights.bytes / 1e6:,.0f} MB" in labels[at + 1] and weights.licence in labels[at + 1]
        assert ("not commercial" in labels[at + 1]) == (not weights.commercial)
    assert len(layout.said("operator")) == 2 * len(models.CATALOGUE)


def test_before_a_download_size_and_licence_are_shown(blender):
    layout = FakeLayout()
    key = models.CATALOGUE[0].key
    model_files.DownloadModel.draw(SimpleNamespace(layout=layout, key=key), blender.context)
    told = " ".join(layout.said("label"))
    assert models.CATALOGUE[0].licence in told and "MB" in told


def test_one_folder_for_all_versions_is_proposed_and_made_by_nobody_unasked(blender, folder, monkeypatch, tmp_path):
    """The button sets the preference alone; the folder comes with the first download."""
    from photo_diorama.ui.preferences import model_list

    shared, known, told = tmp_path / "home" / "models", SimpleNamespace(models_folder=""), []
    for module in (model_files, model_list):
        monkeypatch.setattr(module, "shared_models_folder", lambda: shared)
    monkeypatch.setattr(model_files, "preferences", lambda context: known)
    layout = FakeLayout()
    model_list.propose_shared_models(layout)
    assert str(shared) in layout.said("label")[0] and layout.said("operator") and known.models_folder == ""
    operator = SimpleNamespace(report=lambda kind, text: told.append(text))
    assert model_files.ShareModels.execute(operator, blender.context) == {"FINISHED"}
    assert known.models_folder == str(shared) and not shared.exists() and not told
