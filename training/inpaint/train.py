"""Trains the network that completes hidden colour; checkpoints every few minutes and goes on from the last one.

python training/inpaint/train.py --pairs CACHE/pairs --run RUN_FOLDER --steps 5000
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent)]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from pairs import DETAIL_UNIT, HOLE, SOURCE, SYNTHESIS  # noqa: E402  imports the package first

from losses import colour_error, features, features_network, structure  # isort: skip  # noqa: E402
from photo_diorama.core.networks.checkpoints import save_network  # noqa: E402
from photo_diorama.core.networks.inpaint.hidden_colour import START, HiddenColour, proposals, untrained  # noqa: E402

KEYS = ("truth", "front", "smooth", "detail", "shown", "pieces", "mask", "behind", "scale")
SHIFT = 10.0
"""Mean width in pixels of what a moved camera uncovers; each pair of each step has its own, drawn anew."""
FEATURES_EVERY = 2
"""The feature loss costs as much as all the rest, so only every second step has it."""
EVERY = 300
"""Steps between two looks at the held-out pairs."""
STOP_AT: int | None = None
"""A step to stop at before the end; tests of going on set it."""


class Stored:
    """The pairs that pairs.py made, read as they are asked for."""

    def __init__(self, folder: Path, name: str):
        self.arrays = {key: np.load(folder / f"{name}_{key}.npy", mmap_mode="r") for key in KEYS}
        self.count = len(self.arrays["scale"])

    def batch(self, rng: np.random.Generator, which: np.ndarray, change: bool) -> dict[str, torch.Tensor]:
        """(N, C, H, W) float32 of these pairs; with `change` turned, mirrored, channels exchanged, and colours inverted."""
        which = np.sort(which)
        raw = {key: np.array(self.arrays[key][which]) for key in KEYS}
        items = []
        for k in range(len(which)):
            item = {key: raw[key][k] for key in KEYS}
            if change:
                turn, mirror, order = rng.integers(4), rng.random() < 0.5, rng.permutation(3)
                for key in KEYS[:-1]:
                    item[key] = np.rot90(item[key], turn)
                    item[key] = item[key][:, ::-1] if mirror else item[key]
                for key in KEYS[:6]:
                    item[key] = np.concatenate([part[..., order] for part in split(item[key])], axis=-1)
                item["scale"] = item["scale"][[*order, 3]]
            items.append(tensors(item, min(2 + rng.exponential(SHIFT - 2), 60)))
        return {key: torch.stack([item[key] for item in items]) for key in items[0]}


def split(planes: np.ndarray) -> list[np.ndarray]:
    """Pictures of three channels each that lie one behind the other."""
    return np.split(planes, planes.shape[-1] // 3, axis=-1)


def tensors(item: dict[str, np.ndarray], shift: float) -> dict[str, torch.Tensor]:
    """One stored pair as the network and the losses take it, seen from where `shift` pixels are uncovered.

    The foreground still covers all the rest, so in "truth" it stands beside what is uncovered.
    """
    mean, spread = item["scale"][:3], item["scale"][3]
    truth, front, smooth = (item[key].astype(np.float32) / 255 for key in ("truth", "front", "smooth"))
    detail, shown, pieces = (item[key].astype(np.float32) / DETAIL_UNIT for key in ("detail", "shown", "pieces"))
    mask = item["mask"]
    flags = [((mask & bit) > 0)[..., None] for bit in (SOURCE, HOLE)]
    visible = ((mask & SYNTHESIS) > 0) & (item["behind"] < shift)
    context = ((mask & SYNTHESIS) == 0) & (mask > 0)
    rim = (((mask & HOLE) > 0) & context)[..., None]
    truth = np.where((visible | context)[..., None], truth, front)
    twice = [pieces / spread] * 2  # the network has room for two results of PatchMatch
    channels = np.concatenate([(smooth - mean) / spread, detail / spread, *twice, *flags, shown / spread, rim], axis=-1)

    def planes(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(np.moveaxis(np.atleast_3d(array), 2, 0), np.float32))

    return {"channels": planes(channels), "smooth": planes(smooth), "truth": planes(truth), "visible": planes(visible),
            "spread": torch.full((1, 1, 1), float(spread))}  # fmt: skip


def deterministic(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """(N, 3, H, W), not clipped: the fill that no network has completed."""
    return batch["smooth"] + (proposals(batch["channels"]) * torch.tensor(START).view(1, -1, 1, 1, 1)).sum(1) * batch["spread"]


def guess(network: HiddenColour, batch: dict[str, torch.Tensor], mixed_precision: bool = True) -> torch.Tensor:
    """The completed fill, (N, 3, H, W), not clipped."""
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed_precision):
        more = network(batch["channels"].contiguous(memory_format=torch.channels_last))
    return batch["smooth"] + more.float() * batch["spread"]


def resampled(made: torch.Tensor, batch: dict[str, torch.Tensor], share: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The completed picture and the truth, both (N, 3, H, W), as from a place from which pixels lie `share` (N,) of a pixel apart.

    What is completed is a texture, and so mixed linearly; a camera would have seen more of the truth than that, which cubic
    convolution comes nearer to (Keys 1981, equation 15).
    """
    mixed = torch.where(batch["visible"] > 0, made, batch["truth"])
    t = share.view(-1, 1, 1, 1)
    cubic = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
    return beside(mixed, (1 - t, t)), beside(batch["truth"], [weight / 2 for weight in cubic])


