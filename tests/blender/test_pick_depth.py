"""The eyedropper for depth: where a click in a viewport or an Image Editor lies on the photo, and what each key does."""

from types import SimpleNamespace

import numpy as np
import pytest
from blend_state import differences, everything
from layer_state import disparity, mask_on, select_faces

WIDTH, HEIGHT = 320, 240
BESIDE = (40, 25)
"""Where the view's region begins in the window."""


@pytest.fixture
def root(blender, street, import_photo):
    root = import_photo(*street, long_side=160)
    root.location, root.rotation_euler, root.scale = (1, 2, 3), (0.1, -0.2, 0.5), (2, 2, 2)
    blender.context.view_layer.objects.active = root
    blender.context.view_layer.update()
    return root


def window(blender, areas) -> SimpleNamespace:
    """A context as the operator sees it, which remembers what it was told."""
    told = SimpleNamespace(status=[], cursor=[], handlers=[])
    return SimpleNamespace(
        window=SimpleNamespace(
            screen=SimpleNamespace(areas=areas), cursor_modal_set=told.cursor.append,
            cursor_modal_restore=lambda: told.cursor.append(None),
        ),
        workspace=SimpleNamespace(status_text_set=told.status.append),
        window_manager=SimpleNamespace(modal_handler_add=told.handlers.append),
        object=blender.context.object, scene=blender.context.scene, mode=blender.context.mode,
        evaluated_depsgraph_get=blender.context.evaluated_depsgraph_get, told=told,
    )  # fmt: skip


def view(blender, root, shift=(0.0, 0.0)) -> SimpleNamespace:
    """A 3D viewport that looks through the photo's camera, moved aside by metres of the diorama, with a sidebar over its right."""
    from mathutils import Matrix

    depsgraph = blender.context.evaluated_depsgraph_get()
    camera = next(ob for ob in root.children_recursive if ob.type == "CAMERA")
    matrix = (camera.matrix_world.normalized() @ Matrix.Translation((*shift, 0))).inverted()
    lens = camera.calc_matrix_camera(depsgraph, x=WIDTH, y=HEIGHT)
    data = SimpleNamespace(perspective_matrix=lens @ matrix, view_matrix=matrix, is_perspective=True)
    region = SimpleNamespace(type="WINDOW", x=BESIDE[0], y=BESIDE[1], width=WIDTH, height=HEIGHT, data=data)
    sidebar = SimpleNamespace(type="UI", x=BESIDE[0] + WIDTH - 30, y=BESIDE[1], width=30, height=HEIGHT)
    closed = SimpleNamespace(type="TOOLS", x=BESIDE[0], y=BESIDE[1], width=1, height=HEIGHT)
    return SimpleNamespace(type="VIEW_3D", regions=[region, sidebar, closed])


def editor(image, zoom: float) -> SimpleNamespace:
    """An Image Editor that shows an image with its lower left corner 10 pixels inside."""
    view2d = SimpleNamespace(region_to_view=lambda x, y: ((x - 10) / zoom, (y - 10) / zoom))
    region = SimpleNamespace(type="WINDOW", x=500, y=0, width=300, height=300, view2d=view2d)
    return SimpleNamespace(type="IMAGE_EDITOR", regions=[region], spaces=SimpleNamespace(active=SimpleNamespace(image=image)))


@pytest.mark.parametrize("u, v", [(0.5, 0.5), (0.25, 0.7), (0.03, 0.04), (0.88, 0.95)])
def test_through_the_photos_camera_a_click_is_its_place_on_the_photo(blender, root, u, v):
    from photo_diorama.operators.depth.pick_depth import place_under

    context = window(blender, [view(blender, root)])
    found = place_under(context, root, BESIDE[0] + u * WIDTH, BESIDE[1] + (1 - v) * HEIGHT)
    assert found[:2] == pytest.approx((u, v), abs=1e-4)
    assert min(abs(found[2] / metres / 2 - 1) for metres in (2, 6)) < 1e-3, "the diorama is twice as large"


def test_from_beside_a_click_on_a_surface_is_where_the_photo_shows_it(blender, root):
    from photo_diorama.operators.depth.pick_depth import place_under
    from photo_diorama.operators.scene.photo_rays import PhotoRays

    rays = PhotoRays(root, blender.context)
    area = view(blender, root, shift=(0.3, 0.2))
    context, seen = window(blender, [area]), 0
    for u, v in np.random.default_rng(3).uniform(0.05, 0.95, (40, 2)):
        met = rays.meet(u * rays.width, v * rays.height)
        matrix = area.regions[0].data.perspective_matrix
        place = root.matrix_world @ met
        clip = matrix @ place.to_4d()
        x, y = (clip.x / clip.w + 1) / 2 * WIDTH, (clip.y / clip.w + 1) / 2 * HEIGHT
        if not (0 < x < WIDTH - 31 and 0 < y < HEIGHT):
            continue
        found = place_under(context, root, BESIDE[0] + x, BESIDE[1] + y)
        if found is not None and found[2] == pytest.approx(2 * met.y, rel=1e-3):  # else something nearer hides it
            assert found[:2] == pytest.approx((u, v), abs=1e-4)
            seen += 1
    assert seen > 15


