"""Soft silhouettes: alpha matting in a narrow band at foreground edges, with the colours of both sides.

Alpha compositing is in linear light, as in renderers: photo = alpha * foreground + (1 - alpha) * background. The foreground's
sheet continues over the background to the band's outer edge, as a skirt; there the background keeps its own surface, with the
foreground's colour removed. In the band's inner half the hidden layer lies behind.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..raster.colour_curves import linear_from_srgb, srgb_from_linear
from ..raster.guided_filter import linear_model, window_mean
from ..raster.nearest_known import nearest_known
from ..settings import LayerSettings
from .layered_depth_image import BACK, FRONT, OPPOSITE, Layer, LayeredDepthImage, neighbour, remove_pixels

AUTOMATIC = 0.008
"""Half the width of the band, as a part of the long side, where the user chose none: hair, fur and blurred mix 3 to 8 px of 960."""
SAMPLED_WIDTHS = 2.5
"""Colours known to be of one side are looked for up to this many widths of the band away from a silhouette."""
NOISE = 0.03
"""Differences of perceived brightness up to this are noise, not evidence."""
PRIOR = 3.0
"""Weight of the depth's label (foreground or not), where the colours do not decide."""
BUSY = 0.25
"""Part of the background's own variance that counts as noise too."""
CONTRAST = 0.06
"""Difference of the two sides, in perceived brightness, from which the colours are trusted."""
NEARLY = 0.03
"""Alpha this close to 0 or 1 is set to 0 or 1."""
JUMP = 3.0
"""Silhouettes are softened where disparity jumps by at least this many thresholds; closer surfaces count as one."""
UNSEEN, SEEN = 0.05, 0.35
"""Alpha up to which, and from which on, what two sides' colours leave unexplained is the background's, and the foreground's."""
HALO, VISIBLE = 0.5, 0.015
"""So near a silhouette, in widths of the band, what differs that much from the background, in perceived brightness, goes with the
foreground; further out ..."""
OUTLIER_SIGMAS = 3.0
"""... what is so many standard deviations of the background's own colours away from it."""
HEADROOM, MAX_HALO = 2.5, 0.4
"""Alpha there is so many times what it must be, but no more than the second value: so foregrounds stay away from black and white."""
CHUNK = 16384


@dataclass(frozen=True)
class MatteBand:
    """The pixels around the photo's silhouettes on the canvas."""

    outer: np.ndarray  # (h, w) bool: background, in front of which the foreground may go on
    inner: np.ndarray  # (h, w) bool: foreground that may let the background through
    beyond: np.ndarray  # (h, w) bool: background near the band, known to be it
    within: np.ndarray  # (h, w) bool: foreground near the band, known to be it
    front: np.ndarray  # (h, w) float32: disparity of the foreground that a pixel is, or is near
    back: np.ndarray  # (h, w) float32: disparity of the background that a pixel is, or is near
    apart: float  # difference of disparity at which surfaces are two, 1/m
    edge: np.ndarray  # (h, w) float32, pixels to the band's edge where `outer` or `inner`
    width: int  # of each half, pixels


@dataclass(frozen=True)
class Matte:
    """Alpha, foreground and background of the band's pixels, on the canvas. Linear Rec.709."""

    band: MatteBand
    alpha: np.ndarray  # (h, w) float32: 1 on the foreground, 0 on the background near the band
    foreground: np.ndarray  # (h, w, 3) float32: colour of the foreground in and near the band; the photo elsewhere
    background: np.ndarray  # (h, w, 3) float32: the same of the background


def find_matte(
    image: LayeredDepthImage, settings: LayerSettings, portrait: np.ndarray | None = None, estimated: bool = False
) -> Matte | None:
    """The matte at the silhouettes of a cut photo; None where silhouettes are to be hard or nothing is cut.

    A photo with alpha of its own has its soft edge there, and none is made. `portrait` is a matte of any size that came with the
    photo, (h', w') 0..1; it is used wherever it separates the two sides. `estimated` says that the silhouettes were found in soft
    depth: then the setting's automatic value makes them soft.
    """
    if image.see_through is not None:
        return None
    part = settings.soft_edge
    if part < 0:
        part = AUTOMATIC if estimated or portrait is not None else 0.0
    width = round(part * image.long_side)
    band = find_band(image, width) if width > 0 else None
    if band is None:
        return None
    colour = linear_from_srgb(image.layers[0].colour)
    alpha, confidence, foreground, background = _estimate_alpha(colour, image.layers[0].disparity, band)
    if portrait is not None:
        alpha, confidence = _apply_portrait(alpha, confidence, portrait, band, image)
    alpha = _smooth(alpha, confidence, colour, band)
    front, back = band.within | (band.inner & (alpha > 0.5)), band.beyond | (band.outer & (alpha < 0.5))
    foreground = _spread(foreground, band, front, band.width)
    background = _spread(background, band, back, band.width)
    top = max(1.0, float(colour.max()))
    halo = _halo(colour, background, band, alpha, top)
    own = solve_foreground(colour, halo[..., None], foreground, background, top)
    return Matte(band, np.maximum(alpha, halo), np.where((halo > alpha)[..., None], own, foreground), background)


