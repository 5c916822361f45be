"""What an artist meets in a real window with factory settings: strokes that paint, a mask that shows the photo."""

import json

import numpy as np
import pytest
from blenders import DebianBlender
from test_life_of_the_zip import DEPTH, PHOTO
from window import HEIGHT, WIDTH, Window


@pytest.fixture(scope="module")
def window(blender, zipped):
    if not isinstance(blender, DebianBlender):
        pytest.skip("a window needs Debian's program: DIORAMA_BLENDER")
    if not (blender.root / "usr/bin/Xvfb").exists() or not (blender.root / "usr/bin/xdotool").exists():
        pytest.skip(f"{blender.root} has no Xvfb and xdotool; make it anew with tests/blender_real/debian_blender.sh")
    blender.install(zipped)
    opened = Window(blender)
    photo, depth = blender.inside(PHOTO), blender.inside(DEPTH)
    opened.python(f"""
import json
import numpy as np
for ob in list(bpy.data.objects):
    bpy.data.objects.remove(ob)
with view():
    bpy.ops.photo_diorama.import_photo("EXEC_DEFAULT", filepath={photo!r}, depth={depth!r}, long_side=320, inpainter="diffusion")
def root():
    return bpy.data.objects["courtyard"]
with view() as area:
    from bpy_extras.view3d_utils import location_3d_to_region_2d
    region = next(region for region in area.regions if region.type == "WINDOW")
    bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=1)  # the view's matrix is the camera's from then on
    photo = next(ob for ob in root().children_recursive if ob.get("photo_diorama_role") == "photo")
    corners = [min((v.co for v in photo.data.vertices), key=lambda co: (sx * co.x + sz * co.z) / co.y) for sx in (-1, 1) for sz in (-1, 1)]
    corners = [tuple(location_3d_to_region_2d(region, area.spaces.active.region_3d, photo.matrix_world @ co)) for co in corners]
    whole = [*corners, (region.width, region.height)]
bpy.context.scene.camera = next(ob for ob in root().children_recursive if ob.type == "CAMERA")
bpy.context.scene.render.resolution_x, bpy.context.scene.render.resolution_y = 1536, 1024
with view() as area:
    area.spaces.active.region_3d.view_perspective = "CAMERA"
    area.spaces.active.overlay.show_overlays = False
    area.spaces.active.region_3d.view_camera_zoom = 0
def pixels(key):
    image = root()["photo_diorama_" + key]
    read = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(read)
    return read.reshape(image.size[1], image.size[0], 4)[::-1, :, 0]
def shared():
    paint = bpy.context.scene.tool_settings.image_paint
    unified = paint.unified_paint_settings
    names = ("use_unified_color", "use_unified_strength", "use_unified_size", "strength", "size")
    return [*(getattr(unified, name) for name in names), tuple(unified.color), paint.use_normal_falloff]
""", seconds=300)  # fmt: skip
    yield opened
    opened.close()


def place(window) -> tuple[int, int]:
    """Where the window shows the middle of the photo."""
    return tuple(json.loads(window.python("""
from bpy_extras.view3d_utils import location_3d_to_region_2d
with view() as area:
    region = next(region for region in area.regions if region.type == "WINDOW")
    x, y = location_3d_to_region_2d(region, area.spaces.active.region_3d, root().matrix_world @ __import__("mathutils").Vector((0, 5, 0)))
    print(json.dumps([int(region.x + x), int(bpy.context.window.height - region.y - y)]))
""")))  # fmt: skip


@pytest.fixture(scope="module")
def middle(window) -> tuple[int, int]:
    return place(window)


@pytest.mark.parametrize("kind, rises", [("NEARER", True), ("FARTHER", False), ("MASK", True), ("UNMASK", False)])
def test_a_stroke_of_each_brush_paints_with_factory_settings(window, middle, kind, rises):
    """The colour that all brushes share is on and black there, which used to add nothing."""
    key = "mask" if "MASK" in kind else "depth"
    opening = "paint_mask" if key == "mask" else "edit_depth"
    taken = kind in ("NEARER", "MASK")  # with the place to paint
    window.python(f"""
if bpy.context.object.mode != "OBJECT":
    with view(): bpy.ops.object.mode_set(mode="OBJECT")
before = shared()
with view():
    bpy.ops.photo_diorama.{opening}("EXEC_DEFAULT", target="PAINT")
    {taken} or bpy.ops.photo_diorama.depth_brush("EXEC_DEFAULT", kind={kind!r})
was = pixels({key!r}).copy()
""")
    x, y = middle
    window.stroke((x - 60, y + 60), (x - 20, y + 60), (x + 20, y + 60), (x + 60, y + 60))
    changed, up = json.loads(window.python(f"""
now = pixels({key!r})
print(json.dumps([int((now != was).sum()), int((now > was).sum())]))
"""))  # fmt: skip
    assert changed > 1000
    assert up == (changed if rises else 0)
    window.python("with view(): bpy.ops.object.mode_set(mode='OBJECT')")
    window.mouse("sleep", "1")
    before, after = json.loads(window.python("print(json.dumps([before, shared()]))"))
    assert after == before, "the artist's own settings are as they were"


