"""How many triangles a diorama needs: views from its own camera and beside it, for several numbers of triangles.

    python benchmarks/triangles.py [--shared ../shared] [--long-side 960] [NAME ...]

NAME: moon, courtyard, kodak_23, desk_plants. Views are drawn without Blender by a z-buffer and compared with those of the same diorama
at Mesh Detail 10: from the photo's camera, and moved aside so that the nearest thing shifts by 3 % and 6 % of the width.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import conftest  # noqa: E402, F401  makes the checkout importable

from photo_diorama.core.pipeline import StageCache, build_diorama  # noqa: E402
from photo_diorama.core.raster.colour_curves import srgb_from_linear  # noqa: E402
from photo_diorama.core.settings import MeshSettings, Settings  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
PHOTOS = {
    "moon": ("data/rgbd/moon/moon.jpg", "data/rgbd/moon/moon.npy"),
    "courtyard": (ROOT / "docs/demo/courtyard.jpg", ROOT / "docs/demo/courtyard_depth.png"),
    "kodak_23": ("data/photos/kodak/23.png", None),
    "desk_plants": ("data/photos/cc0_2048/desk_plants.jpg", None),
}
NUMBERS = (0, 500_000, 200_000, 100_000, 50_000, 20_000)
ASIDE = (0.0, 0.03, 0.06)
"""Shift of the nearest thing, as a part of the width."""
AT_ONCE = 1 << 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(PHOTOS), metavar="NAME")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--long-side", type=int, default=960)
    given = parser.parse_args()
    print(
        "| photo | asked | triangles | s | texture off, px | photo's view, dB | 3 % aside, dB | 6 % aside, dB "
        "| pixels off by > 16 levels, % |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name in given.names:
        photo, depth = (path and given.shared / path for path in PHOTOS[name])
        settings, kept = Settings().with_values({"long_side": given.long_side}), StageCache()
        truth = None
        for number, density in ((0, 10.0), *((n, 1.0) for n in NUMBERS)):
            wanted = replace(settings, mesh=MeshSettings(number, density))
            started = time.process_time()
            built = build_diorama(photo, depth, wanted, kept=kept)
            seconds = time.process_time() - started
            views = [view(built, aside) for aside in ASIDE]
            truth = truth or views
            off = [np.abs(a - b) for a, b in zip(views, truth, strict=True)]
            decibels = [-10 * np.log10(max(float((o * o).mean()), 1e-9)) for o in off]
            beyond = [100 * float((o.max(axis=2) > 16 / 255).mean()) for o in off]
            asked = "detail 10" if density > 1 else str(number or "automatic")
            print(
                f"| {name} | {asked} | {built.mesh.triangle_count} | {seconds:.1f} | {texture_shift(built):.2f} | "
                + " | ".join(f"{d:.1f}" for d in decibels)
                + " | "
                + ", ".join(f"{b:.2f}" for b in beyond)
                + " |",
                flush=True,
            )


def texture_shift(built) -> float:
    """How far the photo is off inside a triangle, in its pixels, at the most over points at random."""
    camera, weights = built.photo.camera, np.random.default_rng(0).dirichlet((1, 1, 1), 12).astype(np.float32)
    most = 0.0
    for mesh in built.mesh.meshes:
        if mesh.role != "photo":
            continue
        u, v = camera.project(np.einsum("sk,tkc->stc", weights, mesh.vertices[mesh.triangles]).astype(np.float64))
        uv = np.einsum("sk,tkc->stc", weights, mesh.uvs)
        most = max(most, float(np.hypot(uv[..., 0] * camera.width - u, (1 - uv[..., 1]) * camera.height - v).max()))
    return most


def view(built, aside: float) -> np.ndarray:
    """(h, w, 3) float32, sRGB 0 to 1: the diorama from its camera moved to the right, at the working size."""
    camera = built.photo.camera
    height, width = built.depth.disparity.shape
    small = camera.resized(width, height)
    move = aside * width / small.focal_px * built.mesh.nearest
    nearest, picture = np.zeros((height, width), np.float32), np.zeros((height, width, 3), np.float32)
    over = []
    textures = {"photo": _levels(built.photo.colour, built.photo.is_linear), "atlas": built.mesh.atlas}
    if built.mesh.soft is not None:
        textures["soft"] = textures["cleaned"] = _levels(built.mesh.soft, built.photo.is_linear)
    for mesh in built.mesh.meshes:
        points = mesh.vertices - np.float32([move, 0, 0])
        for fragments in _fragments(points, mesh, small):
            row, column, disparity, uv = fragments
            colour = _sample(textures[mesh.texture], uv)
            if mesh.role == "soft":
                over.append((row, column, disparity, colour))
                continue
            np.maximum.at(nearest, (row, column), disparity)
            front = disparity >= nearest[row, column]
            picture[row[front], column[front]] = colour[front, :3]
    for row, column, disparity, colour in over:
        front = disparity >= nearest[row, column]
        row, column, colour = row[front], column[front], colour[front]
        alpha = colour[:, 3:]
        picture[row, column] += alpha * (colour[:, :3] - picture[row, column])
    return picture


def _levels(colour: np.ndarray, linear: bool) -> np.ndarray:
    if linear:
        return np.concatenate([srgb_from_linear(colour[..., :3]), colour[..., 3:]], axis=2).astype(np.float32)
    return colour.astype(np.float32) / np.iinfo(colour.dtype).max


def _fragments(points: np.ndarray, mesh, camera):
    """Yields row, column, disparity and UV of the pixels whose centres lie in the mesh's triangles, some triangles at a time."""
    depth = points[:, 2]
    u, v = camera.focal_px * points[:, 0] / depth + camera.cx, camera.focal_px * points[:, 1] / depth + camera.cy
    place = np.stack([u, v, 1 / depth], axis=1).astype(np.float64)
    for start in range(0, len(mesh.triangles), AT_ONCE):
        corners, uvs = place[mesh.triangles[start : start + AT_ONCE]], mesh.uvs[start : start + AT_ONCE]
        low = np.maximum(np.ceil(corners[:, :, :2].min(axis=1) - 0.5).astype(int), 0)
        high = np.minimum(np.floor(corners[:, :, :2].max(axis=1) - 0.5).astype(int), (camera.width - 1, camera.height - 1))
        size = np.maximum(high - low + 1, 0)
        count = size[:, 0] * size[:, 1]
        t = np.repeat(np.arange(len(corners)), count)
        n = np.arange(len(t)) - np.repeat(np.cumsum(count) - count, count)
        column, row = low[t, 0] + n % size[t, 0], low[t, 1] + n // size[t, 0]
        a, b, c = (corners[:, i][t] for i in range(3))
        x, y = column + 0.5, row + 0.5
        area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
        area = np.where(np.abs(area) < 1e-12, np.inf, area)
        wb = ((x - a[:, 0]) * (c[:, 1] - a[:, 1]) - (y - a[:, 1]) * (c[:, 0] - a[:, 0])) / area
        wc = ((b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (b[:, 1] - a[:, 1]) * (x - a[:, 0])) / area
        weights = np.stack([1 - wb - wc, wb, wc], axis=1)
        inside = (weights > -1e-9).all(axis=1) & np.isfinite(area)
        t, row, column, weights = t[inside], row[inside], column[inside], weights[inside]
        by_depth = weights * corners[t, :, 2]
        disparity = by_depth.sum(axis=1)
        yield row, column, disparity.astype(np.float32), ((by_depth / disparity[:, None])[..., None] * uvs[t]).sum(axis=1)


def _sample(texture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """(n, channels) float32, between texels."""
    height, width = texture.shape[:2]
    x, y = (uv[:, 0] * width - 0.5).astype(np.float32), ((1 - uv[:, 1]) * height - 0.5).astype(np.float32)
    rows = -(-len(x) // 1024) if len(x) else 0
    if not rows:
        return np.zeros((0, texture.shape[2]), np.float32)
    padded = [np.resize(each, rows * 1024).reshape(rows, 1024) for each in (x, y)]
    return cv2.remap(texture, *padded, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).reshape(-1, texture.shape[2])[: len(x)]


if __name__ == "__main__":
    main()
