"""Trains the network that continues depth edges behind a foreground; checkpoints every two minutes and goes on from the last one.

    python training/inpaint_structure/train.py --crops CACHE/crops --run RUN_FOLDER --steps 4000 --width 16

What a step draws depends on the seed, the step's number and the files that were there at the start alone.
"""

import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(os.environ.get("PHOTO_DIORAMA_ROOT", Path(__file__).resolve().parents[2]))
sys.path[:0] = [str(FOLDER / "tests"), str(Path(__file__).resolve().parents[1])]

import conftest  # noqa: E402, F401
import cv2  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from run_state import Run, is_held_back, learn  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from photo_diorama.core.networks.checkpoints import save_network  # noqa: E402
from photo_diorama.core.networks.inpaint.inpaint_edge import InpaintEdge  # noqa: E402

EDGE, CONTEXT, SYNTHESIS, TARGET, OTHER, KNOWN = 1, 2, 4, 8, 16, 32
"""As `collect_crops.py` stores them."""
MEETING = 5
WINDOW = 96
REACH = 45
"""True edges further than this from all ends, in pixels, are neither asked for nor forbidden: nobody could know them."""
SAME = 0.2
"""... and so are those whose nearer side is another surface than the seen edge's: further from it in the unit of the networks'
disparity, in which a photo's range is 3."""
WITHOUT, PLAIN = 0.15, 0.45
"""Part of the windows from crops in which no seen edge goes on, and from drawn planes (`planes.py`), where it is plain how it does."""


@dataclass(frozen=True)
class Sample:
    """A crop whose silhouette is touched by other edges."""

    disparity: np.ndarray  # (h, w) float16 of the context, over its maximum
    flags: np.ndarray  # (h, w) uint8
    ends: np.ndarray  # (n, 2) int16 pixels
    plain: bool = False  # whether it is of drawn planes


