"""Where new dioramas stand, and how the viewport and the scene show them."""

import json

import numpy as np
import pytest
from blend_state import differences, everything
from mathutils import Matrix


def bounds(root) -> tuple[np.ndarray, np.ndarray]:
    places = [ob.matrix_world @ vertex.co for ob in root.children_recursive if ob.type == "MESH" for vertex in ob.data.vertices]
    return np.min(places, axis=0), np.max(places, axis=0)


def add_cube(blender, name="cube", size=2.0, place=(0, 0, 0)):
    blender.ops.mesh.primitive_cube_add(size=size, location=place)
    blender.context.object.name = name
    return blender.context.object


def test_an_empty_scene_has_it_at_the_origin(blender, street, import_photo):
    assert import_photo(*street).matrix_world == Matrix()


def test_the_camera_never_stands_in_somebodys_object(blender, street, import_photo, capfd):
    add_cube(blender)
    root = import_photo(*street)
    blender.context.view_layer.update()
    assert root.location.x > 1 and root.location.y == root.location.z == 0
    said = capfd.readouterr()
    assert "would have stood inside cube" in said.out + said.err
    at_origin = import_photo(*street, placement="origin")
    assert at_origin.matrix_world == Matrix()
    said = capfd.readouterr()
    assert "stands inside cube; move one of them" in said.out + said.err


def test_photos_are_set_side_by_side(blender, street, ball, import_photo):
    roots = [import_photo(*street), import_photo(*ball), import_photo(*street)]
    blender.context.view_layer.update()
    ends = [bounds(root) for root in roots]
    for (_, right), (left, _) in zip(ends[:-1], ends[1:], strict=True):
        assert right[0] < left[0]


def test_at_the_cursor_and_before_the_scenes_camera(blender, street, import_photo):
    scene = blender.context.scene
    scene.cursor.location = (3, -2, 5)
    assert tuple(import_photo(*street, placement="cursor").location) == (3, -2, 5)
    camera = blender.data.objects.new("own", blender.data.cameras.new("own"))
    scene.collection.objects.link(camera)
    camera.location, camera.rotation_euler, scene.camera = (1, 2, 3), (1.2, 0.1, 0.7), camera
    blender.context.view_layer.update()
    root = import_photo(*street, placement="camera")
    blender.context.view_layer.update()
    photo_camera = next(ob for ob in root.children_recursive if ob.type == "CAMERA")
    assert np.allclose(photo_camera.matrix_world, camera.matrix_world, atol=1e-6)
    assert scene.camera == camera


def test_on_its_ground(blender, lane, import_photo):
    root = import_photo(*lane, placement="ground")
    blender.context.view_layer.update()
    ground = next(ob for ob in root.children_recursive if ob.get("photo_diorama_role") == "ground")
    assert ground.matrix_world.translation.z == pytest.approx(0, abs=1e-5) and root.location.z > 0.5
    assert np.allclose(np.array(ground.matrix_world.to_3x3())[:, 2], (0, 0, 1), atol=1e-5)


def test_a_rebuild_leaves_it_where_it_is(blender, street, import_photo):
    root = import_photo(*street)
    root.location = (7, 8, 9)
    blender.context.view_layer.objects.active = root
    blender.ops.photo_diorama.rebuild()
    assert tuple(root.location) == (7, 8, 9)


def area(blender):
    return max((a for a in blender.context.window.screen.areas if a.type == "VIEW_3D"), key=lambda a: a.width)


def view(blender) -> dict:
    """What a viewport shows and how."""
    space = area(blender).spaces.active
    told = {name: getattr(space, name) for name in ("use_local_camera", "camera")}
    told |= {name: getattr(space.shading, name) for name in ("type", "color_type", "light", "show_object_outline")}
    told |= {name: getattr(space.overlay, name) for name in ("show_floor", "show_axis_x", "show_relationship_lines")}
    return told | {"perspective": space.region_3d.view_perspective}


