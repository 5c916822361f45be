"""Trains the network that corrects the smooth fill; checkpoints every few minutes and goes on from the last one.

    python training/inpaint/train.py --photos DIR [DIR ...] --regions CACHE/regions.npz --run RUN_FOLDER --steps 3000
"""

import argparse
import json
import os
import queue
import sys
import threading
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent)]

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from pairs import Pair, Pairs  # noqa: E402  imports the package first

from losses import absolute, features, features_network  # isort: skip  # noqa: E402
from photo_diorama.core.fill_colour import DETAIL  # noqa: E402
from photo_diorama.core.networks.checkpoints import save_network  # noqa: E402
from photo_diorama.core.networks.partial_convolution import fold_batch_norm  # noqa: E402
from photo_diorama.core.networks.refine_colour import RefineColour, refine_input, untrained  # noqa: E402

SIDES = ((128, 4), (128, 4), (256, 1))
"""Sides of crops and how many of them make a quarter of a batch; a step takes one kind."""
FEATURES_EVERY = 3
"""The feature loss costs as much as all the rest, so only every third step has it."""
STOP_AT: int | None = None
"""A step to stop at before the end; tests of going on set it."""
STILL = 0.75
"""From this part of the run on, batch normalisation keeps its statistics, as it will when it is folded."""


def tensors(batch: list[Pair]) -> dict[str, torch.Tensor]:
    """The batch as the network and the losses take it, (N, C, H, W) float32."""
    inputs = [refine_input(pair.start) for pair in batch]

    def picture(arrays):
        return torch.from_numpy(np.stack([np.moveaxis(np.atleast_3d(a), 2, 0) for a in arrays]).astype(np.float32))

    return {
        "channels": torch.from_numpy(np.stack([channels for channels, _ in inputs])),
        "validity": torch.from_numpy(np.stack([validity for _, validity in inputs])),
        "fill": picture([pair.start.smooth + np.float32(DETAIL) * pair.start.detail for pair in batch]),
        "spread": torch.tensor([pair.start.spread for pair in batch])[:, None, None, None],
        "synthesis": picture([pair.synthesis for pair in batch]),
        "truth": picture([pair.truth for pair in batch]),
    }


def guess(network: RefineColour, batch: dict[str, torch.Tensor], mixed_precision: bool = True) -> torch.Tensor:
    """The fill with the network's correction, (N, 3, H, W)."""
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed_precision):
        correction = network(batch["channels"].contiguous(memory_format=torch.channels_last), batch["validity"])
    return batch["fill"] + correction.float() * batch["spread"]


def objective(network: RefineColour, encoder, batch: dict[str, torch.Tensor], feature_weight: float) -> dict:
    """The losses by name, scalar tensors; their sum is what is learned."""
    made = guess(network, batch)
    terms = {"absolute": 6 * absolute(made, batch["truth"], batch["synthesis"])}
    if feature_weight:
        terms["features"] = feature_weight * features(encoder, made, batch["truth"], batch["synthesis"])
    return terms


class Average:
    """Exponential moving average of the weights: what is evaluated and shipped."""

    def __init__(self, network: RefineColour, decay: float = 0.995):
        self.decay, self.steps = decay, 0
        self.state = {key: value.clone() for key, value in network.state_dict().items()}

    def update(self, network: RefineColour) -> None:
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 10))
        for key, value in network.state_dict().items():
            if value.dtype.is_floating_point:
                self.state[key].lerp_(value, 1 - decay)


def save(run: Path, network, optimiser, average: Average, step: int, seconds: float) -> None:
    """The checkpoint to go on from, and the averaged weights, folded, as they would ship."""
    temporary = run / "checkpoint.part"
    torch.save({"network": network.state_dict(), "optimiser": optimiser.state_dict(), "average": average.state,
                "average_steps": average.steps, "step": step, "seconds": seconds}, temporary)  # fmt: skip
    os.replace(temporary, run / "checkpoint.pt")
    shipped = RefineColour(network.width)
    shipped.load_state_dict(average.state)
    save_network(fold_batch_norm(shipped.eval()), run / "refine_colour.safetensors")


def resume(run: Path, network, optimiser, average: Average) -> tuple[int, float]:
    """Step and core seconds of the last checkpoint, everything else in place; zeros without one."""
    if not (run / "checkpoint.pt").exists():
        return 0, 0.0
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    average.state, average.steps = state["average"], state["average_steps"]
    return state["step"], state["seconds"]


def feed(pairs: Pairs, seed: int, step: int, quarter: int) -> queue.Queue:
    """Batches in the order of their steps, made ahead in a thread; each depends on the seed and its step alone."""
    ready: queue.Queue = queue.Queue(maxsize=4)

    def work():
        number = step
        while True:
            rng = np.random.default_rng([seed, number])
            side, count = SIDES[number % len(SIDES)]
            ready.put(tensors(pairs.batch(rng, quarter * count, side)))
            number += 1

    threading.Thread(target=work, daemon=True).start()
    return ready


def rate(progress: float) -> float:
    """Share of the top learning rate at 0..1 of the run: a short rise, then a cosine down to 2 %."""
    return min(1.0, progress / 0.02 + 0.05) * (0.02 + 0.49 * (1 + float(np.cos(np.pi * min(progress, 1.0)))))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, nargs="+", required=True)
    parser.add_argument("--regions", type=Path, required=True, help="made by collect_regions.py")
    parser.add_argument("--run", type=Path, required=True, help="folder of this run's checkpoints")
    parser.add_argument("--steps", type=int, default=3000, help="of the whole run, all restarts together")
    parser.add_argument("--width", type=int, default=20)
    parser.add_argument("--quarter", type=int, default=2, help="a quarter of a batch, in crops of 256")
    parser.add_argument("--top-rate", type=float, default=2e-3)
    parser.add_argument("--features", type=float, default=0.8, help="weight of the feature loss; 0 leaves it out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    options.run.mkdir(parents=True, exist_ok=True)
    network = untrained(options.width, options.seed).to(memory_format=torch.channels_last)
    encoder = features_network() if options.features else None
    optimiser = torch.optim.AdamW(network.parameters(), lr=options.top_rate, weight_decay=1e-3)
    average = Average(network)
    step, before = resume(options.run, network, optimiser, average)
    ready = feed(Pairs(options.photos, options.regions, False), options.seed, step, options.quarter)
    saved = time.time()
    sums: dict[str, float] = {}
    while step < min(options.steps, STOP_AT or options.steps):
        progress, spent = step / options.steps, before + time.process_time()
        network.train(progress < STILL)
        for group in optimiser.param_groups:
            group["lr"] = options.top_rate * rate(progress)
        terms = objective(network, encoder, ready.get(), options.features if step % FEATURES_EVERY == 0 else 0)
        optimiser.zero_grad(set_to_none=True)
        sum(terms.values()).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        average.update(network)
        step += 1
        for key, value in terms.items():
            sums[key] = sums.get(key, 0.0) + float(value.detach())
        if step % 30 == 0:
            times = {"absolute": 30, "features": 30 / FEATURES_EVERY}
            report = {"step": step, "core_seconds": round(spent)}
            print(json.dumps(report | {k: round(v / times[k], 4) for k, v in sums.items()}), flush=True)
            sums = {}
        if time.time() - saved > 120:
            save(options.run, network, optimiser, average, step, spent)
            saved = time.time()
    save(options.run, network, optimiser, average, step, before + time.process_time())


if __name__ == "__main__":
    main()
