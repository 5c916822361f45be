"""Depth from one photo by a published network: loads the file the user has, prepares the photo, runs it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import nn

from ...errors import DioramaError
from ..checkpoints import State, build_from_state, read_state, rename_keys
from ..device import choose_device
from . import depth_anything, dpt, midas_small
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
    """A published network: its module, how its file becomes that, how it wants the photo, what it says."""

    title: str
    module: Callable[[], nn.Module]
    official_names: Mapping[str, str]  # prefixes of the file's keys -> the module's
    unused: tuple[str, ...]  # prefixes of keys that the module does without
    photo_input: PhotoInput
    kind: Kind

    def network(self, state: State, source: Path | str) -> nn.Module:
        """The module with the weights of the published file `source`; raises DioramaError if they are of another."""
        return build_from_state(self.module, rename_keys(state, self.official_names, self.unused), self.title, source)


def _depth_anything(size: depth_anything.Size, title: str, max_depth: float | None = None) -> Architecture:
    module = partial(depth_anything.DepthAnything, size, max_depth)
    names, unused = depth_anything.OFFICIAL_NAMES, depth_anything.UNUSED
    kind = "disparity" if max_depth is None else "metric"
    return Architecture(f"Depth Anything V2 {title}", module, names, unused, depth_anything.PHOTO_INPUT, kind)


def _dpt(size: dpt.Size, title: str) -> Architecture:
    return Architecture(title, partial(dpt.DPT, size), dpt.OFFICIAL_NAMES, dpt.UNUSED, dpt.PHOTO_INPUT, "disparity")


def _midas_small() -> Architecture:
    names, unused = midas_small.OFFICIAL_NAMES, midas_small.UNUSED
    return Architecture("MiDaS v2.1 small", midas_small.MidasSmall, names, unused, midas_small.PHOTO_INPUT, "disparity")


ARCHITECTURES: dict[str, Architecture] = {
    "midas_v21_small": _midas_small(),
    "dpt_hybrid": _dpt(dpt.HYBRID, "DPT-Hybrid"),
    "dpt_large": _dpt(dpt.LARGE, "DPT-Large"),
    **{
        f"depth_anything_v2_{prefix}{name}": _depth_anything(size, name, max_depth)
        for prefix, max_depth in (("", None), ("metric_indoor_", INDOOR), ("metric_outdoor_", OUTDOOR))
        for name, size in depth_anything.SIZES.items()
    },
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
    network = architecture.network(state, path).to(target)
    return Estimator(key, network, architecture.photo_input, architecture.kind)
