"""The camera found by lines: lens, lens centre and an upright stand, from exact lines of a view that looks down."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

from poses import turned  # noqa: E402

WIDTH, HEIGHT, FOCAL, CENTRE = 160, 120, 150.0, (90.0, 55.0)
TURN = (-15, 0, 35)


def drawn() -> str:
    """Edges of a box as a turned camera sees them, as parts of the photo's width and height."""
    from photo_diorama.core.camera.camera import Camera

    camera, pose = Camera(WIDTH, HEIGHT, FOCAL, *CENTRE), turned(*TURN)
    lines = {}
    for k, axis in enumerate("xyz"):
        along = (pose.T @ np.eye(3)[k]) * (1, -1, -1)
        lines[axis] = []
        for start in ((-0.5, 0.2, 5.0), (0.6, -0.3, 6.0), (0.1, 0.5, 4.5)):
            u, v = camera.project(np.stack([start - 0.4 * along, start + 0.4 * along]))
            lines[axis].append([u[0] / WIDTH, v[0] / HEIGHT, u[1] / WIDTH, v[1] / HEIGHT])
    return json.dumps(lines)


def test_lines_give_lens_centre_and_an_upright_stand(blender, street, import_photo):
    root = import_photo(*street)
    assert blender.ops.photo_diorama.camera_from_lines(lines=drawn()) == {"FINISHED"}
    blender.context.view_layer.update()
    camera = next(ob for ob in root.children_recursive if ob.type == "CAMERA")
    assert camera.data.lens == pytest.approx(FOCAL / WIDTH * 36, rel=1e-4)
    assert camera.data.shift_x == pytest.approx(-(CENTRE[0] - WIDTH / 2) / WIDTH, abs=1e-4)
    assert camera.data.shift_y == pytest.approx((CENTRE[1] - HEIGHT / 2) / WIDTH, abs=1e-4)
    looks = np.array(camera.matrix_world.to_3x3()) @ (0, 0, -1)
    assert np.degrees(np.arcsin(looks[2])) == pytest.approx(TURN[0], abs=0.05)
    assert camera.matrix_world.translation.length == pytest.approx(0, abs=1e-6)
    first = root.matrix_world.copy()
    assert blender.ops.photo_diorama.camera_from_lines() == {"FINISHED"}, "the lines are kept on the root"
    blender.context.view_layer.update()
    assert np.allclose(root.matrix_world, first, atol=1e-5)


def test_lines_that_say_too_little_change_nothing(blender, street, import_photo):
    root = import_photo(*street)
    before = root.matrix_world.copy(), root["photo_diorama_settings"]
    with pytest.raises(RuntimeError, match="Two directions"):
        blender.ops.photo_diorama.camera_from_lines(lines='{"x": [[0, 0, 1, 1]]}')
    with pytest.raises(RuntimeError, match="Two directions"):
        blender.ops.photo_diorama.camera_from_lines(lines="no lines")
    assert (root.matrix_world, root["photo_diorama_settings"]) == before


def test_a_line_of_known_length_gives_the_scene_its_metres(blender, street, import_photo):
    """Wherever it lies; asked twice it changes nothing more, and F9's next length starts from the photo again."""
    root = import_photo(*street)
    farthest = lambda: max(v.co.y for ob in root.children_recursive if ob.type == "MESH" for v in ob.data.vertices)  # noqa: E731
    was, source = farthest(), json.loads(root["photo_diorama_source"])
    calls = blender.ops.photo_diorama
    assert calls.line_length(line="10,20,10,60", length=1.0) == {"FINISHED"}
    now = json.loads(root["photo_diorama_source"])
    assert now["metric"] and "a line of 1 m" in now["depth_source"]
    one = farthest()
    assert calls.line_length(line="10,20,10,60", length=3.0) == {"FINISHED"}
    assert farthest() == pytest.approx(3 * one, rel=1e-3) and one != pytest.approx(was, rel=1e-3)
    before = root["photo_diorama_settings"]
    with pytest.raises(RuntimeError, match="leaves the photo"):
        calls.line_length(line="10,20,1000,60", length=3.0)
    assert root["photo_diorama_settings"] == before and source["photo_size"] == now["photo_size"]


class _Watched:
    """A context and events as Blender gives them to a modal operator, and what it did with them."""

    def __init__(self):
        self.told = []
        self.area = SimpleNamespace(tag_redraw=lambda: None)
        self.workspace = SimpleNamespace(status_text_set=self.told.append)
        self.window_manager = SimpleNamespace(modal_handler_add=lambda operator: None)
        self.region_data = None

    @staticmethod
    def event(kind: str, value: str = "PRESS", at: tuple[float, float] = (0.0, 0.0)):
        return SimpleNamespace(type=kind, value=value, mouse_region_x=at[0], mouse_region_y=at[1])


def test_lines_are_drawn_with_the_mouse(blender, street, import_photo, monkeypatch):
    """Press, move, release: a line of the direction at hand; Backspace takes it back, Enter finds the camera."""
    from photo_diorama.operators.camera import camera_lines

    root, context = import_photo(*street), _Watched()
    monkeypatch.setattr(camera_lines, "place_on_photo", lambda context, root, mouse: mouse if max(mouse) <= 1 else None)
    found = []

    class Drawing(camera_lines.DrawsLines):
        _tell, _act_on, _lines_shown = (getattr(camera_lines.CameraFromLines, n) for n in ("_tell", "_act_on", "_lines_shown"))

        def execute(self, context):
            found.append(json.loads(root[camera_lines.LINES_KEY]))
            return {"FINISHED"}

    operator = Drawing()
    operator._axis, operator._lines, operator._order = "x", {"x": [], "y": [], "z": []}, []
    operator._begin(context, root)

    def line(start, end):
        for event in (context.event("LEFTMOUSE", "PRESS", start), context.event("MOUSEMOVE", "NOTHING", (2.0, 2.0))):
            assert operator.modal(context, event) == {"RUNNING_MODAL"}
        assert operator.modal(context, context.event("LEFTMOUSE", "RELEASE", end)) == {"RUNNING_MODAL"}

    assert operator.modal(context, context.event("MIDDLEMOUSE")) == {"PASS_THROUGH"}
    line((0.1, 0.2), (0.5, 0.6))
    line((0.3, 0.3), (0.3, 0.301))  # a click is no line
    operator.modal(context, context.event("Y"))
    line((0.1, 0.9), (0.5, 0.9))
    line((0.1, 0.8), (0.5, 0.8))
    assert [ends for _, ends in operator._lines_shown()] == [[0.1, 0.2, 0.5, 0.6], [0.1, 0.9, 0.5, 0.9], [0.1, 0.8, 0.5, 0.8]]
    operator.modal(context, context.event("BACK_SPACE"))
    assert operator.modal(context, context.event("RET")) == {"FINISHED"} and operator._handle is None and operator._drawn
    assert found == [{"x": [[0.1, 0.2, 0.5, 0.6]], "y": [[0.1, 0.9, 0.5, 0.9]], "z": []}]
    assert context.told[-1] is None, "the status bar is Blender's again"
    operator._begin(context, root)
    assert operator.modal(context, context.event("ESC")) == {"CANCELLED"} and operator._handle is None