def test_after_an_import_into_the_factory_scene_the_photo_is_seen(extension, street, import_photo):
    extension.ops.wm.read_homefile(use_factory_startup=True)
    own = extension.context.scene.camera
    root = import_photo(*street)
    seen = view(extension)
    assert seen["perspective"] == "CAMERA" and seen["camera"].parent.parent == root and seen["use_local_camera"]
    assert (seen["type"], seen["color_type"], seen["light"]) == ("SOLID", "TEXTURE", "FLAT")
    assert not seen["show_object_outline"], "no line runs round each layer, through the photo"
    assert extension.context.scene.camera == own, "the scene's own camera stays"


def test_where_people_work_no_view_changes_unless_they_ask(blender, street, import_photo):
    add_cube(blender)
    camera = blender.data.objects.new("own", blender.data.cameras.new("own"))
    blender.context.scene.collection.objects.link(camera)
    blender.context.scene.camera = camera
    before = view(blender)
    root = import_photo(*street)
    assert view(blender) == before
    assert blender.ops.photo_diorama.look_through() == {"FINISHED"}
    assert view(blender)["camera"].parent.parent == root and blender.context.scene.camera == camera
    assert blender.ops.photo_diorama.look_through() == {"FINISHED"}
    assert view(blender) == before, "once more brings the view back"


def test_the_scene_is_set_up_when_asked_and_that_is_undone(blender, street, import_photo):
    add_cube(blender)
    camera = blender.data.objects.new("own", blender.data.cameras.new("own"))
    blender.context.scene.collection.objects.link(camera)
    blender.context.scene.camera = camera
    root = import_photo(*street)
    blender.ops.ed.undo_push(message="imported")
    before, name = everything(), root.name
    assert blender.ops.photo_diorama.set_up_scene("EXEC_DEFAULT", True) == {"FINISHED"}
    scene = blender.context.scene
    width, height = json.loads(root["photo_diorama_source"])["photo_size"]
    assert (scene.render.resolution_x, scene.render.resolution_y) == (width, height) and scene.camera.parent.parent == root
    assert scene.view_settings.view_transform == "Standard"
    blender.ops.ed.undo()
    assert not differences(before, everything()) and name in blender.data.objects
    blender.data.objects.remove(next(ob for ob in blender.data.objects[name].children_recursive if ob.type == "CAMERA"))
    blender.context.view_layer.objects.active = blender.data.objects[name]
    with pytest.raises(RuntimeError, match="Rebuild makes it again"):
        blender.ops.photo_diorama.set_up_scene()


def test_a_photo_whose_upwards_is_known_stands_upright(blender, street, import_photo, monkeypatch):
    """As an fSpy project beside the photo tells it: a camera that looks down by 20 degrees does so in the scene."""
    from dataclasses import replace

    from photo_diorama.core import pipeline

    angle = np.radians(20)
    up = np.array([0, -np.cos(angle), -np.sin(angle)])
    load = pipeline.load_photo
    monkeypatch.setattr(pipeline, "load_photo", lambda *a: replace(load(*a), up=up))
    root = import_photo(*street)
    blender.context.view_layer.update()
    camera = next(ob for ob in root.children_recursive if ob.type == "CAMERA")
    looks = np.array(camera.matrix_world.to_3x3()) @ (0, 0, -1)
    assert looks == pytest.approx((0, np.cos(angle), -np.sin(angle)), abs=1e-6)


def test_bounds_know_a_move_that_was_not_evaluated(blender):
    """`matrix_world` tells of a new place only after the depsgraph ran."""
    from photo_diorama.operators.staging.placement import _bounds

    mesh = blender.data.meshes.new("box")
    mesh.from_pydata([(0, 0, 0), (1, 1, 1), (1, 0, 0)], [], [(0, 1, 2)])
    ob = blender.data.objects.new("box", mesh)
    blender.context.scene.collection.objects.link(ob)
    blender.context.view_layer.update()
    ob.location = (5, 6, 7)
    low, high = _bounds([ob])
    assert tuple(low) == (5, 6, 7) and tuple(high) == (6, 7, 8)
