"""Camera from lines and metres from a length, on a rendered room: the camera that rendered it, and every place where it is, in metres."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import rendered_room as room

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

from poses import turned  # noqa: E402

DEPTH_UNIT = 0.43
"""Metres that the depth file calls one: as a network that knows no scale has it."""
TARGETS = {  # middles of surfaces that a view may see, in metres
    "floor": (0.8, 1.2, 0.0), "back wall": (0.4, 4.5, 1.5), "right wall": (3.2, 2.2, 1.3), "left wall": (-3.2, 2.2, 1.2),
    "desk's front": (-0.4, 2.0, 0.4), "cupboard's front": (2.1, 3.8, 1.2),
}  # fmt: skip


@pytest.mark.parametrize("name", room.VIEWS)
def test_the_rendered_rooms_own_camera_is_found(blender, import_photo, tmp_path, name):
    """Focal length within 1 %, tilt within 0.3 degrees, lengths within 1 %, from ends in whole pixels and depth of unknown scale."""
    place, turn = room.VIEWS[name]
    pose = turned(*turn)
    photo, depth, metres = room.render(tmp_path, place, pose)
    lines = room.drawn_lines(metres, place, pose)
    _lines_lie_on_edges(metres, lines)
    np.save(depth, metres * DEPTH_UNIT)
    root = import_photo(photo, depth, long_side=360, inpainter="diffusion", hidden_depth="nearest")  # only what is seen is looked at
    calls = blender.ops.photo_diorama
    for axes in ("xyz", "xy"):
        told = json.dumps({axis: (lines[axis] / (room.WIDTH, room.HEIGHT)).reshape(-1, 4).tolist() for axis in axes})
        assert calls.camera_from_lines(lines=told) == {"FINISHED"}
        blender.context.view_layer.update()
        camera = next(ob for ob in root.children_recursive if ob.type == "CAMERA")
        up = np.array(camera.matrix_world.to_3x3().inverted()) @ (0, 0, 1)
        tilt = np.degrees(np.arccos(np.clip(up @ pose[2], -1, 1)))
        assert camera.data.lens == pytest.approx(24.0, rel=0.01) and tilt < 0.3

    ends = room.seen(np.array([[-1.3, 2.0, 0.74], [0.5, 2.0, 0.74]]), place, pose)[:, :2].round()  # the desk's edge
    assert calls.line_length(line=",".join(str(n) for n in ends.ravel()), length=1.8) == {"FINISHED"}
    blender.context.view_layer.update()
    checked = [found for target in TARGETS.values() if (found := _found(blender, root, np.array(target), metres, place, pose)) is not None]
    assert len(checked) >= 3
    for truth, distance, height in checked:
        assert distance == pytest.approx(np.linalg.norm(truth), rel=0.01)
        assert height == pytest.approx(truth[2], abs=0.01 * np.linalg.norm(truth))


def _lines_lie_on_edges(metres: np.ndarray, lines: dict) -> None:
    """Inverse depth, linear on planes, bends or jumps across every line's middle."""
    bend = np.abs(np.diff(1 / metres, 2, axis=0))[:, 1:-1] + np.abs(np.diff(1 / metres, 2, axis=1))[1:-1]
    for ends in (line for of in lines.values() for line in of):
        column, row = ends.mean(axis=0).astype(int) - 1
        around = bend[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3]
        assert len(lines) == 3 and around.max() > 20 * np.median(bend) + 1e-5


def _found(blender, root, target, metres, place, pose):
    """From the camera's place: the target as it is, and how far and how high the diorama has what it shows there; None unseen."""
    u, v, z = room.seen(target[None], place, pose)[0]
    if not (0 <= u < room.WIDTH and 0 <= v < room.HEIGHT and z > 0 and metres[int(v), int(u)] == pytest.approx(z, rel=0.01)):
        return None
    camera = next(ob for ob in root.children_recursive if ob.type == "CAMERA")
    data = camera.data
    x, y = (u - room.WIDTH / 2) / room.WIDTH + data.shift_x, (room.HEIGHT / 2 - v) / room.WIDTH + data.shift_y
    ray = np.array(camera.matrix_world.to_3x3()) @ np.array([x * data.sensor_width, y * data.sensor_width, -data.lens])
    start = camera.matrix_world.translation
    hit, at, *_ = blender.context.scene.ray_cast(blender.context.view_layer.depsgraph, start, ray.tolist())
    assert hit
    return target - np.array(place), (at - start).length, (at - start).z