def find_band(image: LayeredDepthImage, width: int) -> MatteBand | None:
    """Pixels of the photo up to `width` from a cut of its surface, and known ones a bit further; None without cuts."""
    layer = image.layers[0]
    disparity, frame, apart = layer.disparity, ~layer.synthesised, JUMP * image.threshold
    front, back = np.zeros(frame.shape, bool), np.zeros(frame.shape, bool)
    for side in range(4):
        there = neighbour(disparity, side, np.inf)
        behind = (layer.links[side] != 0) & (disparity - there > apart)
        front |= behind
        back |= neighbour(behind, OPPOSITE[side], False)
    if not (front & frame).any():
        return None
    (to_front, at_front), (to_back, at_back) = nearest_known(front), nearest_known(back)
    nearer, farther = disparity.ravel()[at_front], disparity.ravel()[at_back]
    # between the two surfaces, not at a fixed step from one: either may bend a lot within the band
    middle = (nearer + farther) / 2
    is_back = frame & (disparity < np.minimum(middle, nearer - apart / 2))
    outer = is_back & (to_front <= width)
    is_front = frame & (disparity > np.maximum(middle, farther + apart / 2)) & ~outer
    inner = is_front & (to_back <= width)
    within = is_front & ~inner & (to_back <= SAMPLED_WIDTHS * width)
    within |= inner & _medial_axis(np.where(inner | within, to_back, 0))
    beyond = is_back & ~outer & (to_front <= SAMPLED_WIDTHS * width)
    edge = np.where(outer, width + 1 - to_front, np.where(inner, width + 1 - to_back, 0)).astype(np.float32)
    nearer, farther = np.where(is_back, nearer, disparity), np.where(is_back, disparity, farther)
    return MatteBand(outer, inner & ~within, beyond, within, nearer, farther, apart, edge, width)


def _medial_axis(distance: np.ndarray) -> np.ndarray:
    """The middle of thin things, where everything is near the silhouette: local maxima of the distance to the background."""
    import cv2

    return (distance >= cv2.dilate(distance, np.ones((3, 3), np.uint8))) & (distance > 2.5)


def perceptual(linear: np.ndarray) -> np.ndarray:
    """A square root in place of the sRGB curve: differences are about equally visible everywhere, and it has no kink."""
    return np.sqrt(np.maximum(linear, 0))


