"""The nearest known pixel to every pixel: a distance transform that also tells which pixel it was."""

from __future__ import annotations

import numpy as np


def nearest_known(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) float32 distance in pixels to the nearest True of `known` (h, w), and (h, w) int64, its flat index.

    At least one pixel has to be known.

    >>> import numpy as np
    >>> distance, index = nearest_known(np.array([[True, False, False, False, True]]))
    >>> index.tolist()
    [[0, 0, 0, 4, 4]]
    """
    import cv2

    absent = (~known).astype(np.uint8)
    distance, label = cv2.distanceTransformWithLabels(absent, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    index = np.zeros(label.max() + 1, np.int64)
    index[label[known]] = np.flatnonzero(known)
    return distance, index[label]
