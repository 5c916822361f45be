"""A diorama under its relief sliders, as arrays."""

import numpy as np

SLIDERS = ("relief", "relief_near", "relief_far", "relief_focus", "relief_flatten")


def surfaces(root) -> list:
    return [ob for ob in root.children_recursive if ob.type == "MESH"]


def part(root, role):
    return next(ob for ob in root.children_recursive if ob["photo_diorama_role"] == role)


def evaluated(bpy, ob):
    return ob.evaluated_get(bpy.context.evaluated_depsgraph_get())


def points(mesh) -> np.ndarray:
    values = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", values)
    return values.reshape(-1, 3)


def shown(bpy, ob) -> np.ndarray:
    """Where the points of an object stand in the world."""
    each = evaluated(bpy, ob)
    world = np.array(each.matrix_world, np.float64)
    return points(each.data) @ world[:3, :3].T + world[:3, 3]


def distances(bpy, root) -> np.ndarray:
    """Of all points of the diorama, along the camera's axis, in the root's units."""
    return np.concatenate([points(evaluated(bpy, ob).data)[:, 1] for ob in surfaces(root)])


def set_sliders(bpy, root, **values):
    for key, value in values.items():
        root[key] = float(value)
    root.update_tag()
    bpy.context.view_layer.update()


def some_settings(count: int, seed: int):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        near, far, focus = 10 ** rng.uniform([-1, -1, -0.5], [1.5, 2.5, 1.5])
        relief, flatten = rng.choice([0.0, 1.0, rng.uniform(0, 3)]), rng.choice([0.0, 10 ** rng.uniform(0, 1)])
        yield dict(zip(SLIDERS, (relief, near, far, focus, flatten), strict=True))


def defaults(root) -> dict[str, float]:
    return {key: root.id_properties_ui(key).as_dict()["default"] for key in SLIDERS}
