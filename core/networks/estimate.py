"""Depth from one photo by a published network: loads the file the user has, prepares the photo, runs it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import nn

from ..errors import DioramaError
from . import depth_anything, dpt, midas_small
from .checkpoints import State, read_state
from .device import choose_device
from .photo_input import PhotoInput

Kind = Literal["disparity", "metric"]

INDOOR, OUTDOOR = 20.0, 80.0
"""Metres at which the metric networks end: trained on Hypersim and on Virtual KITTI 2."""


class Prediction(NamedTuple):
    """What a network says of a photo.

    "disparity" is relative inverse depth: larger is nearer, scale and shift are unknown, never negative.
    "metric" is depth along the optical axis in metres. The two are not interchangeable by any formula.
    """

    values: np.ndarray  # (h, w) float32 over the whole photo, at the network's resolution
    kind: Kind


@dataclass(frozen=True)
class Architecture:
    """A published network: how its file becomes a module, how it wants the photo, what it returns."""

    build: Callable[[State, Path | str], nn.Module]
    photo_input: PhotoInput
    kind: Kind


def _depth_anything(size: depth_anything.Size, max_depth: float | None = None) -> Architecture:
    build = partial(depth_anything.depth_anything_from_official, size, max_depth)
    return Architecture(build, depth_anything.PHOTO_INPUT, "disparity" if max_depth is None else "metric")


def _dpt(size: dpt.Size) -> Architecture:
    return Architecture(partial(dpt.dpt_from_official, size), dpt.PHOTO_INPUT, "disparity")


ARCHITECTURES: dict[str, Architecture] = {
    "midas_v21_small": Architecture(midas_small.midas_small_from_official, midas_small.PHOTO_INPUT, "disparity"),
    "dpt_hybrid": _dpt(dpt.HYBRID),
    "dpt_large": _dpt(dpt.LARGE),
    "depth_anything_v2_small": _depth_anything(depth_anything.SMALL),
    "depth_anything_v2_base": _depth_anything(depth_anything.BASE),
    "depth_anything_v2_large": _depth_anything(depth_anything.LARGE),
    "depth_anything_v2_metric_indoor_small": _depth_anything(depth_anything.SMALL, INDOOR),
    "depth_anything_v2_metric_indoor_base": _depth_anything(depth_anything.BASE, INDOOR),
    "depth_anything_v2_metric_indoor_large": _depth_anything(depth_anything.LARGE, INDOOR),
    "depth_anything_v2_metric_outdoor_small": _depth_anything(depth_anything.SMALL, OUTDOOR),
    "depth_anything_v2_metric_outdoor_base": _depth_anything(depth_anything.BASE, OUTDOOR),
    "depth_anything_v2_metric_outdoor_large": _depth_anything(depth_anything.LARGE, OUTDOOR),
}


@dataclass(frozen=True)
class Estimator:
    """A loaded network, ready for photos of any size and aspect."""

    key: str
    network: nn.Module
    photo_input: PhotoInput
    kind: Kind

    def predict(self, photo: np.ndarray) -> Prediction:
        """Depth of `photo`, (H, W, 3) uint8 RGB, at the network's resolution (see `photo_input.size`).

        The result covers the whole photo with pixel centres at +0.5; its aspect differs from the photo's by the
        rounding to multiples. Memory depends on the network's resolution, not on the photo's.
        Raises DioramaError if the photo is not of that shape and type, or the network's answer is not finite.
        """
        if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8 or 0 in photo.shape:
            raise DioramaError(
                f"A photo must be an RGB image of 8 bits per channel to be estimated, not {photo.dtype} {photo.shape}."
            )
        device = next(self.network.parameters()).device
        x = torch.from_numpy(self.photo_input.prepare(photo))[None].to(device)
        return Prediction(self._finite(x, half=device.type == "cuda" and self.network.half_safe), self.kind)

    def _finite(self, x: torch.Tensor, half: bool) -> np.ndarray:
        """The network's answer; in half floats if asked, unless these do not hold it."""
        with torch.inference_mode():
            values = self.network(x, half=True) if half else self.network(x)
        values = values[0].float().cpu().numpy()
        if np.isfinite(values).all():
            return values
        if half:
            return self._finite(x, half=False)
        raise DioramaError(f"The network {self.key} gave values that are not finite; verify its weights file.")


def load_estimator(key: str, path: Path | str, device: str = "cpu") -> Estimator:
    """The published network `key` (of `ARCHITECTURES`) with the weights in `path`, on "cpu", "cuda", "mps" or "auto".

    Raises DioramaError if the key or device is unknown, or the file is missing, damaged or of another network.
    """
    if key not in ARCHITECTURES:
        raise DioramaError(f'There is no depth network "{key}"; choose one of: {", ".join(ARCHITECTURES)}.')
    architecture = ARCHITECTURES[key]
    target = choose_device(device)
    state, _ = read_state(path)
    network = architecture.build(state, path).to(target)
    return Estimator(key, network, architecture.photo_input, architecture.kind)
