"""Exported dioramas, read back by Blender's importers: the same surfaces with the same pixels, and the scene as it was."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs Blender as a module: pip install bpy")

from blend_state import differences, everything  # noqa: E402

from photo_diorama.operators.scene.root import objects_by_role  # noqa: E402

READ = {
    "glb": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    "usdc": lambda path: bpy.ops.wm.usd_import(filepath=path),
    "abc": lambda path: bpy.ops.wm.alembic_import(filepath=path, as_background_job=False),
    "obj": lambda path: bpy.ops.wm.obj_import(filepath=path),
    "ply": lambda path: bpy.ops.wm.ply_import(filepath=path, forward_axis="Y", up_axis="Z"),
}
LAYERED = ("glb", "usdc", "obj")


def corners(ob, depsgraph=None) -> np.ndarray:
    """(n, 5) float64: world place and UV of each corner of each triangle."""
    evaluated = ob.evaluated_get(depsgraph or bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    mesh.calc_loop_triangles()
    places = np.array([vertex.co for vertex in mesh.vertices])
    world = np.array(ob.matrix_world)
    places = places @ world[:3, :3].T + world[:3, 3]
    uvs = np.array([tuple(each.uv) for each in mesh.uv_layers.active.data])
    rows = [np.hstack([places[t.vertices], uvs[list(t.loops)]]) for t in mesh.loop_triangles]
    evaluated.to_mesh_clear()
    return np.concatenate(rows)


def matched(one: np.ndarray, other: np.ndarray) -> float:
    """The largest distance from a row to the nearest row of the other set, both ways."""
    from scipy.spatial import cKDTree

    return max(cKDTree(a).query(b)[0].max() for a, b in ((one, other), (other, one)))


def export(path: Path, **options) -> set:
    kind = {"glb": "GLB", "usdc": "USD", "abc": "ABC", "obj": "OBJ", "ply": "PLY"}[path.suffix[1:]]
    return bpy.ops.photo_diorama.export(filepath=str(path), format=kind, **options)


def surfaces(root) -> dict:
    return {role: ob for role, ob in objects_by_role(root).items() if ob.type == "MESH"}


def reread(path: Path) -> list:
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    READ[path.suffix[1:]](str(path))
    return [ob for ob in bpy.data.objects if ob.type == "MESH"]


@pytest.mark.parametrize("ending", LAYERED)
def test_each_layer_comes_back_with_its_texture(import_photo, ball, tmp_path, ending):
    root = import_photo(*ball)
    was = {ob.name.replace(" ", "_"): corners(ob) for ob in surfaces(root).values()}
    pixels = Path(ball[0]).read_bytes()
    assert export(tmp_path / f"out.{ending}") == {"FINISHED"}
    back = reread(tmp_path / f"out.{ending}")
    assert len(back) == len(was) > 2
    for ob in back:
        name = next(name for name in was if ob.name.startswith(name) or (ob.parent and ob.parent.name.startswith(name)))
        assert matched(was.pop(name), corners(ob)) < 2e-4
        image = next(n.image for n in ob.active_material.node_tree.nodes if n.bl_idname == "ShaderNodeTexImage")
        assert min(image.size) > 1
        if name.endswith("_photo"):
            data = image.packed_file.data if image.packed_file else Path(bpy.path.abspath(image.filepath)).read_bytes()
            assert data == pixels  # the photo's own file, not encoded again
    assert not was


def test_alembic_brings_each_layer_back_with_the_textures_beside_it(import_photo, ball, tmp_path):
    """Alembic holds no materials."""
    root = import_photo(*ball)
    was = {ob.name.replace(" ", "_"): corners(ob) for ob in surfaces(root).values()}
    assert export(tmp_path / "out.abc") == {"FINISHED"}
    textures = {path.name: path.read_bytes() for path in (tmp_path / "out_textures").iterdir()}
    back = reread(tmp_path / "out.abc")
    assert len(back) == len(was) > 2
    for ob in back:
        name = next(name for name in was if ob.name.startswith(name))
        assert matched(was.pop(name), corners(ob)) < 2e-4
    assert len(textures) == 2 and Path(ball[0]).read_bytes() in textures.values()


@pytest.mark.parametrize("ending", ("glb", "usdc", "abc"))
def test_the_exported_camera_sees_the_photo_where_it_was(import_photo, ball, tmp_path, ending):
    root = import_photo(*ball)
    camera = objects_by_role(root)["camera"]
    was = np.array(camera.matrix_world), camera.data.angle_x
    assert export(tmp_path / f"out.{ending}") == {"FINISHED"}
    reread(tmp_path / f"out.{ending}")
    back = next(ob for ob in bpy.data.objects if ob.type == "CAMERA")
    assert np.allclose(np.array(back.matrix_world), was[0], atol=1e-5)
    if ending != "glb":
        assert back.data.angle_x == pytest.approx(was[1], rel=1e-4)


@pytest.mark.parametrize("ending", ("glb", "usdc", "obj", "ply"))
def test_one_mesh_holds_all_surfaces_and_shows_the_same_colours(import_photo, ball, tmp_path, ending):
    root = import_photo(*ball)
    want = []
    for ob in surfaces(root).values():
        node = next(n for n in ob.active_material.node_tree.nodes if n.bl_idname == "ShaderNodeTexImage")
        want.append(np.hstack([corners(ob)[:, :3], sampled(node.image, corners(ob)[:, 3:])]))
    assert export(tmp_path / f"out.{ending}", one_mesh=True) == {"FINISHED"}
    (back,) = reread(tmp_path / f"out.{ending}")
    if ending == "ply":
        image = bpy.data.images.load(str(next((tmp_path / "out_textures").iterdir())))
        assert back.data.color_attributes
    else:
        image = next(n.image for n in back.active_material.node_tree.nodes if n.bl_idname == "ShaderNodeTexImage")
    found = corners(back)
    got = np.hstack([found[:, :3], sampled(image, found[:, 3:])])
    assert matched(np.concatenate(want), got) < 0.03  # a texel's edge may fall to either side


def sampled(image, uvs: np.ndarray) -> np.ndarray:
    """(n, 3) bilinear colours, as encoded in the file."""
    from scipy.ndimage import map_coordinates

    width, height = image.size
    pixels = np.array(image.pixels[:]).reshape(height, width, 4)
    places = uvs[:, 1] * height - 0.5, uvs[:, 0] * width - 0.5
    return np.stack([map_coordinates(pixels[..., c], places, order=1, mode="nearest") for c in range(3)], axis=1)


@pytest.mark.parametrize("ending", ("glb", "obj"))
def test_the_scene_is_as_it_was(import_photo, ball, tmp_path, ending):
    root = import_photo(*ball)
    before = everything()
    selected = [ob.name for ob in bpy.context.selected_objects]
    assert export(tmp_path / f"out.{ending}") == {"FINISHED"}
    after = everything()
    assert not differences(before, after) and not differences(after, before)
    assert [ob.name for ob in bpy.context.selected_objects] == selected and bpy.context.object == root
    left = {path.name for path in tmp_path.iterdir()} - {Path(path).name for path in ball}
    assert left == {"out.glb"} if ending == "glb" else left == {"out.obj", "out.mtl", "out_textures"}


def test_hidden_layers_stay_at_home(import_photo, ball, tmp_path):
    root = import_photo(*ball)
    for role, ob in surfaces(root).items():
        ob.hide_set(role != "photo")
    assert export(tmp_path / "out.glb", camera=False) == {"FINISHED"}
    assert len(reread(tmp_path / "out.glb")) == 1 and not bpy.data.cameras


def test_what_cannot_be_written_is_told_and_leaves_nothing(import_photo, ball, tmp_path):
    root = import_photo(*ball)
    before, files = everything(), sorted(tmp_path.rglob("*"))
    with pytest.raises(RuntimeError, match="choose a file name in a folder that is there"):
        export(tmp_path / "nowhere" / "out.glb")
    for ob in surfaces(root).values():
        ob.hide_set(True)
    with pytest.raises(RuntimeError, match="no visible surface"):
        export(tmp_path / "out.glb")
    for ob in surfaces(root).values():
        ob.hide_set(False)
    after = everything()
    assert not differences(before, after) and sorted(tmp_path.rglob("*")) == files


def test_a_fault_of_the_exporter_leaves_no_file_and_no_copy(import_photo, ball, tmp_path, monkeypatch):
    from photo_diorama.operators.output import export_diorama

    import_photo(*ball)
    before, files = everything(), sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(export_diorama, "_write", lambda *a: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(RuntimeError, match="No space left on device"):
        export(tmp_path / "out.usdc")
    assert not differences(before, everything()) and sorted(tmp_path.rglob("*")) == files


def test_a_blender_without_an_exporter_says_so(import_photo, ball, tmp_path, monkeypatch):
    """Debian's Blender has no USD."""
    from photo_diorama.operators.output import export_diorama

    import_photo(*ball)
    monkeypatch.setitem(export_diorama.EXPORTERS, "USD", ("wm", "no_such_exporter"))
    with pytest.raises(RuntimeError, match="without its USD exporter; choose another format, such as GLB"):
        export(tmp_path / "out.usdc")
    assert sorted(path.name for path in tmp_path.glob("out*")) == []


