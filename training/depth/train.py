"""Trains the embedded depth network on cached samples; checkpoints every few minutes and goes on from the last one.

    python training/depth/train.py --rendered CACHE --photos DIR [DIR ...] --run RUN_FOLDER --minutes 150
"""
# ruff: noqa: E402, I001  (the path comes first: these scripts are run from a checkout, not installed)

import argparse
import json
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = Path(os.environ.get("PHOTO_DIORAMA_ROOT", HERE.parents[1]))
sys.path[:0] = [str(HERE), str(ROOT / "tests")]

import conftest  # noqa: F401
import cv2
import losses
import numpy as np
import torch
from photo_diorama.core.networks.depth.built_in import EmbeddedDepthNet
from pretrained import load_imagenet
from safetensors.torch import save_file
from samples import PASTED, REAL, RENDERED, SHAPES, TAUGHT, Sample, Source

WEIGHT = {RENDERED: 1.0, REAL: 0.7, TAUGHT: 0.15, PASTED: 0.0}
FROZEN_STAGES = 2  # Stem and strides 2 and 4 keep their ImageNet weights: edges and colours need no relearning.


def read_photos(folders: list[Path], side: int = 420) -> list[np.ndarray]:
    """Photos of the folders, sorted by folder and name, (H, W, 3) uint8 RGB, the longer side `side`."""
    photos = []
    for path in sorted(path for folder in folders for path in folder.iterdir() if path.suffix in (".jpg", ".png")):
        image = cv2.imread(str(path))[:, :, ::-1]
        factor = side / max(image.shape[:2])
        photos.append(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))
    return photos


def tensors(batch: list[Sample]) -> tuple[torch.Tensor, ...]:
    """Photos (N, 3, H, W) in 0..1, inverse depth (N, H, W), valid (N, H, W)."""
    photo = torch.from_numpy(np.stack([s.photo for s in batch])).permute(0, 3, 1, 2).float() / 255
    inverse = torch.from_numpy(np.stack([s.inverse for s in batch]))
    valid = torch.from_numpy(np.stack([s.valid for s in batch]))
    return photo.contiguous(memory_format=torch.channels_last), inverse, valid


def objective(guess: torch.Tensor, batch: list[Sample], inverse: torch.Tensor, valid: torch.Tensor) -> dict:
    """The three losses, each the mean over the images it applies to, at half the pictures' size (the network's)."""
    inverse, valid = inverse[:, ::2, ::2], valid[:, ::2, ::2]
    weight = torch.tensor([WEIGHT[s.kind] for s in batch])
    pasted = torch.tensor([float(s.kind == PASTED) for s in batch])
    level = losses.standardise(guess, valid | (pasted > 0)[:, None, None])
    truth = losses.standardise(inverse, valid).clamp(-8, 8)
    first, second, sign = losses.random_pairs(inverse, valid, 1500)
    total = (weight + 0.5 * pasted).sum().clamp(min=1)
    return {"affine": (losses.affine_invariant(level, truth, valid) * weight).sum() / total,
            "gradient": 0.25 * (losses.gradient(level, truth, valid) * weight).sum() / total,
            "order": 0.5 * (losses.order(level, first, second, sign) * (weight + 0.5 * pasted)).sum() / total}


def freeze(network: EmbeddedDepthNet, all_of_it: bool) -> None:
    """Which parts of the encoder learn; its batch norms keep ImageNet's statistics (a batch here is small)."""
    network.train()
    network.encoder.eval()
    for number, stage in enumerate(network.encoder.stages):
        stage.requires_grad_(not all_of_it and number >= FROZEN_STAGES)
    network.encoder.stem.requires_grad_(False)


class Average:
    """Exponential moving average of the weights: what is evaluated and shipped."""

    def __init__(self, network: EmbeddedDepthNet, decay: float = 0.99):
        self.decay, self.state = decay, {k: v.clone() for k, v in network.state_dict().items()}
        self.steps = 0

    def update(self, network: EmbeddedDepthNet) -> None:
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 10))
        for key, value in network.state_dict().items():
            if value.dtype.is_floating_point:
                self.state[key].lerp_(value, 1 - decay)


