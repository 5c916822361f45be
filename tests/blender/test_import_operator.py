"""The import operator for scripts, people and the redo panel: what it makes, what it refuses, how it is stopped."""

from types import SimpleNamespace

import numpy as np
import pytest
from blend_state import counts, differences, everything, furnish, names
from made_photos import OPTIONS, texture, two_planes
from PIL import Image

from photo_diorama.core.settings import Settings


def test_makes_a_collection_of_objects_under_one_root(blender, street, import_photo):
    root = import_photo(*street, depth_scale=1.0)
    collection = blender.data.collections["street"]
    assert [*blender.context.scene.collection.children] == [collection]
    assert {*collection.objects} == {root, *root.children_recursive} and root.name == "street"
    roles = {ob["photo_diorama_role"] for ob in root.children_recursive}
    assert {"photo", "border", "hidden 1", "rig", "camera"} <= roles
    assert all(len(ob.data.polygons) for ob in root.children_recursive if ob.type == "MESH")
    assert root.select_get() and blender.context.selected_objects == [root]


def test_the_root_keeps_settings_and_facts(blender, street, import_photo):
    from photo_diorama.operators.scene.root import find_root, kept_settings, kept_source

    root = import_photo(*street, density=2.0, shader="principled")
    wanted = Settings().with_values({**OPTIONS, "density": 2.0, "shader": "principled"})
    assert Settings().with_values(kept_settings(root)) == wanted
    source = kept_source(root)
    assert source["photo"] == str(street[0]) and source["depth"] == str(street[1]) and source["photo_size"] == [160, 120]
    assert source["working_size"] == [128, 96] and source["metric"] is True and source["nearest_m"] == pytest.approx(2, 0.01)
    assert source["triangles"] == sum(len(ob.data.polygons) for ob in root.children_recursive if ob.type == "MESH")
    assert all(find_root(ob) == root for ob in blender.data.objects)


def test_the_panel_says_where_nothing_is_torn(blender, street, import_photo, tmp_path):
    from photo_diorama.operators.scene.root import kept_source
    from photo_diorama.ui.panels.main_panel import fact_rows

    assert "behind" in dict(fact_rows(kept_source(import_photo(*street))))["Layers"]
    np.save(tmp_path / "slope.npy", np.tile(1 / np.linspace(1 / 3, 1 / 2, 96, dtype=np.float32)[:, None], (1, 128)))
    layers = dict(fact_rows(kept_source(import_photo(street[0], tmp_path / "slope.npy"))))["Layers"]
    assert "nothing is torn" in layers and "depth file" in layers and "--" not in layers


def test_photo_and_depth_chosen_together_make_one_diorama(blender, street):
    from photo_diorama.operators.scene.root import kept_source

    photo, depth = street
    files = [{"name": depth.name}, {"name": photo.name}]
    told = blender.ops.photo_diorama.import_photo(directory=str(photo.parent), files=files, **OPTIONS)
    roots = [ob for ob in blender.data.objects if ob.get("photo_diorama_role") == "root"]
    assert told == {"FINISHED"} and len(roots) == 1
    assert kept_source(roots[0])["depth"] == str(depth) and kept_source(roots[0])["metric"]


def test_the_file_browser_has_no_button_that_would_open_a_second_one(blender):
    """Blender refuses that with "Cannot activate a file selector dialog, one already open"."""
    from fake_layout import FakeLayout

    from photo_diorama.operators.building.import_photo import ImportPhoto

    operator = blender.context.scene.photo_diorama  # holds the same options
    for space, drawn in (("FILE_BROWSER", False), ("VIEW_3D", True)):
        layout = FakeLayout()
        stand_in = Drawn(operator, layout)
        ImportPhoto.draw(stand_in, SimpleNamespace(space_data=SimpleNamespace(type=space)))
        assert ("depth" in [name for _, name in layout.rows()]) is drawn


class Drawn:
    """An operator that is only drawn: its options are those of a scene."""

    def __init__(self, options, layout):
        self._options, self.layout = options, layout

    def __getattr__(self, name):
        return getattr(self._options, name)


