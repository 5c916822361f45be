"""How near the middle frame of a film is to the photo, at the photo's size and at 1280 pixels.

    python benchmarks/sharpness.py PHOTO... [--long-side 640] [--small 1280] [--keep FOLDER]

Renders the photo's own place (no move) as films are rendered, and compares with the photo, and with the photo reduced by an area
filter; peak signal to noise ratio in dB over all pixels but the outermost two, of 8-bit sRGB values.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from framing import each_in_its_own_process

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
import conftest  # noqa: E402, F401  makes the checkout importable


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--long-side", type=int, default=640)
    parser.add_argument("--small", type=int, default=1280)
    parser.add_argument("--keep", type=Path, help="a folder for the rendered pictures")
    given = parser.parse_args()
    if len(given.photos) > 1:
        each_in_its_own_process(given.photos)
        return
    measure(given.photos[0], given)


def measure(photo: Path, given) -> None:
    """Both sizes of one photo."""
    import bpy
    import cv2

    import photo_diorama

    photo_diorama.register()
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.photo_diorama.import_photo(filepath=str(photo), long_side=given.long_side)
    true = cv2.imread(str(photo))
    row = [f"{photo.stem:16} {true.shape[1]}x{true.shape[0]}"]
    with tempfile.TemporaryDirectory() as place:
        for side in (max(true.shape), given.small):
            target = Path(given.keep or place) / f"{photo.stem}_{side}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            bpy.ops.photo_diorama.render_output(filepath=str(target), render_side=side)
            shown = cv2.imread(str(target))
            want = true if shown.shape == true.shape else cv2.resize(true, shown.shape[1::-1], interpolation=cv2.INTER_AREA)
            row.append(f"{shown.shape[1]}x{shown.shape[0]}: {psnr(shown, want):.1f} dB")
    print("   ".join(row), flush=True)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = np.mean((a[2:-2, 2:-2].astype(float) - b[2:-2, 2:-2]) ** 2)
    return 10 * np.log10(255**2 / max(error, 1e-9))


if __name__ == "__main__":
    main()
    import os

    sys.stdout.flush()
    os._exit(0)  # Blender's own clean-up can hang beside threads