def beside(picture: torch.Tensor, weights: Sequence[torch.Tensor]) -> torch.Tensor:
    """The sum of the picture and those one further left each, the middle of the weights (N, 1, 1, 1) between this and the next."""
    first = (len(weights) - 1) // 2
    padded = torch.nn.functional.pad(picture, (first, len(weights) - 1 - first, 0, 0), mode="replicate")
    return sum(weight * padded[..., k : k + picture.shape[-1]] for k, weight in enumerate(weights))


def objective(made, encoder, batch: dict[str, torch.Tensor], weights: tuple[float, float, float]) -> dict[str, torch.Tensor]:
    """The losses by name, unweighted, without those of weight 0."""
    visible, truth = batch["visible"], batch["truth"]
    terms = {"colour": colour_error(made, truth, visible, batch["spread"])}
    if weights[1]:
        terms["structure"] = structure(made, truth, visible)
    if weights[2]:
        terms["features"] = features(encoder, made, truth, visible)
    return terms


def weighted(terms: dict[str, torch.Tensor], weights: tuple[float, float, float]) -> torch.Tensor:
    by_name = dict(zip(("colour", "structure", "features"), weights, strict=True))
    return sum(by_name[name] * value for name, value in terms.items())


class Average:
    """Exponential moving average of the weights: what is evaluated and shipped."""

    def __init__(self, network: HiddenColour):
        self.steps = 0
        self.state = {key: value.clone() for key, value in network.state_dict().items()}

    def update(self, network: HiddenColour, decay: float) -> None:
        self.steps += 1
        decay = min(decay, self.steps / (self.steps + 10))
        for key, value in network.state_dict().items():
            self.state[key].lerp_(value, 1 - decay)

    def network(self, width: int) -> HiddenColour:
        averaged = HiddenColour(width)
        averaged.load_state_dict(self.state)
        return averaged.eval().to(memory_format=torch.channels_last)


def held_out_figures(network, encoder, stored: Stored, count: int = 240) -> dict[str, float]:
    """PSNR (of all pixels, in dB), SSIM and feature distance on held-out pairs, the same pixels every time; None: plain fill."""
    squares, pixels, sums, batches = 0.0, 0.0, np.zeros(2), 0
    for start in range(0, min(count, stored.count), 40):
        which = np.arange(start, min(start + 40, stored.count))
        batch = stored.batch(np.random.default_rng([7, start]), which, change=False)
        with torch.no_grad():
            if network is None:
                made = deterministic(batch)
            else:
                made = guess(network, batch)
            made = made.clamp(0, 1)
            squares += float((((made - batch["truth"]) ** 2) * batch["visible"]).sum())
            pixels += 3 * float(batch["visible"].sum())
            both = (structure(made, batch["truth"], batch["visible"]), features(encoder, made, batch["truth"], batch["visible"]))
            sums += [float(value) for value in both]
            batches += 1
    return {"psnr": round(-10 * np.log10(squares / pixels), 3), "ssim": round(1 - sums[0] / batches, 4),
            "features": round(sums[1] / batches, 4)}  # fmt: skip


def save(run: Path, network, optimiser, average: Average, step: int, seconds: float) -> None:
    """The checkpoint to go on from, and the averaged weights as they would ship."""
    temporary = run / "checkpoint.part"
    torch.save({"network": network.state_dict(), "optimiser": optimiser.state_dict(), "average": average.state,
                "average_steps": average.steps, "step": step, "seconds": seconds}, temporary)  # fmt: skip
    os.replace(temporary, run / "checkpoint.pt")
    save_network(average.network(network.width), run / "hidden_colour.safetensors")


def resume(run: Path, network, optimiser, average: Average) -> tuple[int, float]:
    """Step and core seconds of the last checkpoint, everything else in place; zeros without one."""
    if not (run / "checkpoint.pt").exists():
        return 0, 0.0
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    average.state, average.steps = state["average"], state["average_steps"]
    return state["step"], state["seconds"]


