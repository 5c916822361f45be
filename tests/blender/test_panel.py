"""The sidebar, the menus and the preferences, drawn on a layout that checks every row."""

import json
from types import SimpleNamespace

import pytest
from fake_layout import FakeLayout
from made_photos import OPTIONS

from photo_diorama.core.settings import Settings, each_option
from photo_diorama.core.shown_options import PRESETS, SHOWN, shown

OPTIONS_SHOWN = [f.name + "_percent" * shown(f.name).percent for _, f in each_option()]
NOT_ALONE = [f"{f.name}_automatic" for _, f in each_option() if shown(f.name).percent and f.metadata["low"] < 0]
FIRST = [f.name + "_percent" * shown(f.name).percent for _, f in each_option() if shown(f.name).first]
NAMES = ["preset", *FIRST, *(name for name in OPTIONS_SHOWN if name not in FIRST)]
"""Every option once, as the window shows it: the preset, what matters first, the rest by stage."""


def draw(bpy, name) -> FakeLayout:
    layout = FakeLayout()
    getattr(bpy.types, name).draw(SimpleNamespace(layout=layout), bpy.context)
    return layout


def test_the_sidebar_shows_pickers_button_and_every_option_once(blender):
    panel = blender.types.PHOTO_DIORAMA_PT_import
    assert (panel.bl_category, panel.bl_space_type, panel.bl_region_type) == ("Photo Diorama", "VIEW_3D", "UI")
    layout = draw(blender, "PHOTO_DIORAMA_PT_import")
    assert [name for _, name in layout.rows() if name not in NOT_ALONE] == ["photo", "depth", *NAMES]
    buttons = [name for name, _ in layout.said("operator")]
    assert buttons == ["photo_diorama.import_photo", "photo_diorama.load_defaults", "photo_diorama.save_defaults"]


def test_the_button_builds_at_once_with_what_the_sidebar_holds(blender, street):
    chosen = blender.context.scene.photo_diorama
    values = {**OPTIONS, "shader": "principled", "density": 1.7, "tear": 0.023}
    for name, value in values.items():
        setattr(chosen, name, value)
    (_, button), *_ = draw(blender, "PHOTO_DIORAMA_PT_import").said("operator")
    assert button.ask  # no photo yet: it opens the file browser
    chosen.photo, chosen.depth = map(str, street)
    (_, button), *_ = draw(blender, "PHOTO_DIORAMA_PT_import").said("operator")
    given = {name: value for name, value in vars(button).items() if name != "properties"}
    assert given == {**Settings().values(), **values, "filepath": str(street[0]), "depth": str(street[1]), "ask": False}
    assert blender.ops.photo_diorama.import_photo(**given) == {"FINISHED"}
    root = blender.data.objects["street"]
    assert json.loads(root["photo_diorama_settings"]) == {**Settings().values(), **values}


def test_options_that_do_nothing_are_grey(blender):
    from photo_diorama.operators.building.properties import draw_option

    chosen = blender.context.scene.photo_diorama
    options = {f.name: f for _, f in each_option()}

    def grey(name) -> bool:
        rows = []
        layout = SimpleNamespace(row=lambda: rows.append(SimpleNamespace(enabled=True, prop=lambda *a: None)) or rows[-1])
        draw_option(layout, chosen, options[name])
        return not rows[0].enabled

    assert grey("roughness") and grey("delight") and grey("frames") and grey("move_seed") and not grey("shader")
    chosen.shader, chosen.camera_move = "principled", "swing"
    assert not grey("roughness") and not grey("frames") and grey("move_seed") and grey("emission_strength")
    assert SHOWN.keys() <= options.keys() and {other for each in SHOWN.values() for other in each.needs} <= options.keys()


def test_a_preset_sets_its_options_and_tells_whether_they_still_hold(blender):
    from photo_diorama.operators.building.properties import option_values

    chosen = blender.context.scene.photo_diorama
    assert chosen.preset == "standard"
    before = option_values(chosen)
    for name, (_, values) in PRESETS.items():
        chosen.preset = name
        assert option_values(chosen) == {**before, **values} and chosen.preset == name
    chosen.long_side = 777
    assert chosen.preset == "own"


def test_parts_of_the_width_are_percentages_in_the_window(blender):
    chosen = blender.context.scene.photo_diorama
    chosen.soft_edge_percent = 1.5
    chosen.soft_edge_automatic = True
    assert chosen.soft_edge == -1 and chosen.soft_edge_automatic and chosen.soft_edge_percent == 0
    chosen.soft_edge_percent = 1.5
    assert not chosen.soft_edge_automatic
    assert chosen.soft_edge == pytest.approx(0.015) and chosen.soft_edge_percent == pytest.approx(1.5)
    for _, f in each_option():
        if shown(f.name).percent:
            about = chosen.bl_rna.properties[f"{f.name}_percent"]
            assert about.subtype == "PERCENTAGE" and about.hard_max == pytest.approx(100 * f.metadata["high"])


