"""Draws the mask as a tint over the photo in the viewport while it is painted or picked; no data changes."""

from __future__ import annotations

import bpy
import numpy as np

from ..scene.depth_image import MASK_KEY, stored_image
from ..scene.emit import SOLID_UV, UV
from ..scene.keys import ROLE_KEY
from ..scene.materials import texture_role
from ..scene.root import find_root
from ..scene.surfaces import find_images, find_surfaces

TINT = (1.0, 0.1, 0.0, 0.5)
"""Red, green and blue, linear, and opacity over the photo."""

VERTEX = """
void main()
{
  at = uv;
  gl_Position = transform * vec4(place, 1.0);
  gl_Position.z -= 2e-5 * gl_Position.w;  /* in front of the surface itself */
}
"""
FRAGMENT = """
void main()
{
  vec3 seen = clamp(texture(photo, at).rgb, 0.0, 1.0);  /* linear, as the viewport wants what is drawn into it */
  float inside = clamp(texture(mask, at).r, 0.0, 1.0);
  float off = abs(inside - 0.5) / max(fwidth(inside), 1e-4);  /* pixels of the screen to the region's edge */
  vec3 line = vec3(off < 1.2 ? 1.0 : 0.0);  /* white within black shows on every photo, the tint not on a red one */
  colour = vec4(off < 2.4 ? line : mix(seen, tint.rgb, tint.a * inside), 1.0);
}
"""

picking: set[str] = set()
"""Names of the roots whose mask is shown during Select by Click."""
_batches: dict[str, tuple] = {}
_shader = None
_handle = None


def shown(context: bpy.types.Context) -> tuple[bpy.types.Object, bpy.types.Image] | None:
    """The root and the mask that the viewport shows over the photo; None while no mask is worked on."""
    root = find_root(context.object)
    mask = stored_image(root, MASK_KEY) if root is not None else None
    if mask is None:
        return None
    canvas = context.scene.tool_settings.image_paint
    paints = context.mode == "PAINT_TEXTURE" and canvas.mode == "IMAGE" and canvas.canvas == mask
    return (root, mask) if paints or root.name in picking else None


def draw() -> None:
    """Draws the photo, tinted where the mask is white, over the surfaces that show the photo and its soft silhouettes."""
    import gpu

    context = bpy.context
    found = shown(context)
    if found is None:
        _batches.clear()
        return
    root, mask = found
    photo = find_images(root).get("photo")
    if photo is None:
        return
    shader = _made_shader()
    shader.bind()
    shader.uniform_sampler("photo", gpu.texture.from_image(photo))
    shader.uniform_sampler("mask", gpu.texture.from_image(mask))
    shader.uniform_float("tint", TINT)
    gpu.state.depth_test_set("LESS_EQUAL")
    depsgraph = context.evaluated_depsgraph_get()
    for ob in find_surfaces(root):
        uv = {"photo": UV, "soft": SOLID_UV}.get(texture_role(ob[ROLE_KEY]))
        if uv and uv in ob.data.uv_layers and ob.visible_get():
            shader.uniform_float("transform", context.region_data.perspective_matrix @ ob.matrix_world)
            _batch_of(ob, uv, depsgraph, shader).draw(shader)
    gpu.state.depth_test_set("NONE")


def _batch_of(ob: bpy.types.Object, uv: str, depsgraph: bpy.types.Depsgraph, shader):
    """The surface as it stands, as a batch for the GPU; kept until the surface changes."""
    from gpu_extras.batch import batch_for_shader

    if ob.name not in _batches:
        mesh = ob.evaluated_get(depsgraph).data
        mesh.calc_loop_triangles()
        count = len(mesh.loop_triangles)
        places, loops = np.empty(3 * len(mesh.vertices), np.float32), np.empty(3 * count, np.int32)
        corners, uvs = np.empty(3 * count, np.int32), np.empty(2 * len(mesh.loops), np.float32)
        mesh.vertices.foreach_get("co", places)
        mesh.loop_triangles.foreach_get("vertices", corners)
        mesh.loop_triangles.foreach_get("loops", loops)
        mesh.uv_layers[uv].uv.foreach_get("vector", uvs)
        points = {"place": places.reshape(-1, 3)[corners], "uv": uvs.reshape(-1, 2)[loops]}
        _batches[ob.name] = batch_for_shader(shader, "TRIS", points)
    return _batches[ob.name]


def _made_shader():
    global _shader
    if _shader is None:
        import gpu

        info, between = gpu.types.GPUShaderCreateInfo(), gpu.types.GPUStageInterfaceInfo("photo_diorama_mask")
        between.smooth("VEC2", "at")
        info.push_constant("MAT4", "transform")
        info.push_constant("VEC4", "tint")
        info.sampler(0, "FLOAT_2D", "photo")
        info.sampler(1, "FLOAT_2D", "mask")
        info.vertex_in(0, "VEC3", "place")
        info.vertex_in(1, "VEC2", "uv")
        info.vertex_out(between)
        info.fragment_out(0, "VEC4", "colour")
        info.vertex_source(VERTEX)
        info.fragment_source(FRAGMENT)
        _shader = gpu.shader.create_from_info(info)
    return _shader


@bpy.app.handlers.persistent
def forget(scene, depsgraph) -> None:
    """Forgets the batches of surfaces that changed, so that they are drawn as they are now."""
    if _batches:
        for update in depsgraph.updates:
            if update.is_updated_geometry and isinstance(update.id, bpy.types.Object):
                _batches.pop(update.id.name, None)


def register() -> None:
    global _handle
    if not bpy.app.background:
        _handle = bpy.types.SpaceView3D.draw_handler_add(draw, (), "WINDOW", "POST_VIEW")
        bpy.app.handlers.depsgraph_update_post.append(forget)


def unregister() -> None:
    global _handle, _shader
    if _handle is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_handle, "WINDOW")
        bpy.app.handlers.depsgraph_update_post.remove(forget)
    _handle = _shader = None
    _batches.clear()
    picking.clear()
