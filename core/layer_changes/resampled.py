"""A layer of ours as another program scaled it: with the kernel, of the usual ones, that comes nearest to what came back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..layer_files.layer_file import TOP

Scale = Callable[[np.ndarray, tuple[int, int]], np.ndarray]
"""(h, w) float32 to (rows, columns)."""
PAINTED = 0.1
"""What differs by more than this is no work of a kernel and counts no further when kernels are compared."""


def _by_opencv(name: str) -> Scale:
    def scale(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        import cv2

        return cv2.resize(plane, size[::-1], interpolation=getattr(cv2, name))

    return scale


def _by_pillow(name: str) -> Scale:
    """Kernels that widen when a picture shrinks, as paint programs do it."""

    def scale(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        from PIL import Image

        return np.asarray(Image.fromarray(plane).resize(size[::-1], Image.Resampling[name]))

    return scale


KERNELS: tuple[Scale, ...] = (
    _by_opencv("INTER_AREA"), _by_opencv("INTER_LINEAR"), _by_opencv("INTER_NEAREST"), _by_opencv("INTER_CUBIC"),
    _by_pillow("BILINEAR"), _by_pillow("BICUBIC"), _by_pillow("LANCZOS"),
)  # fmt: skip


def rescale_as(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """`ours`, straight (h, w, 4), at the size of `theirs`: (m, n, 4) float32 from 0 to 1, or linear colours."""
    size, best, least = (theirs.shape[0], theirs.shape[1]), KERNELS[0], np.inf
    alpha = ours[..., 3].astype(np.float32) / TOP[ours.dtype]
    green = ours[..., 1].astype(np.float32) / TOP[ours.dtype] * alpha
    seen = theirs[..., 3] >= TOP[theirs.dtype] / 2
    wanted = theirs[..., 1].astype(np.float32) / TOP[theirs.dtype]
    for kernel in KERNELS:
        share = kernel(alpha, size)
        both = seen & (share >= 0.5)
        off = np.abs(kernel(green, size) / np.maximum(share, 0.5) - wanted)[both]
        error = float(np.minimum(off, PAINTED).mean()) if off.size else np.inf
        if error < least:
            best, least = kernel, error
    share = best(alpha, size)
    channels = [best(ours[..., c].astype(np.float32) / TOP[ours.dtype] * alpha, size) / np.maximum(share, 1e-3) for c in range(3)]
    return np.dstack([*channels, share])


def differs_beyond_scaling(alike: np.ndarray, theirs: np.ndarray, slack: float) -> np.ndarray:
    """(m, n) bool: where the colours of `theirs` differ from those of `rescale_as` by more than `slack`, and by more than another kernel
    or sampling position explains: half the change from a pixel to the next."""
    import cv2

    result, square = np.zeros(theirs.shape[:2], bool), np.ones((3, 3), np.uint8)
    for channel in range(3):
        one, other = np.ascontiguousarray(alike[..., channel]), theirs[..., channel].astype(np.float32) / np.float32(TOP[theirs.dtype])
        change = cv2.dilate(one, square) - cv2.erode(one, square)
        result |= np.abs(one - other) > slack * np.maximum(1, np.abs(one)) + change / 2
    return result
