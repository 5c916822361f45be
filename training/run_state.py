"""What training runs share: which scenes they hold back, a step, what they keep to go on from."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import nn

HELD_BACK = 10
"""Every tenth scene is for choosing; the benchmarks' views come from other seeds and models altogether."""


def is_held_back(path: Path) -> bool:
    """Whether a file is of a scene that nothing is learned from. Views of one scene have neighbouring numbers: four of them stay
    together."""
    layout, seed, number, _ = path.stem.rsplit("_", 3)
    return zlib.crc32(f"{layout}_{seed}_{int(number) // 4}".encode()) % HELD_BACK == 0


def descend(network: nn.Module, average: nn.Module, optimiser, terms: dict[str, torch.Tensor], learning_rate: float, step: int) -> None:
    """The step after `step` others down the sum of the losses `terms`; the average follows. What is normalised in buffers is taken
    as it is."""
    for group in optimiser.param_groups:
        group["lr"] = learning_rate
    optimiser.zero_grad(set_to_none=True)
    sum(terms.values()).backward()
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    with torch.no_grad():
        for mean, value in zip(average.parameters(), network.parameters(), strict=True):
            mean.lerp_(value, 1 - min(0.995, (step + 1) / (step + 11)))
        for mean, value in zip(average.buffers(), network.buffers(), strict=True):
            mean.copy_(value)


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