def test_no_two_buttons_of_the_tab_have_one_name(blender, street, import_photo, monkeypatch):
    import_photo(*street)
    named = []
    real = FakeLayout.operator

    def operator(self, operator, text=None, icon="NONE"):
        named.append(text if text is not None else getattr(blender.ops.photo_diorama, operator.split(".")[1]).get_rna_type().name)
        return real(self, operator, text, icon)

    monkeypatch.setattr(FakeLayout, "operator", operator)
    for name in dir(blender.types):
        if name.startswith("PHOTO_DIORAMA_PT_"):
            draw(blender, name)
    named = [name for name in named if name]
    assert len(named) > 40 and sorted(set(named)) == sorted(named)
    assert sum("Rebuild" in name for name in named) == 1


def test_a_better_network_is_offered_where_the_small_one_guessed(blender, street, import_photo, monkeypatch):
    from photo_diorama.operators.building import better_depth

    root = import_photo(*street)
    monkeypatch.setattr(better_depth, "can_run", lambda: True)
    buttons = lambda: [name for name, _ in draw(blender, "PHOTO_DIORAMA_PT_import").said("operator")]
    assert "photo_diorama.get_better_depth" not in buttons(), "the depth is a file's"
    source = json.loads(root["photo_diorama_source"])
    root["photo_diorama_source"] = json.dumps(source | {"depth_source": "estimated by the built-in network; and so on"})
    monkeypatch.setattr(better_depth.models, "best_estimator", lambda folder: None)
    drawn = buttons()
    assert "photo_diorama.get_better_depth" in drawn and "extensions.userpref_allow_online" in drawn
    assert not blender.ops.photo_diorama.get_better_depth.poll(), "nothing is downloaded before online access is allowed"
    monkeypatch.setattr(better_depth.models, "best_estimator", lambda folder: better_depth.best_free_network())
    assert "photo_diorama.get_better_depth" not in buttons()
    assert better_depth.best_free_network().commercial


def test_a_better_network_is_downloaded_and_built_with_at_once(monkeypatch):
    """The download itself is tested in tests/core; here that one click does both."""
    from photo_diorama.operators.building import better_depth

    came = []
    monkeypatch.setattr(better_depth.models, "download", lambda wanted, folder, progress, online: came.append((wanted.key, online)))
    told = []
    built = lambda progress: progress("built", 1.0) or "done"
    work = better_depth.download_then(better_depth.best_free_network(), None, True, built, lambda *said: told.append(said))
    assert work == "done" and came == [(better_depth.best_free_network().key, True)] and told == [("built", 1.0)]


def test_while_a_build_runs_its_progress_takes_the_buttons_place(blender, monkeypatch):
    from photo_diorama.operators.building import build_operator

    for cancelling, left, words in (
        (False, None, "Triangulating 40%"), (False, 6.4, "Triangulating 40%, 6 s left"), (False, 0.1, "Triangulating 40%, 1 s left"),
        (True, 6.4, "Stopping 40%"),
    ):  # fmt: skip
        job = SimpleNamespace(stage="Triangulating", fraction=0.4, cancelling=cancelling, seconds_left=left)
        monkeypatch.setattr(build_operator, "running", job)
        layout = draw(blender, "PHOTO_DIORAMA_PT_import")
        assert layout.said("progress") == [(words, 0.4)]
        assert [name for name, _ in layout.said("operator")][0] == "photo_diorama.stop"
        header = SimpleNamespace(layout=FakeLayout())
        build_operator._draw_status(header, blender.context)
        assert header.layout.said("progress") == [(words, 0.4)] and header.layout.said("label") == ["Stop"]


def test_about_tells_what_is_kept_on_the_root(blender, ball, import_photo):
    root = import_photo(*ball, fov=60.0)
    panel = blender.types.PHOTO_DIORAMA_PT_about
    blender.context.view_layer.objects.active = root.children_recursive[0]
    assert panel.poll(blender.context)
    layout = draw(blender, "PHOTO_DIORAMA_PT_about")
    told, rows, name = layout.said("label"), {}, ""
    for words, line in zip(told[::2], told[1::2], strict=True):
        assert len(line) < 40  # wrapped, since labels are cut off where they do not fit
        name = words or name
        rows[name] = f"{rows[name]} {line}" if name in rows else line
    triangles = sum(len(ob.data.polygons) for ob in root.children_recursive if ob.type == "MESH")
    assert rows["Photo"] == "ball.png" and rows["Size"] == "160 x 120 px" and rows["Worked at"] == "128 x 96 px"
    assert "139\u00a0px" in rows["Focal length"]  # 80 / tan(30 degrees)
    assert rows["Triangles"] == f"{triangles:,}" and rows["Nearest"].startswith("2.0") and "unknown" not in rows["Nearest"]
    assert "fov" in rows["Focal length"] and "metric" in rows["Depth"]


