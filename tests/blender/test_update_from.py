"""Update existing: another depth, photo, model or setting on the same root keeps all that the artist made of it."""

import json

import numpy as np
import pytest
from blend_state import MADE_ANEW, differences, everything, names
from layer_state import parts, photo_depth
from made_photos import texture
from PIL import Image

from photo_diorama.core.built_in.depth import BuiltInDepth


@pytest.fixture
def root(blender, street, import_photo):
    """A diorama that an artist worked on: moved, constrained, animated, with modifiers and materials of his own."""
    root = import_photo(*street, camera_move="swing")
    part = parts(root)
    root.location, root.rotation_euler, root.scale = (1, 2, 3), (0.1, 0.2, 0.3), (2, 2, 2)
    part["border"].location = (0, 0.5, 0)
    target = blender.data.objects.new("target", None)
    blender.context.scene.collection.objects.link(target)
    part["photo"].constraints.new("COPY_LOCATION").target = target
    part["camera"].constraints.new("TRACK_TO").target = target
    part["rig"].keyframe_insert("rotation_euler", frame=11)
    part["photo"].keyframe_insert("location", frame=3)
    part["camera"].data.lens = 77.0
    part["hidden 1"].modifiers.new("mine", "SOLIDIFY").thickness = 0.3
    node = part["photo"].active_material.node_tree.nodes.new("ShaderNodeHueSaturation")
    node.name, node.inputs["Saturation"].default_value = "mine", 0.25
    part["border"].data.materials.append(blender.data.materials.new("my own"))
    part["border"].hide_render = True
    blender.context.view_layer.objects.active = root
    blender.context.view_layer.update()
    return root


def kept_as_it_was(before) -> None:
    """Everything but the surfaces themselves, the relief's measured range and what is told about the diorama."""
    lines = [line for line in differences(before, everything()) if "photo_diorama" not in line and not line.startswith("meshes")]
    lines = [line for line in lines if not any(word in line for word in (*MADE_ANEW, "clip_")) and "hidden 2" not in line]
    lines = [line for line in lines if "bound_box" not in line and "dimensions" not in line and "matrix" not in line]
    assert not lines, "\n".join(lines)


def saved(folder, metres, name="other.npy") -> str:
    np.save(folder / name, metres.astype(np.float32))
    return str(folder / name)


def test_another_depth_map(blender, root, street, tmp_path):
    before, surface = everything(), photo_depth(root)
    other = saved(tmp_path, 0.5 + np.load(street[1]))
    assert blender.ops.photo_diorama.update_from(filepath=other) == {"FINISHED"}
    kept_as_it_was(before)
    assert np.unique(np.round(1 / photo_depth(root)[:, 2], 2)) == pytest.approx([2.5, 6.5]) and len(surface)
    assert json.loads(root["photo_diorama_source"])["depth"] == other
    assert blender.ops.photo_diorama.rebuild() == {"FINISHED"}, "the next rebuild goes on from it"
    assert np.unique(np.round(1 / photo_depth(root)[:, 2], 2)) == pytest.approx([2.5, 6.5])


def test_another_version_of_the_photo(blender, root, street, tmp_path):
    retouched = tmp_path / "retouched.png"
    Image.fromarray(texture(240, 320, 7)).save(retouched)
    before, camera = everything(), parts(root)["camera"].data
    assert blender.ops.photo_diorama.update_from(filepath=str(retouched), what="PHOTO") == {"FINISHED"}
    photo = next(node.image for node in parts(root)["photo"].active_material.node_tree.nodes if node.type == "TEX_IMAGE")
    assert tuple(photo.size) == (320, 240) and json.loads(root["photo_diorama_source"])["photo"] == str(retouched)
    lens = camera.lens
    camera.lens = 77.0  # a photo of another size has another camera: that one follows
    kept_as_it_was({key: value for key, value in before.items() if not key.startswith("cameras")})
    assert lens != 77.0


