"""What an artist changed in the surfaces themselves: hidden ones cut anew, surfaces added, surfaces laid on cards."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..layers.layered_depth_image import (
    ADDED_ROLE,
    DOWN,
    OPPOSITE,
    RIGHT,
    Layer,
    LayeredDepthImage,
    mutual_links,
    neighbour,
    remove_pixels,
)
from ..raster.nearest_known import nearest_known
from ..raster.push_pull import push_pull
from .cards import lay_on_card

AROUND = 0.06
"""The depth of pixels added to a surface is extrapolated from its pixels within this part of the long side."""
MIN_PIXELS = 12
"""Pixels around from which on a slope is trusted."""


@dataclass(frozen=True)
class Recut:
    """What was erased from an invented surface, and what was added to it."""

    surface: int  # number of the layer; 0 for the border
    erased: np.ndarray  # (h, w) bool
    added: np.ndarray  # (h, w) bool


@dataclass(frozen=True)
class AddedSurface:
    """A surface that came in as a layer of its own."""

    number: int  # from 1: by this its texels are found again
    name: str
    origin: str  # name of the file that it came from
    behind: bool  # it lies behind the photo wherever that shows something, else in front of it or where its own depth says
    replaces: bool  # what we invented at its depth or before it, behind the photo, makes room for it
    present: np.ndarray  # (h, w) bool
    disparity: np.ndarray  # (h, w) float32, 1/m; meaningless where not present
    colour: np.ndarray  # (h, w, 3) float32, sRGB-encoded; meaningless where not present

    def equals(self, other: AddedSurface) -> bool:
        """Whether all that it is is equal."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return all(np.array_equal(a, b) for a, b in pairs)


@dataclass(frozen=True)
class LayerEdits:
    """All of it, on one grid; `take_over` brings it to that of a build."""

    frame: tuple[int, int, int, int]  # top, left, height, width of the photo in the arrays
    shape: tuple[int, int]  # of the arrays
    recuts: tuple[Recut, ...] = ()
    added: tuple[AddedSurface, ...] = ()
    cards: tuple[tuple[str, str], ...] = ()  # role of a surface ("photo", "part 1 photo", "hidden 1"), key of CARDS

    @cached_property
    def key(self) -> str:
        """Equal for equal contents."""
        digest = hashlib.blake2b(repr((self.frame, self.shape, self.cards)).encode(), digest_size=16)
        for each in (*self.recuts, *self.added):
            for name, value in vars(each).items():
                digest.update(np.ascontiguousarray(value).data if isinstance(value, np.ndarray) else f"{name} {value!r}".encode())
        return digest.hexdigest()

    def on(self, frame: tuple[int, int, int, int], shape: tuple[int, int]) -> LayerEdits:
        """The same on another grid of the photo."""
        if (frame, shape) == (self.frame, self.shape):
            return self
        recuts = tuple(Recut(r.surface, self._brought(r.erased, frame, shape), self._brought(r.added, frame, shape)) for r in self.recuts)
        added = tuple(
            replace(
                a, present=self._brought(a.present, frame, shape), disparity=self._brought(a.disparity, frame, shape),
                colour=self._brought(a.colour, frame, shape),
            )
            for a in self.added
        )  # fmt: skip
        return LayerEdits(frame, shape, recuts, added, self.cards)

    def _brought(self, values: np.ndarray, frame: tuple[int, int, int, int], shape: tuple[int, int]) -> np.ndarray:
        import cv2

        scale = np.array(frame[2:]) / self.frame[2:]
        shift = (0.5 - np.array(frame[:2])) / scale + self.frame[:2] - 0.5
        matrix = np.array([[1 / scale[1], 0, shift[1]], [0, 1 / scale[0], shift[0]]])
        is_mask = values.dtype == bool
        flags = cv2.WARP_INVERSE_MAP | (cv2.INTER_NEAREST if is_mask or values.ndim == 2 else cv2.INTER_LINEAR)
        border = cv2.BORDER_CONSTANT if is_mask else cv2.BORDER_REPLICATE
        result = cv2.warpAffine(np.ascontiguousarray(values.view(np.uint8) if is_mask else values), matrix, shape[::-1], flags=flags,
                                borderMode=border)  # fmt: skip
        return result > 0 if is_mask else result


def take_over(image: LayeredDepthImage, edits: LayerEdits | None) -> LayeredDepthImage:
    """The inpainted image with what an artist changed in it. What was changed in a layer that is not there rests."""
    if edits is None:
        return image
    edits = edits.on(image.frame, image.shape)
    for recut in edits.recuts:
        if recut.surface < len(image.layers):
            image = _recut(image, recut)
    added = [(role, card) for role, card in edits.cards if role.startswith(f"{ADDED_ROLE} ")]
    for role, card in edits.cards:
        if (role, card) not in added:
            image = lay_on_card(image, role, card)
    for each in edits.added:
        image = _add_surface(image, each)
    for role, card in added:
        image = lay_on_card(image, role, card)
    return image


def _recut(image: LayeredDepthImage, recut: Recut) -> LayeredDepthImage:
    k, layers = recut.surface, list(image.layers)
    layer = layers[k]
    gone = recut.erased & layer.synthesised
    if gone.any():
        layers = remove_pixels(layers, k, gone)
    more = recut.added & ~layers[k].present if k else np.zeros(image.shape, bool)
    if more.any():
        layers[k] = _extend(image, layers, k, more)
        _link_free_sides(layers, k, more, image.threshold)
    return replace(image, layers=tuple(layers))


