"""Draws what each stage of the pipeline makes of a real photo, for docs/how_it_works.md.

python benchmarks/stage_figures.py [PHOTO] [--depth FILE] [--output FOLDER] [--width PX]
"""

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from photo_diorama.core.inpaint.inpaint import add_hidden_layer
from photo_diorama.core.layers.regions import Region, disocclude, find_regions
from photo_diorama.core.pipeline import Diorama, build_diorama
from photo_diorama.core.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
EMPTY = (0.16, 0.16, 0.17)
SYNTHESIS, CONTEXT, TEAR = (0.95, 0.25, 0.2), (0.2, 0.5, 0.95), (1.0, 0.85, 0.1)
WIRE_WINDOW = (0.62, 0.86, 0.61, 0.79)
"""Top, bottom, left, right of the part of the frame whose triangles are drawn."""
REGION_AT = (0.669, 0.84)
"""Across and down in the frame: the region shown is the one that is hidden there."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", nargs="?", default=str(ROOT / "docs/demo/courtyard.jpg"))
    parser.add_argument("--depth", default=str(ROOT / "docs/demo/courtyard_depth.png"))
    parser.add_argument("--output", type=Path, default=ROOT / "docs/images/stages")
    parser.add_argument("--width", type=int, default=800)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    settings = Settings()
    built = build_diorama(given.photo, given.depth or None, settings)
    for name, picture in figures(built, settings).items():
        save(given.output / f"{name}.jpg", picture, given.width)


def figures(built: Diorama, settings: Settings) -> dict[str, np.ndarray]:
    """(h, w, 3) float32 sRGB pictures by the stage that they show."""
    first = built.image.layers[0]
    return {
        "1_depth": heat(first.disparity)[inside(built)],
        "2_discontinuities": drawn_tears(built)[inside(built)],
        "3_regions": drawn_region(built, settings),
        "4_hidden_colour": drawn_hidden(built)[inside(built)],
        "5_hidden_depth": drawn_hidden_depth(built)[inside(built)],
        "6_triangles": drawn_triangles(built),
    }


def inside(built: Diorama) -> tuple[slice, slice]:
    """Rows and columns of the photo's frame on the canvas."""
    top, left, height, width = built.image.frame
    return slice(top, top + height), slice(left, left + width)


def heat(disparity: np.ndarray, low: float | None = None, high: float | None = None) -> np.ndarray:
    """Near is bright, far is dark."""
    ends = np.percentile(disparity, (0.5, 99.5))
    low, high = ends[0] if low is None else low, ends[1] if high is None else high
    level = np.clip((disparity - low) / (high - low), 0, 1)
    coloured = cv2.applyColorMap((np.sqrt(level) * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return coloured[..., ::-1].astype(np.float32) / 255


def drawn_tears(built: Diorama) -> np.ndarray:
    """The photo, paler, with every pixel marked that is torn from a neighbour."""
    first = built.image.layers[0]
    inner = np.zeros(first.present.shape, bool)
    inner[1:-1, 1:-1] = True
    torn = (first.links < 0).any(axis=0) & inner
    picture = 0.55 * first.colour + 0.2
    picture[torn] = TEAR
    return picture


def drawn_region(built: Diorama, settings: Settings) -> np.ndarray:
    """One silhouette's synthesis region (red) and the context that it is painted from (blue)."""
    first = built.image.layers[0]
    # as it was before anything was invented: links into later layers were tears
    first = replace(first, links=np.where(first.links > 0, np.int8(-1), first.links))
    image = replace(built.image, layers=(first,))
    found = disocclude(image, settings.layers.hidden_width)
    grown, found = add_hidden_layer(image, found)
    top, left, height, width = image.frame
    point = top + round(REGION_AT[1] * height), left + round(REGION_AT[0] * width)
    regions = find_regions(grown, settings.layers.context_width, found)  # largest first
    region = next((r for r in regions if holds(r, point)), regions[0])
    picture = 0.45 * image.layers[0].colour
    part = picture[region.window]
    part[region.context] = 0.55 * region.colour[region.context] + 0.45 * np.float32(CONTEXT)
    part[region.synthesis] = 0.35 * part[region.synthesis] + 0.65 * np.float32(SYNTHESIS)
    return picture[inside(built)]


def holds(region: Region, point: tuple[int, int]) -> bool:
    """Whether the region invents that pixel of the canvas."""
    r, c = (p - w.start for p, w in zip(point, region.window, strict=True))
    within = 0 <= r < region.synthesis.shape[0] and 0 <= c < region.synthesis.shape[1]
    return within and bool(region.synthesis[r, c])


def drawn_hidden(built: Diorama) -> np.ndarray:
    """What the first pass invented, on nothing."""
    hidden = built.image.layers[1]
    return np.where(hidden.present[..., None], hidden.colour, np.float32(EMPTY))


def drawn_hidden_depth(built: Diorama) -> np.ndarray:
    """Its depth in the colours of the photo's."""
    hidden, first = built.image.layers[1], built.image.layers[0]
    low, high = np.percentile(first.disparity, (0.5, 99.5))
    return np.where(hidden.present[..., None], heat(hidden.disparity, low, high), np.float32(EMPTY))


def drawn_triangles(built: Diorama) -> np.ndarray:
    """The photo's mesh as lines on the photo, in a small part of it: nothing spans a silhouette."""
    mesh, camera = built.mesh.meshes[0], built.mesh.camera
    top, bottom, left, right = WIRE_WINDOW
    top, bottom, left, right = top * camera.height, bottom * camera.height, left * camera.width, right * camera.width
    x, y = camera.project(mesh.vertices)
    scale = 1200 / (right - left)
    points = np.stack([(x - left) * scale, (y - top) * scale], axis=1)
    size = round((bottom - top) * scale), 1200
    seen = (points > -50).all(axis=1) & (points[:, 0] < size[1] + 50) & (points[:, 1] < size[0] + 50)
    triangles = mesh.triangles[seen[mesh.triangles].all(axis=1)]
    photo = built.photo.working_colour(camera.height, camera.width)
    crop = photo[round(top) : round(bottom), round(left) : round(right)]
    picture = (cv2.resize(crop, (size[1], size[0])) * 255).clip(0, 255).astype(np.uint8)
    lines = [p.reshape(-1, 1, 2) for p in np.rint(points[triangles] * 8).astype(np.int32)]
    cv2.polylines(picture, lines, True, (255, 255, 255), 1, cv2.LINE_AA, 3)
    return picture.astype(np.float32) / 255


def save(path: Path, picture: np.ndarray, width: int) -> None:
    size = width, round(picture.shape[0] * width / picture.shape[1])
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    data = (small.clip(0, 1) * 255 + 0.5).astype(np.uint8)[..., ::-1]
    if not cv2.imwrite(str(path), data, [cv2.IMWRITE_JPEG_QUALITY, 84]):
        raise OSError(f"{path} could not be written")


if __name__ == "__main__":
    main()
