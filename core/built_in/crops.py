"""The input of an inpainting network: a crop of a layer with its regions, closed, padded and batched."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

MULTIPLE = 128
"""Sides of a network's input are multiples of this, for its seven halvings (Shih et al. 2020, reference code)."""


@dataclass(frozen=True)
class Crop:
    """One synthesis region with its context, cut out of a layer; all arrays share the first two dimensions.

    No network sees colour and depth outside `context`, so these may hold anything there. For colour, a caller that wants the mixed
    pixels at the silhouette repainted moves that rim from `context` to `synthesis`; for depth the rim stays in `context`.

    Raises ValueError if shapes or types differ, the regions overlap, there is no context, or a context depth is not
    positive and finite.
    """

    colour: np.ndarray  # (h, w, 3) float32, RGB, 0..1
    depth: np.ndarray  # (h, w) float32, along the optical axis, any unit, > 0 on context
    edge: np.ndarray  # (h, w) bool, the other depth edges that touch this silhouette, and their continuations
    context: np.ndarray  # (h, w) bool, known background
    synthesis: np.ndarray  # (h, w) bool, to be invented

    def __post_init__(self):
        shape = self.context.shape
        if len(shape) != 2 or any(array.shape != shape for array in (self.depth, self.edge, self.synthesis)):
            raise ValueError(f"depth, edge, context and synthesis of a crop must all be (h, w), context is {shape}")
        if self.colour.shape != (*shape, 3):
            raise ValueError(f"colour of a crop must be {(*shape, 3)}, not {self.colour.shape}")
        if any(array.dtype != bool for array in (self.edge, self.context, self.synthesis)):
            raise ValueError("edge, context and synthesis of a crop must be boolean")
        if (self.context & self.synthesis).any():
            raise ValueError("context and synthesis of a crop must not overlap")
        known = self.depth[self.context]
        if known.size == 0 or not (np.isfinite(known).all() and known.min() > 0):
            raise ValueError("a crop needs context pixels, each with a positive, finite depth")

    @property
    def seen_edge(self) -> np.ndarray:
        """(h, w) bool: the edges that a network may know, in context or (if continued before) in synthesis."""
        return self.edge & (self.context | self.synthesis)


def shrink(crop: Crop, scale: int) -> Crop:
    """The crop reduced: `scale` x `scale` pixels become one, zero-padded on the right and below.

    A pixel that covers any synthesis is synthesis; otherwise one that covers any context is context, with the mean colour and depth
    of that context. A pixel that covers any edge a network may know has an edge.
    """
    if scale == 1:
        return crop
    height, width = crop.context.shape

    def blocks(array: np.ndarray) -> np.ndarray:
        pad = [(0, -height % scale), (0, -width % scale)] + [(0, 0)] * (array.ndim - 2)
        padded = np.pad(array, pad)
        rows, columns = padded.shape[:2]
        return padded.reshape(rows // scale, scale, columns // scale, scale, *array.shape[2:])

    synthesis, edge = blocks(crop.synthesis).any(axis=(1, 3)), blocks(crop.seen_edge).any(axis=(1, 3))
    known = np.where(crop.context[..., None], np.dstack([crop.colour, crop.depth]), 0).astype(np.float32)
    count = blocks(crop.context).sum(axis=(1, 3))
    context = (count > 0) & ~synthesis
    if not context.any():  # a rim thinner than a block: what is known of it comes first
        context, synthesis = count > 0, synthesis & (count == 0)
    mean = blocks(known).sum(axis=(1, 3)) / np.maximum(count, 1)[..., None]
    depth = np.where(count > 0, mean[..., 3], 1)
    return Crop(mean[..., :3].astype(np.float32), depth.astype(np.float32), edge, context, synthesis)


def close_synthesis(synthesis: np.ndarray, context: np.ndarray, size: int) -> np.ndarray:
    """(h, w) bool: `synthesis` and the gaps that morphological closing of (synthesis | context) by a square fills.

    Small holes between and inside the two regions would be barriers for a partial convolution. The area outside the crop counts as
    empty, so the crop's margin does not fill up. `size` is the side of the square in pixels; the paper's 41 is for a long side of 1000.
    """
    radius = max(int(size), 1) // 2
    region = np.pad(synthesis | context, radius)
    for axis in (0, 1):
        region = _window_count(region, radius, axis) > 0
    for axis in (0, 1):
        region = _window_count(region, radius, axis) == 2 * radius + 1
    height, width = context.shape
    return synthesis | (region[radius : radius + height, radius : radius + width] & ~context)


def _window_count(region: np.ndarray, radius: int, axis: int) -> np.ndarray:
    """How many pixels are set within `radius` along one axis, outside counting as unset; same shape, integer."""
    ends = [(0, 0), (0, 0)]
    ends[axis] = (radius + 1, radius)
    total = np.cumsum(np.pad(region, ends), axis=axis, dtype=np.int32)
    length = region.shape[axis]
    upper = np.arange(length) + 2 * radius + 1
    return np.take(total, upper, axis=axis) - np.take(total, upper - 2 * radius - 1, axis=axis)


def padded_size(height: int, width: int, multiple: int = MULTIPLE) -> tuple[int, int]:
    """The smallest height and width that hold the crop and are multiples of `multiple`.

    >>> padded_size(100, 128, 32)
    (128, 128)
    """
    return -(-height // multiple) * multiple, -(-width // multiple) * multiple


def pad_centred(channels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(C, h, w) -> (C, *size) float32 with zeros around; `crop_centred` undoes it."""
    _, height, width = channels.shape
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    padded = np.zeros((channels.shape[0], *size), np.float32)
    padded[:, top : top + height, left : left + width] = channels
    return padded


def crop_centred(channels: np.ndarray, height: int, width: int) -> np.ndarray:
    """(C, H, W) -> (C, height, width), the centred part that `pad_centred` filled."""
    top, left = (channels.shape[1] - height) // 2, (channels.shape[2] - width) // 2
    return channels[:, top : top + height, left : left + width]


def batches(sizes: Sequence[tuple[int, int]], pixels: int) -> Iterator[list[int]]:
    """Groups the indices of equal (height, width), in first-come order, so that no group exceeds `pixels` in area.

    A single item larger than `pixels` makes a group of its own.
    """
    groups: dict[tuple[int, int], list[int]] = {}
    for index, size in enumerate(sizes):
        groups.setdefault(size, []).append(index)
    for (height, width), members in groups.items():
        count = max(1, pixels // (height * width))
        for start in range(0, len(members), count):
            yield members[start : start + count]