def front_disparity(image: LayeredDepthImage, k: int) -> np.ndarray:
    """(h, w) float32: disparity of the farthest of our surfaces in front of layer `k`; 0 where there is none."""
    front = np.full(image.shape, np.inf, np.float32)
    for layer in image.layers[:k]:
        if not layer.number:
            np.minimum(front, layer.disparity, out=front, where=layer.present)
    return np.where(np.isfinite(front), front, 0)


def keep_behind(disparity: np.ndarray, front: np.ndarray, image: LayeredDepthImage) -> np.ndarray:
    """Disparity (h, w) moved away where it would come out in front."""
    behind = np.maximum(front - image.threshold / 2, front / 2)
    return np.where(front > 0, np.minimum(disparity, behind), disparity).astype(np.float32)


def _extend(image: LayeredDepthImage, layers: list[Layer], k: int, more: np.ndarray) -> Layer:
    """A layer with pixels more, whose depth goes on from its own around them; just behind what hides them where there is none."""
    layer, front = layers[k], front_disparity(image, k)
    behind = keep_behind(np.full(image.shape, np.inf, np.float32), front, image)
    behind = np.where(np.isfinite(behind), behind, image.layers[0].disparity)
    disparity = np.where(layer.present, layer.disparity, behind)
    if layer.present.any():
        disparity = np.where(more, keep_behind(continue_planes(layer.disparity, layer.present, more, behind), front, image), disparity)
    part = layer.part
    if part is not None and layer.present.any():
        part = np.where(more, part.ravel()[nearest_known(layer.present)[1]], part)
    return replace(
        layer, present=layer.present | more, synthesised=layer.synthesised | more, disparity=disparity.astype(np.float32), part=part
    )


def continue_planes(disparity: np.ndarray, known: np.ndarray, wanted: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """(h, w) float32: for each piece of `wanted` the plane fitted to the `known` disparities around it, plus their residuals spread
    smoothly; `otherwise` where nothing known is near."""
    import cv2

    result, reach = otherwise.astype(np.float32).copy(), max(3, round(AROUND * max(disparity.shape)))
    count, piece, about, _ = cv2.connectedComponentsWithStats(wanted.astype(np.uint8), connectivity=8)
    for number in range(1, count):
        left, top, width, height = about[number, :4]
        box = slice(max(0, top - reach), top + height + reach), slice(max(0, left - reach), left + width + reach)
        own = piece[box] == number
        near = known[box] & (cv2.dilate(own.astype(np.uint8), np.ones((2 * reach + 1,) * 2, np.uint8)) > 0)
        if not near.any():
            continue
        rows, columns = np.nonzero(near)
        values, places = disparity[box][near], np.stack([np.ones(len(rows)), rows, columns], axis=1)
        plane = np.array([values.mean(), 0, 0])
        if len(values) >= MIN_PIXELS and np.ptp(rows) > 2 and np.ptp(columns) > 2:
            plane = np.linalg.lstsq(places, values, rcond=None)[0]
        r, c = np.mgrid[: own.shape[0], : own.shape[1]]
        flat = (plane[0] + plane[1] * r + plane[2] * c).astype(np.float32)
        off = push_pull(np.repeat((disparity[box] - flat)[..., None], 3, axis=2).astype(np.float32), near)[..., 0]
        filled = np.clip(flat + off, values.min() / 2, values.max() * 1.3)
        result[box] = np.where(own, filled, result[box])
    return result


def _link_free_sides(layers: list[Layer], k: int, new: np.ndarray, threshold: float) -> None:
    """Links new pixels of a layer to each other and to what lies beside them, on any layer, at about the same depth and unlinked."""
    links = [layer.links.copy() for layer in layers]
    own = layers[k].disparity
    for side in range(4):
        for j in (k, *(j for j in range(len(layers)) if j != k)):
            other = layers[j]
            if j != k and other.number:
                continue
            make = new & (links[k][side] < 0) & neighbour(other.present, side, False)
            make &= neighbour(links[j][OPPOSITE[side]], side, 0) < 0
            make &= np.abs(neighbour(other.disparity, side, np.inf) - own) <= threshold
            if (mine := layers[k].part) is not None and other.part is not None:
                make &= neighbour(other.part, side, 255) == mine
            links[k][side][make] = j
            links[j][OPPOSITE[side]][neighbour(make, OPPOSITE[side], False)] = k
    for j, each in enumerate(links):
        layers[j] = replace(layers[j], links=each)


def _add_surface(image: LayeredDepthImage, added: AddedSurface) -> LayeredDepthImage:
    """The image with one more layer; a layer behind is linked to the surfaces beside it, which it continues."""
    present, layers, k = added.present, list(image.layers), len(image.layers)
    if not present.any():
        return image
    disparity = added.disparity
    if added.behind:
        disparity = keep_behind(disparity, np.where(image.layers[0].present, image.layers[0].disparity, 0), image)
    if added.replaces and added.behind:
        for j in range(1, k):
            layer = layers[j]
            if (gone := present & layer.synthesised & (layer.disparity > disparity - image.threshold)).any() and not layer.number:
                layers = remove_pixels(layers, j, gone)
    near = lambda side: np.abs(neighbour(disparity, side, np.inf) - disparity) <= image.threshold  # noqa: E731
    right, down = (present & neighbour(present, side, False) & near(side) for side in (RIGHT, DOWN))
    part = None if layers[0].part is None else np.zeros(image.shape, np.uint8)
    layers.append(Layer(present, present.copy(), disparity, added.colour, mutual_links(right, down, k), part=part, name=added.name,
                        number=added.number))  # fmt: skip
    if added.behind:
        _link_free_sides(layers, k, present, image.threshold)
    return replace(image, layers=tuple(layers))
