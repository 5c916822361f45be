"""Depth of one photo by a published network: loads the user's file, prepares the photo, runs the network."""

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
from . import depth_anything, depth_anything_3, dpt, midas_small, moge
from .photo_input import PhotoInput
from .point_map import recover_focal_and_shift

Kind = Literal["disparity", "metric"]

INDOOR, OUTDOOR = 20.0, 80.0
"""Metres at which the metric networks end: trained on Hypersim and on Virtual KITTI 2."""


FAR = 1e6
"""Metres at which a sky stands: beyond all that a scene is bounded to."""


class Prediction(NamedTuple):
    """Output of a network for one photo.

    "disparity" is relative inverse depth: larger is nearer, scale and shift are unknown, never negative.
    "metric" is depth along the optical axis in metres. No formula converts one into the other.
    """

    values: np.ndarray  # (h, w) float32 over the whole photo, at the network's resolution
    kind: Kind
    zero_is_far: bool = False  # of disparity: 0 is infinitely far, so that only the scale is unknown
    focal_px: float | None = None  # that the network saw in the picture, in pixels of `values`
    normals: np.ndarray | None = None  # (h, w, 3) float32: unit, towards the camera, its axes; 0 where unknown; None: it tells none


Read = Callable[[np.ndarray, float | None], Prediction]
"""Takes a network's answer, (C, h, w) or (h, w), and the focal length in its pixels if that is known."""


def _as_disparity(values: np.ndarray, focal_px: float | None) -> Prediction:
    return Prediction(values, "disparity")


def _as_metres(values: np.ndarray, focal_px: float | None) -> Prediction:
    return Prediction(values, "metric")


def _depth_and_sky(values: np.ndarray, focal_px: float | None) -> Prediction:
    """Relative depth and sky of Depth Anything 3; its shift is assumed to be 0."""
    depth, sky = values[0], depth_anything_3.is_sky(values[1])
    return Prediction(np.where(sky, 0, 1 / depth).astype(np.float32), "disparity", zero_is_far=True)


def _depth_of_focal_length_and_sky(values: np.ndarray, focal_px: float | None) -> Prediction:
    """Metric depth and sky of Depth Anything 3; an unknown focal length is assumed to equal the long side, a usual value."""
    depth, sky = values[0], depth_anything_3.is_sky(values[1])
    metres = depth * (focal_px or max(depth.shape)) / depth_anything_3.FOCAL_OF_OUTPUT
    return Prediction(np.where(sky, FAR, metres).astype(np.float32), "metric")


def _points(values: np.ndarray, focal_px: float | None) -> Prediction:
    """Points, normals, mask and scale of MoGe; pixels without depth are sky."""
    points, known, scale = np.moveaxis(values[:3], 0, 2), values[6] > 0.5, values[7]
    half = np.hypot(*known.shape) / 2
    found = recover_focal_and_shift(points, known, focal_px / half if focal_px else None)
    focal, shift = found or (None, 0.0)
    depth = (points[..., 2] + shift) * scale
    known &= depth > 0
    normals = np.where(known[..., None], np.moveaxis(values[3:6], 0, 2), 0).astype(np.float32)
    return Prediction(np.where(known, depth, FAR).astype(np.float32), "metric", focal_px=focal and focal * half, normals=normals)


@dataclass(frozen=True)
class Architecture:
    """A published network: how to build it from its file, its input, and how to read its output."""

    title: str
    module: Callable[[], nn.Module]
    official_names: Mapping[str, str]  # prefixes of the file's keys -> the module's
    unused: tuple[str, ...]  # prefixes of keys that the module does without
    photo_input: PhotoInput
    read: Read

    def network(self, state: State, source: Path | str) -> nn.Module:
        """The module with the weights of the published file `source`; raises DioramaError if they are of another."""
        return build_from_state(self.module, rename_keys(state, self.official_names, self.unused), self.title, source)


def _depth_anything(size: depth_anything.Size, title: str, max_depth: float | None = None) -> Architecture:
    module = partial(depth_anything.DepthAnything, size, max_depth)
    names, unused = depth_anything.OFFICIAL_NAMES, depth_anything.UNUSED
    read = _as_disparity if max_depth is None else _as_metres
    return Architecture(f"Depth Anything V2 {title}", module, names, unused, depth_anything.PHOTO_INPUT, read)


def _dpt(size: dpt.Size, title: str) -> Architecture:
    return Architecture(title, partial(dpt.DPT, size), dpt.OFFICIAL_NAMES, dpt.UNUSED, dpt.PHOTO_INPUT, _as_disparity)


def _midas_small() -> Architecture:
    names, unused = midas_small.OFFICIAL_NAMES, midas_small.UNUSED
    return Architecture("MiDaS v2.1 small", midas_small.MidasSmall, names, unused, midas_small.PHOTO_INPUT, _as_disparity)


def _moge(size: moge.Size, title: str) -> Architecture:
    return Architecture(f"MoGe-2 {title}", partial(moge.MoGe, size), moge.OFFICIAL_NAMES, moge.UNUSED, moge.PHOTO_INPUT, _points)


def _depth_anything_3(title: str, read: Read) -> Architecture:
    module, names = depth_anything_3.DepthAnything3, depth_anything_3.OFFICIAL_NAMES
    return Architecture(f"Depth Anything 3 {title}", module, names, (), depth_anything_3.PHOTO_INPUT, read)


ARCHITECTURES: dict[str, Architecture] = {
    "midas_v21_small": _midas_small(),
    "dpt_hybrid": _dpt(dpt.HYBRID, "DPT-Hybrid"),
    "dpt_large": _dpt(dpt.LARGE, "DPT-Large"),
    **{
        f"depth_anything_v2_{prefix}{name}": _depth_anything(size, name, max_depth)
        for prefix, max_depth in (("", None), ("metric_indoor_", INDOOR), ("metric_outdoor_", OUTDOOR))
        for name, size in depth_anything.SIZES.items()
    },
    "depth_anything_3_mono": _depth_anything_3("mono", _depth_and_sky),
    "depth_anything_3_metric": _depth_anything_3("metric", _depth_of_focal_length_and_sky),
    "moge2_small": _moge(moge.SMALL, "small"),
    "moge2_large": _moge(moge.LARGE, "large"),
}


@dataclass(frozen=True)
class Estimator:
    """A loaded network, ready for photos of any size and aspect."""

    key: str
    network: nn.Module
    photo_input: PhotoInput
    read: Read = _as_disparity

    def predict(self, photo: np.ndarray, focal_px: float | None = None) -> Prediction:
        """Depth of `photo`, (H, W, 3) uint8 RGB, at the network's resolution (see `photo_input.size`).

        `focal_px` is the photo's focal length in its own pixels where it is known. The result covers the whole photo
        with pixel centres at +0.5; its aspect differs from the photo's by the
        rounding to multiples. Memory depends on the network's resolution, not on the photo's.
        Raises DioramaError if the photo is not of that shape and type, or the network's output is not finite.
        """
        if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8 or 0 in photo.shape:
            raise DioramaError(f"A photo must be an RGB image of 8 bits per channel to be estimated, not {photo.dtype} {photo.shape}.")
        device = next(self.network.parameters()).device
        x = torch.from_numpy(self.photo_input.prepare(photo))[None].to(device)
        values = self._finite(x, half=device.type == "cuda" and self.network.half_safe)
        return self.read(values, focal_px and focal_px * max(values.shape[-2:]) / max(photo.shape[:2]))

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
    return Estimator(key, network, architecture.photo_input, architecture.read)
