"""Trains the network that draws hidden depth, given the edges; checkpoints every two minutes and goes on from the last one.

    python training/inpaint_structure/train_depth.py --crops CACHE/crops --run RUN_FOLDER --steps 3000 --width 16

The shape of Shih et al. 2020: a partial-convolution U-Net that sees mean-shifted logarithmic depth, edges (in training the true
ones), context and synthesis region. What a step draws depends on the seed, the step's number and the files alone.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent)]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from train import CONTEXT, EDGE, KNOWN, OTHER, SYNTHESIS, TARGET, follow, is_held_back, rate, resume, save  # noqa: E402  imports the package

from photo_diorama.core.networks.crops import Crop  # noqa: E402
from photo_diorama.core.networks.inpaint_depth import InpaintDepth, depth_input  # noqa: E402

WINDOW = 128
CLOSING = 16
"""As `fill_published.closing_at` has it for the 384 pixels of the cast views."""
INSIDE = 6.0
"""Weight of the synthesis region beside that of the context."""


@dataclass(frozen=True)
class Sample:
    """A crop with its truth."""

    channels: np.ndarray  # (4, h, w) float16, as `depth_input` gives them
    truth: np.ndarray  # (h, w) float16: true log depth less the context's mean, where `known`
    known: np.ndarray  # (h, w) bool
    pixels: np.ndarray  # (n, 2) int16 of known synthesis pixels


def read(files: list[Path]) -> list[Sample]:
    """All crops of these files."""
    samples = []
    for path in files:
        with np.load(path) as stored:
            for k in range(len(stored.files) // 4):
                samples.append(sample_of(stored[f"depth_{k}"], stored[f"true_{k}"], stored[f"flags_{k}"]))
    return samples


def sample_of(depth: np.ndarray, true: np.ndarray, flags: np.ndarray) -> Sample:
    """What a stored crop says; true edges are told as if they had been continued."""
    context, synthesis = (flags & CONTEXT) > 0, (flags & SYNTHESIS) > 0
    edge = (flags & (EDGE | TARGET | OTHER)) > 0
    crop = Crop(np.zeros((*flags.shape, 3), np.float32), np.where(context, depth, 1).astype(np.float32), edge, context, synthesis)
    channels, _, mean = depth_input(crop, CLOSING)
    known = ((flags & KNOWN) > 0) & (true > 0)
    truth = np.where(known, np.log(np.maximum(true, 1e-6)) - mean, 0)
    return Sample(channels.astype(np.float16), truth.astype(np.float16), known, np.argwhere(known)[::7].astype(np.int16))


def window(sample: Sample, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(channels, truth, known) of (WINDOW, WINDOW), around a pixel that is asked for, turned and mirrored at random."""
    side, inside = WINDOW, WINDOW // 6
    middle = sample.pixels[rng.integers(len(sample.pixels))] + side
    corner = middle - rng.integers(inside, side - inside, 2)
    cut = np.s_[..., corner[0] : corner[0] + side, corner[1] : corner[1] + side]
    arrays = [np.pad(a, [(0, 0)] * (a.ndim - 2) + [(side, side)] * 2)[cut] for a in (sample.channels, sample.truth, sample.known)]
    if rng.random() < 0.5:
        arrays = [a[..., ::-1] for a in arrays]
    turn = int(rng.choice([0, 1, 2, 3], p=(0.7, 0.1, 0.1, 0.1)))
    return tuple(np.rot90(a, turn, axes=(-2, -1)).copy() for a in arrays)


def batch(samples: list[Sample], rng: np.random.Generator, size: int) -> tuple[Tensor, Tensor, Tensor]:
    drawn = zip(*(window(samples[int(rng.integers(len(samples)))], rng) for _ in range(size)), strict=True)
    channels, truth, known = (torch.from_numpy(np.stack(arrays)) for arrays in drawn)
    return channels.float(), truth.float()[:, None], known.float()[:, None]


def objective(network: nn.Module, drawn: tuple[Tensor, Tensor, Tensor]) -> dict[str, Tensor]:
    """L1 of log depth in the synthesis region and on the context, each over its own pixels."""
    channels, truth, known = drawn
    context, hole = channels[:, 2:3], channels[:, 3:4]
    made = network(channels, (context + hole).clamp(max=1))
    inside = ((made - truth).abs() * known).sum() / known.sum().clamp(min=1)
    outside = ((made - channels[:, :1]).abs() * context).sum() / context.sum().clamp(min=1)
    return {"inside": INSIDE * inside, "outside": outside}


def untrained(width: int, seed: int) -> InpaintDepth:
    torch.manual_seed(seed)
    return InpaintDepth(width)


def validate(network: nn.Module, samples: list[Sample], count: int = 160) -> dict[str, float]:
    """Error of log depth on the same windows every time, and of saying the context's mean everywhere."""
    rng, errors = np.random.default_rng(7), []
    network.eval()
    for _ in range(0, count, 16):
        drawn = batch(samples, rng, 16)
        with torch.no_grad():
            inside = objective(network, drawn)["inside"] / INSIDE
        errors.append((float(inside), float((drawn[1].abs() * drawn[2]).sum() / drawn[2].sum())))
    return {"log": round(float(np.mean(errors, axis=0)[0]), 4), "mean log": round(float(np.mean(errors, axis=0)[1]), 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--crops", type=Path, required=True, help="made by collect_crops.py")
    parser.add_argument("--run", type=Path, required=True, help="folder of this run's checkpoints")
    parser.add_argument("--steps", type=int, default=3000, help="of the whole run, all restarts together")
    parser.add_argument("--stop-at", type=int, help="end at this step, to go on later")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--top-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=int, default=200)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.run.mkdir(parents=True, exist_ok=True)
    network, average = untrained(options.width, options.seed).train(), untrained(options.width, options.seed).eval()
    optimiser = torch.optim.AdamW(network.parameters(), lr=options.top_rate, weight_decay=1e-3)
    step, before = resume(options.run, network, optimiser, average)
    files = sorted(file for file in options.crops.glob("*.npz") if not file.name.startswith("."))
    samples, held = read([f for f in files if not is_held_back(f)]), read([f for f in files if is_held_back(f)])
    print(json.dumps({"samples": len(samples), "held": len(held), "from step": step}), flush=True)
    saved, sums, end = time.time(), {}, min(options.steps, options.stop_at or options.steps)
    while step < end:
        for group in optimiser.param_groups:
            group["lr"] = options.top_rate * rate(step / options.steps)
        terms = objective(network, batch(samples, np.random.default_rng([options.seed, step]), options.batch))
        optimiser.zero_grad(set_to_none=True)
        sum(terms.values()).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        step += 1
        follow(average, network, step)
        for key, value in terms.items():
            sums[key] = sums.get(key, 0.0) + float(value.detach())
        if step % options.every == 0:
            report = {"step": step, "core_seconds": round(before + time.process_time())}
            report |= {key: round(value / options.every, 4) for key, value in sums.items()}
            print(json.dumps(report | ({"held back": validate(average, held)} if held else {})), flush=True)
            sums = {}
        if time.time() - saved > 120:
            save(options.run, network, optimiser, average, step, before + time.process_time())
            saved = time.time()
    save(options.run, network, optimiser, average, step, before + time.process_time())


if __name__ == "__main__":
    main()