def _estimate_alpha(colour: np.ndarray, disparity: np.ndarray, band: MatteBand):
    """Alpha, its confidence, foreground and background: the pair of known colours nearby that explains the
    pixel best (after Gastal and Oliveira 2010, "Shared sampling for real-time alpha matting", here in linear light).

    Alpha is the projection of the pixel onto the pair's line; where the colours decide nothing, depth decides. A colour counts less
    the further its surface is from the two that meet here.
    """
    alpha = np.where(band.outer | band.beyond, np.float32(0), np.float32(1))
    confidence = (band.beyond | band.within).astype(np.float32)
    foreground, background = colour.copy(), colour.copy()
    pixels = np.flatnonzero(band.outer | band.inner)
    if len(pixels) == 0 or not band.within.any() or not band.beyond.any():
        return alpha, confidence, foreground, background
    fronts, off_front = _candidates(colour, disparity, band.within, band.front, pixels, band)
    backs, off_back = _candidates(colour, disparity, band.beyond, band.back, pixels, band)
    flat, prior, noise = colour.reshape(-1, 3), alpha.ravel(), NOISE**2 + _texture_variance(colour, band).ravel()
    for start in range(0, len(pixels), CHUNK):
        part = slice(start, start + CHUNK)
        own = pixels[part]
        seen, f, b = flat[own][:, None, None], fronts[part][:, :, None], backs[part][:, None]
        along = f - b
        a = ((seen - b) * along).sum(-1) / np.maximum((along * along).sum(-1), 1e-6)
        a = np.clip(a, 0, 1)
        off = perceptual(seen) - perceptual(b + a[..., None] * along)
        strange = off_front[part][:, :, None] + off_back[part][:, None]
        cost = (off * off).sum(-1) / noise[own][:, None, None] + PRIOR * (a - prior[own][:, None, None]) ** 2 + strange
        best = cost.reshape(len(own), -1).argmin(axis=1)
        i, j = np.divmod(best, backs.shape[1])
        n = np.arange(len(own))
        f, b = fronts[part][n, i], backs[part][n, j]
        apart = ((perceptual(f) - perceptual(b)) ** 2).sum(-1)
        sure = apart / (apart + CONTRAST**2 + 4 * noise[own]) * np.exp(-strange[n, i, j])
        alpha.ravel()[own] = sure * a[n, i, j] + (1 - sure) * prior[own]
        confidence.ravel()[own] = 0.02 + sure * np.exp(-cost[n, i, j] / 8)
        # where nothing is sure the pixel is its own surface's, and the colours of that one are its own
        in_front, sure = prior[own][:, None] > 0.5, sure[:, None]
        foreground.reshape(-1, 3)[own] = np.where(in_front, sure * f + (1 - sure) * flat[own], f)
        background.reshape(-1, 3)[own] = np.where(in_front, b, sure * b + (1 - sure) * flat[own])
    return alpha, confidence, foreground, background


def _texture_variance(colour: np.ndarray, band: MatteBand) -> np.ndarray:
    """(h, w) float32: variance (perceived) of the known background's colours nearby: what its texture explains is
    no evidence of foreground."""
    import cv2

    weight = band.beyond.astype(np.float32)
    size = (2 * round(SAMPLED_WIDTHS * band.width) + 1,) * 2
    seen = perceptual(colour).mean(axis=2)
    total = np.maximum(cv2.blur(weight, size), 1e-4)
    mean, square = cv2.blur(seen * weight, size) / total, cv2.blur(seen * seen * weight, size) / total
    return np.maximum(square - mean**2, 0) * BUSY


def _candidates(colour, disparity, known: np.ndarray, expected: np.ndarray, pixels: np.ndarray, band: MatteBand):
    """(n, 5, 3) colours of known pixels around each of `pixels`: the nearest one, and those nearest to four places around; and
    (n, 5) the squared difference of their disparity from the expected one, in units of the jump that separates surfaces."""
    import cv2

    weight = known.astype(np.float32)
    mean = cv2.blur(colour * weight[..., None], (3, 3)) / np.maximum(cv2.blur(weight, (3, 3)), 1e-3)[..., None]
    _, nearest = nearest_known(known)
    r, c = np.divmod(pixels, known.shape[1])
    step = 1.5 * band.width
    found = []
    for angle in (None, *(0.3 + np.arange(4) * np.pi / 2)):
        dr, dc = (0, 0) if angle is None else (round(step * np.sin(angle)), round(step * np.cos(angle)))
        found.append(nearest[np.clip(r + dr, 0, known.shape[0] - 1), np.clip(c + dc, 0, known.shape[1] - 1)])
    found = np.stack(found, axis=1)
    off = np.abs(disparity.ravel()[found] - expected.ravel()[pixels][:, None]) / band.apart
    return mean.reshape(-1, 3)[found], np.minimum(off, 4).astype(np.float32) ** 2


def _apply_portrait(alpha, confidence, portrait: np.ndarray, band: MatteBand, image: LayeredDepthImage):
    """Takes the portrait matte where it is nearly 1 on the one side of the band and nearly 0 on the other."""
    import cv2

    top, left, height, width = image.frame
    kind = cv2.INTER_AREA if portrait.shape[1] > width else cv2.INTER_LINEAR
    given = np.zeros(alpha.shape, np.float32)
    given[top : top + height, left : left + width] = cv2.resize(portrait.astype(np.float32), (width, height), interpolation=kind)
    around = np.ones((2 * round(SAMPLED_WIDTHS * band.width) + 1,) * 2, np.uint8)
    inside = cv2.dilate(np.where(band.within, given, 0).astype(np.float32), around)
    outside = cv2.erode(np.where(band.beyond, given, 1).astype(np.float32), around)
    apart = (inside > 0.9) & (outside < 0.1) & (band.outer | band.inner)
    return np.where(apart, np.clip(given, 0, 1), alpha), np.where(apart, np.float32(1), confidence)


