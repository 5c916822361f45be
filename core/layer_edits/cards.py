"""Surfaces laid on cards, flat or curved: every point moves along the photo camera's ray, so the photo's own view stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..layers.layered_depth_image import ADDED_ROLE, LayeredDepthImage
from ..layers.soft_silhouettes import Matte
from ..raster.nearest_known import nearest_known

CARDS = {"flat": 1, "curved": 2}
"""Degree in which disparity goes over the photo. Of degree 1 it is a plane in space."""
ROUNDS, SAMPLES = 8, 20_000
"""Rounds of reweighting in the fit, and about how many pixels it looks at."""


def powers(degree: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n, 3 or 6) float64: the polynomial's terms at places of the photo, in parts of its width and height."""
    terms = [np.ones_like(x), x, y] + ([x * x, x * y, y * y] if degree == 2 else [])
    return np.stack(terms, axis=1)


def card_disparity(card: tuple[float, ...], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n,) float64, 1/m: a card's disparity there."""
    return powers(1 if len(card) == 3 else 2, x, y) @ np.array(card)


def surface_pixels(image: LayeredDepthImage, role: str) -> tuple[int, np.ndarray] | None:
    """The layer and (h, w) bool the pixels of a surface by its role; None where there is no such surface. The photo's have their
    border with them."""
    words, number = role.split(), 0
    if words[:1] == [ADDED_ROLE]:
        name = role.partition(" ")[2]
        return next(((k, layer.present) for k, layer in enumerate(image.layers) if layer.number and layer.name == name), None)
    if words[:1] == ["part"] and len(words) > 2 and words[1].isdigit():
        number, words = int(words[1]), words[2:]
    if words == ["photo"]:
        k = 0
    elif len(words) == 2 and words[0] == "hidden" and words[1].isdigit() and 0 < int(words[1]) < len(image.layers):
        k = int(words[1])
    else:
        return None
    layer = image.layers[k]
    if layer.number or (layer.part is None and number):
        return None
    mask = layer.present if layer.part is None else layer.present & (layer.part == number)
    return (k, mask) if mask.any() else None


def lay_on_card(image: LayeredDepthImage, role: str, card: str) -> LayeredDepthImage:
    """The image with one surface laid on the card (a key of CARDS) that fits it best; surfaces behind it are moved back where needed.
    Unchanged where there is no such surface."""
    found = surface_pixels(image, role)
    if found is None or card not in CARDS:
        return image
    k, mask = found
    layer, front = image.layers[k], _front_of(image, k)
    seen = mask & ~layer.synthesised if k == 0 else mask
    x, y = _places(image, np.nonzero(seen if seen.any() else mask))
    fitted = _fit(powers(CARDS[card], x, y), layer.disparity[seen if seen.any() else mask].astype(np.float64))
    x, y = _places(image, np.nonzero(mask))
    terms = powers(CARDS[card], x, y)
    limit = np.where(front > 0, np.maximum(front - image.threshold / 2, front / 2), np.inf)[mask]
    fitted = _within_bounds(fitted, terms, float(image.layers[0].disparity[image.layers[0].present].min()) / 2, limit)
    disparity = layer.disparity.copy()
    disparity[mask] = terms @ fitted
    layers = list(image.layers)
    layers[k] = replace(layer, disparity=disparity)
    image = replace(image, layers=tuple(layers), cards=(*image.cards, (role, tuple(fitted.tolist()))))
    return image if layer.number else _make_way(image, k, mask)


def matte_on_cards(matte: Matte | None, image: LayeredDepthImage) -> Matte | None:
    """The matte whose foregrounds go on in the cards that they were laid on since it was found."""
    photos = [(role, card) for role, card in image.cards if role.split()[-1] == "photo" and role.split()[0] != ADDED_ROLE]
    if matte is None or not photos:
        return matte
    band, part = matte.band, image.layers[0].part
    source = band.inner | band.within
    if not source.any():
        return matte
    of = np.zeros(image.shape, np.uint8) if part is None else part.ravel()[nearest_known(source)[1]]
    front = band.front.copy()
    for role, card in photos:
        number = 0 if role == "photo" else int(role.split()[1])
        chosen = band.outer & (of == number)
        front[chosen] = card_disparity(card, *_places(image, np.nonzero(chosen)))
    return replace(matte, band=replace(band, front=front))


def _places(image: LayeredDepthImage, pixels: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
    top, left, height, width = image.frame
    return (pixels[1] + 0.5 - left) / width, (pixels[0] + 0.5 - top) / height


def _fit(terms: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Coefficients of least absolute deviations, so that a few pixels of something else do not tilt the card."""
    step = max(1, len(values) // SAMPLES)
    terms, values = terms[::step], values[::step]
    weight = np.ones(len(values))
    found = np.zeros(terms.shape[1])
    for _ in range(ROUNDS):
        root = np.sqrt(weight)
        found = np.linalg.lstsq(terms * root[:, None], values * root, rcond=None)[0]
        off = np.abs(terms @ found - values)
        weight = 1 / np.maximum(off, max(1e-3 * float(np.abs(values).mean()), 1e-12))
    return found


def _within_bounds(fitted: np.ndarray, terms: np.ndarray, least: float, limit: np.ndarray) -> np.ndarray:
    """The card moved back as a whole until it is nowhere before its limit, and then levelled until it comes nowhere near infinity."""
    over = float((terms @ fitted - limit).max())
    if over > 0:
        fitted = fitted - np.eye(len(fitted))[0] * over
    values = terms @ fitted
    middle = float(np.median(values))
    if values.min() >= least:
        return fitted
    if middle <= least:  # all of it is too far: a card that faces the camera
        return np.eye(len(fitted))[0] * min(least, float(limit.min()))
    share = (middle - least) / (middle - values.min())
    levelled = fitted * share + np.eye(len(fitted))[0] * middle * (1 - share)
    return _within_bounds(levelled, terms, least, limit) if (terms @ levelled > limit + 1e-9).any() else levelled


def _front_of(image: LayeredDepthImage, k: int) -> np.ndarray:
    front = np.full(image.shape, np.inf, np.float32)
    for layer in image.layers[:k] if not image.layers[k].number else ():
        np.minimum(front, layer.disparity, out=front, where=layer.present)
    return np.where(np.isfinite(front), front, 0)


def _make_way(image: LayeredDepthImage, k: int, mask: np.ndarray) -> LayeredDepthImage:
    """The image with the layers behind a card moved back where they would come out in front of it."""
    for j in range(k + 1, len(image.layers)):
        layer, front = image.layers[j], _front_of(image, j)
        behind = np.maximum(front - image.threshold / 2, front / 2)
        moved = mask & layer.present & (layer.disparity > behind)
        if moved.any() and not layer.number:
            layers = list(image.layers)
            layers[j] = replace(layer, disparity=np.where(moved, behind, layer.disparity).astype(np.float32))
            image = replace(image, layers=tuple(layers))
    return image
