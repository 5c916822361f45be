"""How far a rounding error of the built-in depth network goes: depth and fill with and without noise of that size.

python benchmarks/fill_sensitivity.py [--photo docs/demo/courtyard.jpg] [--noise 1e-6 ...] [--long-side 960]
"""

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from shutil import copy2
from unittest import mock

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
import conftest  # noqa: E402, F401

from photo_diorama.core.depth import find_depth  # noqa: E402
from photo_diorama.core.pipeline import Diorama, build_diorama  # noqa: E402
from photo_diorama.core.settings import Settings  # noqa: E402


def built(photo: Path, settings: Settings, noise: float) -> Diorama:
    """The diorama of a photo alone, the network's disparity off by up to the part `noise` of it."""
    estimate = find_depth.estimate_with_edges

    def noisy(picture):
        said = estimate(picture)
        off = np.random.default_rng(0).uniform(-noise, noise, said.disparity.shape) * said.disparity  # as floats round: by a part of each
        return replace(said, disparity=(said.disparity + off).astype(np.float32))

    with mock.patch.object(find_depth, "estimate_with_edges", noisy):
        return build_diorama(photo, None, settings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photo", type=Path, default=ROOT / "docs" / "demo" / "courtyard.jpg")
    parser.add_argument("--noise", type=float, nargs="+", default=[1e-7, 1e-6])
    parser.add_argument("--long-side", type=int, default=Settings().layers.long_side)
    given = parser.parse_args()
    settings = replace(Settings(), layers=replace(Settings().layers, long_side=given.long_side))
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(copy2(given.photo, Path(folder) / f"alone{given.photo.suffix}"))  # no depth lies beside it under this name
        plain = built(photo, settings, 0.0)
        print("| noise, part of the disparity | depth, at most | hidden pixels of one alone | fill: mean, at most |\n|---|---|---|---|")
        for noise in given.noise:
            print(row(plain, built(photo, settings, noise), noise))


def row(plain: Diorama, other: Diorama, noise: float) -> str:
    depth = np.abs(plain.original.disparity - other.original.disparity).max() / np.ptp(plain.original.disparity)
    pairs = [*zip(plain.image.layers[1:], other.image.layers[1:], strict=False)]
    alone = sum(int((a.present ^ b.present).sum()) for a, b in pairs)
    fill = np.concatenate([np.abs(a.colour - b.colour).max(axis=2)[a.present & b.present] for a, b in pairs])
    return f"| {noise:.0e} | {depth:.1e} | {alone} of {len(fill)} | {fill.mean():.4f}, {fill.max():.2f} |"


if __name__ == "__main__":
    main()
