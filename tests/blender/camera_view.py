"""Where points of the scene are seen, from Blender's own numbers for a camera alone."""

import numpy as np


def seen_from(camera, points: np.ndarray, width: int, height: int) -> np.ndarray:
    """World points (n, 3) -> pixels (n, 2) from the top left, from Blender's own numbers for the camera alone."""
    data = camera.data
    assert data.sensor_fit == "HORIZONTAL" and data.type == "PERSP"
    to_camera = np.linalg.inv(np.array(camera.matrix_world, dtype=np.float64))
    local = points @ to_camera[:3, :3].T + to_camera[:3, 3]
    focal = data.lens / data.sensor_width * width
    x = width / 2 - data.shift_x * width + focal * local[:, 0] / -local[:, 2]
    y = height / 2 + data.shift_y * width - focal * local[:, 1] / -local[:, 2]
    assert (local[:, 2] < 0).all()
    return np.stack([x, y], axis=1)


def surface(ob) -> tuple[np.ndarray, np.ndarray]:
    """World positions (loops, 3) and UVs (loops, 2) of every corner of a mesh."""
    mesh = ob.data
    positions, corner = np.empty(3 * len(mesh.vertices), np.float32), np.empty(len(mesh.loops), np.int32)
    uvs = np.empty(2 * len(mesh.loops), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", positions)
    mesh.attributes[".corner_vert"].data.foreach_get("value", corner)
    mesh.uv_layers[0].uv.foreach_get("vector", uvs)
    world = np.array(ob.matrix_world, dtype=np.float64)
    points = positions.reshape(-1, 3)[corner] @ world[:3, :3].T + world[:3, 3]
    return points, uvs.reshape(-1, 2).astype(np.float64)
