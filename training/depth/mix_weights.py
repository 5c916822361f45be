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
    """The weighted mean of each tensor; of what only some of the networks have, nothing is kept (the head for the shift), of whole
    numbers, which count batches, the first."""
    common = sorted(set.intersection(*(set(state) for state in states)))
    whole = {name: states[0][name] for name in common if not states[0][name].dtype.is_floating_point}
    mean = lambda name: sum(state[name].float() * share for state, share in zip(states, shares, strict=True)) / sum(shares)
    return {name: whole[name] if name in whole else mean(name) for name in common}


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
