"""Averages the weights of runs that train side by side from the same start, and gives the mean back to each (local SGD, Stich 2019).

python training/depth/average_runs.py RUN_FOLDER RUN_FOLDER ...

Each keeps its own state of the optimiser, its steps and minutes.
"""
# ruff: noqa: E402, I001  (the path comes first: these scripts are run from a checkout, not installed)

import argparse
import os
from pathlib import Path

import torch

from mix_weights import mixed
from train import export


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs of train.py")
    options = parser.parse_args()
    states = [torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True) for run in options.runs]
    shared = {part: mixed([state[part] for state in states], [1] * len(states)) for part in ("network", "average")}
    for run, state in zip(options.runs, states, strict=True):
        torch.save(state | shared, run / "checkpoint.part")
        os.replace(run / "checkpoint.part", run / "checkpoint.pt")
        export(shared["average"], run / "embedded_depth.safetensors")


if __name__ == "__main__":
    main()
