"""Colour of what is hidden, from its context only, so that no foreground can bleed in: the deterministic fill."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from .built_in.onnx_network import load
from .exemplar import TRIES, pieces_once
from .layers import DOWN, LEFT, RIGHT, UP, LayeredDepthImage
from .regions import Region
from .settings import HIDDEN_COLOUR, InpaintSettings
from .threads import thread_count

FEWEST_SOURCES = 12
DETAIL = 0.6
"""How much of the context's fine detail goes on top of the smooth fill; all of it costs PSNR where it lands out of place."""
BESIDE_PIECES, PIECES, CRISP = 0.1, 0.45, 0.4
"""Where there are pieces of the context: how much of the mirrored detail, of the pieces' mean, and of the first piece's finest
part, which the mean has lost. Chosen on pictures held out from training/inpaint."""
CRISP_SIGMA = 0.002
"""The finest part is what an average over this part of the long side, or a pixel, takes away."""
DETAIL_SIGMA = 0.006
"""Detail is what an average over this part of the long side takes away."""
WITH_PIECES = ("exemplar", "learned")
"""The inpainters that look for pieces."""
SMOOTHING, LARGE = 8, 512
QUICK = 0.1
"""Part of the time that this fill takes where a downloaded network paints over it."""


def fill_colour(
    regions: list[Region], image: LayeredDepthImage, settings: InpaintSettings, progress=lambda f: None, networks=None
) -> np.ndarray:
    """(h, w, 3) float32 colours of the last layer, each region painted from its own context.

    `networks`: those that were downloaded for the inpainter (fill_published.Published, fill_lama.Lama), None where it needs none.
    """
    colour = image.layers[-1].colour.copy()
    rim, sigma = round(settings.eroded_rim * image.long_side), max(2.0, DETAIL_SIGMA * image.long_side)
    settings, quick = resolved(settings), QUICK if networks else 1.0
    completion = completion_on(colour, settings, networks, image, lambda f: progress(quick + (1 - quick) * f))
    done, all_ = 0, sum(int(r.synthesis.sum()) for r in regions) or 1
    with ThreadPoolExecutor(thread_count()) as pool:  # regions know nothing of each other, and OpenCV works outside Python's lock
        long_side = image.long_side if settings.inpainter in WITH_PIECES else 0
        work = pool.map(lambda r: _paint(r, rim, sigma, long_side, completion), regions)
        for region, (painted, tiles) in zip(regions, work, strict=True):
            colour[region.window][region.synthesis] = painted
            if completion:
                completion.add(tiles)
            done += int(region.synthesis.sum())
            progress(quick * done / all_)
    if completion:
        completion.finish()
    return colour


def resolved(settings: InpaintSettings) -> InpaintSettings:
    """The settings with the inpainter that `automatic` stands for: `learned`, whose networks come along."""
    return replace(settings, inpainter="learned") if settings.inpainter == "automatic" else settings


def completion_on(colour: np.ndarray, settings: InpaintSettings, networks=None, image=None, progress=lambda f: None):
    """The network at work on that canvas where the settings ask for it, otherwise None."""
    if networks is not None:
        return networks.completion(colour, image, progress)
    if settings.inpainter != "learned":
        return None
    from .fill_learned import Completion

    return Completion(colour, load(HIDDEN_COLOUR))


def trusted_context(region: Region, rim: int) -> np.ndarray:
    """The context without the rim beside the silhouette, into which the foreground's colour has leaked.

    Shih et al. 2020 call it the dilation of the synthesis region (section 3.2 and table 3: 1.84 dB in the holes). Where that
    would leave too little, the rim is narrower.
    """
    while rim > 0:
        trusted = region.context & (region.distance > rim)
        if trusted.sum() >= max(FEWEST_SOURCES, 0.3 * region.context.sum()):
            return trusted
        rim -= 1
    return region.context


@dataclass(frozen=True)
class FillParts:
    """What the deterministic fill of a region is made of."""

    source: np.ndarray  # (h, w) bool: trusted context
    smooth: np.ndarray  # (h, w, 3) float32: the context's colour on `source`, a smooth continuation elsewhere
    detail: np.ndarray  # (h, w, 3) float32: fine detail for the synthesis pixels and the rim, 0 elsewhere
    pieces: np.ndarray | None = None  # (h, w, 6) float32: two times what pieces of the context would add there, 0 elsewhere
    long_side: int = 0  # of the whole picture in pixels, where there are pieces


def fill_parts(region: Region, rim: int, sigma: float, long_side: int = 0) -> FillParts | None:
    """The smooth fill and the detail of one region, with pieces of its context where `long_side` is given; None without context."""
    source = trusted_context(region, rim)
    if not source.any():
        return None
    detail, rim = np.zeros(region.colour.shape, np.float32), region.context & ~source
    hole = region.synthesis | rim
    detail[hole] = mirrored_detail(region.colour, source, hole, sigma)
    smooth = push_pull(region.colour, source)
    found = pieces_once(region.colour, source, hole, smooth, long_side, rim) if long_side else None
    return FillParts(source, smooth, detail, found, long_side)


def on_the_rim(region: Region, parts: FillParts) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) bool, the context that is not trusted, and (h, w, 3) float32, what the photo shows there less the smooth fill, 0
    elsewhere."""
    rim = region.context & ~parts.source
    return rim, np.where(rim[..., None], region.colour - parts.smooth, 0).astype(np.float32)


def _paint(region: Region, rim: int, sigma: float, long_side: int, completion) -> tuple[np.ndarray, list]:
    """The region's deterministic colours as by `compose`, and what the network is to see of it."""
    parts = fill_parts(region, rim, sigma, long_side)
    return compose(region, parts), completion.cut(region, parts) if completion and parts else []