def test_surfaces_are_exported_as_modifiers_leave_them(import_photo, ball, tmp_path):
    root = import_photo(*ball)
    photo = surfaces(root)["photo"]
    flat = corners(photo)
    photo.modifiers.new("Bulge", "DISPLACE").strength = 0.3
    want = corners(photo)
    assert matched(flat, want) > 0.1  # its middle level halves the strength
    assert export(tmp_path / "out.glb", camera=False) == {"FINISHED"}
    back = next(ob for ob in reread(tmp_path / "out.glb") if ob.name.endswith("_photo"))
    assert matched(want, corners(back)) < 2e-4


@pytest.mark.parametrize("unlit", (True, False))
def test_unlit_is_what_gltf_calls_so(import_photo, ball, tmp_path, unlit):
    import_photo(*ball)
    assert export(tmp_path / "out.glb", unlit=unlit) == {"FINISHED"}
    data = (tmp_path / "out.glb").read_bytes()
    told = json.loads(data[20 : 20 + struct.unpack("<I", data[12:16])[0]])
    assert all(("KHR_materials_unlit" in m.get("extensions", {})) == unlit for m in told["materials"])
    assert len(told["images"]) == 2 and all("baseColorTexture" in m["pbrMetallicRoughness"] for m in told["materials"])