def bad_inputs(folder) -> dict[str, tuple[dict, str]]:
    """Arguments of the operator, and words of the sentence that must come."""
    photo, depth = two_planes(folder)
    files = {name: folder / name for name in ("text.jpg", "empty.png", "tall.npy", "flat.npy", "unknown.npy", "cut.jpg")}
    files["text.jpg"].write_text("no picture")
    files["empty.png"].write_bytes(b"")
    np.save(files["tall.npy"], np.random.default_rng(0).random((120, 60)).astype(np.float32) + 1)
    np.save(files["flat.npy"], np.ones((120, 160), np.float32))
    np.save(files["unknown.npy"], np.full((120, 160), np.nan, np.float32))
    Image.fromarray(texture(120, 160)).save(files["cut.jpg"])
    files["cut.jpg"].write_bytes(files["cut.jpg"].read_bytes()[:2000])
    photo, depth, files = str(photo), str(depth), {name: str(path) for name, path in files.items()}
    two = [{"name": "street.png"}, {"name": "text.jpg"}]
    return {
        "nothing chosen": (dict(filepath=""), "No photo was chosen"),
        "missing photo": (dict(filepath=str(folder / "none.jpg"), depth=depth), "none.jpg cannot be read"),
        "a folder": (dict(filepath=str(folder), depth=depth), "folder"),
        "not a picture": (dict(filepath=files["text.jpg"], depth=depth), "not a picture"),
        "empty photo": (dict(filepath=files["empty.png"], depth=depth), "empty"),
        "damaged photo": (dict(filepath=files["cut.jpg"], depth=depth), "damaged or cut short"),
        "missing depth": (dict(filepath=photo, depth=str(folder / "none.png")), "none.png cannot be read"),
        "depth of another aspect": (dict(filepath=photo, depth=files["tall.npy"]), "aspect"),
        "flat depth": (dict(filepath=photo, depth=files["flat.npy"]), "same depth everywhere"),
        "unknown depth": (dict(filepath=photo, depth=files["unknown.npy"]), "0 of 19200 pixels"),
        "one depth for two": (dict(directory=str(folder), files=two, depth=depth), "one by one"),
    }


def test_bad_input_is_told_in_a_sentence_and_leaves_the_scene_alone(blender, tmp_path):
    before = everything()
    for case, (arguments, words) in bad_inputs(tmp_path).items():
        with pytest.raises(RuntimeError) as told:
            blender.ops.photo_diorama.import_photo(**arguments)
        lines = [line for line in str(told.value).splitlines() if line.strip()]
        assert len(lines) == 1 and words in lines[0] and lines[0].endswith("."), f"{case}: {told.value}"
        after = everything()
        assert not differences(before, after) and not differences(after, before), case


@pytest.mark.parametrize("broken", ["make_mesh", "make_materials", "add_camera", "set_up_scene", "match_camera"])
def test_a_fault_half_way_through_the_emission_leaves_the_scene_alone(blender, street, import_photo, monkeypatch, capfd, broken):
    from photo_diorama.operators.scene import emit

    calls = []

    def breaks(*arguments):
        calls.append(arguments)
        if len(calls) == 1 and broken in ("make_mesh", "set_up_scene"):
            result = whole(*arguments)
            if broken == "make_mesh":
                return result
        raise KeyError("made to fail")

    whole = getattr(emit, broken)
    monkeypatch.setattr(emit, broken, breaks)
    furnish(blender)
    before = everything()
    with pytest.raises(RuntimeError, match="fault of Photo Diorama.*KeyError"):
        import_photo(*street, set_up_scene=True)
    after = everything()
    assert calls and not differences(before, after) and not differences(after, before)
    assert "Traceback" in capfd.readouterr().err  # the console shows where


