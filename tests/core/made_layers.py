"""Files of layers as arrays, and what must be equal after one was written and read."""

import numpy as np

from photo_diorama.core.layer_files.layer_file import TOP, FileLayer, LayerFile


def made_file(kind=np.uint8, seed: int = 0) -> LayerFile:
    """A photo of 40 x 30 in a canvas of 60 x 44, over a border and a hidden layer with a soft edge; names that need care."""
    rng = np.random.default_rng(seed)

    def colour(height, width, alpha=None):
        top = TOP[np.dtype(kind)]
        pixels = rng.random((height, width, 4)) * top
        pixels[..., 3] = top if alpha is None else alpha * top
        pixels = pixels.astype(kind) if kind == np.float32 else np.rint(pixels).astype(kind)
        pixels[pixels[..., 3] == 0] = 0
        return pixels

    photo = FileLayer("photo", (7, 10), colour(30, 40), disparity=rng.uniform(0.2, 0.5, (30, 40)).astype(np.float32),
                      invented=np.zeros((30, 40), bool))  # fmt: skip
    around = np.ones((44, 60))
    around[7:37, 10:50] = 0
    border = FileLayer("border", (0, 0), colour(44, 60, around), disparity=(0.25 * around).astype(np.float32), invented=around > 0)
    soft = np.clip(np.hypot(*np.mgrid[-6:7, -7:8]) / -3 + 2.5, 0, 1)
    hidden = FileLayer("hidden 1", (12, 20), colour(13, 15, soft), disparity=np.where(soft > 0, 0.125, 0).astype(np.float32),
                       invented=soft > 0)  # fmt: skip
    over = FileLayer("Ånd 绘 “1”", (30, 2), colour(9, 5), 0.5, False)
    return LayerFile((44, 60), (7, 10, 30, 40), (photo, over, border, hidden), 0.5, 0.0, True, "street")


def assert_same(found: LayerFile, made: LayerFile, depth: float = 0.0, colour: float = 0.0) -> None:
    """`depth`: what disparity may be off; `colour`: the same for colours, where they are seen."""
    assert (found.canvas, found.frame) == (made.canvas, made.frame)
    assert [each.name for each in found.layers] == [each.name for each in made.layers]
    for new, old in zip(found.layers, made.layers, strict=True):
        assert new.corner == old.corner and new.colour.shape == old.colour.shape and new.colour.dtype == old.colour.dtype
        seen = old.colour[..., 3] > 0
        assert np.array_equal(new.colour[..., 3], old.colour[..., 3])
        off = np.abs(new.colour.astype(np.float64) - old.colour)[seen]
        assert off.max(initial=0) <= colour, old.name
        assert abs(new.opacity - old.opacity) < 1 / 255 and new.visible == old.visible
        assert (new.disparity is None) == (old.disparity is None)
        if old.disparity is not None:
            assert np.abs(new.disparity - old.disparity).max() <= depth + 1e-7
            assert np.array_equal(new.disparity > 0, old.disparity > 0)
        if old.is_invented.any():
            assert np.array_equal(new.is_invented, old.is_invented)
