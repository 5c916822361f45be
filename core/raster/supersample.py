"""Downsamples a picture rendered at twice the size to one as sharp as the photo, with smooth silhouettes.

Cycles samples a texture by bilinear interpolation. At the photo's own size and place, rays at a quarter and three quarters of a
pixel give (1/8, 3/4, 1/8) of a pixel and its neighbours along each axis, which an inverse filter turns back into exactly the photo's
pixels. At other sizes less is blurred, and the filter is weaker: as strong as brings the picture nearest to the photo reduced by an
area filter. At silhouettes it is off where it would leave a bright or dark line.
"""

from __future__ import annotations

import numpy as np

FACTOR = 2
"""Rendered pixels along each pixel: 2 in each direction are enough against stairs at silhouettes."""
LARGEST = 5000
"""Pictures with a longer side than this are rendered as they are: twice the size would need gigabytes."""
BLUR, BLUR_OFF_TEXELS = 1 / 8, 1 / 23
"""Weight of each neighbour in a picture of the photo's size: with pixels exactly on texels, and between them; the second changes with the
cube of the size. Best on photos 05, 08 and 23 of the Kodak set, reduced to 0.98, 0.9, 0.8 and 0.625."""
ROUNDS = 10
"""Iterations of the inverse filter; each at least halves its error."""
UNLIKE = 0.03
"""Where texels blend, the rays of one pixel differ half as much from each other as from the rays on both sides together; a larger
deviation than this is a silhouette."""
UNLIKE_PART = 0.3
"""The deviation must also exceed this part of all differences there: alpha and colours, which blend separately, deviate a little too."""


def blur_weights(texels: float) -> float:
    """Weight of each neighbour in a reduced picture with `texels` of the photo along one of its pixels; 0 for none."""
    if texels <= 0:
        return 0.0
    if abs(texels - 1) < 1e-6:
        return BLUR
    # in pictures larger than the photo, pixels lie between texels and there is soon no blur to undo
    return BLUR_OFF_TEXELS * (texels**-3 if texels > 1 else float(np.clip(2 - 1 / texels, 0, 1)))


def reduce(picture: np.ndarray, texels: float) -> np.ndarray:
    """(h, w, c) float32 of a picture (2 h, 2 w, c) with straight alpha as a fourth channel, or none.

    Means of `FACTOR` x `FACTOR` pixels, then sharper by what the blending of texels has blurred (`blur_weights`); alpha is not.
    """
    h, w, c = picture.shape
    picture = picture.astype(np.float32)
    parts = picture.reshape(h // FACTOR, FACTOR, w // FACTOR, FACTOR, c)
    blur, alpha = blur_weights(texels), None
    if c == 4:
        alpha = parts[..., 3:].mean(axis=(1, 3))
        small = (parts[..., :3] * parts[..., 3:]).mean(axis=(1, 3)) / np.maximum(alpha, 1e-6)
    else:
        small = parts.mean(axis=(1, 3))
    if blur:
        small = sharpen(small, blur, silhouettes(picture) if blur == BLUR else None)
    return small if alpha is None else np.concatenate([small, alpha], axis=2)


def silhouettes(picture: np.ndarray) -> np.ndarray:
    """(h, w) bool: pixels near which two neighbouring rays met different surfaces, in a picture (2 h, 2 w, c) of the
    photo's own size."""
    import cv2

    found = np.zeros((picture.shape[0] // FACTOR, picture.shape[1] // FACTOR), bool)
    for each, out in ((picture, found), (picture.swapaxes(0, 1), found.T)):
        step = np.diff(each, axis=0)
        inside, between = step[::2], np.pad(step[1::2], ((1, 1), (0, 0), (0, 0)))
        off = np.abs(inside - (between[:-1] + between[1:]) / 2)
        of_all = UNLIKE_PART * (np.abs(inside) + np.abs(between[:-1]) + np.abs(between[1:]))
        unlike = ((off > UNLIKE) & (off > of_all)).any(axis=2)
        unlike[0] = unlike[-1] = False
        out |= unlike.reshape(len(unlike), -1, FACTOR).any(axis=2)
    return cv2.dilate(found.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)


def sharpen(picture: np.ndarray, blur: float, without: np.ndarray | None = None) -> np.ndarray:
    """Undoes a blur by (blur, 1 - 2 blur, blur) along both axes (van Cittert's iteration), not below 0 and not where `without`."""
    import cv2

    kernel, found = np.array([blur, 1 - 2 * blur, blur], np.float32), picture
    where = 1.0 if without is None else (~without).astype(np.float32)[..., None]
    for _ in range(ROUNDS):
        found = found + where * (picture - cv2.sepFilter2D(found, -1, kernel, kernel, borderType=cv2.BORDER_REPLICATE))
    return np.maximum(found, 0)
