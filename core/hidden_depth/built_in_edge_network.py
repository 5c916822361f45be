"""Continues depth edges behind a foreground with the built-in edge network, before hidden depth is chosen.

Shih et al. 2020, section 3.3: where another depth edge ends at a silhouette, a network draws its continuation in the synthesis
region (the extended depth edge); the hidden surface is cut there, and each side continues its own surface. Our network was
trained on made scenes without colour (`training/inpaint_structure`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from ..built_in.batches import run_in_batches
from ..built_in.crops import Crop
from ..built_in.edges import edge_input
from ..layers.layered_depth_image import LayeredDepthImage
from ..layers.link_layers import absorb_islands
from ..layers.regions import Disocclusion
from .continue_edges import EdgeNetwork, continue_edges, regions_behind, see_edges
from .propagate_edges import propagate_across_edges

OWN_TRAINING_SIDE = 384
"""Long side in pixels that the network was trained for; larger grids are shrunk by whole numbers before it."""
OWN_EDGE_THRESHOLD = 0.5
"""Likelihood above which a pixel is an edge, chosen on scenes held back from training; the published weights need another."""
OWNING = False
"""Continued edges only separate surfaces, which the silhouettes beside them continue: what lies at an edge's far end does not depend on
its start."""
RUNS = 1
"""Our network draws the whole edge at once, so it runs once."""

WINDOW, INNER = 96, 24
"""Side of the square that the network sees, as in training, around an end of a seen edge; ends within the second distance share one
square."""
MULTIPLE = 32


def extend_edges(
    image: LayeredDepthImage, found: Disocclusion, context_width: float, network, step: Callable[[float], None] = lambda part: None
) -> Disocclusion:
    """`found`, cut along the depth edges that `network` continues; every hidden pixel continues the silhouette on its own side.

    The flood's result stays where no other edge touches a silhouette, and where the photo was split into parts. `network` takes
    (N, 7, H, W) float32, items as by `edge_input`, and returns (N, 1, H, W): probabilities of an edge.
    """
    if found.part is not None:
        return found
    sure = absorb_islands(image, found)
    seen = see_edges(image, sure)
    regions = regions_behind(image, sure, seen, context_width)
    asked = EdgeNetwork(partial(answers, network), OWN_TRAINING_SIDE, OWN_EDGE_THRESHOLD, RUNS, weighed=True)
    paths = continue_edges(asked, image, seen, regions, step)
    return propagate_across_edges(image, found, seen.behind, paths, OWNING)[0] if paths else found


def answers(
    network: Callable[[np.ndarray], np.ndarray], crops: list[Crop], step: Callable[[float], None] = lambda part: None
) -> list[np.ndarray]:
    """One (h, w) float32 per crop: probability of an edge on its synthesis region near the ends of its edges, 0 elsewhere."""
    places = [(number, place) for number, crop in enumerate(crops) for place in windows(crop)]
    parts = []
    for number, place in places:
        crop = crops[number]
        parts.append(Crop(*(getattr(crop, name)[place] for name in ("colour", "depth", "edge", "context", "synthesis"))))
    made = run_in_batches(network, [(edge_input(part),) for part in parts], step, multiple=MULTIPLE) if parts else []
    result = [np.zeros(crop.context.shape, np.float32) for crop in crops]
    for (number, place), part, likely in zip(places, parts, made, strict=True):
        np.maximum(result[number][place], np.where(part.synthesis, likely[0], 0), out=result[number][place])
    return result


def windows(crop: Crop) -> list[tuple[slice, slice]]:
    """Squares of `WINDOW` pixels, smaller at the crop's sides, such that every end of an edge is near the middle of one."""
    import cv2

    beside = cv2.dilate(crop.synthesis.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    places: list[tuple[slice, slice]] = []
    left = np.argwhere(beside & crop.edge & crop.context)
    while len(left):
        middle = left[0]
        rows, columns = (slice(max(0, int(at) - WINDOW // 2), min(side, int(at) + WINDOW // 2))
                         for at, side in zip(middle, crop.context.shape, strict=True))  # fmt: skip
        places.append((rows, columns))
        left = left[np.abs(left - middle).max(axis=1) > INNER]
    return places
