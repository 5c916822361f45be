"""Trains the heads that tell the shift of the depth networks' relative inverse depth, on renders with true inverse depth.

    python training/depth/train_shift.py --rendered CACHE/rendered --run CACHE/shift

The networks themselves stay as they are. What each head learns is one number a picture, from the means of a feature map of its network:
how far the zero of inverse depth (infinity) lies below the least that all depth networks together say, in parts of the range; in use all
heads count (`mean_shift`). What was looked at is kept in CACHE/shift, so that only new renders cost time; other networks need
another folder. Printed are figures on scenes, and on kinds of scenes, that no head saw.
"""
# ruff: noqa: E402, I001  (the path comes first: these scripts are run from a checkout, not installed)

import argparse
import os
import sys
import zlib
from collections.abc import Sequence
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
from photo_diorama.core.built_in.depth import RUNS, mean_levels, mean_shift
from photo_diorama.core.networks.depth.embedded_depth_net import (
    SHIFT_TAP,
    EmbeddedDepthNet,
    ShiftHead,
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
DROPPED, TOP_RATE, DECAY, STEPS = 0.85, 4e-3, 1.0, 300


Run = tuple[EmbeddedDepthNet, int]
"""A depth network and the long side of a 4:3 picture at which it is run; a network may have several, each with a head's answer."""


@dataclass(frozen=True)
class Pictures:
    """What the heads learn from, n pictures."""

    means: list[np.ndarray]  # (n, C) float32 for each run, of the feature maps
    found: np.ndarray  # (n, 5) float32 percentiles of the networks' inverse depth on 0..1
    true: np.ndarray  # (n, 5) float32 percentiles of true inverse depth, zero at infinity
    scene: np.ndarray  # (n,) names of renders
    kind: np.ndarray  # (n,) kinds of scenes

    def __getitem__(self, which: np.ndarray) -> "Pictures":
        means = [each[which] for each in self.means]
        return Pictures(means, self.found[which], self.true[which], self.scene[which], self.kind[which])


def look_at(runs: list[Run], photo: np.ndarray, inverse: np.ndarray) -> tuple[list[np.ndarray], np.ndarray, np.ndarray] | None:
    """Means of a feature map for each run (C,), percentiles of found and of true inverse depth (5,); None where all is sky.

    (H, W, 3) uint8 RGB and (H, W) float32.
    """
    known = inverse > 0
    if known.mean() < MIN_KNOWN:
        return None
    means, said = [], []
    for network, side in runs:
        with torch.inference_mode():
            x = network_input(photo, side)
            maps = network.encoder(x * 2 - 1)
            answer = functional.interpolate(network.decoder(maps)[:, :1], size=x.shape[2:], mode="bilinear", align_corners=False)[:, 0]
        means.append(maps[SHIFT_TAP].mean((0, 2, 3)).numpy())
        said.append(answer[0].numpy())
    relative = mean_levels(said)
    relative = (relative - relative.min()) / max(float(np.ptp(relative)), 1e-9)
    found = cv2.resize(relative, inverse.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return means, np.percentile(found[known], PERCENTILES), np.percentile(inverse[known], PERCENTILES)


def collect(runs: list[Run], rendered: Path, run: Path, most: int) -> Pictures:
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
            _keep(runs, path, kept)
        with np.load(kept) as stored:
            count = len(stored["found"])
            each_run = [stored[f"means_{number}"] for number in range(len(runs))] if count else []
            rows += zip(*each_run, stored["found"], stored["true"], [path.stem] * count, [str(stored["kind"])] * count, strict=True)
    *means, found, true, scene, kind = (np.array(column) for column in zip(*rows, strict=True))
    means = [each.astype(np.float32) for each in means]
    return Pictures(means, found.astype(np.float32), np.maximum(true, 1e-4).astype(np.float32), scene, kind)


def _keep(runs: list[Run], path: Path, kept: Path) -> None:
    """Looks at one render and some crops of it, recoloured."""
    rng = np.random.default_rng(zlib.crc32(path.stem.encode()))
    with Image.open(path.with_suffix(".png")) as stored:
        kind, code = stored.text.get("kind", ""), np.array(stored)
    photo = np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1])
    seen = [look_at(runs, photo, code / np.float32(65535))]
    choices = shapes(384)
    for _ in range(CROPS):
        part, inverse = crop(photo, code, choices[rng.integers(len(choices))], rng, 0.4)
        part = defocus(part, inverse, rng) if rng.random() < 0.25 else part
        seen.append(look_at(runs, recolour(part, rng), inverse / np.float32(65535)))
    seen = [each for each in seen if each is not None]
    means, found, true = zip(*seen, strict=True) if seen else ((), (), ())
    each_run = {f"means_{number}": np.array(each) for number, each in enumerate(zip(*means, strict=True))}
    part = kept.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, **each_run, found=np.array(found), true=np.array(true), kind=kind)
    os.replace(part, kept)


