"""What a diorama in Blender holds: its layers, its depth and mask images, and ways to paint and select like an artist."""

import numpy as np


def parts(root) -> dict:
    return {ob["photo_diorama_role"]: ob for ob in reversed(root.children_recursive)}


def image(root, key="photo_diorama_depth"):
    return root.get(key)


def values(image) -> np.ndarray:
    """(h, w) float32, rows from the top."""
    read = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(read)
    return read.reshape(image.size[1], image.size[0], 4)[::-1, :, 0]


def disparity(root, key="photo_diorama_depth") -> np.ndarray:
    return values(image(root, key)) / image(root, key)["photo_diorama_depth_scale"]


def paint(image, rows, columns, value) -> None:
    """As a brush does: new values in the image, not packed."""
    read = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(read)
    picture = read.reshape(image.size[1], image.size[0], 4)[::-1]
    picture[slice(*rows), slice(*columns), :3] = value
    image.pixels.foreach_set(read)
    image.update()


def mask_on(blender, root, rows, columns) -> None:
    blender.ops.photo_diorama.paint_mask()
    blender.ops.photo_diorama.fill_mask(content="NOTHING")
    paint(image(root, "photo_diorama_mask"), rows, columns, 1.0)


def photo_depth(root) -> np.ndarray:
    """(n, 3): column and row on the photo (0 to 1) and disparity of each corner of the photo layer."""
    mesh = parts(root)["photo"].data
    co, uv = np.empty(3 * len(mesh.vertices), np.float32), np.empty(2 * len(mesh.loops), np.float32)
    corner = np.empty(len(mesh.loops), np.int32)
    mesh.attributes["position"].data.foreach_get("vector", co)
    mesh.uv_layers[0].uv.foreach_get("vector", uv)
    mesh.attributes[".corner_vert"].data.foreach_get("value", corner)
    u, v = uv.reshape(-1, 2).T
    return np.stack([u, 1 - v, 1 / co.reshape(-1, 3)[corner, 1]], axis=1)


def within(places, top, bottom, left, right, size=(120, 160)) -> np.ndarray:
    u, v = places[:, 0] * size[1], places[:, 1] * size[0]
    return (u > left) & (u < right) & (v > top) & (v < bottom)


def select_faces(blender, root, *region) -> None:
    """Edit mode of the photo layer with the faces selected whose middles lie in a part of the photo; the last of them is active."""
    import bmesh

    ob = parts(root)["photo"]
    blender.context.view_layer.objects.active = ob
    blender.ops.object.mode_set(mode="OBJECT")
    inside = within(photo_depth(root).reshape(-1, 3, 3).mean(axis=1), *region)
    blender.ops.object.mode_set(mode="EDIT")
    edited = bmesh.from_edit_mesh(ob.data)
    edited.select_mode = {"FACE"}
    for face in edited.faces:
        face.select_set(bool(inside[face.index]))
    edited.faces.ensure_lookup_table()
    edited.faces.active = edited.faces[int(np.flatnonzero(inside)[-1])]
    bmesh.update_edit_mesh(ob.data)
