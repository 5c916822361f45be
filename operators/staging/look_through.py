"""Shows the photo in a viewport through its camera, and restores the view; sets the scene up to render the photo."""

# no `from __future__ import annotations` here: Blender registers no annotation that is a string

import math

import bpy

from ...core.errors import DioramaError
from ..on_diorama import ActOnDiorama
from ..scene.emit import set_up_scene
from ..scene.root import find_root, kept_source, objects_by_role

FACTORY = {"Camera": "CAMERA", "Cube": "MESH", "Light": "LIGHT"}
"""Objects of Blender's startup scene."""
OF_THE_SPACE = ("use_local_camera", "camera")
OF_THE_SHADING = ("type", "color_type", "light", "show_object_outline")
OF_THE_OVERLAY = ("show_floor", "show_axis_x", "show_axis_y", "show_relationship_lines")
OF_THE_VIEW = ("view_location", "view_rotation", "view_distance", "view_perspective", "view_camera_zoom", "view_camera_offset")

MARGIN = 6
"""Pixels that Blender leaves round a camera's frame when it centres it (view3d_navigate: view_center_camera)."""
MIN_ZOOM = -30.0
"""Smallest zoom of Blender's camera view; the frame is (zoom / 50 + sqrt 2) ** 2 / 4 times as large as the viewport."""

_before: dict[int, list[list]] = {}
"""For each viewport: the original values of what `look_through` changed there, in the order of `_owners`."""


def _owners(area: bpy.types.Area) -> list[tuple]:
    """The parts of a viewport that are changed, and their property names; looked up each time, since Blender frees closed viewports."""
    space = area.spaces.active
    return [
        (space, OF_THE_SPACE), (space.shading, OF_THE_SHADING), (space.overlay, OF_THE_OVERLAY), (space.region_3d, OF_THE_VIEW)
    ]  # fmt: skip


def is_fresh(scene: bpy.types.Scene) -> bool:
    """Whether a scene is unused: it has no active camera, or is Blender's own startup scene, untouched."""
    if scene.camera is None:
        return True
    found = {ob.name: ob.type for ob in scene.objects}
    cube = scene.objects.get("Cube")
    return not bpy.data.filepath and found == FACTORY and len(cube.data.vertices) == 8 and not any(cube.location)


def photo_camera_of(root: bpy.types.Object) -> bpy.types.Object:
    """The photo's camera. Raises DioramaError where it was deleted."""
    camera = objects_by_role(root).get("camera")
    if camera is None or camera.type != "CAMERA":
        raise DioramaError(f"{root.name} has no camera of its own any more; Rebuild makes it again.")
    return camera


def look_through(context: bpy.types.Context, root: bpy.types.Object) -> None:
    """Shows the photo through its camera in the current viewport; the scene's own camera stays, unless there is none.

    Raises DioramaError where the diorama has no camera.
    """
    camera, area = photo_camera_of(root), viewport(context)
    if context.scene.camera is None:
        context.scene.camera = camera
    if area is None:
        return
    space = area.spaces.active
    if area.as_pointer() not in _before:
        _before[area.as_pointer()] = [[_copied(getattr(owner, name)) for name in names] for owner, names in _owners(area)]
    space.use_local_camera, space.camera = True, camera
    if space.shading.type in ("WIREFRAME", "SOLID"):  # a mode that needs no compiled shader shows the photo at once
        space.shading.type = "SOLID"
        space.shading.light, space.shading.color_type = "FLAT", "TEXTURE"
        space.shading.show_object_outline = False  # else a line runs round each layer, through the photo
    for name in OF_THE_OVERLAY:
        setattr(space.overlay, name, False)
    space.region_3d.view_perspective = "CAMERA"
    if not bpy.app.background:
        region = next(region for region in area.regions if region.type == "WINDOW")
        with context.temp_override(window=_window_of(context, area), area=area, region=region):
            bpy.ops.view3d.view_center_camera()
        show_whole_photo(context.scene, root, space.region_3d, region)


