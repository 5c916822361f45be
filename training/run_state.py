"""What training runs share: which scenes they hold back, the loop of steps, what they keep to go on from."""

from __future__ import annotations

import argparse
import json
import os
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass
class Run:
    """A network that learns, and the folder of its checkpoints; a new one goes on from the last checkpoint there."""

    folder: Path
    network: nn.Module
    average: nn.Module  # moving average of the network's weights, which ships
    optimiser: torch.optim.Optimizer
    write_weights: Callable[[], None]  # writes the averaged weights as they would ship
    step: int = 0
    seconds: float = 0.0  # of the processor, before this process

    def __post_init__(self) -> None:
        if (self.folder / "checkpoint.pt").exists():
            state = torch.load(self.folder / "checkpoint.pt", weights_only=True)
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.average.load_state_dict(state["average"])
            self.step, self.seconds = state["step"], state["seconds"]

    def descend(self, terms: dict[str, torch.Tensor], learning_rate: float) -> None:
        """One step down the sum of the losses `terms`; the average follows. What is normalised in buffers is taken as it is."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        self.optimiser.zero_grad(set_to_none=True)
        sum(terms.values()).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(value, 1 - min(0.995, (self.step + 1) / (self.step + 11)))
            for mean, value in zip(self.average.buffers(), self.network.buffers(), strict=True):
                mean.copy_(value)
        self.step += 1

    def save(self) -> None:
        """The checkpoint to go on from, and the weights."""
        torch.save({"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict(), "average": self.average.state_dict(),
                    "step": self.step, "seconds": self.seconds + time.process_time()}, self.folder / "checkpoint.part")  # fmt: skip
        os.replace(self.folder / "checkpoint.part", self.folder / "checkpoint.pt")
        self.write_weights()


def learn(
    run: Run,
    options: argparse.Namespace,
    losses_at: Callable[[int], dict[str, torch.Tensor]],
    validate: Callable[[], dict],
    every: int,
) -> None:
    """Trains up to `options.steps`, or `options.stop_at`. `losses_at(step)` are the losses of a step; every so many, their means are
    printed with what `validate` returns."""
    saved, sums, end = time.time(), {}, min(options.steps, options.stop_at or options.steps)
    while run.step < end:
        terms = losses_at(run.step)
        run.descend(terms, options.top_rate * rate(run.step / options.steps))
        for key, value in terms.items():
            sums[key] = sums.get(key, 0.0) + float(value.detach())
        if run.step % every == 0:
            report = {"step": run.step, "core_seconds": round(run.seconds + time.process_time())}
            report |= {key: round(value / every, 4) for key, value in sums.items()}
            print(json.dumps(report | validate()), flush=True)
            sums = {}
        if time.time() - saved > 120:
            run.save()
            saved = time.time()
    run.save()


def rate(progress: float) -> float:
    """Share of the top learning rate at 0..1 of the run: a short rise, then a cosine down to nothing."""
    return min(1.0, progress / 0.02 + 0.02) * 0.5 * (1 + float(np.cos(np.pi * min(progress, 1.0))))