def test_beside_the_photo_over_the_sidebar_and_in_other_editors_there_is_nothing(blender, root):
    from photo_diorama.operators.depth.pick_depth import place_under

    other = SimpleNamespace(type="OUTLINER", regions=[SimpleNamespace(type="WINDOW", x=0, y=300, width=900, height=100)])
    context = window(blender, [view(blender, root), other])
    middle = BESIDE[1] + HEIGHT // 2
    for x, y in ((BESIDE[0] + WIDTH - 10, middle), (5, middle), (100, 350), (2000, 2000)):
        assert place_under(context, root, x, y) is None
    away = view(blender, root)
    for ob in root.children_recursive:
        ob.hide_viewport = True
    blender.context.view_layer.update()
    assert place_under(window(blender, [away]), root, BESIDE[0] + WIDTH // 2, middle) is None


def test_an_image_editor_counts_where_it_shows_the_depth_or_the_mask(blender, root):
    from photo_diorama.operators.depth.pick_depth import place_under

    blender.ops.photo_diorama.edit_depth()
    mask_on(blender, root, (0, 10), (0, 10))
    for key in ("photo_diorama_depth", "photo_diorama_depth_original", "photo_diorama_mask"):
        context = window(blender, [editor(root[key], 200.0)])
        assert place_under(context, root, 500 + 10 + 50, 10 + 160) == pytest.approx((0.25, 0.2, None))
        assert place_under(context, root, 500 + 5, 100) is None and place_under(context, root, 500 + 250, 100) is None
    other = blender.data.images.new("other", 8, 8)
    for image in (other, None):
        assert place_under(window(blender, [editor(image, 200.0)]), root, 560, 170) is None


def picking(context):
    """The operator as Blender would hold it, and its answers to events."""
    from photo_diorama.operators.depth.pick_depth import PickDepth

    names = ("invoke", "modal", "cancel", "_take")
    reports = []
    own = type("Picking", (SimpleNamespace,), {name: getattr(PickDepth, name) for name in names})
    operator = own(report=lambda kind, text: reports.append((*kind, text)))
    operator.reports = reports
    event = lambda kind, value="PRESS", u=0.5, v=0.5: operator.modal(
        context, SimpleNamespace(type=kind, value=value, mouse_x=BESIDE[0] + u * WIDTH, mouse_y=BESIDE[1] + (1 - v) * HEIGHT)
    )
    return operator, event


def test_in_edit_mode_the_layer_is_met_too(blender, root):
    from photo_diorama.operators.depth.pick_depth import place_under

    select_faces(blender, root, 40, 60, 20, 50)
    context = window(blender, [view(blender, root)])
    found = place_under(context, root, BESIDE[0] + 0.3 * WIDTH, BESIDE[1] + 0.4 * HEIGHT)
    assert found[:2] == pytest.approx((0.3, 0.6), abs=1e-4)


def test_without_a_region_it_says_so_before_any_click(blender, root):
    context = window(blender, [view(blender, root)])
    operator, _ = picking(context)
    assert operator.invoke(context, None) == {"CANCELLED"}
    assert "There is no region yet" in operator.reports[0][1] and not context.told.handlers and not context.told.cursor


@pytest.mark.parametrize("key", ["ESC", "RIGHTMOUSE"])
def test_esc_and_right_click_leave_all_as_it_was(blender, root, key):
    mask_on(blender, root, (40, 60), (20, 50))
    context = window(blender, [view(blender, root)])
    operator, event = picking(context)
    before = everything()
    assert operator.invoke(context, None) == {"RUNNING_MODAL"} and context.told.handlers == [operator]
    assert context.told.cursor == ["EYEDROPPER"] and "Esc" in context.told.status[-1]
    assert event("MOUSEMOVE", "NOTHING") == {"RUNNING_MODAL"} and " m   |" in context.told.status[-1]
    assert event("MOUSEMOVE", "NOTHING", u=0.99) == {"RUNNING_MODAL"} and " m   |" not in context.told.status[-1]
    for kind in ("MIDDLEMOUSE", "WHEELUPMOUSE", "NDOF_MOTION"):
        assert event(kind) == {"PASS_THROUGH"}, "the view can be turned meanwhile"
    for kind, value in (("Z", "PRESS"), ("LEFTMOUSE", "RELEASE"), (key, "RELEASE")):
        assert event(kind, value) == {"RUNNING_MODAL"}, "no undo meanwhile"
    assert event("LEFTMOUSE", u=0.99) == {"RUNNING_MODAL"} and operator.reports[-1][0] == "WARNING"
    assert event(key) == {"CANCELLED"}
    assert context.told.cursor[-1] is None and context.told.status[-1] is None
    assert not differences(before, everything())


def test_a_click_does_what_same_depth_does_there_in_one_step(blender, root, monkeypatch):
    from photo_diorama.operators.depth.pick_depth import PickDepth

    assert "UNDO" not in PickDepth.bl_options, "the step is the other operator's"
    mask_on(blender, root, (40, 60), (20, 50))
    context = window(blender, [view(blender, root)])
    operator, event = picking(context)
    operator.invoke(context, None)
    assert event("LEFTMOUSE", u=0.5, v=0.5) == {"FINISHED"}
    assert context.told.cursor[-1] is None and context.told.status[-1] is None and not operator.reports
    picked = disparity(root).copy()
    blender.ops.photo_diorama.restore_depth(where="ALL")
    blender.ops.photo_diorama.same_depth(of="POINT", point=(0.5, 0.5))
    assert np.array_equal(picked, disparity(root))
    inside = picked[45:55, 25:45]
    assert inside == pytest.approx(inside[0, 0]) and min(abs(inside[0, 0] * metres - 1) for metres in (2, 6)) < 0.01


def test_what_the_change_says_is_told(blender, root):
    mask_on(blender, root, (40, 60), (20, 50))
    context = window(blender, [view(blender, root)])
    operator, event = picking(context)
    operator.invoke(context, None)
    root["photo_diorama_source"] = root["photo_diorama_source"].replace('"photo":', '"photograph":')
    assert event("LEFTMOUSE") == {"CANCELLED"}
    assert operator.reports[-1][0] == "ERROR" and "does not know its photo" in operator.reports[-1][1]
    assert context.told.cursor[-1] is None and context.told.status[-1] is None