def test_a_fresh_estimate_by_a_model(blender, root, monkeypatch):
    from photo_diorama.core.depth import find_depth

    rows = np.linspace(0.2, 1.0, 24, dtype=np.float32)
    monkeypatch.setattr(find_depth, "estimate_with_edges", lambda picture: BuiltInDepth(np.tile(rows[:, None], (1, 32)), None, 1 / 60))
    before = everything()
    told = blender.ops.photo_diorama.update_from(what="ESTIMATE", estimator="built-in", depth_kind="auto")
    assert told == {"FINISHED"}
    about = json.loads(root["photo_diorama_source"])
    assert about["depth"] == "" and "built-in" in about["depth_source"]
    left = {key: value for key, value in before.items() if "hidden" not in key and not key.startswith(("scenes", "collections"))}
    kept_as_it_was(left)


def test_another_setting(blender, root, street):
    before = everything()
    assert blender.ops.photo_diorama.update_from(filepath=str(street[1]), density=2.0, border=0.1, hidden_width=0.1) == {"FINISHED"}
    kept_as_it_was(before)
    assert json.loads(root["photo_diorama_settings"])["density"] == 2.0


def test_an_own_edit_and_parts_stay(blender, root, street, tmp_path):
    blender.ops.photo_diorama.split_layer(by="RANGE", near=1.0, far=3.0)
    part = parts(root)["part 1 photo"]
    part.location = (1, 1, 1)
    blender.ops.photo_diorama.update_from(filepath=saved(tmp_path, 2 * np.load(street[1])))
    assert parts(root)["part 1 photo"] == part and tuple(part.location) == (1, 1, 1)
    assert np.median([vertex.co.y for vertex in part.data.vertices]) == pytest.approx(4, rel=0.01)


def test_a_file_that_is_none_changes_nothing(blender, root, tmp_path):
    before, had = everything(), names()
    (tmp_path / "bad.npy").write_bytes(b"nothing")
    for file, told in (
        (str(tmp_path / "bad.npy"), "bad.npy"),
        (str(tmp_path / "gone.npy"), "gone.npy"),
        ("", "No file"),
    ):
        with pytest.raises(RuntimeError, match=told):
            blender.ops.photo_diorama.update_from(filepath=file)
    assert names() == had and not differences(before, everything())


def test_one_undo_step(blender, root, street, tmp_path):
    name = root.name
    before = photo_depth(root)
    blender.ops.ed.undo_push(message="ready")
    blender.ops.photo_diorama.update_from("EXEC_DEFAULT", True, filepath=saved(tmp_path, 2 * np.load(street[1])))
    assert not np.array_equal(photo_depth(blender.data.objects[name]), before)
    blender.ops.ed.undo()
    assert np.array_equal(photo_depth(blender.data.objects[name]), before)


def test_redo_of_an_import_of_several_photos_repeats_no_slow_stage(blender, street, tmp_path):
    """Every photo's stages are kept, not only the last one's."""
    from made_photos import OPTIONS, two_planes

    from photo_diorama.operators.scene.root import kept_source

    folder = tmp_path / "several"
    folder.mkdir()
    for name in "abc":
        photo, depth = two_planes(folder, f"{name}.png")
        depth.rename(folder / f"{name}_depth.npy")
    files = [{"name": f"{name}.png"} for name in "abc"]
    options = {**OPTIONS, "estimator": "auto"}
    import photo_diorama.core.depth.find_depth as find_depth

    rows = np.linspace(0.2, 1.0, 24, dtype=np.float32)
    calls = []

    def estimate(picture):
        calls.append(1)
        return BuiltInDepth(np.tile(rows[:, None], (1, 32)), None, 1 / 60)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(find_depth, "estimate_with_edges", estimate)
        patch.setattr(find_depth, "find_sidecar_depth", lambda path: None)
        patch.setattr(find_depth, "find_named_depth", lambda path: None)
        patch.setattr(find_depth, "named_depths", lambda path: [])
        options["depth_kind"] = "auto"
        for density in (1.0, 2.0):
            told = blender.ops.photo_diorama.import_photo(directory=str(folder), files=files, **{**options, "density": density})
            assert told == {"FINISHED"}
            if density == 1.0:
                once = len(calls)
    assert once == 3 and len(calls) == 3
    for ob in blender.data.objects:
        if ob.get("photo_diorama_role") == "root" and json.loads(ob["photo_diorama_settings"])["density"] == 2.0:
            seconds = kept_source(ob)["seconds"]
            assert all(seconds[stage] < 0.02 for stage in seconds if stage not in ("Triangulating", "Laying out the meshes")), seconds
