"""Trains the network that chooses the surface behind a foreground; checkpoints every two minutes and goes on from the last one.

    python training/hidden_depth/train.py --pixels CACHE/pixels --run RUN_FOLDER

What a step draws depends on the seed, the step's number and the files that were there at the start alone.
"""

import argparse
import json
import os
import sys
from functools import partial
from pathlib import Path

ROOT = Path(os.environ.get("PHOTO_DIORAMA_ROOT", Path(__file__).resolve().parents[2]))
sys.path[:0] = [str(ROOT / "tests"), str(Path(__file__).resolve().parents[1])]

import conftest  # noqa: E402, F401
import numpy as np  # noqa: E402
import torch  # noqa: E402
from run_state import Run, is_held_back, learn  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from photo_diorama.core.hidden_depth.choose_surface import AROUND, LAYERS, OWN, least_costly  # noqa: E402

RELATIVE, PARALLAX, SHARPNESS = 1.0, 2.0, 0.03
"""Weights in a candidate's cost beside the error of its log depth, and the cost that makes a candidate e times as unlikely."""
TOO_FAR = 3.0
"""Error of log depth beyond which a surface that is taken for too far costs no more. Where that was 1.5, sky was no worse to
the network than hills five times too far."""


def gelu(x: Tensor) -> Tensor:
    """The form of it that `core/hidden_depth/choose_surface.py` computes."""
    return x * torch.sigmoid(1.702 * x)


class Chooser(nn.Module):
    """What `core/hidden_depth/choose_surface.py` computes as `Network`, with as many numbers in each layer as `width`."""

    def __init__(self, width: int):
        super().__init__()
        sizes = {"own": OWN, "around": AROUND, "to_own": width, "second": width, "pooled": width, "score": width}
        for name in LAYERS:
            setattr(self, name, nn.Linear(sizes[name], 1 if name == "score" else width))

    def forward(self, own: Tensor, around: Tensor, exists: Tensor) -> Tensor:
        first = gelu(self.own(own) + self.to_own(gelu(self.around(around)))[:, None])
        there = exists[..., None].float()
        second = gelu(self.second(first) + self.pooled((first * there).sum(1) / there.sum(1))[:, None])
        return self.score(second)[..., 0]


def untrained(width: int, seed: int) -> Chooser:
    """A network of its own first weights."""
    torch.manual_seed(seed)
    return Chooser(width)


def scores(network: nn.Module, pixels: dict[str, Tensor]) -> Tensor:
    """(n, k) of each candidate."""
    return network(pixels["own"].float(), pixels["around"].float(), pixels["log"] < 0)


def read(files: list[Path]) -> dict[str, Tensor]:
    """All pixels of all files, and in `view` the number of the file that each is from."""
    parts: dict[str, list] = {"own": [], "around": [], "log": [], "target": [], "over": [], "view": []}
    for number, path in enumerate(files):
        with np.load(path) as stored:
            if "target" in stored:
                for name in stored.files:
                    parts[name].append(stored[name])
                parts["view"].append(np.full(len(stored["target"]), number, np.int32))
    return {name: torch.from_numpy(np.concatenate(arrays)) for name, arrays in parts.items()}


def costs(batch: dict[str, Tensor]) -> Tensor:
    """(n, k) what choosing each candidate costs: error of log depth, relative error of depth, error of disparity."""
    log, target = batch["log"], batch["target"][:, None]
    relative = (torch.exp((target - log).clamp(max=TOO_FAR)) - 1).abs()
    parallax = (torch.exp(log) - torch.exp(target)).abs() * batch["over"][:, None]
    return (log - target).abs() + RELATIVE * relative + PARALLAX * parallax


def objective(network: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The expected cost of drawing a candidate by its weight, and the cross-entropy to weights by true cost."""
    exists = batch["log"] < 0
    score = scores(network, batch).masked_fill(~exists, -30.0)
    cost = costs(batch)
    likely = torch.softmax((-cost / SHARPNESS).masked_fill(~exists, -1e4), dim=1)
    return {
        "cost": (torch.softmax(score, 1) * cost * exists).sum(1).mean(),
        "entropy": -0.05 * (likely * torch.log_softmax(score, 1)).sum(1).mean(),
    }


def validate(network: nn.Module, pixels: dict[str, Tensor]) -> dict[str, float]:
    """Means over views of the errors of what is chosen, and of the flood's guess."""
    chosen = []
    with torch.no_grad():
        for part in torch.arange(len(pixels["target"])).split(4096):
            some = {name: values[part] for name, values in pixels.items()}
            likely = torch.softmax(scores(network, some).masked_fill(some["log"] >= 0, -1e9), 1)
            disparity = torch.where(some["log"] < 0, torch.exp(some["log"]), 0)
            chosen.append(torch.from_numpy(np.log(least_costly(disparity.numpy(), likely.numpy()))))
    report = {}
    for name, said in (("", torch.cat(chosen)), ("guess ", pixels["log"][:, 0])):
        error = pixels["target"] - said
        for kind, values in (("log", error.abs()), ("relative", (torch.exp(error) - 1).abs()), ("off", (error.abs() > 0.2).float())):
            count = torch.bincount(pixels["view"])
            means = (torch.bincount(pixels["view"], values) / count)[count > 0]
            report[name + kind] = round(float(means.mean()), 4)
            if kind == "log":
                report[name + "median log"] = round(float(means.median()), 4)
    return report


def write_weights(average: nn.Module, run: Path) -> None:
    """The averaged weights in half floats, as they would ship."""
    arrays = {name: values.numpy().astype(np.float16) for name, values in average.state_dict().items()}
    np.savez(run / "hidden_depth.part.npz", **arrays)
    os.replace(run / "hidden_depth.part.npz", run / "hidden_depth.npz")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pixels", type=Path, required=True, help="made by prepare.py")
    parser.add_argument("--also", type=Path, help="further pixels to report errors on, never to learn from")
    parser.add_argument("--run", type=Path, required=True, help="folder of this run's checkpoints")
    parser.add_argument("--steps", type=int, default=1500, help="of the whole run, all restarts together")
    parser.add_argument("--stop-at", type=int, help="end at this step, to go on later")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--top-rate", type=float, default=3e-3)
    parser.add_argument("--decay", type=float, default=0.02)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    options.run.mkdir(parents=True, exist_ok=True)
    network, average = untrained(options.width, options.seed), untrained(options.width, options.seed)
    optimiser = torch.optim.AdamW(network.parameters(), lr=options.top_rate, weight_decay=options.decay)
    run = Run(options.run, network, average, optimiser, partial(write_weights, average, options.run))
    files = sorted(options.pixels.glob("*.npz"))
    back = [f for f in files if is_held_back(f)]
    pixels, held = read(sorted(set(files) - set(back))), {}
    if back:
        held["held back"] = read([file for file in back if file.stem.endswith("_0")])
    if options.also:
        held["also"] = read(sorted(options.also.glob("*.npz")))
    print(json.dumps({"pixels": len(pixels["target"]), "files": len(files), "from step": run.step}), flush=True)

    def losses_at(step: int) -> dict[str, Tensor]:
        chosen = torch.from_numpy(np.random.default_rng([options.seed, step]).integers(len(pixels["target"]), size=options.batch))
        return objective(network, {name: values[chosen] for name, values in pixels.items()})

    learn(run, options, losses_at, lambda: {name: validate(average, some) for name, some in held.items()}, 500)


if __name__ == "__main__":
    main()