def test_the_same_photo_twice_makes_two_dioramas_that_share_nothing(blender, street, import_photo):
    first = import_photo(*street)
    once = names()
    second = import_photo(*street)
    assert second != first
    for kind, had in once.items():
        if kind not in ("scenes", "worlds", "node_groups"):  # the relief's node group serves all dioramas, as its name says
            assert len(names()[kind]) == 2 * len(had), kind
    of = [{part for ob in root.children_recursive for part in (ob, ob.data) if part} for root in (first, second)]
    materials = [{s.material for ob in root.children_recursive for s in ob.material_slots} for root in (first, second)]
    assert not of[0] & of[1] and not materials[0] & materials[1]
    kept = everything(once)
    for ob in second.children_recursive:
        blender.data.objects.remove(ob)
    assert not [line for line in differences(kept, everything(once)) if "scenes" not in line]


def test_several_photos_at_once_and_one_that_is_none(blender, tmp_path, monkeypatch):
    """Depth is found for each by the core; here the core is handed the same depth for all."""
    from photo_diorama.operators.building import import_photo

    _, depth = two_planes(tmp_path, "a.png")
    two_planes(tmp_path, "b.png")
    (tmp_path / "c.png").write_text("no picture")
    build = import_photo.build_diorama
    monkeypatch.setattr(import_photo, "build_diorama", lambda photo, _, *rest: build(photo, depth, *rest))
    files = [{"name": name} for name in ("a.png", "c.png", "b.png")]
    told = blender.ops.photo_diorama.import_photo(directory=str(tmp_path), files=files, long_side=96, depth_kind="metric")
    assert told == {"FINISHED"}
    assert {c.name for c in blender.data.collections} == {"a", "b"}
    assert {ob.name for ob in blender.context.selected_objects} == {"a", "b"}


def test_undo_and_redo_take_the_whole_diorama(blender, street):
    blender.ops.ed.undo_push(message="before")
    before = counts()
    blender.ops.photo_diorama.import_photo(
        "EXEC_DEFAULT", True, filepath=str(street[0]), depth=str(street[1]), depth_kind="metric", long_side=96
    )
    after = counts()
    assert after["objects"] >= 5 and "street" in blender.data.objects
    blender.ops.ed.undo()
    assert counts() == before and not blender.data.objects
    blender.ops.ed.redo()
    assert counts() == after and "street" in blender.data.objects


@pytest.mark.parametrize("cheap", [dict(density=0.5), dict(shader="principled"), dict(texture_filter="closest"),
                                   dict(camera_move="swing")])  # fmt: skip
def test_a_cheap_option_repeats_no_slow_stage(blender, street, import_photo, cheap):
    from photo_diorama.operators.building import build_operator as build
    from photo_diorama.operators.scene.root import kept_source

    import_photo(*street)
    was = {stage: id(result) for (_, stage), (_, result) in build.kept.results.items()}
    root = import_photo(*street, **cheap)
    now = {stage: id(result) for (_, stage), (_, result) in build.kept.results.items()}
    again = {"Triangulating", "Laying out the meshes"} if "density" in cheap else set()
    again |= {"Laying out the meshes"} if cheap.get("shader") == "principled" else set()  # which wants normals
    assert {stage for stage in was if was[stage] != now[stage]} == again
    seconds = kept_source(root)["seconds"]
    assert len(was) >= 5 and all(seconds[stage] == 0 for stage in was if stage not in again)


def test_names_of_any_length_and_script(blender, tmp_path, import_photo):
    for name in ("Bäckerei & Café 茶 .png", "x" * 240 + ".png", "日本" * 30 + ".png"):
        folder = tmp_path / str(len(name))
        folder.mkdir()
        root = import_photo(*two_planes(folder, name))
        stem = name[:-4]
        assert stem.startswith(root.name) and len(root.name) >= min(len(stem), 16)
        for ob in root.children_recursive:
            assert ob.name.startswith(root.name) and ob["photo_diorama_role"] in ob.name.replace("camera rig", "rig")


def test_a_photo_that_needs_more_memory_than_is_left_is_told_in_the_windows_words(street, import_photo, monkeypatch, capfd):
    from photo_diorama.core import memory

    monkeypatch.setattr(memory, "free_memory", lambda: 100_000_000)
    import_photo(*street)
    said = capfd.readouterr().out
    assert "GB are free" in said and "lower Long Side" in said and "--long-side" not in said
