"""Trains the embedded depth network on cached samples; checkpoints every few minutes and goes on from the last one.

    python training/depth/train.py --rendered CACHE/rendered --photos DIR [DIR ...] --run RUN_FOLDER --minutes 150
    python training/depth/train.py ... --cool 20      (lets the rate fall to nothing: the weights to ship)

Minutes are of processor time, so that a busy machine changes nothing. The rate is constant until it is cooled, so that a
run can always be continued; what is exported is the moving average of the weights.
"""
# ruff: noqa: E402, I001  (the path comes first: these scripts are run from a checkout, not installed)

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = Path(os.environ.get("PHOTO_DIORAMA_ROOT", HERE.parents[1]))
sys.path[:0] = [str(HERE), str(ROOT / "tests")]

import conftest  # noqa: F401
import cv2
import losses
import numpy as np
import torch
from photo_diorama.core.networks.depth.embedded_depth_net import TAPS, VARIANTS, EmbeddedDepthNet, load_network
from pretrained import load_imagenet
from safetensors.torch import save_file
from samples import PASTED, REAL, RENDERED, TAUGHT, Sample, Source

KEPT = 7
"""Exported weights of the last saves that stay beside the newest, for `mix_weights.py`: their mean is steadier than any of them."""
MOST_VARIANCE = 3e4
"""Of a batch norm that is exported; half floats end at 65,504."""
FROZEN_STAGES = 3  # Stem and strides 2 to 8 keep their weights: edges and colours need no relearning, and they cost most.


def read_photos(folders: list[Path], side: int = 420) -> list[np.ndarray]:
    """Photos of the folders, sorted by folder and name, (H, W, 3) uint8 RGB, the longer side `side`."""
    photos = []
    for path in sorted(path for folder in folders for path in folder.iterdir() if path.suffix in (".jpg", ".png")):
        image = cv2.imread(str(path))[:, :, ::-1]
        factor = side / max(image.shape[:2])
        photos.append(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))
    return photos


def tensors(batch: list[Sample], device: torch.device) -> tuple[torch.Tensor, ...]:
    """Photos (N, 3, H, W) in 0..1, inverse depth (N, H, W), valid (N, H, W)."""
    photo = torch.from_numpy(np.stack([s.photo for s in batch])).to(device).permute(0, 3, 1, 2).float() / 255
    inverse = torch.from_numpy(np.stack([s.inverse for s in batch])).to(device)
    valid = torch.from_numpy(np.stack([s.valid for s in batch])).to(device)
    return photo.contiguous(memory_format=torch.channels_last), inverse, valid


def objective(guess: torch.Tensor, sky: torch.Tensor | None, batch: list[Sample], inverse: torch.Tensor, valid: torch.Tensor) -> dict:
    """The losses, each the mean over the images it applies to, at half the pictures' size (the network's).

    guess: (N, h, w) relative inverse depth; sky: (N, h, w) logits, of a network that tells it. Scale and shift are free:
    `train_shift.py` finds the shift afterwards, since a network that is asked for it here stays behind on photographs
    (docs/research_log.md). PASTED samples are only asked for order, TAUGHT and REAL ones for all but order and sky.
    """
    inverse, valid = inverse[:, ::2, ::2], valid[:, ::2, ::2]
    per_image = lambda table: torch.tensor([table.get(s.kind, 0.0) for s in batch], device=guess.device)
    affine, exact, pasted = per_image({RENDERED: 1.0, REAL: 0.7, TAUGHT: 0.5}), per_image({RENDERED: 1.0}), per_image({PASTED: 0.5})
    level = losses.standardise(guess, valid | (pasted > 0)[:, None, None])
    truth = losses.standardise(inverse, valid).clamp(-8, 8)
    first, second, sign = losses.random_pairs(inverse, valid, 1500)
    terms = {
        "affine": losses.affine_invariant(level, truth, valid) * affine,
        "gradient": 0.25 * losses.gradient(level, truth, valid) * affine,
        "order": 0.5 * losses.order(level, first, second, sign) * (exact + pasted),
    }
    if sky is not None:
        terms["sky"] = 0.2 * losses.sky(sky, inverse) * exact
    total = (affine + pasted).sum().clamp(min=1)
    return {name: value.sum() / total for name, value in terms.items()}


