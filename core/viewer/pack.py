"""Packs meshes into few bytes that a page can unpack quickly: 16-bit numbers, differences, deflate, base64."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass

import numpy as np

TOP = 65535
GRID = 64
"""Cells along each axis of the picture: triangles are written cell by cell, so that neighbours in the file are neighbours on the
picture."""
PLACE_TOLERANCE = 2e-4
"""A texture whose places differ from the photo's by at most this is the photo's own."""


@dataclass(frozen=True)
class Surface:
    """Triangles of one texture as the photo's camera sees them."""

    places: np.ndarray  # (V, 3) float: x/z and y/z (x right, y down) and 1/z, from the photo's place
    triangles: np.ndarray  # (T, 3) int32
    uvs: np.ndarray  # (T, 3, 2) float: u right, v up, (0, 0) bottom left of the texture
    texture: int  # number of the texture
    soft: bool  # shown through the texture's alpha


def pack(surface: Surface, frame: tuple[float, ...]) -> dict:
    """The data of a surface that `viewer.js` reads; `frame` is the picture's left, top, width and height over the focal length."""
    texels = np.stack([surface.uvs[..., 0], 1 - surface.uvs[..., 1]], axis=-1)
    on_photo = (surface.places[:, :2] - frame[:2]) / frame[2:]
    own = bool(np.abs(on_photo[surface.triangles] - texels).max() < PLACE_TOLERANCE)
    low, span = surface.places.min(axis=0), np.maximum(np.ptp(surface.places, axis=0), 1e-9)
    whole = np.rint((surface.places - low) / span * TOP).astype(np.uint16)[surface.triangles]  # (T, 3, 3)
    if not own:
        whole = np.concatenate([whole, np.rint(np.clip(texels, 0, 1) * TOP).astype(np.uint16)], axis=2)
    whole = whole[drawing_order(whole, surface.soft)]
    vertices, numbers = number_by_first_use(whole.reshape(-1, whole.shape[2]))
    planes = [two_bytes(column) for column in vertices.T] + [three_bytes(below_next(numbers))]
    data = zlib.compress(b"".join(planes), 9)
    return {
        "texture": surface.texture, "soft": surface.soft, "own": own, "vertices": len(vertices), "indices": len(numbers),
        "low": format_numbers(low), "span": format_numbers(span), "data": base64.b64encode(data).decode("ascii"),
    }  # fmt: skip


def format_numbers(values: np.ndarray) -> list[float]:
    """Plain numbers with as many digits as 32-bit floats hold."""
    return [float(f"{value:.9g}") for value in values]


def drawing_order(corners: np.ndarray, soft: bool) -> np.ndarray:
    """(T,) triangle numbers in drawing order: from far to near where they blend, else cell by cell."""
    middle = corners[..., :3].mean(axis=1)
    if soft:
        return np.argsort(middle[:, 2], kind="stable")
    cells = (middle[:, :2] * (GRID / (TOP + 1))).astype(int)
    return np.lexsort((middle[:, 0], middle[:, 1].astype(int) // 256, cells[:, 0], cells[:, 1]))


def number_by_first_use(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct rows of (n, c) in the order of their first use, and (n,) int64 the number of each."""
    rows = np.ascontiguousarray(corners).view(np.dtype((np.void, corners.dtype.itemsize * corners.shape[1]))).ravel()
    _, first, numbers = np.unique(rows, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return corners[first[order]], place[numbers.ravel()]


def below_next(numbers: np.ndarray) -> np.ndarray:
    """(n,) by how much each number is below the next unused one; 0 for a new one."""
    next_one = np.concatenate([[0], np.maximum.accumulate(numbers)[:-1] + 1])
    return next_one - numbers


def two_bytes(values: np.ndarray) -> bytes:
    """Differences of uint16, modulo 65536: all low bytes, then all high ones."""
    steps = np.diff(values, prepend=np.uint16(0)).astype(np.uint16)
    return (steps & 255).astype(np.uint8).tobytes() + (steps >> 8).astype(np.uint8).tobytes()


def three_bytes(values: np.ndarray) -> bytes:
    """Whole numbers below 2^24 in three planes of bytes, the lowest first."""
    return b"".join(((values >> shift) & 255).astype(np.uint8).tobytes() for shift in (0, 8, 16))