@pytest.mark.parametrize("ending", [".glb", ".usdc", ".abc"])
@pytest.mark.parametrize("name", ["swing", "dolly-zoom"])
def test_the_cameras_move_comes_back_frame_by_frame(import_photo, ball, tmp_path, ending, name):
    from photo_diorama.operators.output.camera_track import find_track

    root, scene = import_photo(*ball, camera_move=name, frames=6), bpy.context.scene
    nearest = json.loads(root["photo_diorama_source"])["nearest_m"]
    root.location, root.rotation_euler = (1, 2, 3), (0.1, 0.2, 0.3)
    bpy.context.view_layer.update()
    track, before = find_track(root, scene), (scene.frame_start, scene.frame_end, scene.frame_current)
    assert len(track.frames) == 6 and np.ptp([p.translation.x for p in track.places]) > 0.01
    export(tmp_path / f"a{ending}")
    assert (scene.frame_start, scene.frame_end, scene.frame_current) == before
    sensor = objects_by_role(root)["camera"].data.sensor_width
    reread(tmp_path / f"a{ending}")
    camera, scene = next(ob for ob in bpy.data.objects if ob.type == "CAMERA"), bpy.context.scene
    for frame, place, lens in zip(track.frames, track.places, track.lenses, strict=True):
        scene.frame_set(frame)
        assert (camera.matrix_world.translation - place.translation).length < 1e-4 * nearest
        turn = camera.matrix_world.to_quaternion().rotation_difference(place.to_quaternion()).angle
        assert min(turn, 2 * np.pi - turn) < 1e-3
        if ending != ".abc" or name == "swing":  # Blender reads of an Alembic file's lens the first frame alone
            data = camera.data  # read back with the vertical angle that the scene's 16 : 9 picture has
            across = data.sensor_height * 16 / 9 if data.sensor_fit == "VERTICAL" else data.sensor_width
            found = data.lens / across * sensor
            assert found == pytest.approx(lens, rel=1e-3)
    if ending == ".abc":  # but the file holds it for every frame
        data = (tmp_path / "a.abc").read_bytes()
        assert all(struct.pack("<d", lens) in data for lens in track.lenses)
    lines = [[float(n) for n in line.split()] for line in (tmp_path / "a.chan").read_text().splitlines()]
    assert [int(line[0]) for line in lines] == list(track.frames)
    for line, place in zip(lines, track.places, strict=True):
        x, y, z = place.translation
        assert np.allclose(line[1:4], (x, z, -y), atol=1e-5)
        (rx, ry, rz), ahead = np.radians(line[4:7]), np.array(place.to_3x3().col[2]) * -1
        # first about z, then x, then y: where the camera looks
        seen = (-np.sin(ry) * np.cos(rx), np.sin(rx), -np.cos(ry) * np.cos(rx))
        assert np.allclose(seen, (ahead[0], ahead[2], -ahead[1]), atol=1e-5) and abs(rz) < np.pi
