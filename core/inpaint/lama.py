"""Colour of hidden surfaces by LaMa (Suvorov et al. 2022), a published network for large holes and repeating patterns.

The TorchScript file is a program, so it is loaded only if its sha256 is the catalogue's. The network sees each region's trusted
context and nothing else: all other pixels are masked.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import DioramaError, without_torch
from ..layers.layered_depth_image import LayeredDepthImage
from ..layers.regions import Region
from ..settings import InpaintSettings
from .deterministic import DETAIL, mirrored_detail
from .inpainter import Deterministic, Painter, Step, WholeRegions
from .needed_networks import NEEDED, Downloaded, checked_content

MULTIPLE, MIN_SIDE = 8, 64
"""Sides of what the network is given, padded with masked pixels; it mirrors at the border and so cannot do with few."""
WORKING_SIDE = 512
"""Regions of more than about this side squared are shrunk before the network, as for the published colour network."""
WHOLE = 0.999
"""A shrunk pixel is trusted if no less of it is."""


@dataclass(frozen=True)
class LamaNetwork:
    """The network on its device."""

    module: Any  # torch.jit.ScriptModule
    device: str

    def paint(self, colour: np.ndarray, known: np.ndarray) -> np.ndarray:
        """(h, w, 3) float32 RGB 0..1 from that of the known pixels, (h, w) bool; the others may hold anything.

        Raises DioramaError where the network answers with something else than a picture.
        """
        import torch

        height, width = known.shape
        pad = tuple((0, max(MIN_SIDE - side, -side % MULTIPLE)) for side in (height, width))
        seen = np.pad(np.where(known[..., None], colour, 0).astype(np.float32), (*pad, (0, 0)))
        mask = np.pad((~known).astype(np.float32), pad, constant_values=1)
        inputs = (seen.transpose(2, 0, 1), mask[None])
        with torch.inference_mode(), torch.jit.optimized_execution(False):  # which would compile anew for every size
            tensors = [torch.from_numpy(np.ascontiguousarray(array))[None].to(self.device) for array in inputs]
            answer = self.module(*tensors)
        if not isinstance(answer, torch.Tensor) or answer.shape != (1, 3, *mask.shape) or not bool(torch.isfinite(answer).all()):
            raise DioramaError('The network lama gave no picture; choose another inpainter, such as "diffusion".')
        painted = answer[0].float().cpu().numpy().transpose(1, 2, 0)
        return np.clip(painted[:height, :width], 0, 1)


@dataclass(frozen=True)
class Lama(Deterministic):
    """Depth as the settings say, colour by LaMa."""

    network: LamaNetwork | None = None
    needs: ClassVar[tuple[str, ...]] = NEEDED["lama"]

    @classmethod
    def load(cls, settings: InpaintSettings, downloaded: Downloaded) -> Lama:
        return cls(settings, network=load_lama(downloaded))

    def painter(self, canvas: np.ndarray, image: LayeredDepthImage, step: Step) -> Painter:
        assert self.network is not None
        return LamaPainter(canvas, self.network, step)


class LamaPainter(WholeRegions):
    """Paints regions on a canvas one after the other, each within its window."""

    def __init__(self, canvas: np.ndarray, network: LamaNetwork, step: Step):
        """`canvas` is the (h, w, 3) float32 to be written to."""
        super().__init__(canvas, step)
        self.network = network

    def finish(self) -> None:
        """Paints all that was taken."""
        for number, (region, source) in enumerate(self.waiting):
            self.canvas[region.window][region.synthesis] = paint_region(self.network, region, source)
            self.step((number + 1) / len(self.waiting))
        self.waiting = []


def paint_region(network: LamaNetwork, region: Region, source: np.ndarray) -> np.ndarray:
    """(n, 3) float32 colours of the region's synthesis pixels, in raster order.

    `source` (h, w) bool is the trusted context. A large region is painted at reduced size; the fine detail lost by that is replaced by
    the context's, mirrored at its border as in the deterministic fill.
    """
    import cv2

    height, width = source.shape
    size = working_size(height, width)
    if size == (height, width):
        return network.paint(region.colour, source)[region.synthesis]
    shape = size[::-1]
    share = cv2.resize(source.astype(np.float32), shape, interpolation=cv2.INTER_AREA)
    sums = cv2.resize(region.colour * source[..., None], shape, interpolation=cv2.INTER_AREA)
    most = float(share.max())
    known = share > (WHOLE if most > WHOLE else most / 2)  # a context thinner than a shrunk pixel fills none
    painted = network.paint(sums / np.maximum(share, 1e-6)[..., None], known)
    large = cv2.resize(painted, (width, height), interpolation=cv2.INTER_CUBIC)[region.synthesis]
    detail = mirrored_detail(region.colour, source, region.synthesis, max(height / size[0], 1.0))
    return np.clip(large + DETAIL * detail, 0, 1).astype(np.float32)


def working_size(height: int, width: int, side: int = WORKING_SIDE) -> tuple[int, int]:
    """The size at which a region is painted: its own, or shrunk to an area of about `side`^2."""
    scale = side / (height * width) ** 0.5
    if scale >= 1:
        return height, width
    return max(MULTIPLE, round(height * scale)), max(MULTIPLE, round(width * scale))


def load_lama(downloaded: Downloaded) -> LamaNetwork:
    """The network from the models folder; raises DioramaError where the file or torch is missing or the sha256 differs."""
    (path,) = downloaded.paths("lama")
    try:
        from ..networks.device import choose_device, torch
    except ImportError as error:
        raise without_torch("lama", error, "diffusion") from None
    device = str(choose_device(downloaded.device))
    if device == "mps":
        device = "cpu"  # its Fourier transforms are not to be had on Apple's GPU
    content = checked_content("lama", path)
    try:
        module = torch.jit.load(io.BytesIO(content), map_location=device).eval()
    except (RuntimeError, ValueError) as error:
        raise DioramaError(f"{path} cannot be loaded by this PyTorch ({type(error).__name__}); choose another inpainter.") from None
    return LamaNetwork(module, device)
