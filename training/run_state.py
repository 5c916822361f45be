"""What a training run keeps to go on from, and the learning rate along it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import nn


def keep(run: Path, network: nn.Module, optimiser, average: nn.Module, step: int, seconds: float) -> None:
    """Writes the checkpoint to go on from."""
    torch.save({"network": network.state_dict(), "optimiser": optimiser.state_dict(), "average": average.state_dict(),
                "step": step, "seconds": seconds}, run / "checkpoint.part")  # fmt: skip
    os.replace(run / "checkpoint.part", run / "checkpoint.pt")


def resume(run: Path, network: nn.Module, optimiser, average: nn.Module) -> tuple[int, float]:
    """Step and core seconds of the last checkpoint, everything else in place; zeros without one."""
    if not (run / "checkpoint.pt").exists():
        return 0, 0.0
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    average.load_state_dict(state["average"])
    return state["step"], state["seconds"]


def rate(progress: float) -> float:
    """Share of the top learning rate at 0..1 of the run: a short rise, then a cosine down to nothing."""
    return min(1.0, progress / 0.02 + 0.02) * 0.5 * (1 + float(np.cos(np.pi * min(progress, 1.0))))