def freeze(network: EmbeddedDepthNet, all_of_it: bool) -> None:
    """Which parts of the encoder learn; its batch norms keep ImageNet's statistics (a batch here is small)."""
    network.train()
    network.encoder.eval()
    for number, stage in enumerate(network.encoder.stages):
        stage.requires_grad_(not all_of_it and number >= FROZEN_STAGES)
    network.encoder.stem.requires_grad_(False)


class Average:
    """Exponential moving average of the weights: what is evaluated and shipped."""

    def __init__(self, network: EmbeddedDepthNet, decay: float = 0.995):
        self.decay, self.state = decay, {k: v.clone() for k, v in network.state_dict().items()}
        self.steps = 0

    def update(self, network: EmbeddedDepthNet) -> None:
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 10))
        for key, value in network.state_dict().items():
            if value.dtype.is_floating_point:
                self.state[key].lerp_(value, 1 - decay)


def within_half_floats(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights that say the same, with no variance of a batch norm above what a half float holds: the convolution before it is scaled."""
    state = dict(state)
    for name in [name for name in state if name.endswith("running_var") and state[name].max() > MOST_VARIANCE]:
        block, _, number = name.removesuffix(".running_var").rpartition(".")
        factor = (state[name].float() / MOST_VARIANCE).clamp(min=1).sqrt()
        mean, before = name.replace("running_var", "running_mean"), f"{block}.{int(number) - 1}.weight"
        state |= {name: state[name] / factor**2, mean: state[mean] / factor, before: state[before] / factor[:, None, None, None]}
    return state


def export(state: dict[str, torch.Tensor], path: Path) -> None:
    """Half floats in safetensors, written beside and renamed. Raises ValueError where one does not hold a weight."""
    half = {k: v.half().cpu().contiguous() for k, v in within_half_floats(state).items() if not k.endswith("num_batches_tracked")}
    if lost := [name for name, value in half.items() if not torch.isfinite(value).all()]:
        raise ValueError(f"{path.name}: half floats do not hold {', '.join(lost)}; nothing is written")
    temporary = path.with_suffix(".part")
    save_file(half, str(temporary))
    os.replace(temporary, path)


def save(run: Path, network, optimiser, average: Average, step: int, seconds: float) -> None:
    """The checkpoint to go on from, and the averaged weights as they would ship."""
    temporary = run / "checkpoint.part"
    torch.save(
        {
            "network": network.state_dict(),
            "optimiser": optimiser.state_dict(),
            "average": average.state,
            "average_steps": average.steps,
            "step": step,
            "seconds": seconds,
        },
        temporary,
    )
    os.replace(temporary, run / "checkpoint.pt")
    export(average.state, run / "embedded_depth.safetensors")
    shutil.copyfile(run / "embedded_depth.safetensors", run / f"kept_{step:07d}.safetensors")
    for old in sorted(run.glob("kept_*.safetensors"))[:-KEPT]:
        old.unlink()


def resume(options: argparse.Namespace, network, optimiser, average: Average) -> tuple[int, float]:
    """Takes over the run's checkpoint; steps and seconds so far."""
    state = torch.load(options.run / "checkpoint.pt", map_location=options.device, weights_only=True)
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    average.state, average.steps = state["average"], state["average_steps"]
    return state["step"], state["seconds"]


def rate(minutes: float, cooled: float | None) -> float:
    """Share of the top learning rate: a short rise, then constant; `cooled` is 0..1 of the fall to nothing."""
    return min(1.0, 0.05 + minutes / 1.5) * (1.0 if cooled is None else max(0.0, 1 - cooled))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rendered", type=Path, required=True)
    parser.add_argument("--photos", type=Path, nargs="*", default=[], help="free photos to paste cut-outs on")
    parser.add_argument("--real", type=Path, help="reference data: adds its real training pairs (not for shipping)")
    parser.add_argument("--taught", type=Path, help=".npz of inverse depth for the photos, same order (teach.py)")
    parser.add_argument("--run", type=Path, required=True, help="folder of this run's checkpoints")
    parser.add_argument("--variant", choices=VARIANTS, default="lite0")
    parser.add_argument("--start", type=Path, help="weights (.safetensors) to start from; of another variant only the decoder's")
    parser.add_argument("--sky", action="store_true", help="the decoder also learns where there is sky")
    parser.add_argument("--minutes", type=float, default=150, help="of processor time, all restarts together")
    parser.add_argument("--cool", type=float, help="minutes of processor time in which the rate falls to nothing, from the checkpoint")
    parser.add_argument(
        "--frozen",
        type=float,
        default=4.0,
        help="minutes in which the whole encoder is frozen, until the decoder says something",
    )
    parser.add_argument("--long-side", type=int, default=288, help="of the samples, pixels")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--top-rate", type=float, default=1e-3)
    parser.add_argument("--encoder-share", type=float, default=0.15, help="of the rate, for the encoder")
    parser.add_argument("--worker", type=int, default=0, help="draws other samples than another worker whose weights are averaged with it")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="cuda for a GPU; minutes are then of the clock")
    parser.add_argument("--workers", type=int, default=0, help="processes that make samples; 0 makes them between the steps")
    return parser.parse_args()


