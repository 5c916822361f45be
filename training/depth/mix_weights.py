"""Mixes weights of networks of one form, one trained on from the other, so that what both know is kept (Wortsman et al. 2022, WiSE-FT).

python training/depth/mix_weights.py OLD.safetensors NEW.safetensors --shares 0.4 0.6 --output MIXED.safetensors
"""
# ruff: noqa: E402, I001  (the path comes first: these scripts are run from a checkout, not installed)

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file

from train import export


def mixed(states: list[dict[str, torch.Tensor]], shares: list[float]) -> dict[str, torch.Tensor]:
    """The weighted mean of each tensor over the networks that have it (an older one knows no sky); of whole numbers, which count batches,
    and of the head for the shift, which training leaves out, those of the first network."""
    whole = {name: value for name, value in states[0].items() if name.startswith("shift.") or not value.dtype.is_floating_point}

    def mean(name: str) -> torch.Tensor:
        pairs = [(state[name].float(), share) for state, share in zip(states, shares, strict=True) if name in state]
        return sum(value * share for value, share in pairs) / sum(share for _, share in pairs)

    names = sorted(set.union(*(set(state) for state in states)) - set(whole))
    return whole | {name: mean(name) for name in names if not name.startswith("shift.")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, nargs="+")
    parser.add_argument("--shares", type=float, nargs="+", required=True, help="one for each file")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    if len(options.shares) != len(options.weights):
        parser.error(f"{len(options.weights)} files need {len(options.weights)} shares, not {len(options.shares)}")
    export(mixed([load_file(str(path)) for path in options.weights], options.shares), options.output)


if __name__ == "__main__":
    main()
