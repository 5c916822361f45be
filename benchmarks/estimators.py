"""Prints what each published depth network costs: parameters, file, seconds and memory for one photo.

    python benchmarks/estimators.py [KEY ...] [--threads 2] [--device cpu] [--height 512] [--width 768]

Weights are random, which changes neither time nor memory. Each network runs in a process of its own, so that the peak
of its memory is its own; it includes the interpreter and torch. A file's size is the catalogue's, or, in brackets, that
of the parameters in full floats where the catalogue has no such file.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
import conftest  # noqa: E402, F401 (makes photo_diorama importable)


def peak_megabytes() -> float:
    """The largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def random_estimator(key: str, device: str):
    """The estimator `key` with random weights, taken in as from a file."""
    import torch

    from photo_diorama.core.networks.checkpoints import build_from_state
    from photo_diorama.core.networks.depth.estimate import ARCHITECTURES, Estimator

    architecture = ARCHITECTURES[key]
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in architecture.module().state_dict().items()}
    state = {name: torch.rand(shape).mul_(0.02) for name, shape in shapes.items()}
    network = build_from_state(architecture.module, state, key, "random weights").to(device)
    return Estimator(key, network, architecture.photo_input, architecture.read)


def measure(key: str, arguments: argparse.Namespace) -> dict:
    """One row of the table, measured in this process."""
    import numpy as np
    import torch

    torch.set_num_threads(arguments.threads)
    row = {"key": key}
    photo = np.random.default_rng(0).integers(0, 256, (arguments.height, arguments.width, 3), dtype=np.uint8)
    estimator = random_estimator(key, arguments.device)
    row["parameters"] = sum(parameter.numel() for parameter in estimator.network.parameters())
    estimator.predict(photo)
    wall, cpu = [], []
    for _ in range(arguments.repeats):
        start, busy = time.perf_counter(), time.process_time()
        values = estimator.predict(photo).values
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - busy)
    return row | {"seconds": min(wall), "cpu": min(cpu), "peak_mb": peak_megabytes(), "size": values.shape[::-1]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("keys", nargs="*")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--height", type=int, default=512)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", action="store_true", help="measure the single key here and print it as JSON")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.keys[0], arguments)))
        return
    from photo_diorama.core.models.catalogue import CATALOGUE
    from photo_diorama.core.networks.depth.estimate import ARCHITECTURES

    files = {weights.key: weights.bytes for weights in CATALOGUE}
    options = [f"--{name}={getattr(arguments, name)}" for name in ("threads", "device", "height", "width", "repeats")]
    print("| network | parameters (M) | file (MB) | network size | seconds | CPU seconds | peak memory (MB) |")
    print("|---|---|---|---|---|---|---|")
    for key in arguments.keys or ARCHITECTURES:
        command = [sys.executable, __file__, key, "--one", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"| {key} | failed: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'killed'} |")
            continue
        row = json.loads(done.stdout.splitlines()[-1])
        file = f"{files[key] / 1e6:.0f}" if key in files else f"({4e-6 * row['parameters']:.0f})"
        print(
            f"| {key} | {row['parameters'] / 1e6:.2f} | {file} | {row['size'][0]}x{row['size'][1]} "
            f"| {row['seconds']:.2f} | {row['cpu']:.2f} | {row['peak_mb']:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