def compose(region: Region, parts: FillParts | None) -> np.ndarray:
    """(n, 3) float32 deterministic colours of the region's synthesis pixels, in their raster order."""
    if parts is None:
        return np.full((int(region.synthesis.sum()), 3), 0.5, np.float32)
    import cv2

    wanted = region.synthesis
    if parts.pieces is None:
        painted = parts.smooth[wanted] + DETAIL * parts.detail[wanted]
    else:
        found = parts.pieces[wanted].reshape(-1, len(TRIES), 3)
        first = np.ascontiguousarray(parts.pieces[..., :3])
        crisp = found[:, 0] - cv2.GaussianBlur(first, (0, 0), max(1.0, CRISP_SIGMA * parts.long_side))[wanted]
        painted = parts.smooth[wanted] + BESIDE_PIECES * parts.detail[wanted] + PIECES * found.mean(axis=1) + CRISP * crisp
    return np.clip(painted, 0, region.colour[region.context].max())  # detail may overshoot; nothing is brighter than its context


def mirrored_detail(colour: np.ndarray, source: np.ndarray, wanted: np.ndarray, sigma: float) -> np.ndarray:
    """(n, 3) float32 fine detail for the wanted pixels: the context's, mirrored at the nearest trusted pixel.

    Detail is what remains of the context's colour without its average over a few pixels of context, so that no foreground
    and no shading comes along. Where the mirrored place is no context, or where two meet at one silhouette, there is none.
    """
    import cv2

    blurred = cv2.GaussianBlur(np.dstack([colour * source[..., None], source.astype(np.float32)]), (0, 0), sigma)
    detail = np.where(source[..., None], colour - blurred[..., :3] / np.maximum(blurred[..., 3:], 1e-4), 0)
    _, labels = cv2.distanceTransformWithLabels((~source).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    nearest = np.zeros(labels.max() + 1, np.int64)
    nearest[labels[source]] = np.flatnonzero(source)
    r, c = np.nonzero(wanted)
    rr, cc = np.divmod(nearest[labels[r, c]], source.shape[1])
    rr, cc = 2 * rr - r, 2 * cc - c
    inside = (rr >= 0) & (rr < source.shape[0]) & (cc >= 0) & (cc < source.shape[1])
    rr, cc = np.where(inside, rr, 0), np.where(inside, cc, 0)
    return np.where((inside & source[rr, cc])[:, None], detail[rr, cc], 0).astype(np.float32)


def push_pull(colour: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fills unknown pixels smoothly from coarser and coarser averages of the known ones (Gortler et al. 1996, section 3.4.1)."""
    import cv2

    h, w = known.shape
    if min(h, w) <= 1 or known.all():
        mean = colour[known].mean(axis=0) if known.any() else 0.5
        return np.where(known[..., None], colour, mean).astype(np.float32)
    mask = known.astype(np.uint8)
    pad = ((0, h % 2), (0, w % 2))
    weight = np.pad(known.astype(np.float32), pad)
    sums = np.pad(colour * known[..., None], (*pad, (0, 0)))
    size = (weight.shape[1] // 2, weight.shape[0] // 2)
    share = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)
    small = cv2.resize(sums, size, interpolation=cv2.INTER_AREA) / np.maximum(share, 1e-6)[..., None]
    coarse = push_pull(small.astype(np.float32), share > 0)
    up = cv2.resize(coarse, (weight.shape[1], weight.shape[0]), interpolation=cv2.INTER_LINEAR)[:h, :w]
    up = np.ascontiguousarray(up)
    # towards a membrane: coarse averages alone show their squares, of which the last are small in a large picture
    for _ in range(SMOOTHING if max(h, w) <= LARGE else SMOOTHING // 4):
        cv2.copyTo(colour, mask, up)
        up = cv2.blur(up, (3, 3), borderType=cv2.BORDER_REPLICATE)
    cv2.copyTo(colour, mask, up)
    return up


def fill_border(image: LayeredDepthImage, settings: InpaintSettings) -> np.ndarray:
    """Colours of the first layer with its border: the picture mirrored outwards, but never across a tear.

    From each frame pixel inwards along links lies a run of one surface; outwards that run is played back and forth.
    """
    layer = image.layers[0]
    top, left, height, width = image.frame
    colour = layer.colour.copy()
    if top == 0:
        return colour
    _mirror(colour[:, left : left + width], layer.links[DOWN][:, left : left + width], top, height)
    _mirror(colour[::-1, left : left + width], layer.links[UP][::-1, left : left + width], top, height)
    across, right, left_links = colour.swapaxes(0, 1), layer.links[RIGHT].T, layer.links[LEFT].T
    _mirror(across, right, left, width)
    _mirror(across[::-1], left_links[::-1], left, width)
    return colour


def _mirror(colour: np.ndarray, inward: np.ndarray, border: int, inside: int) -> None:
    """Fills rows 0 .. border - 1 of `colour` in place from the rows inside; `inward` are the links one row further in."""
    most = min(border + 1, inside)
    linked = inward[border : border + most - 1] >= 0
    run = 1 + np.cumprod(linked, axis=0).sum(axis=0)  # pixels of one surface from the frame inwards
    outward = np.arange(1, border + 1)[:, None]
    period = np.maximum(2 * run - 2, 1)
    phase = outward % period
    source = np.minimum(np.where(phase < run, phase, period - phase), run - 1)
    columns = np.arange(colour.shape[1])
    colour[border - outward, columns] = colour[border + source, columns]
