"""The import operator for scripts, people and the redo panel: what it makes, what it refuses, how it is stopped."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from blend_state import counts, differences, everything, furnish, names
from made_photos import OPTIONS, texture, two_planes
from PIL import Image

from photo_diorama.core.errors import Cancelled
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
    assert (
        source["photo"] == str(street[0]) and source["depth"] == str(street[1]) and source["photo_size"] == [160, 120]
    )
    assert (
        source["working_size"] == [128, 96]
        and source["metric"] is True
        and source["nearest_m"] == pytest.approx(2, 0.01)
    )
    assert source["triangles"] == sum(len(ob.data.polygons) for ob in root.children_recursive if ob.type == "MESH")
    assert all(find_root(ob) == root for ob in blender.data.objects)


def test_the_panel_says_where_nothing_is_torn(blender, street, import_photo, tmp_path):
    from photo_diorama.operators.scene.root import kept_source
    from photo_diorama.ui.panels.panel import facts_told

    assert "behind" in dict(facts_told(kept_source(import_photo(*street))))["Layers"]
    np.save(tmp_path / "slope.npy", np.tile(1 / np.linspace(1 / 3, 1 / 2, 96, dtype=np.float32)[:, None], (1, 128)))
    layers = dict(facts_told(kept_source(import_photo(street[0], tmp_path / "slope.npy"))))["Layers"]
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

    from photo_diorama.operators.build.import_photo import ImportPhoto

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
    files = {
        name: folder / name for name in ("text.jpg", "empty.png", "tall.npy", "flat.npy", "unknown.npy", "cut.jpg")
    }
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
def test_a_fault_half_way_through_the_emission_leaves_the_scene_alone(
    blender, street, import_photo, monkeypatch, capfd, broken
):
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
    from photo_diorama.operators.build import import_photo

    _, depth = two_planes(tmp_path, "a.png")
    two_planes(tmp_path, "b.png")
    (tmp_path / "c.png").write_text("no picture")
    build = import_photo.build_diorama
    monkeypatch.setattr(import_photo, "build_diorama", lambda photo, _, *rest: build(photo, depth, *rest))
    files = [{"name": name} for name in ("a.png", "c.png", "b.png")]
    told = blender.ops.photo_diorama.import_photo(
        directory=str(tmp_path), files=files, long_side=96, depth_kind="metric"
    )
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
    from photo_diorama.operators.build import build_operator as build
    from photo_diorama.operators.scene.root import kept_source

    import_photo(*street)
    was = {stage: id(result) for (_, stage), (_, result) in build.kept.results.items()}
    root = import_photo(*street, **cheap)
    now = {stage: id(result) for (_, stage), (_, result) in build.kept.results.items()}
    meshed = "density" in cheap or cheap.get("shader") == "principled"  # which wants normals
    assert {stage for stage in was if was[stage] != now[stage]} == ({"Triangulating"} if meshed else set())
    seconds = kept_source(root)["seconds"]
    assert len(was) >= 5 and all(seconds[stage] == 0 for stage in was if stage != "Triangulating")


class Wait:
    """The import operator while a person waits for it: its own code, on a stand-in for what only a window has."""

    def __init__(self, bpy, photo, depth):
        from photo_diorama.operators.build.build_operator import BuildOperator
        from photo_diorama.operators.build.import_photo import ImportPhoto

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
        for _ in range(3000):
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
    from photo_diorama.operators.build import build_operator as build

    blender.ops.photo_diorama.import_photo(
        filepath=str(street[0]), depth=str(street[1]), depth_kind="metric", long_side=96
    )
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
    assert wait.operator.execute(blender.context) == {
        "FINISHED"
    }  # as the redo panel does: in place, from what was kept


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

    split, reached, go = pipeline.split_into_layers, threading.Event(), threading.Event()

    def waits(*arguments):
        reached.set()
        assert go.wait(30)
        return split(*arguments)

    monkeypatch.setattr(pipeline, "split_into_layers", waits)
    return SimpleNamespace(reached=reached, go=go)


def test_escape_stops_and_leaves_the_scene_alone(blender, street, slow_stage):
    from photo_diorama.operators.build import build_operator as build

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


def test_escape_waits_for_no_network(blender, street, slow_stage):
    """A stage that hears nothing, as a running network does: the window is free within a second all the same."""
    from photo_diorama.operators.build import build_operator as build

    before = everything()
    wait = Wait(blender, *street)
    wait.start()
    assert slow_stage.reached.wait(30)
    started = time.monotonic()
    wait.event("ESC")
    assert wait.to_the_end() == {"CANCELLED"} and time.monotonic() - started < 1.5
    assert build.running is None and not wait.timers and wait.status[-1] is None
    slow_stage.go.set()
    wait.operator._job._thread.join(30)
    assert not differences(before, everything()), "what the thread still finds out is not used"


def test_the_stop_button_and_blender_itself_can_end_it(blender, street, slow_stage):
    from photo_diorama.operators.build import build_operator as build

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
    from photo_diorama.operators.build import build_operator as build

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

    monkeypatch.setattr(pipeline, "split_into_layers", fails)
    wait = Wait(blender, *street)
    wait.start()
    assert wait.to_the_end() == {"CANCELLED"} and not blender.data.objects
    ((kind, text),) = wait.reports
    assert kind == "ERROR" and words in text


def test_in_background_invoke_builds_in_place_with_the_users_defaults(blender, street, monkeypatch):
    """Blender itself turns a script's INVOKE_DEFAULT into a plain call there, so the method is called on a stand-in."""
    from photo_diorama.operators.build import build_operator as build
    from photo_diorama.operators.build import import_photo
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