def export(state: dict[str, torch.Tensor], path: Path) -> None:
    """Half floats in safetensors, written beside and renamed."""
    half = {k: v.half().contiguous() for k, v in state.items() if not k.endswith("num_batches_tracked")}
    temporary = path.with_suffix(".part")
    save_file(half, str(temporary))
    os.replace(temporary, path)


def save(run: Path, network, optimiser, average: Average, step: int, seconds: float) -> None:
    """The checkpoint to go on from, and the averaged weights as they would ship."""
    temporary = run / "checkpoint.part"
    torch.save({"network": network.state_dict(), "optimiser": optimiser.state_dict(), "average": average.state,
                "average_steps": average.steps, "step": step, "seconds": seconds}, temporary)
    os.replace(temporary, run / "checkpoint.pt")
    export(average.state, run / "embedded_depth.safetensors")


def rate(progress: float, frozen_until: float) -> float:
    """Share of the top learning rate at 0..1 of the run: a short rise, a cosine down to 2 %, a dip at unfreezing."""
    dip = max(0.05, (progress - frozen_until) / 0.02) if progress > frozen_until else 1.0
    return min(1.0, progress / 0.01 + 0.02, dip) * (0.02 + 0.49 * (1 + float(np.cos(np.pi * min(progress, 1.0)))))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rendered", type=Path, required=True)
    parser.add_argument("--photos", type=Path, nargs="*", default=[], help="free photos to paste cut-outs on")
    parser.add_argument("--real", type=Path, help="reference data: adds its real training pairs (not for shipping)")
    parser.add_argument("--taught", type=Path, help=".npz of METER's inverse depth for the photos, same order")
    parser.add_argument("--run", type=Path, required=True, help="folder of this run's checkpoints")
    parser.add_argument("--minutes", type=float, default=150, help="of wall clock, all restarts together")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--top-rate", type=float, default=1.5e-3)
    parser.add_argument("--encoder-share", type=float, default=0.15, help="of the rate, for the encoder")
    parser.add_argument("--frozen", type=float, default=0.15, help="part of the run with the whole encoder frozen")
    parser.add_argument("--threads", type=int, default=1)
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


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    options.run.mkdir(parents=True, exist_ok=True)
    network = EmbeddedDepthNet().to(memory_format=torch.channels_last)
    load_imagenet(network.encoder)
    optimiser = torch.optim.AdamW([{"params": network.decoder.parameters(), "share": 1.0},
                                   {"params": network.encoder.parameters(), "share": options.encoder_share}],
                                  lr=options.top_rate, weight_decay=0.01)
    average, step, before = Average(network), 0, 0.0
    if (options.run / "checkpoint.pt").exists():
        state = torch.load(options.run / "checkpoint.pt", weights_only=True)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        average.state, average.steps = state["average"], state["average_steps"]
        step, before = state["step"], state["seconds"]
    source = sources(options, step + 1)
    start = saved = time.time()
    sums: dict[str, float] = {}
    while (spent := before + time.time() - start) < options.minutes * 60:
        progress = spent / (options.minutes * 60)
        freeze(network, progress < options.frozen)
        for group in optimiser.param_groups:
            group["lr"] = options.top_rate * group["share"] * rate(progress, options.frozen)
        batch = source.batch(options.batch, SHAPES)
        photo, inverse, valid = tensors(batch)
        frozen = progress < options.frozen
        with torch.autocast("cpu", torch.bfloat16, enabled=frozen):  # Depthwise gradients are slower in bfloat16.
            maps = network.encoder(photo * 2 - 1)
        with torch.autocast("cpu", torch.bfloat16):
            half = network.decoder(maps)[:, 0]
        terms = objective(half.float(), batch, inverse, valid)
        optimiser.zero_grad(set_to_none=True)
        sum(terms.values()).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        average.update(network)
        step += 1
        for key, value in terms.items():
            sums[key] = sums.get(key, 0.0) + float(value.detach())
        if step % 25 == 0:
            report = {"step": step, "minutes": round(spent / 60, 2), "renders": len(source.rendered)}
            print(json.dumps(report | {k: round(v / 25, 4) for k, v in sums.items()}), flush=True)
            sums = {}
        if time.time() - saved > 150:
            save(options.run, network, optimiser, average, step, spent)
            saved = time.time()
    save(options.run, network, optimiser, average, step, options.minutes * 60)


if __name__ == "__main__":
    main()
