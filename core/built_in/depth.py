"""Relative inverse depth of one photo by the built-in networks, at any size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DioramaError
from .join_scales import Guide, join_scales
from .onnx_network import OnnxNetwork, load

WEIGHTS = Path(__file__).parents[1] / "networks" / "weights" / "embedded_depth.npz"
SECOND = WEIGHTS.with_name("embedded_depth_lite2.npz")
"""A larger network, which errs in other places."""
RUNS = ((WEIGHTS, 384), (SECOND, 384), (SECOND, 576))
"""Networks whose answers are averaged, each with the long side of a 4:3 picture, px, at which it is run; mirrored photos, too, would cost
twice as much and gain nothing."""
SILHOUETTES = WEIGHTS.with_name("embedded_silhouettes.npz")
EDGE_SIDES = (640, 960)
"""Long sides, px, at which the network is run for silhouettes; larger for a photo wider than `EDGE_ASPECT`, for the same area."""
EDGE_ASPECT = 2.0
SKY_RAMP, SKY_LEVEL = (0.5, 0.8), 10
"""Probabilities of sky between which inverse depth becomes that of the backdrop: what is hardly known to be sky keeps its depth. And the
percentile of the sky's inverse depth that the backdrop has; not 0, before which clouds that are not known to be sky would stand."""
MAX_ENLARGEMENT = 2
WIDEST = 6.0
"""Ratio of sides up to which the network's input keeps its area."""


def estimate_built_in(colour: np.ndarray, long_side: int | None = None, mirrored: bool = True) -> np.ndarray:
    """(h', w') float32 relative inverse depth of (h, w, 3) uint8 sRGB: larger is nearer, scale and shift are unknown. By one network, the
    larger.

    It sees the whole photo with its longer side at about `long_side` pixels (`network_size`; None: `equal_area_side`). The result has that
    size; its aspect differs from the photo's by rounding, so resize it to the photo. With `mirrored` the result is averaged with that of
    the mirrored photo. Raises DioramaError for another kind of array, or without the network.
    """
    return predict_disparity(colour, long_side, mirrored)["disparity"]


@dataclass(frozen=True)
class BuiltInDepth:
    """Output of the built-in networks for one photo."""

    disparity: np.ndarray  # (h, w) float32 relative inverse depth: larger is nearer, scale and shift are unknown
    boundary: np.ndarray | None  # (h, w) float32 0..1: probability of an occlusion boundary; None for a photo too small to tell
    shift: float  # with disparity on 0..1, shift + it has its zero at infinity
    sky: np.ndarray | None = None  # (h, w) float32 0..1: the probability of sky, where a network tells it

    @property
    def from_infinity(self) -> np.ndarray:
        """(h, w) float32 inverse depth of unknown scale whose zero is at infinity. A sky is a flat backdrop at its own far end."""
        least = float(self.disparity.min())
        span = max(float(self.disparity.max()) - least, 1e-9)
        inverse = self.disparity * np.float32(1 / span) + np.float32(self.shift - least / span)
        if self.sky is None:
            return inverse
        low, high = SKY_RAMP
        share = np.clip((self.sky - low) / np.float32(high - low), 0, 1)
        return inverse + (_far_end(inverse[::2, ::2], share[::2, ::2]) - inverse) * share


def estimate_levels(colour: np.ndarray) -> BuiltInDepth:
    """Depth of (h, w, 3) uint8 sRGB without sharp silhouettes: the mean of all depth networks' answers, less their mean, over their
    deviation, at the size of the last, the mean shift of those that have a head for it, and the mean sky of those that tell it."""
    height, width = colour.shape[:2]
    said = [predict_disparity(colour, equal_area_side(height, width, side), mirrored=False, network=load(path)) for path, side in RUNS]
    shifts = [each["shift"][0, 0] for each in said if "shift" in each]
    skies = [each["sky"] for each in said if "sky" in each]
    levels = mean_levels([each["disparity"] for each in said])
    return BuiltInDepth(levels, None, float(mean_shift(shifts)), _mean(skies, levels.shape) if skies else None)


def _far_end(inverse: np.ndarray, share: np.ndarray) -> np.float32:
    """The percentile `SKY_LEVEL` of inverse depth, pixels counted by their share of the sky, so that none of them decides; (h, w) both."""
    order = np.argsort(inverse, axis=None)
    counted = np.cumsum(share.ravel()[order], dtype=np.float64)
    return np.float32(inverse.ravel()[order[np.searchsorted(counted, SKY_LEVEL / 100 * counted[-1])]])


def mean_levels(said: list[np.ndarray]) -> np.ndarray:
    """The mean of relative inverse depths of one photo, of any sizes, units and shifts, at the size of the last."""
    return _mean([_standardised(each) for each in said], said[-1].shape)


