"""Input of the networks that continue depth edges, ours and the published one (`networks/inpaint/inpaint_edge.py`)."""

from __future__ import annotations

import numpy as np

from .crops import Crop


def edge_input(crop: Crop) -> np.ndarray:
    """(7, h, w) float32 as the network expects it; colour and disparity are 0 outside context.

    Disparity is divided by its maximum on context, so that the input has no unit.
    """
    disparity = np.where(crop.context, 1.0 / np.where(crop.context, crop.depth, 1.0), 0.0)
    disparity = disparity / disparity.max()
    colour = np.where(crop.context, np.moveaxis(crop.colour, 2, 0), 0.0)
    rest = np.stack([disparity, crop.seen_edge, crop.context, crop.synthesis])
    return np.concatenate([colour, rest]).astype(np.float32)