def sources(options: argparse.Namespace, seed: int) -> Source:
    """Open the data that the command line names."""
    taught, real = None, []
    if options.taught:
        with np.load(options.taught) as stored:
            taught = [stored[name] for name in sorted(stored.files)]
    if options.real:
        from pairs import training_pairs

        real = [(cv2.resize(p.photo, p.inverse.shape[::-1]), p.inverse * p.valid) for p in training_pairs(options.real)]
    return Source(options.rendered, read_photos(options.photos), taught, real, np.random.default_rng(seed))


class Batches(torch.utils.data.IterableDataset):
    """Endless batches, for worker processes that each draw their own."""

    def __init__(self, options: argparse.Namespace, seed: int):
        self.options, self.seed = options, seed

    def __iter__(self) -> Iterator[list[Sample]]:
        worker = torch.utils.data.get_worker_info()
        cv2.setNumThreads(1)
        source = sources(self.options, self.seed + (1000 * worker.id if worker else 0))
        while True:
            yield source.batch(self.options.batch, self.options.long_side)


def begin(options: argparse.Namespace) -> EmbeddedDepthNet:
    """A network with ImageNet's encoder, or with the weights of `--start`; of a start with another encoder only the decoder's weights are
    taken, where shapes agree."""
    network = EmbeddedDepthNet(options.variant, sky=options.sky)
    state = network.state_dict()
    start = {} if options.start is None else load_network(options.start).state_dict()
    alike = {name: value for name, value in start.items() if name in state and state[name].shape == value.shape}
    if any(name not in alike for name in state if name.startswith("encoder.")):
        load_imagenet(network.encoder, options.variant)
        alike = {name: value for name, value in alike.items() if name.startswith("decoder.")}
    network.load_state_dict(alike, strict=False)  # not the head for the shift
    return network.to(options.device, memory_format=torch.channels_last)


def encode(network: EmbeddedDepthNet, photo: torch.Tensor, frozen: int) -> list[torch.Tensor]:
    """The encoder's maps; its first `frozen` stages run in bfloat16 and without gradients.

    The others run in single precision: depthwise gradients are slower in bfloat16.
    """
    kind = photo.device.type
    with torch.no_grad(), torch.autocast(kind, torch.bfloat16):
        x = network.encoder.stem(photo * 2 - 1)
    maps = []
    for number, stage in enumerate(network.encoder.stages):
        learns = number >= frozen
        with torch.set_grad_enabled(learns), torch.autocast(kind, torch.bfloat16, enabled=not learns):
            x = stage(x.float() if learns else x)
        if number in TAPS:
            maps.append(x)
    return maps


