"""The deterministic fill of one region: smooth continuation of its context, plus mirrored detail and PatchMatch results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..layers.regions import Region
from ..raster.nearest_known import nearest_known
from ..raster.push_pull import push_pull
from .patch_match import THOROUGH, Effort, Hole, inpaint_exemplars_cached

MIN_SOURCES = 12
DETAIL = 0.6
"""How much of the context's fine detail goes on top of the smooth fill; all of it costs PSNR where it lands out of place."""
BESIDE_PIECES, PIECES, CRISP = 0.1, 0.45, 0.4
"""Where there are pieces of the context: how much of the mirrored detail, of the pieces, and of their finest part once more. Chosen on
pictures held out from training/inpaint."""
CRISP_SIGMA = 0.002
"""The finest part is what an average over this part of the long side, or a pixel, takes away."""
DETAIL_SIGMA = 0.006
"""Detail is what an average over this part of the long side takes away."""


def trusted_context(region: Region, rim: int) -> np.ndarray:
    """The context without the rim beside the silhouette, where the foreground's colour may have leaked.

    Shih et al. 2020 call this the dilation of the synthesis region (section 3.2 and table 3: 1.84 dB in the holes). Where too little
    context would be left, the rim is narrower.
    """
    while rim > 0:
        trusted = region.context & (region.distance > rim)
        if trusted.sum() >= max(MIN_SOURCES, 0.3 * region.context.sum()):
            return trusted
        rim -= 1
    return region.context


@dataclass(frozen=True)
class FillParts:
    """The components of the deterministic fill of a region."""

    source: np.ndarray  # (h, w) bool: trusted context
    smooth: np.ndarray  # (h, w, 3) float32: the context's colour on `source`, a smooth continuation elsewhere
    detail: np.ndarray  # (h, w, 3) float32: fine detail for the synthesis pixels and the rim, 0 elsewhere
    pieces: np.ndarray | None = None  # (h, w, 3) float32: what pieces of the context would add there, 0 elsewhere
    long_side: int = 0  # of the whole picture, pixels


def fill_parts(region: Region, rim: int, sigma: float, long_side: int, effort: Effort | None = THOROUGH) -> FillParts | None:
    """`fill_parts_of` for one region."""
    return fill_parts_of([region], rim, sigma, long_side, effort)[0]


def fill_parts_of(
    regions: Sequence[Region], rim: int, sigma: float, long_side: int, effort: Effort | None = THOROUGH, mirrored: bool = True
) -> list[FillParts | None]:
    """For each region the smooth fill, the detail (none unless `mirrored`), and pieces of its context by PatchMatch unless `effort` is
    None; None without context. `long_side` is the whole picture's, in pixels. No result depends on the other regions."""
    made: list[tuple[Hole, np.ndarray] | None] = []
    for region in regions:
        source = trusted_context(region, rim)
        if not source.any():
            made.append(None)
            continue
        detail, untrusted = np.zeros(region.colour.shape, np.float32), region.context & ~source
        hole = region.synthesis | untrusted
        if mirrored:
            detail[hole] = mirrored_detail(region.colour, source, hole, sigma)
        made.append((Hole(region.colour, source, hole, push_pull(region.colour, source), long_side, untrusted), detail))
    holes = [each[0] for each in made if each]
    pieces = iter(inpaint_exemplars_cached(holes, effort) if effort else [None] * len(holes))
    return [each and FillParts(each[0].source, each[0].smooth, each[1], next(pieces), long_side) for each in made]


def rim_difference(region: Region, parts: FillParts) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) bool, the untrusted context, and (h, w, 3) float32, the photo's colour there minus the smooth fill, 0
    elsewhere."""
    rim = region.context & ~parts.source
    return rim, np.where(rim[..., None], region.colour - parts.smooth, 0).astype(np.float32)


def compose(region: Region, parts: FillParts | None) -> np.ndarray:
    """(n, 3) float32 deterministic colours of the region's synthesis pixels, in their raster order."""
    if parts is None:
        return np.full((int(region.synthesis.sum()), 3), 0.5, np.float32)
    import cv2

    wanted = region.synthesis
    if parts.pieces is None:
        painted = parts.smooth[wanted] + DETAIL * parts.detail[wanted]
    else:
        found = parts.pieces[wanted]
        crisp = found - cv2.GaussianBlur(parts.pieces, (0, 0), max(1.0, CRISP_SIGMA * parts.long_side))[wanted]
        painted = parts.smooth[wanted] + BESIDE_PIECES * parts.detail[wanted] + PIECES * found + CRISP * crisp
    return np.clip(painted, 0, region.colour[region.context].max())  # detail may overshoot; nothing is brighter than its context


def mirrored_detail(colour: np.ndarray, source: np.ndarray, wanted: np.ndarray, sigma: float) -> np.ndarray:
    """(n, 3) float32 fine detail for the wanted pixels: the context's, mirrored at the nearest trusted pixel.

    Detail is the context's colour minus its local average over context, so it holds no foreground and no shading. It is 0 where the
    mirrored place is not context, or where two of them meet at one silhouette.
    """
    import cv2

    blurred = cv2.GaussianBlur(np.dstack([colour * source[..., None], source.astype(np.float32)]), (0, 0), sigma)
    detail = np.where(source[..., None], colour - blurred[..., :3] / np.maximum(blurred[..., 3:], 1e-4), 0)
    r, c = np.nonzero(wanted)
    rr, cc = np.divmod(nearest_known(source)[1][r, c], source.shape[1])
    rr, cc = 2 * rr - r, 2 * cc - c
    inside = (rr >= 0) & (rr < source.shape[0]) & (cc >= 0) & (cc < source.shape[1])
    rr, cc = np.where(inside, rr, 0), np.where(inside, cc, 0)
    return np.where((inside & source[rr, cc])[:, None], detail[rr, cc], 0).astype(np.float32)
