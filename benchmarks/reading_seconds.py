"""CPU seconds that reading a photo of 24 megapixels and its depth file takes, until the depth lies on the photo's working grid.

    python benchmarks/reading_seconds.py [--against CHECKOUT] [--runs 5] [--work FOLDER]

The photo is a JPEG of 6000x4000, its depth of the same size: 8 and 16 bits, millimetres, metres as EXR and NPY. Each run is a process
of its own, the checkouts in turn; printed is the median of user and system time, without that of starting Python and its packages.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
WORKER = """
import sys, time
import cv2, scipy.ndimage, PIL.JpegImagePlugin, PIL.PngImagePlugin
try:
    import OpenEXR
except ImportError:
    pass
from pathlib import Path
from photo_diorama.core.depth.depth_map import depth_on_photo
from photo_diorama.core.depth.find_depth import find_depth
from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.settings import Settings
import photo_diorama
photo, depth, checkout = map(Path, sys.argv[1:])
assert Path(photo_diorama.__file__).resolve().parent == checkout, photo_diorama.__file__
start = time.process_time()
settings, read = Settings(), load_photo(photo, Settings().photo)
middle = time.process_time()
found = find_depth(read, depth, settings.depth, None)
depth_on_photo(found.values, read, settings.depth, settings.layers.long_side, str(depth))
print(middle - start, time.process_time() - middle)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="another checkout, whose folder is called photo_diorama")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--work", type=Path, default=ROOT / "out" / "reading")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    photo, depths = make(given.work)
    checkouts = [ROOT] + ([given.against.resolve()] if given.against else [])
    print("| depth | " + " | ".join(f"{c} photo | depth | both" for c in map(str, checkouts)) + " |")
    for depth in depths:
        runs = [[seconds(checkout, photo, depth, given.work) for checkout in checkouts] for _ in range(given.runs)]
        cells = []
        for each in zip(*runs, strict=True):
            parts = [*zip(*each, strict=True), [sum(run) for run in each]]
            cells += [f"{statistics.median(part):.2f}" for part in parts]
        print(f"| {depth.name} | " + " | ".join(cells) + " |", flush=True)


def make(work: Path) -> tuple[Path, list[Path]]:
    """The photo, and its depth files, made once."""
    import cv2

    photo = work / "photo.jpg"
    kinds = ["depth_8.png", "depth_16.png", "depth_camera.png", "depth.exr", "depth.npy"]
    depths = [work / name for name in kinds]
    if photo.exists() and all(depth.exists() for depth in depths):
        return photo, depths
    import OpenEXR

    rows, columns = np.mgrid[:4000, :6000].astype(np.float32)
    ground = 1.6 / np.maximum((rows - 1500) / 6000, 0.02)
    metres = np.minimum(ground, 60) + 0.2 * np.sin(columns / 300)
    for x, wide, z in ((900, 300, 3.0), (2500, 500, 6.0), (4700, 250, 4.0)):
        thing = (np.abs(columns - x) < wide * (1 + 0.2 * np.sin(rows / 90))) & (rows > 1200) & (rows < 3000)
        metres[thing] = z
    grey = (40 + 170 * np.exp(-metres / 25) + np.random.default_rng(0).normal(0, 6, metres.shape)).clip(0, 255)
    cv2.imwrite(str(photo), np.dstack([grey, grey * 0.95, grey * 0.85]).astype(np.uint8))
    inverse = 1 / metres
    part = (inverse - inverse.min()) / np.ptp(inverse)
    cv2.imwrite(str(depths[0]), np.rint(part * 255).astype(np.uint8))
    cv2.imwrite(str(depths[1]), np.rint(part * 65535).astype(np.uint16))
    cv2.imwrite(str(depths[2]), (np.minimum(metres, 19) * 1000).astype(np.uint16))
    OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, {"Z": metres}).write(str(depths[3]))
    np.save(depths[4], metres)
    return photo, depths


def seconds(checkout: Path, photo: Path, depth: Path, work: Path) -> list[float]:
    """CPU seconds of the photo and of the depth."""
    packages = work / str(abs(hash(str(checkout))))
    packages.mkdir(exist_ok=True)
    link = packages / "photo_diorama"
    if not link.exists():
        link.symlink_to(checkout)
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    done = subprocess.run(
        [sys.executable, "-c", WORKER, photo, depth, checkout], env=environment, capture_output=True, text=True, check=True
    )
    return [float(word) for word in done.stdout.split()[-2:]]


if __name__ == "__main__":
    main()