def step_once(network: EmbeddedDepthNet, batch: list[Sample], frozen: bool) -> dict[str, torch.Tensor]:
    """The losses of one batch, ready to be summed and differentiated."""
    device = next(network.parameters()).device
    photo, inverse, valid = tensors(batch, device)
    maps = encode(network, photo, len(network.encoder.stages) if frozen else FROZEN_STAGES)
    with torch.autocast(device.type, torch.bfloat16):
        half = network.decoder(maps)
    sky = None if network.decoder.sky is None else half[:, -1].float()
    return objective(half[:, 0].float(), sky, batch, inverse, valid)


def main() -> None:
    options = prepared()
    network = begin(options)
    batches = lambda seed: iter(torch.utils.data.DataLoader(Batches(options, seed), batch_size=None, num_workers=options.workers))
    learn(options, network, groups(network, options), batches, step_once)


def groups(network: EmbeddedDepthNet, options: argparse.Namespace) -> list[dict]:
    """AdamW's groups of weights, each with its share of the rate."""
    return [
        {"params": network.decoder.parameters(), "share": 1.0},
        {"params": network.encoder.parameters(), "share": options.encoder_share},
    ]


def prepared() -> argparse.Namespace:
    """What the command line says, with threads set and the run's folder made."""
    options = arguments()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    options.run.mkdir(parents=True, exist_ok=True)
    return options


def learn(
    options: argparse.Namespace,
    network: EmbeddedDepthNet,
    parameters: list[dict],
    batches: Callable[[int], Iterator[list[Sample]]],
    losses_of: Callable[[EmbeddedDepthNet, list[Sample], bool], dict[str, torch.Tensor]],
) -> None:
    """Trains from the run's checkpoint, or from the network as it is, until its minutes are over.

    `parameters` as of `groups`; `batches(seed)` yields batches; `losses_of(network, batch, frozen)`
    are the losses of one, with the encoder frozen or not.
    """
    optimiser = torch.optim.AdamW(parameters, lr=options.top_rate, weight_decay=0.01)
    average, step, before = Average(network), 0, 0.0
    if (options.run / "checkpoint.pt").exists():
        step, before = resume(options, network, optimiser, average)
    drawn = batches(step + 1 + 1_000_003 * options.worker)
    clock = time.process_time if options.device == "cpu" and not options.workers else time.time
    start, saved = clock(), time.time()
    last = before + options.cool * 60 if options.cool else options.minutes * 60
    sums: dict[str, float] = {}
    while (spent := before + clock() - start) < last:
        frozen = spent < options.frozen * 60
        freeze(network, frozen)
        for group in optimiser.param_groups:
            group["lr"] = (
                options.top_rate * group["share"] * rate(spent / 60, (spent - before) / (options.cool * 60) if options.cool else None)
            )
        terms = losses_of(network, next(drawn), frozen)
        optimiser.zero_grad(set_to_none=True)
        sum(terms.values()).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        average.update(network)
        step += 1
        for key, value in terms.items():
            sums[key] = sums.get(key, 0.0) + float(value.detach())
        if step % 25 == 0:
            renders = sum(1 for _ in options.rendered.glob("*.jpg"))
            report = {"step": step, "minutes": round(spent / 60, 2), "renders": renders}
            print(json.dumps(report | {k: round(v / 25, 4) for k, v in sums.items()}), flush=True)
            sums = {}
        if time.time() - saved > 150:
            save(options.run, network, optimiser, average, step, spent)
            saved = time.time()
    save(options.run, network, optimiser, average, step, last)


if __name__ == "__main__":
    main()