def mean_shift(shifts: list[np.ndarray]) -> np.ndarray:
    """What the heads of all `RUNS` say together of the shift: a geometric mean in which the first, another network, counts as much as all
    others together."""
    first, *others = (np.log(each) for each in shifts)
    return np.exp((first + np.mean(others, 0)) / 2 if others else first)


def estimate_with_edges(colour: np.ndarray) -> BuiltInDepth:
    """Depth with the levels of `estimate_levels` and with silhouettes from a decoder that sees a larger input.

    Levels are right near a network's training size; ears, legs and hands show only at larger sizes. The photo is enlarged for
    that, at most `MAX_ENLARGEMENT` times.
    """
    height, width = colour.shape[:2]
    levels = estimate_levels(colour)
    sides = [max(side, equal_area_side(height, width, side, EDGE_ASPECT)) for side in EDGE_SIDES]
    sides = [side for side in sides if side <= MAX_ENLARGEMENT * max(height, width)]
    if not sides:
        return levels
    sharp = [predict_disparity(colour, side, mirrored=False, network=load(SILHOUETTES)) for side in sides]
    guide, boundaries = Guide.of([each["disparity"] for each in sharp]), [each["boundary"] for each in sharp]
    sky = None if levels.sky is None else guide.followed_by(levels.sky)
    return BuiltInDepth(join_scales(levels.disparity, guide), _mean(boundaries, boundaries[-1].shape), levels.shift, sky)


def _standardised(disparity: np.ndarray) -> np.ndarray:
    """Less its mean, over its standard deviation: networks say the same in different units."""
    values = disparity.astype(np.float64)
    return ((values - values.mean()) / max(float(values.std()), 1e-9)).astype(np.float32)


def _mean(maps: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """The mean of maps of any sizes, at that of this shape."""
    import cv2

    return np.mean([cv2.resize(each, shape[::-1], interpolation=cv2.INTER_LINEAR) for each in maps], axis=0)


def predict_disparity(
    colour: np.ndarray, long_side: int | None = None, mirrored: bool = True, network: OnnxNetwork | None = None
) -> dict[str, np.ndarray]:
    """All outputs of a network, (h', w') float32 by name; arguments as `estimate_built_in`. `network` None: the larger one."""
    if colour.ndim != 3 or colour.shape[2] != 3 or colour.dtype != np.uint8 or min(colour.shape[:2]) < 1:
        raise DioramaError(f"The photo given to the depth network is {colour.dtype} {colour.shape}; pass 8-bit RGB of shape (H, W, 3).")
    network = network or load(SECOND)
    multiple = network.facts["multiple"]
    height, width = colour.shape[:2]
    height, width = network_size(height, width, long_side or equal_area_side(height, width, network.facts["long_side"]), multiple)
    photo = np.moveaxis(shrink(colour, height, width), 2, 0)[None] / np.float32(255)
    inputs = {"photo": photo, "place": cell_positions(height // multiple, width // multiple)}
    answer = network.run(inputs)
    if mirrored:
        other = network.run(inputs | {"photo": photo[..., ::-1]})
        answer = {name: (value + other[name][..., ::-1]) / 2 for name, value in answer.items()}
    return {name: np.ascontiguousarray(value[0, 0]) for name, value in answer.items()}


def network_size(height: int, width: int, long_side: int, multiple: int = 32) -> tuple[int, int]:
    """Height and width of the network's input: the photo's aspect, the longer side about `long_side`, whole multiples, at least two."""
    factor = long_side / max(height, width)
    rows, columns = (max(2 * multiple, round(side * factor / multiple) * multiple) for side in (height, width))
    return rows, columns


def equal_area_side(height: int, width: int, long_side: int, aspect: float = 4 / 3) -> int:
    """The longer side at which a photo has the area of a picture of this `long_side` and `aspect`, as the samples of the training have: a
    panorama, too, has rows enough then. Of one wider than `WIDEST` the area is less."""
    return round(long_side * math.sqrt(min(max(height, width) / min(height, width), WIDEST) / aspect))


def cell_positions(rows: int, columns: int) -> np.ndarray:
    """(1, 2, rows, columns) float32, -1..1: row and column of each of the network's coarsest cells, a hint: ground is below, sky above."""
    grid = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    return np.stack(grid)[None].astype(np.float32)


def shrink(colour: np.ndarray, height: int, width: int) -> np.ndarray:
    """(height, width, 3) uint8 of (h, w, 3) uint8, averaged by a triangle filter two new pixels wide, as in training."""
    from PIL import Image

    return np.asarray(Image.fromarray(np.ascontiguousarray(colour)).resize((width, height), Image.Resampling.BILINEAR))
