"""Continues depth edges behind a foreground by the edge network that comes with Photo Diorama, before hidden depth is chosen.

Shih et al. 2020, section 3.3: where another depth edge ends at a silhouette, a network draws how it goes on in the synthesis
region; the hidden surface is torn there, and each side continues its own surface. Ours was trained on made scenes without
colour (`training/inpaint_structure`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from .errors import DioramaError
from .fill_published import continued, regions_behind, see_edges
from .layers import LayeredDepthImage
from .link_hidden import absorb_islands
from .reflood import reflood
from .regions import Disocclusion

TUNED_FOR = 384
"""Long side in pixels that the network was trained for; larger grids are shrunk by whole numbers before it."""
LIKELY = 0.5
"""Likelihood above which a pixel is an edge, chosen on scenes held back from training; the published weights need another."""
OWNING = False
"""Continued edges only part what the silhouettes beside them continue: what is drawn at one's far end knows nothing of its start."""
RUNS = 1
"""Ours draws the whole edge at once and need not be shown what it continued."""


@lru_cache(maxsize=1)
def load_edge_network(path: Path):
    """The network on the CPU, where it gives the same bytes every time; read once. Raises DioramaError where it cannot be had."""
    try:
        from .networks.inpaint_edge import load_inpaint_edge
    except ImportError as error:
        raise DioramaError(
            f'The inpainter "learned" needs PyTorch, which cannot be loaded here ({error}); choose "exemplar".'
        ) from None
    return load_inpaint_edge(path)


def extend_edges(
    image: LayeredDepthImage, found: Disocclusion, context_width: float, network, step: Callable[[float], None] = lambda part: None
) -> Disocclusion:
    """`found` torn along depth edges that `network` continues, every hidden pixel continuing the silhouette of its own side.

    What the flood found stays where no other edge touches a silhouette, and where the photo was split into parts.
    """
    if found.part is not None:
        return found
    sure = absorb_islands(image, found)
    seen, silhouette = see_edges(image, sure)
    regions = regions_behind(image, sure, seen, context_width)
    scale = max(1, round(image.long_side / TUNED_FOR))
    paths = continued(network, image, seen, silhouette, regions, step, scale, LIKELY, RUNS, weighed=True)
    return reflood(image, found, seen.behind, paths, OWNING)[0] if paths else found