def read(files: list[Path]) -> list[Sample]:
    """All crops that are touched by an edge; true edges out of reach no longer count as such."""
    samples = []
    for path in files:
        with np.load(path) as stored:
            for k in range(len(stored.files) // 4):
                ends = stored[f"ends_{k}"]
                if len(ends) == 0:
                    continue
                depth, flags = stored[f"depth_{k}"], stored[f"flags_{k}"]
                inverse = np.where(depth > 0, 1 / np.maximum(depth, 1e-6), 0)
                pixels = ends[:, :2].astype(np.int16)
                true = stored[f"true_{k}"]
                flags = that_could_be_known(flags, pixels, np.where(true > 0, 1 / np.maximum(true, 1e-6), inverse))
                samples.append(Sample((inverse / inverse.max()).astype(np.float16), flags, pixels, path.stem.startswith("planes")))
    return samples


def that_could_be_known(flags: np.ndarray, ends: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """The flags with those targets among the other edges that are too far from an end, or no longer on its surface.

    `inverse` (h, w) disparity of what is seen and of what is hidden, in the networks' unit.
    """
    going, kept = ((flags & TARGET) > 0).astype(np.uint8), np.zeros(flags.shape, bool)
    for row, column in ends.tolist():
        away = np.ones(flags.shape, np.uint8)
        away[row, column] = 0
        away = cv2.distanceTransform(away, cv2.DIST_L2, 5)
        on = going & (away <= REACH) & (np.abs(inverse - inverse[row, column]) <= SAME)
        _, parts = cv2.connectedComponents(on.astype(np.uint8), connectivity=8)
        met = np.unique(parts[(on > 0) & (away <= MEETING)])
        kept |= (on > 0) & np.isin(parts, met)
    moved = (going > 0) & ~kept
    return np.where(moved, flags & ~np.uint8(TARGET) | np.uint8(OTHER), flags).astype(np.uint8)


def window(sample: Sample, rng: np.random.Generator, side: int = WINDOW) -> tuple[np.ndarray, np.ndarray]:
    """(disparity, flags) of (side, side): around one of the ends, somewhere, turned and mirrored at random."""
    disparity, flags = (np.pad(array, side) for array in (sample.disparity, sample.flags))
    end = sample.ends[rng.integers(len(sample.ends))] + side
    inside = side // 6
    corner = end - rng.integers(inside, side - inside, 2)
    cut = np.s_[corner[0] : corner[0] + side, corner[1] : corner[1] + side]
    disparity, flags = disparity[cut], flags[cut]
    if rng.random() < 0.5:
        disparity, flags = disparity[:, ::-1], flags[:, ::-1]
    turn = int(rng.choice([0, 1, 2, 3], p=(0.55, 0.15, 0.15, 0.15)))
    return estimated(np.rot90(disparity, turn), rng), np.rot90(flags, turn).copy()


def estimated(disparity: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(h, w) float32: shifted by an unknown amount, as relative inverse depth is, and slowly bent, as networks bend it."""
    known = disparity > 0
    if not known.any():
        return disparity.astype(np.float32)
    shifted = disparity.astype(np.float32) - rng.uniform(0, 0.9) * float(disparity[known].min())
    bend = cv2.resize(rng.normal(size=(4, 4)).astype(np.float32), disparity.shape[::-1], interpolation=cv2.INTER_CUBIC)
    bent = np.where(known, shifted * np.exp(rng.uniform(0, 0.1) * bend), 0)
    return (bent / bent.max()).astype(np.float32)


def channels(disparity: Tensor, flags: Tensor) -> Tensor:
    """(N, 7, h, w) as `edge_input` makes it, colour left out: made scenes could not tell what that of photos means."""
    bits = [((flags & bit) > 0).float() for bit in (EDGE, CONTEXT, SYNTHESIS)]
    nothing = torch.zeros_like(disparity)
    return torch.stack([nothing, nothing, nothing, disparity, *bits], dim=1)


def loss(logits: Tensor, flags: Tensor) -> dict[str, Tensor]:
    """Cross-entropy, edges counting four times, and overlap (Dice), where the truth is known; edges are drawn 3 pixels wide."""
    asked = ((flags & TARGET) > 0).float()[:, None]
    other = ((flags & OTHER) > 0).float()[:, None]
    known = ((flags & KNOWN) > 0).float()[:, None]
    wide = F.max_pool2d(asked, 3, 1, 1) * known
    counted = known * (1 - F.max_pool2d(other, 3, 1, 1) * (1 - wide))
    each = F.binary_cross_entropy_with_logits(logits, wide, pos_weight=torch.tensor(4.0), reduction="none")
    entropy = (each * counted).sum() / counted.sum().clamp(min=1)
    likely = torch.sigmoid(logits) * counted
    both, sums = (likely * wide).sum((1, 2, 3)), (likely + wide * counted).sum((1, 2, 3))
    has = (wide.sum((1, 2, 3)) > 0).float()
    dice = (has * (1 - 2 * both / sums.clamp(min=1))).sum() / has.sum().clamp(min=1)
    return {"entropy": entropy, "dice": 0.3 * dice}


class Logits(InpaintEdge):
    """The network before its last sigmoid, for a loss that stays exact near 0 and 1."""

    def forward(self, x: Tensor) -> Tensor:
        x0 = self.encoder_0(x)
        x1 = self.encoder_1(x0)
        x2 = self.encoder_2(x1)
        x = self.decoder_0(torch.cat([self.middle(x2), x2], dim=1))
        return self._last(self.decoder_1(torch.cat([x, x1], dim=1)), x0)


def untrained(width: int, seed: int) -> Logits:
    """The last layer starts near zero and answers that edges are rare; colour has no weight, and as it is never given, gets none."""
    torch.manual_seed(seed)
    network = Logits(width)
    nn.init.zeros_(network.encoder_0[1].weight_orig.data[:, :3])
    last = network.decoder_2[1]
    nn.init.normal_(last.weight, std=0.01)
    nn.init.constant_(last.bias, -2.0)
    return network.to(memory_format=torch.channels_last)


def batch(samples: list[Sample], order: tuple[np.ndarray, ...], rng: np.random.Generator, size: int) -> tuple[Tensor, Tensor]:
    """(disparity (N, h, w) float32, flags (N, h, w) uint8); `order` as by `orders`."""
    drawn, there = [], np.array([len(kind) > 0 for kind in order])
    share = np.array([1 - WITHOUT - PLAIN, PLAIN, WITHOUT]) * there
    for _ in range(size):
        kind = order[rng.choice(3, p=share / share.sum())]
        drawn.append(window(samples[int(kind[rng.integers(len(kind))])], rng))
    disparity, flags = zip(*drawn, strict=True)
    return torch.from_numpy(np.stack(disparity)).float(), torch.from_numpy(np.stack(flags))


def objective(network: nn.Module, drawn: tuple[Tensor, Tensor], mixed: bool = True) -> dict[str, Tensor]:
    x = channels(*drawn).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        logits = network(x)
    return loss(logits.float(), drawn[1])


def orders(samples: list[Sample]) -> tuple[np.ndarray, ...]:
    """Numbers of the samples of things with a target, of planes with one, and of those without."""
    has = np.array([bool((sample.flags & TARGET).any()) for sample in samples], bool)
    plain = np.array([sample.plain for sample in samples], bool)
    return np.flatnonzero(has & ~plain), np.flatnonzero(has & plain), np.flatnonzero(~has)


def validate(network: nn.Module, samples: list[Sample], count: int = 192) -> dict[str, float]:
    """Loss on the same windows every time, and of pixels at the threshold 0.3, 0.5 and 0.7: share that lies within 2 px of a
    true edge, and share of asked edges within 2 px of one."""
    rng, order = np.random.default_rng(7), orders(samples)
    sums: dict[str, float] = {}
    hits = np.zeros((3, 4))
    network.eval()
    for _ in range(0, count, 16):
        drawn = batch(samples, order, rng, 16)
        with torch.no_grad():
            logits = network(channels(*drawn).contiguous(memory_format=torch.channels_last))
        for name, value in loss(logits, drawn[1]).items():
            sums[name] = sums.get(name, 0.0) + float(value) / (count // 16)
        asked, other, known = (((drawn[1] & bit) > 0).float()[:, None] for bit in (TARGET, OTHER, KNOWN))
        true = F.max_pool2d(asked + other, 5, 1, 2)
        for row, threshold in zip(hits, (0.3, 0.5, 0.7), strict=True):
            said = (torch.sigmoid(logits) > threshold).float() * known
            row += [float((said * true).sum()), float(said.sum()), float((F.max_pool2d(said, 5, 1, 2) * asked).sum()), float(asked.sum())]
    network.train()
    report = {name: round(value, 4) for name, value in sums.items()}
    for row, threshold in zip(hits, (0.3, 0.5, 0.7), strict=True):
        report[f"{threshold}"] = [round(row[0] / max(row[1], 1), 3), round(row[2] / max(row[3], 1), 3)]
    return report


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--crops", type=Path, required=True, help="made by collect_crops.py")
    parser.add_argument("--run", type=Path, required=True, help="folder of this run's checkpoints")
    parser.add_argument("--steps", type=int, default=4000, help="of the whole run, all restarts together")
    parser.add_argument("--stop-at", type=int, help="end at this step, to go on later")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--top-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--every", type=int, default=200, help="steps between two validations")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    options.run.mkdir(parents=True, exist_ok=True)
    network, average = untrained(options.width, options.seed).train(), untrained(options.width, options.seed).eval()
    optimiser = torch.optim.AdamW(network.parameters(), lr=options.top_rate, weight_decay=1e-3, betas=(0.9, 0.99))
    run = Run(options.run, network, average, optimiser, lambda: save_network(average, options.run / f"{average.name}.safetensors"))
    files = sorted(file for file in options.crops.glob("*.npz") if not file.name.startswith("."))
    samples, held = read([f for f in files if not is_held_back(f)]), read([f for f in files if is_held_back(f)])
    order = orders(samples)
    print(
        json.dumps({"samples": len(samples), "with target": len(order[0]) + len(order[1]), "held": len(held), "from step": run.step}),
        flush=True,
    )

    def losses_at(step: int) -> dict[str, Tensor]:
        return objective(network, batch(samples, order, np.random.default_rng([options.seed, step]), options.batch))

    learn(run, options, losses_at, lambda: {"held back": validate(average, held)} if held else {}, options.every)


if __name__ == "__main__":
    main()