def test_about_is_for_dioramas_only_and_survives_edited_properties(blender, street, import_photo):
    cube = blender.data.objects.new("cube", None)
    blender.context.scene.collection.objects.link(cube)
    blender.context.view_layer.objects.active = cube
    assert not blender.types.PHOTO_DIORAMA_PT_about.poll(blender.context)
    root = import_photo(*street)
    whole = json.loads(root["photo_diorama_source"])
    for damaged in (
        "{",
        "[]",
        "null",
        7,
        json.dumps({name: None for name in whole}),
        json.dumps(whole | {"edges": "many"}),
    ):
        root["photo_diorama_source"] = damaged
        draw(blender, "PHOTO_DIORAMA_PT_about")
        root["photo_diorama_settings"] = damaged
        assert blender.ops.photo_diorama.rebuild.poll()


@pytest.mark.parametrize("menu", ["TOPBAR_MT_file_import", "VIEW3D_MT_image_add"])
def test_the_menus_have_their_entry(blender, menu):
    from photo_diorama.ui.menus import draw_entry

    functions = getattr(blender.types, menu)._dyn_ui_initialize()
    assert functions.count(draw_entry) == 1
    layout = FakeLayout()
    draw_entry(SimpleNamespace(layout=layout), blender.context)
    assert [name for name, _ in layout.said("operator")] == ["photo_diorama.import_photo"]


def test_the_operators_own_rows(blender):
    from photo_diorama.operators.building.import_photo import ImportPhoto
    from photo_diorama.operators.building.rebuild import Rebuild

    for operator, files in ((ImportPhoto, ["depth"]), (Rebuild, ["photo", "depth"])):
        rna = getattr(blender.ops.photo_diorama, operator.bl_idname.split(".")[1]).get_rna_type()
        drawn = []
        for closed in ("photo_diorama_scene", "photo_diorama_depth"):
            layout = FakeLayout(closed={closed})
            operator.draw(SimpleNamespace(layout=layout, bl_rna=rna, **Settings().values()), blender.context)
            drawn.append([name for _, name in layout.rows() if name not in NOT_ALONE])
        expected = [*files, *NAMES]
        assert all(rows == [name for name in expected if name in rows] for rows in drawn)
        assert set().union(*drawn) == set(expected), "all are within reach"


def test_the_import_dialog_shows_photos_as_pictures(blender):
    """Blender's file browser takes its look from this property of the operator (seen in a window of 5.2)."""
    properties = blender.ops.photo_diorama.import_photo.get_rna_type().properties
    assert properties["display_type"].default == "THUMBNAIL" and properties["display_type"].is_hidden


def test_dropping_photos_is_offered_only_when_asked_for(blender):
    from photo_diorama.core.raster.open_picture import PHOTO_ENDINGS
    from photo_diorama.ui.drop import PHOTO_DIORAMA_FH_photo, set_drop

    assert not PHOTO_DIORAMA_FH_photo.is_registered
    for wanted in (True, True, False, False):
        set_drop(wanted)
        assert PHOTO_DIORAMA_FH_photo.is_registered == wanted
    assert PHOTO_DIORAMA_FH_photo.bl_import_operator == "photo_diorama.import_photo"
    assert PHOTO_DIORAMA_FH_photo.bl_file_extensions.split(";") == [*PHOTO_ENDINGS]


def test_a_script_without_the_enabled_extension_has_cores_defaults(blender):
    from photo_diorama.operators.building.user_preferences import default_values, models_folder

    assert default_values(blender.context) == Settings().values()
    assert models_folder(blender.context).name == "models"
    assert not blender.ops.photo_diorama.save_defaults.poll()
    blender.context.scene.photo_diorama.density = 3.0
    assert blender.ops.photo_diorama.load_defaults() == {"FINISHED"}
    assert blender.context.scene.photo_diorama.density == 1.0


def test_registering_twice_in_a_row_leaves_nothing_behind(extension):
    import photo_diorama
    from photo_diorama.operators.building import build_operator

    before = {name for name in dir(extension.types) if "PHOTO_DIORAMA" in name.upper().replace("PHOTODIORAMA", "PHOTO_DIORAMA")}
    photo_diorama.unregister()
    try:
        gone = [name for name in dir(extension.types) if "PHOTO_DIORAMA" in name.upper()]
        assert not gone and not hasattr(extension.types.Scene, "photo_diorama") and not build_operator.kept.results
    finally:
        photo_diorama.register()
    after = {name for name in dir(extension.types) if "PHOTO_DIORAMA" in name.upper().replace("PHOTODIORAMA", "PHOTO_DIORAMA")}
    assert after == before and before
