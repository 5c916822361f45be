"""What a page unpacks is what was packed, to a 65535th of its range."""

import base64
import zlib

import numpy as np
import pytest

from photo_diorama.core.viewer.pack import Surface, below_next, number_by_first_use, pack

FRAME = (-0.5, -0.375, 1.0, 0.75)


def unpacked(packed: dict) -> tuple[np.ndarray, np.ndarray]:
    """(V, 3|5) numbers from 0 to 1 and (T, 3) vertices, read as viewer.js reads them."""
    data = np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), np.uint8)
    n, m, columns = packed["vertices"], packed["indices"], 3 if packed["own"] else 5
    assert len(data) == 2 * n * columns + 3 * m
    numbers = []
    for k in range(columns):
        low, high = data[2 * n * k :][:n].astype(np.int64), data[2 * n * k + n :][:n].astype(np.int64)
        numbers.append(np.cumsum(low + (high << 8)) & 65535)
    planes = data[2 * n * columns :].reshape(3, m).astype(np.int64)
    below = planes[0] + (planes[1] << 8) + (planes[2] << 16)
    indices, next_one = [], 0
    for each in below:
        indices.append(next_one - each)
        next_one += each == 0
    return np.stack(numbers, axis=1) / 65535, np.array(indices).reshape(-1, 3)


def surface(soft: bool = False, own: bool = False, count: int = 300) -> Surface:
    rng = np.random.default_rng(3)
    places = np.column_stack([rng.uniform(-0.6, 0.6, (count, 2)), rng.uniform(0.1, 1.0, count)])
    triangles = rng.integers(0, count, (2 * count, 3)).astype(np.int32)
    uvs = rng.uniform(0, 1, (len(triangles), 3, 2))
    if own:
        on_photo = (places[:, :2] - FRAME[:2]) / FRAME[2:]
        uvs = (on_photo * (1, -1) + (0, 1))[triangles]
    return Surface(places, triangles, uvs, 0, soft)


@pytest.mark.parametrize("own", (False, True))
@pytest.mark.parametrize("soft", (False, True))
def test_every_triangle_comes_back(soft, own):
    given = surface(soft, own)
    packed = pack(given, FRAME)
    numbers, triangles = unpacked(packed)
    assert packed["own"] is own
    places = packed["low"] + numbers[:, :3] * packed["span"]
    got = places[triangles]
    want = given.places[given.triangles]
    if not own:
        texels = np.stack([given.uvs[..., 0], 1 - given.uvs[..., 1]], axis=-1)
        got, want = np.dstack([got, numbers[triangles][..., 3:]]), np.dstack([want, texels])
    assert len(got) == len(want)
    from scipy.spatial import cKDTree

    distance, match = cKDTree(want.reshape(len(want), -1)).query(got.reshape(len(got), -1))
    assert distance.max() < 1e-4 and len(set(match)) == len(want)  # each once, its corners in their order


def test_what_blends_is_drawn_from_far_to_near():
    packed = pack(surface(soft=True), FRAME)
    numbers, triangles = unpacked(packed)
    assert (np.diff(numbers[triangles][..., 2].mean(axis=1)) >= -1e-9).all()


def test_what_follows_each_other_lies_near_each_other():
    """A regular grid takes less than six bytes a vertex, and no more than two a corner."""
    rows, columns = np.mgrid[0:120, 0:160]
    places = np.stack([columns.ravel() / 160 - 0.5, rows.ravel() / 160 - 0.375, 0.5 + 0.001 * columns.ravel()], axis=1)
    tl = (rows[:-1, :-1] * 160 + columns[:-1, :-1]).ravel()
    triangles = np.concatenate([np.stack(c, axis=1) for c in ((tl, tl + 160, tl + 161), (tl, tl + 161, tl + 1))]).astype(np.int32)
    given = Surface(places, triangles, ((places[:, :2] - FRAME[:2]) / FRAME[2:] * (1, -1) + (0, 1))[triangles], 0, False)
    assert len(pack(given, FRAME)["data"]) < 0.5 * (6 * len(places) + 2 * triangles.size)


def test_numbers_are_those_of_first_use():
    corners = np.array([[5, 1], [7, 2], [5, 1], [9, 9], [7, 2]], np.uint16)
    rows, numbers = number_by_first_use(corners)
    assert rows.tolist() == [[5, 1], [7, 2], [9, 9]] and numbers.tolist() == [0, 1, 0, 2, 1]
    assert below_next(numbers).tolist() == [0, 0, 2, 0, 2]
