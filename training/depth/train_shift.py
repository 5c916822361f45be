"""Trains the head that tells the shift of the depth network's relative inverse depth, on renders with true inverse depth.

    python training/depth/train_shift.py --rendered CACHE/rendered --run CACHE/shift [--start WEIGHTS]

The network itself stays as it is. What is learned is one number a picture, from the means of a feature map: how far the zero of
inverse depth (infinity) lies below the least that all depth networks together say, in parts of the range. What was looked
at is kept in CACHE/shift, so that only new renders cost time; other networks need another folder. Printed are figures on scenes, and
on kinds of scenes, that a head never saw: from these the feature map and the size of the layer were chosen.
"""
# ruff: noqa: E402, I001  (the path comes first: these scripts are run from a checkout, not installed)

import argparse
import os
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = Path(os.environ.get("PHOTO_DIORAMA_ROOT", HERE.parents[1]))
sys.path[:0] = [str(HERE), str(ROOT / "tests")]

import conftest  # noqa: F401
import cv2
import numpy as np
import torch
from PIL import Image
from photo_diorama.core.built_in.depth import OTHERS, mean_levels
from photo_diorama.core.networks.depth.embedded_depth_net import (
    LONG_SIDE,
    SHIFT_TAP,
    WEIGHTS,
    EmbeddedDepthNet,
    ShiftHead,
    infer,
    load_network,
    network_input,
)
from samples import HELD_BACK, crop, defocus, is_held_back, recolour, shapes
from torch.nn import functional
from train import export

CROPS = 2
"""Crops of each render beside the whole of it: other angles of view, other colours."""
PERCENTILES = (5, 25, 50, 75, 95)
"""Of inverse depth that is no sky; all are compared with the last."""
MIN_KNOWN = 0.05
"""Share of a picture that must not be sky."""
DROPPED, TOP_RATE, DECAY, STEPS = 0.5, 4e-3, 1.0, 300


Networks = list[tuple[EmbeddedDepthNet, int]]
"""The depth networks with the long side of a 4:3 picture at which each is run; the first gets the head."""


@dataclass(frozen=True)
class Pictures:
    """What the head learns from, n pictures."""

    means: np.ndarray  # (n, C) float32, of the feature maps
    found: np.ndarray  # (n, 5) float32 percentiles of the network's inverse depth on 0..1
    true: np.ndarray  # (n, 5) float32 percentiles of true inverse depth, zero at infinity
    scene: np.ndarray  # (n,) names of renders
    kind: np.ndarray  # (n,) kinds of scenes

    def __getitem__(self, which: np.ndarray) -> "Pictures":
        return Pictures(self.means[which], self.found[which], self.true[which], self.scene[which], self.kind[which])


