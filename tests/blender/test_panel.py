"""The sidebar, the menus and the preferences, drawn on a layout that checks every row."""

import json
from types import SimpleNamespace

import pytest
from fake_layout import FakeLayout
from made_photos import OPTIONS

from photo_diorama.core.settings import Settings, each_option

NAMES = [f.name for _, f in each_option()]


def draw(bpy, name) -> FakeLayout:
    layout = FakeLayout()
    getattr(bpy.types, name).draw(SimpleNamespace(layout=layout), bpy.context)
    return layout


def test_the_sidebar_shows_pickers_button_and_every_option_once(blender):
    panel = blender.types.PHOTO_DIORAMA_PT_import
    assert (panel.bl_category, panel.bl_space_type, panel.bl_region_type) == ("Photo Diorama", "VIEW_3D", "UI")
    layout = draw(blender, "PHOTO_DIORAMA_PT_import")
    assert [name for _, name in layout.rows()] == ["photo", "depth", *NAMES]
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


def test_while_a_build_runs_its_progress_takes_the_buttons_place(blender, monkeypatch):
    from photo_diorama.operators.build import build_operator

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
    assert rows["Focal length"].startswith("139 px")  # 80 / tan(30 degrees)
    assert (
        rows["Triangles"] == f"{triangles:,}" and rows["Nearest"].startswith("2.0") and "unknown" not in rows["Nearest"]
    )
    assert "fov" in rows["Focal length"] and "metric" in rows["Depth"]
    assert [name for name, _ in layout.said("operator")] == ["photo_diorama.rebuild"]


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
    from photo_diorama.operators.build.import_photo import ImportPhoto
    from photo_diorama.operators.build.rebuild import Rebuild

    for operator, files in ((ImportPhoto, ["depth"]), (Rebuild, ["photo", "depth"])):
        layout = FakeLayout()
        rna = getattr(blender.ops.photo_diorama, operator.bl_idname.split(".")[1]).get_rna_type()
        operator.draw(SimpleNamespace(layout=layout, bl_rna=rna), blender.context)
        assert [name for _, name in layout.rows()] == [*files, *NAMES]


def test_dropping_photos_is_offered_only_when_asked_for(blender):
    from photo_diorama.operators.build.import_photo import ENDINGS
    from photo_diorama.ui.drop import PHOTO_DIORAMA_FH_photo, set_drop

    assert not PHOTO_DIORAMA_FH_photo.is_registered
    for wanted in (True, True, False, False):
        set_drop(wanted)
        assert PHOTO_DIORAMA_FH_photo.is_registered == wanted
    assert PHOTO_DIORAMA_FH_photo.bl_import_operator == "photo_diorama.import_photo"
    assert PHOTO_DIORAMA_FH_photo.bl_file_extensions.split(";") == [*ENDINGS]


def test_a_script_without_the_enabled_extension_has_cores_defaults(blender):
    from photo_diorama.operators.build.user_preferences import default_values, models_folder

    assert default_values(blender.context) == Settings().values()
    assert models_folder(blender.context).name == "models"
    assert not blender.ops.photo_diorama.save_defaults.poll()
    blender.context.scene.photo_diorama.density = 3.0
    assert blender.ops.photo_diorama.load_defaults() == {"FINISHED"}
    assert blender.context.scene.photo_diorama.density == 1.0


def test_registering_twice_in_a_row_leaves_nothing_behind(extension):
    import photo_diorama
    from photo_diorama.operators.build import build_operator

    before = {
        name
        for name in dir(extension.types)
        if "PHOTO_DIORAMA" in name.upper().replace("PHOTODIORAMA", "PHOTO_DIORAMA")
    }
    photo_diorama.unregister()
    try:
        gone = [name for name in dir(extension.types) if "PHOTO_DIORAMA" in name.upper()]
        assert not gone and not hasattr(extension.types.Scene, "photo_diorama") and not build_operator.kept.results
    finally:
        photo_diorama.register()
    after = {
        name
        for name in dir(extension.types)
        if "PHOTO_DIORAMA" in name.upper().replace("PHOTODIORAMA", "PHOTO_DIORAMA")
    }
    assert after == before and before