def rate(progress: float) -> float:
    """Share of the top learning rate at 0..1 of the run: a short rise, then a cosine down to 1 %."""
    return min(1.0, progress / 0.02 + 0.05) * (0.01 + 0.495 * (1 + float(np.cos(np.pi * min(progress, 1.0)))))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True, help="folder made by pairs.py")
    parser.add_argument("--run", type=Path, required=True, help="folder of this run's checkpoints")
    parser.add_argument("--steps", type=int, default=5000, help="of the whole run, all restarts together")
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--top-rate", type=float, default=1.5e-3)
    parser.add_argument("--weights", type=float, nargs=3, default=(1.0, 0.3, 2.0), metavar=("COLOUR", "STRUCTURE", "FEATURES"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="of each worker")
    parser.add_argument("--workers", type=int, default=1, help="processes, each with batches of its own")
    parser.add_argument("--together", type=int, default=1, help="steps after which workers join, and the average takes note")
    return parser.parse_args()


def join_workers(network: HiddenColour, optimiser, workers: int) -> None:
    """Gives every worker the mean of all workers' weights and of what the optimiser remembers (local SGD, Stich 2019)."""
    if workers == 1:
        return
    memory = [optimiser.state[p][key] for p in network.parameters() for key in ("exp_avg", "exp_avg_sq")]
    tensors_ = [p.data for p in network.parameters()] + memory
    flat = torch.cat([t.flatten() for t in tensors_])
    torch.distributed.all_reduce(flat)
    for t, piece in zip(tensors_, (flat / workers).split([t.numel() for t in tensors_]), strict=True):
        t.copy_(piece.view_as(t))


def work(rank: int, options: argparse.Namespace) -> None:
    """Trains, as one of `options.workers` processes that each take steps on pairs of their own and join; the first reports."""
    torch.set_num_threads(options.threads)
    if options.workers > 1:
        meeting = f"file://{(options.run / 'meeting').resolve()}"
        torch.distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=options.workers)
    network = untrained(options.width, options.seed).to(memory_format=torch.channels_last)
    weights = tuple(options.weights)
    encoder = features_network() if weights[2] else None
    optimiser = torch.optim.AdamW(network.parameters(), lr=options.top_rate, weight_decay=1e-3)
    average = Average(network)
    step, before = resume(options.run, network, optimiser, average)
    train, held_out = (Stored(options.pairs, name) for name in ("train", "held_out"))
    if encoder is not None and rank == 0:
        print(json.dumps({"plain": held_out_figures(None, encoder, held_out)}), flush=True)
    saved, started, sums = time.time(), time.time(), {}

    def spent() -> float:
        return before + options.workers * time.process_time()

    while step < min(options.steps, STOP_AT or options.steps):
        for group in optimiser.param_groups:
            group["lr"] = options.top_rate * rate(step / options.steps)
        rng = np.random.default_rng([options.seed, step, rank])
        batch = train.batch(rng, rng.integers(train.count, size=options.batch), change=True)
        made, truth = resampled(guess(network, batch), batch, torch.from_numpy(rng.random(options.batch, np.float32)))
        terms = objective(made, encoder, batch | {"truth": truth}, weights if step % FEATURES_EVERY == 0 else (*weights[:2], 0))
        optimiser.zero_grad(set_to_none=True)
        weighted(terms, weights).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        step += 1
        together = step % options.together == 0
        if together:
            join_workers(network, optimiser, options.workers)
        if rank:
            continue
        if together:
            average.update(network, 0.997**options.together)
        for key, value in terms.items():
            sums.setdefault(key, []).append(float(value.detach()))
        if step % 100 == 0:
            report = {"step": step, "core_seconds": round(spent()), "wall": round(time.time() - started)}
            print(json.dumps(report | {key: round(float(np.mean(values)), 4) for key, values in sums.items()}), flush=True)
            sums = {}
        if step % EVERY == 0 and encoder is not None:
            figures = held_out_figures(average.network(options.width), encoder, held_out)
            print(json.dumps({"step": step, "held_out": figures}), flush=True)
        if together and time.time() - saved > 150:
            save(options.run, network, optimiser, average, step, spent())
            saved = time.time()
    if rank == 0:
        save(options.run, network, optimiser, average, step, spent())


def main() -> None:
    options = arguments()
    options.run.mkdir(parents=True, exist_ok=True)
    (options.run / "meeting").unlink(missing_ok=True)
    if options.workers > 1:
        torch.multiprocessing.spawn(work, (options,), options.workers)
    else:
        work(0, options)


if __name__ == "__main__":
    main()