def look_at(networks: Networks, photo: np.ndarray, inverse: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Means of the first network's feature map (C,), percentiles of found and of true inverse depth (5,); None where all is sky.

    (H, W, 3) uint8 RGB and (H, W) float32; the first network also sees the mirror image, as in use.
    """
    known = inverse > 0
    if known.mean() < MIN_KNOWN:
        return None
    (first, _), *others = networks
    with torch.inference_mode():
        x = network_input(photo)
        maps = first.encoder(torch.cat([x, x.flip(3)]) * 2 - 1)
        answer = functional.interpolate(first.decoder(maps)[:, :1], size=x.shape[2:], mode="bilinear", align_corners=False)[:, 0]
        means = maps[SHIFT_TAP].mean((0, 2, 3)).numpy()
    said = [infer(network, photo, side, flip=False) for network, side in others]
    relative = mean_levels([((answer[0] + answer[1].flip(1)) / 2).numpy(), *said])
    relative = (relative - relative.min()) / max(float(np.ptp(relative)), 1e-9)
    found = cv2.resize(relative, inverse.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return means, np.percentile(found[known], PERCENTILES), np.percentile(inverse[known], PERCENTILES)


def collect(networks: Networks, rendered: Path, run: Path, most: int) -> Pictures:
    """At most so many of the renders, of all kinds, whole and in crops; what was looked at before is read from `run`.

    Renders that the networks' training leaves out are left out here as well: `evaluate_shape.py` looks at them.
    """
    rows: list[tuple] = []
    paths = [path for path in sorted(rendered.glob("*.jpg")) if not path.name.startswith(".") and path.with_suffix(".png").exists()]
    for path in paths[:: max(1, len(paths) // most)]:
        if is_held_back(path, HELD_BACK):
            continue
        kept = run / f"{path.stem}.npz"
        if not kept.exists():
            _keep(networks, path, kept)
        with np.load(kept) as stored:
            rows += zip(stored["means"], stored["found"], stored["true"], [path.stem] * len(stored["means"]),
                        [str(stored["kind"])] * len(stored["means"]), strict=True)  # fmt: skip
    means, found, true, scene, kind = (np.array(column) for column in zip(*rows, strict=True))
    return Pictures(
        means.astype(np.float32),
        found.astype(np.float32),
        np.maximum(true, 1e-4).astype(np.float32),
        scene,
        kind,
    )


def _keep(networks: Networks, path: Path, kept: Path) -> None:
    """Looks at one render and some crops of it, recoloured."""
    rng = np.random.default_rng(zlib.crc32(path.stem.encode()))
    with Image.open(path.with_suffix(".png")) as stored:
        kind, code = stored.text.get("kind", ""), np.array(stored)
    photo = np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1])
    seen = [look_at(networks, photo, code / np.float32(65535))]
    choices = shapes(384)
    for _ in range(CROPS):
        part, inverse = crop(photo, code, choices[rng.integers(len(choices))], rng, 0.4)
        part = defocus(part, inverse, rng) if rng.random() < 0.25 else part
        seen.append(look_at(networks, recolour(part, rng), inverse / np.float32(65535)))
    columns = zip(*(each for each in seen if each is not None), strict=True) if any(seen) else ((), (), ())
    means, found, true = (np.array(column) for column in columns)
    part = kept.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, means=means, found=found, true=true, kind=kind)
    os.replace(part, kept)


def misses(shift: torch.Tensor, found: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """(n, 4) absolute logarithms of by what factor the ratio of each lower percentile to the last is wrong."""
    level = found + shift[:, None]
    return (torch.log(level[:, :-1] / level[:, -1:]) - torch.log(true[:, :-1] / true[:, -1:])).abs()


def fit(pictures: Pictures, weight_decay: float = DECAY, seed: int = 0) -> ShiftHead:
    """A head for the shift, trained on these pictures."""
    torch.manual_seed(seed)
    head = ShiftHead(pictures.means.shape[1])
    means, found, true = (torch.from_numpy(values).float() for values in (pictures.means, pictures.found, pictures.true))
    centre, spread = means.mean(0), means.std(0) + 1e-3
    torch.nn.init.zeros_(head.second.weight), torch.nn.init.constant_(head.second.bias, 0.6)
    optimiser = torch.optim.AdamW(head.parameters(), TOP_RATE, weight_decay=weight_decay)
    standard = (means - centre) / spread
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = TOP_RATE * (1 - step / STEPS)
        dropped = functional.dropout(standard, DROPPED)
        loss = misses(head.of(dropped), found, true).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():  # the head takes the means as they are
        head.first.bias -= head.first.weight @ (centre / spread)
        head.first.weight /= spread
    return head


def joined(old: ShiftHead, new: ShiftHead) -> ShiftHead:
    """One head whose score is the mean of two, so that its shift lies between theirs, near the geometric mean."""
    head = ShiftHead(new.first.in_features, old.first.out_features + new.first.out_features)
    with torch.no_grad():
        head.first.weight.copy_(torch.cat([old.first.weight, new.first.weight]))
        head.first.bias.copy_(torch.cat([old.first.bias, new.first.bias]))
        head.second.weight.copy_(torch.cat([old.second.weight, new.second.weight], 1) / 2)
        head.second.bias.copy_((old.second.bias + new.second.bias) / 2)
    return head


def factor(head: ShiftHead | float, pictures: Pictures) -> float:
    """Median factor (at least 1) by which the ratio of the 5th and 95th percentile of depth is wrong; a number is a constant shift."""
    if isinstance(head, float):
        shift = torch.full((len(pictures.means),), head)
    else:
        with torch.no_grad():
            shift = head.of(torch.from_numpy(pictures.means))
    return float(misses(shift, torch.from_numpy(pictures.found), torch.from_numpy(pictures.true))[:, 0].median().exp())


def crossed(pictures: Pictures, groups: np.ndarray) -> float:
    """Median factor over all pictures, each by a head that saw none of its group; `groups` is (n,), of any names."""
    factors = np.zeros(len(pictures.means))
    for group in np.unique(groups):
        left = groups == group
        head = fit(pictures[~left])
        with torch.no_grad():
            shift = head.of(torch.from_numpy(pictures.means[left]))
        factors[left] = misses(shift, torch.from_numpy(pictures.found[left]), torch.from_numpy(pictures.true[left]))[:, 0]
    return float(np.exp(np.median(factors)))


def folds(names: np.ndarray, count: int = 5) -> np.ndarray:
    """(n,) which of `count` groups each name is in."""
    return np.array([zlib.crc32(name.encode()) % count for name in names])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rendered", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True, help="folder for means of features")
    parser.add_argument("--start", type=Path, default=WEIGHTS, help="weights of the network")
    parser.add_argument("--most", type=int, default=400, help="renders to look at, evenly spaced by name")
    parser.add_argument("--keep", action="store_true", help="the mean with the head that the weights already have: what it learned stays")
    parser.add_argument("--output", type=Path, help="default: RUN/embedded_depth.safetensors")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    options.run.mkdir(parents=True, exist_ok=True)
    network = load_network(options.start)
    networks = [(network, LONG_SIDE), *((load_network(path.with_suffix(".safetensors")), side) for path, side in OTHERS)]
    pictures = collect(networks, options.rendered, options.run, options.most)
    learned = fit(pictures)
    scenes = np.array([name.rpartition("-")[0] or name for name in pictures.scene])
    print(f"{len(np.unique(pictures.scene))} renders of {len(np.unique(scenes))} scenes, {len(pictures.means)} pictures")
    unseen, other_kinds = crossed(pictures, folds(scenes)), crossed(pictures, pictures.kind)
    print(f"far / near wrong by a factor of, median: learned {factor(learned, pictures):.2f}, scenes never seen {unseen:.2f}, "
          f"kinds never seen {other_kinds:.2f}")  # fmt: skip
    print("constant shifts:", {round(value, 3): round(factor(value, pictures), 2) for value in (1 / 60, 0.1, 0.2, 0.3, 0.5, 1.0)})
    if options.keep:
        learned = joined(network.shift, learned)
        print(f"joined with the head before {factor(learned, pictures):.2f}")
    state = network.state_dict() | {f"shift.{name}": value for name, value in learned.state_dict().items()}
    export(state, options.output or options.run / "embedded_depth.safetensors")


if __name__ == "__main__":
    main()
