"""Shows that the rendered depth is z along the axis at pixel centres: python -m benchmarks.demo_scene.check_depth.

Three analytic bodies seen by the demo's own camera (pitched, shifted by 0.11 m) are rendered by the same function as
the demo's depth and compared with the intersection of each pixel centre's ray, ((i + 0.5 - cx) / f,
(j + 0.5 - cy) / f, 1), in float64.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import bpy
import numpy as np

from . import render, scene
from .pieces import Pile, grid_faces

WIDTH, HEIGHT = 384, 256


def camera_rays() -> np.ndarray:
    """(HEIGHT, WIDTH, 3) world directions through the pixel centres, of length such that the parameter is z depth."""
    right, up, forward = scene.camera_frame()
    f = scene.focal_px(WIDTH)
    x = (np.arange(WIDTH) + 0.5 - WIDTH / 2) / f
    y = (np.arange(HEIGHT) + 0.5 - HEIGHT / 2) / f
    return x[None, :, None] * right - y[:, None, None] * up + forward


def truth(origin: np.ndarray, centre: np.ndarray, radius: float, wall: float) -> np.ndarray:
    """z depth of the floor z = 0, the upright plane y = wall and a sphere, whichever is nearest."""
    rays = camera_rays()
    with np.errstate(divide="ignore", invalid="ignore"):
        floor = np.where(rays[..., 2] < 0, -origin[2] / rays[..., 2], np.inf)
        upright = (wall - origin[1]) / rays[..., 1]
        a, b = (rays**2).sum(-1), rays @ (origin - centre)
        root = np.sqrt(b**2 - a * (((origin - centre) ** 2).sum() - radius**2))
        sphere = np.where(np.isfinite(root), (-b - root) / a, np.inf)
    return np.minimum(np.minimum(floor, upright), sphere)


def main() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    centre, radius, wall = np.array([-0.3, 2.0, 0.8]), 0.45, 6.0
    pile = Pile()
    square = np.array([[-50, -50, 0], [50, -50, 0], [50, 50, 0], [-50, 50, 0]], float)
    pile.add(square, [[0, 1, 2, 3]])
    pile.add(square[:, [0, 2, 1]] + (0, wall, 0), [[0, 1, 2, 3]])
    t, p = np.meshgrid(np.linspace(0, np.pi, 601), np.arange(900) / 450 * np.pi, indexing="ij")
    ball = np.stack([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), -np.cos(t)], -1).reshape(-1, 3) * radius + centre
    pile.add(ball, grid_faces(601, 900, True))
    pile.build("bodies", None, smooth=False)
    shift = (0.11, -0.11, 0.11)
    scene.place_camera(shift)
    with tempfile.TemporaryDirectory() as folder:
        z = render.render_depth(Path(folder) / "z.exr", WIDTH, HEIGHT)
    origin = np.array(scene.CAMERA_AT) + sum(s * axis for s, axis in zip(shift, scene.camera_frame(), strict=True))
    exact = truth(origin, centre, radius, wall)
    error = np.abs(z - exact)
    step = np.maximum.reduce([np.abs(exact - np.roll(exact, s, a)) for s in (-1, 1) for a in (0, 1)])
    smooth = step < 0.02 * exact
    print(f"z from {z.min():.4f} to {z.max():.4f} m")
    worst, mean = error[smooth].max() * 1000, error[smooth].mean() * 1000
    print(f"away from edges ({smooth.mean():.1%} of pixels): worst {worst:.3f} mm, mean {mean:.5f} mm")
    print(f"everywhere: {np.mean(error > 0.001):.4%} of pixels beyond 1 mm")
    shifted = np.abs(z[:, 1:] - exact[:, :-1])[smooth[:, 1:] & smooth[:, :-1]].mean()
    print(f"were it one pixel off, the mean would be {shifted * 1000:.3f} mm")
    distance = np.abs(z - exact * np.linalg.norm(camera_rays(), axis=-1))
    print(f"were it ray distance, the mean would be {distance[smooth].mean() * 1000:.3f} mm")
    if error[smooth].max() > 0.001:
        raise SystemExit("the depth is not z at the pixel centres")


if __name__ == "__main__":
    main()