def misses(shift: torch.Tensor, found: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """(n, 4) absolute logarithms of by what factor the ratio of each lower percentile to the last is wrong."""
    level = found + shift[:, None]
    return (torch.log(level[:, :-1] / level[:, -1:]) - torch.log(true[:, :-1] / true[:, -1:])).abs()


def fit(pictures: Pictures, head_of: Sequence[int]) -> list[ShiftHead]:
    """Heads for the shift, trained on these pictures; `head_of` says of each run which head answers."""
    return [fit_one(pictures, [k for k, head in enumerate(head_of) if head == number]) for number in range(max(head_of) + 1)]


def fit_one(pictures: Pictures, runs: list[int], weight_decay: float = DECAY, seed: int = 0) -> ShiftHead:
    """A head that learns from the means of some runs of one network."""
    torch.manual_seed(seed)
    means = torch.from_numpy(np.concatenate([pictures.means[run] for run in runs]))
    found, true = (torch.from_numpy(values).repeat(len(runs), 1) for values in (pictures.found, pictures.true))
    head = ShiftHead(means.shape[1])
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


def told(heads: Sequence[ShiftHead], head_of: Sequence[int], pictures: Pictures) -> np.ndarray:
    """(n,) what all heads say together of the shift, as in use."""
    with torch.no_grad():
        said = [heads[number].of(torch.from_numpy(means)).numpy() for number, means in zip(head_of, pictures.means, strict=True)]
    return mean_shift(said)


def logarithms(shift: np.ndarray, pictures: Pictures) -> np.ndarray:
    """(n,) of the factor (at least 1) by which the ratio of the 5th and 95th percentile of depth is wrong."""
    found, true = torch.from_numpy(pictures.found), torch.from_numpy(pictures.true)
    return misses(torch.from_numpy(shift.astype(np.float32)), found, true)[:, 0].numpy()


def factor(shift: np.ndarray | float, pictures: Pictures) -> float:
    """The median of that factor; a number is a constant shift."""
    return float(np.exp(np.median(logarithms(np.broadcast_to(shift, len(pictures.found)), pictures))))


def crossed(pictures: Pictures, groups: np.ndarray, head_of: Sequence[int]) -> float:
    """Median factor over all pictures, each by heads that saw none of its group; `groups` is (n,), of any names."""
    found = np.zeros(len(pictures.found))
    for group in np.unique(groups):
        left = groups == group
        found[left] = logarithms(told(fit(pictures[~left], head_of), head_of, pictures[left]), pictures[left])
    return float(np.exp(np.median(found)))


def folds(names: np.ndarray, count: int = 5) -> np.ndarray:
    """(n,) which of `count` groups each name is in."""
    return np.array([zlib.crc32(name.encode()) % count for name in names])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rendered", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True, help="folder for means of features, and for the weights")
    parser.add_argument("--most", type=int, default=400, help="renders to look at, evenly spaced by name")
    keep = "the first network's head stays as it is, or all that are there are kept in the mean with the new ones"
    parser.add_argument("--keep", choices=("first", "all"), help=keep)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    options.run.mkdir(parents=True, exist_ok=True)
    paths = [path.with_suffix(".safetensors") for path, _ in RUNS]
    names = list(dict.fromkeys(paths))
    networks, head_of = [load_network(path) for path in names], [names.index(path) for path in paths]
    runs = [(networks[number], side) for number, (_, side) in zip(head_of, RUNS, strict=True)]
    pictures = collect(runs, options.rendered, options.run, options.most)
    heads = fit(pictures, head_of)
    scenes = np.array([name.rpartition("-")[0] or name for name in pictures.scene])
    print(f"{len(np.unique(pictures.scene))} renders of {len(np.unique(scenes))} scenes, {len(pictures.found)} pictures")
    learned, unseen = factor(told(heads, head_of, pictures), pictures), crossed(pictures, folds(scenes), head_of)
    print(f"far / near wrong by a factor of, median: learned {learned:.2f}, scenes never seen {unseen:.2f}, "
          f"kinds never seen {crossed(pictures, pictures.kind, head_of):.2f}")  # fmt: skip
    print("constant shifts:", {round(value, 3): round(factor(value, pictures), 2) for value in (1 / 60, 0.1, 0.2, 0.3, 0.5, 1.0)})
    if options.keep == "first":
        heads[0] = networks[0].shift
    elif options.keep:
        heads = [head if network.shift is None else joined(network.shift, head) for network, head in zip(networks, heads, strict=True)]
    if options.keep:
        print(f"with what is kept {factor(told(heads, head_of, pictures), pictures):.2f}")
    for path, network, head in zip(names, networks, heads, strict=True):
        export(network.state_dict() | {f"shift.{name}": value for name, value in head.state_dict().items()}, options.run / path.name)


if __name__ == "__main__":
    main()