def _smooth(alpha: np.ndarray, confidence: np.ndarray, colour: np.ndarray, band: MatteBand) -> np.ndarray:
    """Alpha after a guided filter that follows the photo's brightness and weights by confidence; sure values at the band's two
    edges, so that it ends without a seam."""
    import cv2

    inside = band.outer | band.inner
    guide = perceptual(colour).mean(axis=2)
    near = inside | band.within | band.beyond
    weight = np.where(near, confidence, 0).astype(np.float32)
    radius = max(1, band.width // 3)
    slope, offset = linear_model(alpha, guide, window_mean(radius, weight, 1e-6), 1e-3)
    by_confidence = window_mean(radius, cv2.blur(weight, (2 * radius + 1,) * 2) + 1e-6)  # a window counts by what is sure in it
    filtered = by_confidence(slope) * guide + by_confidence(offset)
    trust = np.clip(confidence, 0, 1) * 0.5
    result = np.where(inside, trust * alpha + (1 - trust) * np.clip(filtered, 0, 1), alpha)
    result = np.clip((result - NEARLY) / (1 - 2 * NEARLY), 0, 1)
    fade = np.clip((band.edge - 1) / 2, 0, 1)
    result = np.where(band.outer, result * fade, np.where(band.inner, 1 - (1 - result) * fade, result))
    return result.astype(np.float32)


def _spread(colour: np.ndarray, band: MatteBand, sure: np.ndarray, width: int) -> np.ndarray:
    """One side's colours, averaged over a few pixels in the band, since sampled colours jump from pixel to pixel."""
    import cv2

    weight = ((band.outer | band.inner) * np.float32(0.2) + sure).astype(np.float32)
    size = (2 * max(1, width // 4) + 1,) * 2
    mean = cv2.blur(colour * weight[..., None], size) / np.maximum(cv2.blur(weight, size), 1e-6)[..., None]
    return np.where((band.outer | band.inner)[..., None], mean, colour).astype(np.float32)


def _halo(colour: np.ndarray, background: np.ndarray, band: MatteBand, alpha: np.ndarray, top: float) -> np.ndarray:
    """(h, w) float32 alpha that the band's outer half needs so that the background stays as it is further out.

    Beside a silhouette photos have lines that no mixture explains: sharpening in a camera makes them light or dark, a lens coloured.
    They move with the foreground as a whole: the rest of a part of them would be a line of odd colours on the background.
    """
    need = least_alpha(colour, background, top)
    off = perceptual(colour) - perceptual(background)
    difference = np.sqrt((off * off).mean(axis=2))
    deviation = difference / np.sqrt(NOISE**2 + _texture_variance(colour, band) / BUSY)
    beside = band.width + 1 - band.edge <= HALO * band.width
    moves = band.outer & (band.edge >= 2) & ((beside & (difference > VISIBLE)) | (deviation > OUTLIER_SIGMAS))
    least = np.where(band.outer & (band.edge >= 2) & (alpha > UNSEEN), need, 0)
    whole = np.where(moves, np.minimum(HEADROOM * need, np.maximum(need, MAX_HALO)), least)
    return whole.clip(0, 1).astype(np.float32)


def least_alpha(seen: np.ndarray, background: np.ndarray, top: float) -> np.ndarray:
    """(...) the least alpha with which a foreground between 0 and `top` composites to `seen` (..., 3) over `background`.

    With less, the background would have to change, each channel by another amount: dots of odd colours.
    """
    over = seen - background
    room = np.where(over > 0, top - background, background)
    return np.minimum((np.abs(over) / np.maximum(room, 0.02)).max(axis=-1), 1)


def split_composite(seen, alpha, foreground, background, top: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Foreground and background, (..., 3) each, that composite to exactly `seen` with `alpha` (..., 1), near those given.

    The residual goes to the foreground where that is visible at all: there it stays when the background becomes visible beside it,
    and no outline of the old silhouette remains. Then the background is clipped to the range that leaves the foreground in 0 to `top`.
    """
    rest = seen - alpha * foreground - (1 - alpha) * background
    behind = 1 - np.clip((alpha - UNSEEN) / (SEEN - UNSEEN), 0, 1)  # share of the rest that the background takes
    through = np.maximum(1 - alpha, 1e-6)
    background = background + rest * behind / through
    most = np.where(alpha < 1, np.minimum(seen / through, top), top)  # under an opaque pixel every colour would do
    background = np.clip(background, np.where(alpha < 1, np.maximum((seen - alpha * top) / through, 0), 0), most)
    return solve_foreground(seen, alpha, foreground, background, top), background


def solve_foreground(seen, alpha, foreground, background, top: float = 1.0) -> np.ndarray:
    """The foreground that composites to `seen` over a fixed background; the given one where alpha is 0."""
    exact = (seen - (1 - alpha) * background) / np.maximum(alpha, 1e-6)
    return np.clip(np.where(alpha > 0, exact, foreground), 0, top)


def use_background_colours(image: LayeredDepthImage, matte: Matte | None) -> LayeredDepthImage:
    """The photo's surface with pure background colours in the outer band, from which the fill then continues."""
    if matte is None:
        return image
    layer = image.layers[0]
    outer = matte.band.outer
    seen = linear_from_srgb(layer.colour[outer])
    _, back = split_composite(seen, matte.alpha[outer][:, None], matte.foreground[outer], matte.background[outer], max(1.0, seen.max()))
    colour = layer.colour.copy()
    colour[outer] = srgb_from_linear(back)
    return replace(image, layers=(replace(layer, colour=colour), *image.layers[1:]))


def add_skirt(image: LayeredDepthImage, matte: Matte | None) -> tuple[LayeredDepthImage, Matte | None]:
    """The inpainted image with the foreground's skirt as one more layer, and the matte with the hidden layer's colours.

    Foreground with nothing hidden behind it stays opaque.
    """
    if matte is None:
        return image, None
    import cv2

    band, layer = matte.band, image.layers[0]
    hides = len(image.layers) > 1 and not image.layers[1].number
    behind = image.layers[1].present if hides else np.zeros(image.shape, bool)
    alpha = np.where(band.inner & ~behind, np.float32(1), matte.alpha)
    background = matte.background
    if behind.any():
        known = behind & ~band.outer
        background = background.copy()
        background[known] = linear_from_srgb(image.layers[1].colour[known])
    kernel = np.ones((5, 5), np.uint8)  # filtering reaches a pixel further than the matte does
    mixed = ((alpha > 0) & (alpha < 1)) | (band.outer & (alpha == 1)) | (band.inner & (alpha == 0))
    mixed = cv2.dilate(mixed.astype(np.uint8), kernel).astype(bool)
    skirt, front = mixed & band.outer, mixed & (band.inner | band.within) & behind
    if not (skirt.any() or front.any()):
        return image, None
    none = np.zeros(image.shape, np.uint8)
    new = len(image.layers)
    own, links = _link_skirt(image, skirt, band.front)
    layers = [replace(layer, links=own, soft=np.where(front, FRONT, np.where(skirt, BACK, none)).astype(np.uint8))]
    if new > 1:
        layers.append(replace(image.layers[1], soft=np.where(front, BACK, none).astype(np.uint8)))
    layers += image.layers[2:]
    layers.append(Layer(skirt, none.astype(bool), band.front, layer.colour, links, np.where(skirt, FRONT, none).astype(np.uint8)))
    for k in [k for k, each in enumerate(layers) if each.number]:
        # between the two halves of a composite it would be seen from the photo's camera
        between = front & layers[k].present & (layers[k].disparity < layer.disparity)
        layers = remove_pixels(layers, k, between) if between.any() else layers
    return replace(image, layers=tuple(layers), skirt=new), replace(matte, alpha=alpha, background=background)


def _link_skirt(image: LayeredDepthImage, skirt: np.ndarray, disparity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Links of the photo's surface, now also into the skirt, and of the skirt."""
    new, layer = len(image.layers), image.layers[0]
    own, links = layer.links.copy(), np.full((4, *skirt.shape), -1, np.int8)
    near = lambda other: np.abs(disparity - other) <= image.threshold  # noqa: E731
    for side in range(4):
        links[side][skirt & neighbour(skirt, side, False) & near(neighbour(disparity, side, np.inf))] = new
        free = neighbour(layer.links[OPPOSITE[side]], side, 0) < 0
        joined = skirt & (links[side] < 0) & free & near(neighbour(layer.disparity, side, np.inf))
        links[side][joined] = 0
        own[OPPOSITE[side]][neighbour(joined, OPPOSITE[side], False)] = new
    return own, links