def show_whole_photo(scene: bpy.types.Scene, root: bpy.types.Object, view: bpy.types.RegionView3D, region: bpy.types.Region) -> None:
    """Zooms a camera view out until the whole photo fits: it may be higher than the frame that is rendered."""
    try:
        photo_width, photo_height = kept_source(root)["photo_size"]
        high = float(photo_height) / float(photo_width)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return
    render = scene.render
    frame = render.resolution_y * render.pixel_aspect_y / (render.resolution_x * render.pixel_aspect_x)
    width, height = region.width - MARGIN, region.height - MARGIN
    across = min(width, height / frame)  # of the frame, and so of the photo, which is as wide
    part = min(1.0, height / (across * high))
    if part < 1:
        zoom = math.sqrt(part) * (view.view_camera_zoom / 50 + math.sqrt(2)) - math.sqrt(2)
        view.view_camera_zoom = max(MIN_ZOOM, 50 * zoom)


def look_back(area: bpy.types.Area) -> None:
    """Restores the viewport as it was before `look_through`."""
    kept = _before.pop(area.as_pointer(), None)
    for (owner, names), values in zip(_owners(area), kept or (), strict=kept is not None):
        for name, value in zip(names, values, strict=True):
            if name == "camera":
                value = bpy.data.objects.get(value or "")
            if value is not None:
                setattr(owner, name, value)


def looks_through(area: bpy.types.Area | None, root: bpy.types.Object) -> bool:
    """Whether a viewport still shows the photo since `look_through`."""
    if area is None or area.type != "VIEW_3D" or area.as_pointer() not in _before:
        return False
    space = area.spaces.active
    return space.region_3d.view_perspective == "CAMERA" and space.camera is not None and find_root(space.camera) == root


def viewport(context: bpy.types.Context) -> bpy.types.Area | None:
    """The current viewport, else the largest one of all windows."""
    if context.area is not None and context.area.type == "VIEW_3D":
        return context.area
    areas = [area for window in context.window_manager.windows for area in window.screen.areas if area.type == "VIEW_3D"]
    return max(areas, key=lambda area: area.width * area.height, default=None)


def _window_of(context: bpy.types.Context, area: bpy.types.Area) -> bpy.types.Window:
    return next(window for window in context.window_manager.windows if area in window.screen.areas[:])


def _copied(value):
    if isinstance(value, bpy.types.ID):
        return value.name  # it may be gone when the view comes back
    if not hasattr(value, "copy"):
        return tuple(value) if type(value).__name__ == "bpy_prop_array" else value
    return value.copy()


class LookThrough(ActOnDiorama, bpy.types.Operator):
    """Show the photo in this viewport, through its camera and with its textures; press again to restore your view"""

    bl_idname = "photo_diorama.look_through"
    bl_label = "Look Through the Photo"
    bl_options = {"REGISTER", "UNDO"}
    may_be_linked = True

    def act(self, context, root):
        area = viewport(context)
        if looks_through(area, root):
            look_back(area)
        else:
            look_through(context, root)


class SetUpScene(ActOnDiorama, bpy.types.Operator):
    """Set the scene up to render the photo: its camera, its resolution, and its colours shown unchanged"""

    bl_idname = "photo_diorama.set_up_scene"
    bl_label = "Set Up Scene"
    bl_options = {"REGISTER", "UNDO"}
    may_be_linked = True

    def act(self, context, root):
        camera = photo_camera_of(root)
        try:
            width, height = (int(length) for length in kept_source(root)["photo_size"])
        except (KeyError, TypeError, ValueError):
            raise DioramaError(f"{root.name} does not know its photo any more; rebuild it from its photo.") from None
        set_up_scene(context.scene, camera, (width, height), bool(kept_source(root).get("see_through")))
        return f"The scene renders through {camera.name}, {width} x {height} px, colours as in the photo."


register_classes, unregister_classes = bpy.utils.register_classes_factory((LookThrough, SetUpScene))


@bpy.app.handlers.persistent
def after_load(*_) -> None:
    """Forgets all viewports: a newly opened file has others."""
    _before.clear()


def register() -> None:
    bpy.app.handlers.load_post.append(after_load)
    register_classes()


def unregister() -> None:
    bpy.app.handlers.load_post.remove(after_load)
    _before.clear()
    unregister_classes()
