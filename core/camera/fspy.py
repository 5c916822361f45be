"""Reads a camera that was found with fSpy from lines along edges: the project file NAME.fspy beside the photo.

Format: the magic "fspy", then as little-endian uint32 the version (1), the bytes of a JSON text and of a picture, then both
(https://github.com/stuffmatic/fSpy, project file format).
"""

from __future__ import annotations

import json
import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DioramaError
from .camera import Camera

MAGIC, VERSION = b"fspy", 1
MAX_BYTES = 1 << 20
"""Largest JSON text that is read, in bytes; a few kilobytes are usual."""
MAX_ASPECT_ERROR = 0.01


@dataclass(frozen=True)
class FoundCamera:
    """Camera and up direction of a photo."""

    camera: Camera
    up: np.ndarray  # (3,) float64, unit: the scene's upwards in the camera's axes, x right, y down, z forward


def find_fspy(photo: Path) -> Path | None:
    """The project file beside a photo; None without."""
    if not Path(photo).name:  # a folder such as "." or "/"
        return None
    file = Path(photo).with_suffix(".fspy")
    return file if os.path.isfile(file) else None  # Path.is_file raises where the longer name is too long for the disk


def read_fspy(path: Path, width: int, height: int) -> FoundCamera:
    """The camera of a project file for a photo of width x height pixels.

    Raises DioramaError where the file is no fSpy project, has no solved camera or is of a picture with another aspect.
    """
    found = _parameters(path)
    try:
        across, along = float(found["imageWidth"]), float(found["imageHeight"])
        fov = float(found["horizontalFieldOfView"])
        x, y = float(found["principalPoint"]["x"]), float(found["principalPoint"]["y"])
        rows = np.array(found["cameraTransform"]["rows"], np.float64)[:3, :3]
    except (KeyError, TypeError, ValueError, IndexError):
        raise DioramaError(f"{path} holds no solved camera; draw its lines in fSpy and save it again.") from None
    sound = np.isfinite([across, along, fov, x, y]).all() and rows.shape == (3, 3) and np.isfinite(rows).all()
    if not sound or min(across, along) <= 0 or not 0.01 < fov < 3.0 or np.abs(rows @ rows.T - np.eye(3)).max() > 0.01:
        raise DioramaError(f"{path} holds no camera that can be; draw its lines in fSpy and save it again.")
    if abs(across / along * height / width - 1) > MAX_ASPECT_ERROR:
        raise DioramaError(f"{path} is of a picture of another shape than the photo's {width} x {height} pixels; take the file away.")
    half = max(width, height) / 2  # fSpy's picture reaches from -1 to 1 along its long side, y upwards
    camera = Camera(width, height, width / 2 / math.tan(fov / 2), width / 2 + x * half, height / 2 - y * half)
    world_up = rows.T @ np.array([0.0, 0.0, 1.0])  # in the axes of Blender's and fSpy's cameras, which look along -z
    return FoundCamera(camera, world_up * np.array([1.0, -1.0, -1.0]))


def _parameters(path: Path) -> dict:
    try:
        with path.open("rb") as file:
            head = file.read(16)
            magic, version, length, _ = struct.unpack("<4sIII", head)
            text = file.read(min(length, MAX_BYTES))
    except (OSError, struct.error):
        raise DioramaError(f"{path} cannot be read as an fSpy project; save it again in fSpy or take it away.") from None
    if magic != MAGIC or version != VERSION:
        raise DioramaError(f"{path} is no fSpy project of version {VERSION}; save it again in fSpy or take it away.")
    try:
        found = json.loads(text)["cameraParameters"]
    except (ValueError, KeyError, TypeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise DioramaError(f"{path} holds no solved camera; draw its lines in fSpy and save it again.")
    return found
