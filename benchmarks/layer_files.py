"""Seconds and memory of layers out and in, of a photo of 24 megapixels with one hidden layer.

    python benchmarks/layer_files.py

The courtyard enlarged to 6000x4000 with noise. Seconds of processor time; the peak of the process while each step runs (Linux).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from photo_diorama.core.layer_files.read_layers import read_layer_file
from photo_diorama.core.layer_files.write_layers import write_layer_file
from photo_diorama.core.layer_pictures import make_layer_file
from photo_diorama.core.pipeline import Diorama, build_diorama
from photo_diorama.core.settings import Settings

DEMO = Path(__file__).resolve().parents[1] / "docs" / "demo"
SIZE = (6000, 4000)


def measured(step: Callable) -> str:
    """Seconds of processor time of a step, and the process's peak of memory meanwhile."""
    Path("/proc/self/clear_refs").write_text("5")
    start = time.process_time()
    step()
    seconds = time.process_time() - start
    lines = Path("/proc/self/status").read_text().splitlines()
    return f"{seconds:.1f} s, {next(int(line.split()[1]) for line in lines if line.startswith('VmHWM')) // 1024} MB"


def write_out(built: Diorama, target: Path) -> None:
    write_layer_file(target, make_layer_file(built))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        photo = cv2.resize(cv2.imread(str(DEMO / "courtyard.jpg")), SIZE, interpolation=cv2.INTER_CUBIC).astype(np.int16)
        photo += np.random.default_rng(0).normal(0, 2, photo.shape).astype(np.int16)
        cv2.imwrite(str(place / "large.jpg"), np.clip(photo, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 92])
        settings = Settings().with_values({"passes": 1})
        built = build_diorama(place / "large.jpg", DEMO / "courtyard_depth.png", settings)
        names = ("folder", "layers.psd", "layers.ora", "layers.exr")
        for name in names:
            print(f"{name} out: {measured(partial(write_out, built, place / name))}", flush=True)
        del built
        for name in names:
            print(f"{name} in: {measured(partial(read_layer_file, place / name))}", flush=True)


if __name__ == "__main__":
    main()
