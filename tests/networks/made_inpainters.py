"""Inpainting networks of random weights, brought into a models folder as a user's files are, and ways to watch them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from published_unet import PublishedUNet
from torch import nn

from photo_diorama.core.models import catalogue
from photo_diorama.core.models.store import import_file, weights_named
from photo_diorama.core.networks.checkpoints import save_network
from photo_diorama.core.networks.inpaint.inpaint_colour import InpaintColour
from photo_diorama.core.networks.inpaint.inpaint_depth import InpaintDepth
from photo_diorama.core.networks.inpaint.inpaint_edge import InpaintEdge
from photo_diorama.core.pipeline import build_diorama

KINDS = {"shih2020_edge": InpaintEdge, "shih2020_depth": InpaintDepth, "shih2020_color": InpaintColour}


def bring(monkeypatch, folder: Path, files: dict[str, Path]) -> None:
    """Imports each file under its key, with a catalogue that knows these bytes as the published ones."""
    entries = []
    for weights in catalogue.CATALOGUE:
        if weights.key in files:
            content = files[weights.key].read_bytes()
            name = Path(weights.file).stem + files[weights.key].suffix
            sha256 = hashlib.sha256(content).hexdigest()
            weights = replace(weights, file=name, bytes=len(content), bytes_exact=True, sha256=sha256)
        entries.append(weights)
    monkeypatch.setattr(catalogue, "CATALOGUE", tuple(entries))
    for key, path in files.items():
        import_file(weights_named(key), path, folder)


def narrow_files(folder: Path, width: int = 4) -> dict[str, Path]:
    """The three networks of the method, narrow, as safetensors."""
    torch.manual_seed(7)
    files = {}
    for key, kind in KINDS.items():
        files[key] = folder / f"{key}.safetensors"
        save_network(kind(width).eval(), files[key], half=False)
    return files


def official_files(folder: Path) -> dict[str, Path]:
    """The three networks as their authors published them: names, shapes, mask branch; the weights random."""
    torch.manual_seed(8)
    networks = (InpaintEdge(), PublishedUNet(64, colour=False), PublishedUNet(64, colour=True))
    files = {}
    for key, network in zip(KINDS, networks, strict=True):
        files[key] = folder / f"mine {key}.pth"
        torch.save(network.state_dict(), files[key])
    return files


class Watched(nn.Module):
    """A network that keeps what it is given; `answer` makes its output of that."""

    def __init__(self, answer):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))  # tells the device
        self.answer, self.given = answer, []

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        self.given.append(tuple(np.array(each) for each in inputs))
        return torch.from_numpy(np.ascontiguousarray(self.answer(*self.given[-1]), np.float32))


def no_edges(x: np.ndarray) -> np.ndarray:
    return np.zeros_like(x[:, :1])


def same_depth(x: np.ndarray, validity: np.ndarray) -> np.ndarray:
    return np.zeros_like(x[:, :1])


def mean_colour(x: np.ndarray, validity: np.ndarray) -> np.ndarray:
    """The mean of the context's colour, everywhere."""
    context = x[:, 4:5]
    mean = (x[:, :3] * context).sum((2, 3), keepdims=True) / np.maximum(context.sum((2, 3), keepdims=True), 1)
    return np.broadcast_to(mean, (len(x), 3, *x.shape[2:]))


def content(diorama) -> list[bytes]:
    """All that a scene would be made of."""
    parts = [diorama.mesh.atlas]
    for mesh in diorama.mesh.meshes:
        parts += [mesh.vertices, mesh.triangles, mesh.uvs]
    return [part.tobytes() for part in parts]


def same_each_time(files, settings, models):
    """The diorama of photo and depth, built twice with the same bytes, which are not those of the deterministic fill."""
    first, again = (build_diorama(*files, settings, models=models) for _ in range(2))
    assert content(first) == content(again)
    assert content(first) != content(build_diorama(*files, settings.with_values({"inpainter": "diffusion"})))
    return first
