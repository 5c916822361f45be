"""The import operator while a person waits: its thread, Esc, the stop button, faults, a second build."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from blend_state import differences, everything

from photo_diorama.core.errors import Cancelled
from photo_diorama.core.settings import Settings


class Wait:
    """The import operator while a person waits for it: its own code, on a stand-in for what only a window has."""

    def __init__(self, bpy, photo, depth):
        from photo_diorama.operators.building.build_operator import BuildOperator
        from photo_diorama.operators.building.import_photo import ImportPhoto

        values = Settings().with_values({"long_side": 96, "depth_kind": "metric"}).values()
        parts = {name: getattr(ImportPhoto, name) for name in ("prepare", "finish", "_photos")}
        self.operator = type("Waiting", (BuildOperator,), parts)()
        self.operator.__dict__.update(values, filepath=str(photo), depth=str(depth), files=[], directory="")
        self.operator.report = lambda kind, text: self.reports.append((*kind, text))
        self.reports, self.status, self.timers = [], [], []
        manager = SimpleNamespace(
            event_timer_add=lambda seconds, window: self.timers.append("timer") or "timer",
            event_timer_remove=self.timers.remove, modal_handler_add=lambda operator: True, windows=[],
        )  # fmt: skip
        workspace = SimpleNamespace(status_text_set=self.status.append)
        self.context = Stand(bpy.context, window_manager=manager, workspace=workspace)
        self.operator._in_thread = True

    def start(self):
        return self.operator.execute(self.context)

    def event(self, kind, value="PRESS"):
        return self.operator.modal(self.context, SimpleNamespace(type=kind, value=value))

    def to_the_end(self):
        """Timer events until the operator is done."""
        for _ in range(12000):
            told = self.event("TIMER", "NOTHING")
            if told != {"PASS_THROUGH"}:
                return told
            time.sleep(0.01)
        raise TimeoutError


class Stand:
    """An object with some attributes of its own and all others of another one."""

    def __init__(self, of, **own):
        self.__dict__.update(own, _of=of)

    def __getattr__(self, name):
        return getattr(self.__dict__["_of"], name)


def test_a_person_waits_while_the_thread_works_and_gets_the_same_diorama(blender, street, import_photo):
    from photo_diorama.operators.building import build_operator as build

    blender.ops.photo_diorama.import_photo(filepath=str(street[0]), depth=str(street[1]), depth_kind="metric", long_side=96)
    by_script = {ob.name: mesh_arrays(ob) for ob in blender.data.objects if ob.type == "MESH"}
    blender.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    build.kept.results.clear()
    wait = Wait(blender, *street)
    assert wait.start() == {"RUNNING_MODAL"} and build.running is not None and not blender.data.objects
    assert wait.event("MOUSEMOVE", "NOTHING") == {"PASS_THROUGH"}
    assert wait.to_the_end() == {"FINISHED"}
    assert build.running is None and not wait.timers and wait.status[-1] is None and wait.status[0] is not None
    by_hand = {ob.name: mesh_arrays(ob) for ob in blender.data.objects if ob.type == "MESH"}
    assert by_script.keys() == by_hand.keys()
    assert all(np.array_equal(a, b) for name in by_script for a, b in zip(by_script[name], by_hand[name], strict=True))
    assert [kind for kind, _ in wait.reports] == ["INFO"]
    assert wait.operator.execute(blender.context) == {"FINISHED"}  # as the redo panel does: in place, from what was kept


def mesh_arrays(ob) -> tuple[np.ndarray, np.ndarray]:
    positions = np.empty(3 * len(ob.data.vertices), np.float32)
    ob.data.attributes["position"].data.foreach_get("vector", positions)
    uvs = np.empty(2 * len(ob.data.loops), np.float32)
    ob.data.uv_layers[0].uv.foreach_get("vector", uvs)
    return positions, uvs


@pytest.fixture
def slow_stage(monkeypatch):
    """Holds the work in the middle until it is let go."""
    from photo_diorama.core import pipeline

    split, reached, go = pipeline.make_first_layer, threading.Event(), threading.Event()

    def waits(*arguments):
        reached.set()
        assert go.wait(30)
        return split(*arguments)

    monkeypatch.setattr(pipeline, "make_first_layer", waits)
    return SimpleNamespace(reached=reached, go=go)


def test_escape_stops_and_leaves_the_scene_alone(blender, street, slow_stage):
    from photo_diorama.operators.building import build_operator as build

    before = everything()
    wait = Wait(blender, *street)
    wait.start()
    assert slow_stage.reached.wait(30)
    wait.event("TIMER", "NOTHING")
    assert build.running.stage == "Splitting at depth discontinuities" and 0 < build.running.fraction < 1
    assert wait.event("ESC") == {"RUNNING_MODAL"} and build.running.cancelling
    slow_stage.go.set()
    assert wait.to_the_end() == {"CANCELLED"}
    after = everything()
    assert not differences(before, after) and not differences(after, before)
    assert build.running is None and not wait.timers and wait.status[-1] is None
    assert [kind for kind, _ in wait.reports] == ["INFO"]


def test_escape_waits_for_no_network(blender, street, slow_stage, monkeypatch):
    """A stage that hears nothing, as a running network does: the window is free within a second all the same.

    The second is counted by Blender's timer, which a busy machine does not stretch.
    """
    from photo_diorama.core import job
    from photo_diorama.operators.building import build_operator as build

    before = everything()
    wait = Wait(blender, *street)
    wait.start()
    assert slow_stage.reached.wait(30)
    clock = [time.monotonic()]
    monkeypatch.setattr(job.time, "monotonic", lambda: clock[0])
    wait.event("ESC")
    told = []
    while told[-1:] != [{"CANCELLED"}] and len(told) < 20:
        clock[0] += build.LOOK_AGAIN
        told.append(wait.event("TIMER", "NOTHING"))
    assert len(told) * build.LOOK_AGAIN <= 1
    assert build.running is None and not wait.timers and wait.status[-1] is None
    slow_stage.go.set()
    wait.operator._job._thread.join(30)
    assert not differences(before, everything()), "what the thread still finds out is not used"


def test_the_stop_button_and_blender_itself_can_end_it(blender, street, slow_stage):
    from photo_diorama.operators.building import build_operator as build

    assert not blender.ops.photo_diorama.stop.poll()
    wait = Wait(blender, *street)
    wait.start()
    job = build.running
    assert blender.ops.photo_diorama.stop.poll() and blender.ops.photo_diorama.stop() == {"FINISHED"} and job.cancelling
    wait.operator.cancel(wait.context)
    slow_stage.go.set()
    assert build.running is None and not wait.timers
    with pytest.raises(Cancelled):
        job.result(timeout=30)


def test_a_second_build_is_refused_while_one_runs(blender, street, slow_stage):
    from photo_diorama.operators.building import build_operator as build

    first, second = Wait(blender, *street), Wait(blender, *street)
    first.start()
    running = build.running
    assert second.start() == {"CANCELLED"} and build.running is running and not second.timers
    assert second.reports[0][0] == "ERROR" and "Esc" in second.reports[0][1]
    slow_stage.go.set()
    assert first.to_the_end() == {"FINISHED"}


@pytest.mark.parametrize("error, words", [(MemoryError(), "not enough memory"), (ZeroDivisionError("x"), "fault of"),
                                          (ModuleNotFoundError("No module", name="cv2"), "module cv2")])  # fmt: skip
def test_faults_in_the_thread_reach_the_user(blender, street, monkeypatch, error, words):
    from photo_diorama.core import pipeline

    def fails(*arguments):
        raise error

    monkeypatch.setattr(pipeline, "make_first_layer", fails)
    wait = Wait(blender, *street)
    wait.start()
    assert wait.to_the_end() == {"CANCELLED"} and not blender.data.objects
    ((kind, text),) = wait.reports
    assert kind == "ERROR" and words in text


def test_in_background_invoke_builds_in_place_with_the_users_defaults(blender, street, monkeypatch):
    """Blender itself turns a script's INVOKE_DEFAULT into a plain call there, so the method is called on a stand-in."""
    from photo_diorama.operators.building import build_operator as build
    from photo_diorama.operators.building import import_photo
    from photo_diorama.operators.scene.root import kept_settings

    mine = Settings().with_values({"density": 0.5, "shader": "principled", "depth_kind": "metric", "long_side": 96})
    monkeypatch.setattr(import_photo, "default_values", lambda context: mine.values())
    wait = Wait(blender, *street)
    wait.operator.__dict__.update(Settings().values(), shader="shadeless", ask=True)
    wait.operator.properties = SimpleNamespace(is_property_set=lambda name, ghost: name == "shader")
    assert import_photo.ImportPhoto.invoke(wait.operator, wait.context, None) == {"FINISHED"}
    assert build.running is None and not wait.timers
    kept = kept_settings(blender.data.objects["street"])
    assert (kept["density"], kept["shader"], kept["long_side"]) == (0.5, "shadeless", 96)
    told = blender.ops.photo_diorama.import_photo("INVOKE_DEFAULT", filepath=str(street[0]), depth=str(street[1]))
    assert told == {"FINISHED"}