def test_the_mask_is_painted_over_the_photo_without_holes(window, middle):
    """A black sheet used to hide the photo, and slopes took no paint."""
    window.python("""
with view():
    bpy.ops.photo_diorama.fill_mask(content="NOTHING")
    bpy.ops.photo_diorama.paint_mask("EXEC_DEFAULT", target="PAINT")
""")
    x, y = middle
    window.mouse("mousemove", "5", "5", "sleep", "2")
    photo = _seen(window)
    bare = _around(photo, x, y)
    assert bare.std() > 20 and bare.mean() > 60, "the photo is to be seen, not a black sheet"
    window.stroke((x - 60, y + 60), (x - 20, y + 60), (x + 20, y + 60), (x + 60, y + 60))
    window.mouse("mousemove", "5", "5", "sleep", "1")
    tinted = _seen(window)
    for _ in range(30):  # a busy computer draws late
        if (tinted != photo)[y + 60, x].any():
            break
        window.mouse("sleep", "1")
        tinted = _seen(window)
    assert (tinted[y + 60, x] - photo[y + 60, x])[0] > (tinted[y + 60, x] - photo[y + 60, x])[2], "redder where painted"
    assert np.abs(tinted - photo)[y - 100, x - 60 : x + 60].max() <= 2, "and the photo as it is elsewhere"
    down = tinted[y - 40 : y + 160, x]
    assert (down.min(axis=1) > 240).sum() >= 4 and (down.max(axis=1) < 15).sum() >= 4, "a white line within black, on both sides"
    painted = np.array(json.loads(window.python("""
from scipy.ndimage import binary_fill_holes
mask = pixels("mask") > 0.5
print(json.dumps([int(mask.sum()), int(binary_fill_holes(mask).sum())]))
""")))  # fmt: skip
    assert painted[0] > 1000 and painted[0] > 0.99 * painted[1], "a third was holes"


def test_after_the_import_all_of_the_photo_is_in_the_viewport(window):
    """It is higher than the frame that the scene renders, whose centring used to cut heads off."""
    *corners, (width, height) = json.loads(window.python("print(json.dumps(whole))"))
    assert all(-1 <= x <= width + 1 and -1 <= y <= height + 1 for x, y in corners), (corners, width, height)
    assert max(y for _, y in corners) - min(y for _, y in corners) > 0.9 * height, "and fills it"


def test_the_viewport_shows_the_photo_with_soft_silhouettes_too(window, middle):
    """Solid view cannot mix by alpha: white and black specks ran along each silhouette."""
    window.python("""
with view():
    if bpy.context.object.mode != "OBJECT": bpy.ops.object.mode_set(mode="OBJECT")
    bpy.context.space_data.show_region_ui = False
bpy.context.view_layer.objects.active = root()
""")
    window.mouse("mousemove", "5", "5", "sleep", "2")
    hard = _seen(window)
    window.python("with view(): bpy.ops.photo_diorama.rebuild('EXEC_DEFAULT', soft_edge=0.01)", seconds=300)
    assert int(window.python("print(sum(ob.get('photo_diorama_role') == 'soft' for ob in root().children_recursive))")) == 1
    window.mouse("mousemove", "5", "5", "sleep", "2")
    x, y = middle
    off = np.abs(_seen(window) - hard)[y - 200 : y + 200, x - 300 : x + 300].max(axis=2)
    assert (off > 24).mean() < 0.002, "from the photo's place it is the photo either way"


def _seen(window) -> np.ndarray:
    return np.frombuffer(window.picture(), np.uint8).reshape(HEIGHT, WIDTH, 3).astype(int)


def _around(picture: np.ndarray, x: int, y: int) -> np.ndarray:
    return picture[y - 80 : y + 80, x - 120 : x + 120]


def test_a_click_selects_the_thing_there(window, middle):
    window.python("""
with view():
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.ops.photo_diorama.fill_mask(content="NOTHING")
    bpy.ops.photo_diorama.select_by_click("INVOKE_DEFAULT")
""")
    overlay = "__import__('sys').modules['bl_ext.user_default.photo_diorama.operators.depth.mask_overlay']"
    assert _until(window, f"print(int(bool({overlay}.picking)))"), "it waits for clicks once photo and depth are at hand"
    x, y = middle
    window.click(x, y + 60)
    assert _until(window, "print(int((pixels('mask') > 0.5).sum()))") > 50
    window.key("Return")
    assert not int(window.python(f"print(int(bool({overlay}.picking)))"))


def _until(window, text: str, seconds: int = 60) -> int:
    """What Python prints in the window, as soon as that is not 0."""
    for _ in range(seconds):
        found = int(window.python(text))
        if found:
            return found
        window.mouse("sleep", "1")
    return 0
