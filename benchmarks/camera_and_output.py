"""Pictures of the camera's moves and of stereo output, of the demo courtyard.

    python benchmarks/camera_and_output.py [--output FOLDER] [--width 300]

Writes camera_moves.jpg (the first and the last frame of each move, at twice its usual size) and stereo.jpg (an anaglyph, and
a pair for parallel viewing).
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
import conftest  # noqa: E402, F401  makes the checkout importable

DEMO = HERE.parent / "docs/demo"
AMOUNT = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("out"))
    parser.add_argument("--width", type=int, default=300)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    import bpy
    import cv2

    import photo_diorama
    from photo_diorama.core.camera.moves import MOVES

    photo_diorama.register()
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    ops = bpy.ops.photo_diorama
    ops.import_photo(
        filepath=str(DEMO / "courtyard.jpg"), depth=str(DEMO / "courtyard_depth.png"), long_side=640,
        depth_kind="metric", depth_scale=0.001, focal_px=1194.667,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        rows = []
        for move in MOVES:
            ops.apply_move(camera_move=move, move_amount=AMOUNT, frames=2)
            ops.render_output(filepath=f"{place}/{move}", render_side=given.width)
            first, last = (cv2.imread(f"{place}/{move}/frame_{n:04d}.png") for n in (1, 2))
            cv2.putText(first, move, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 3, cv2.LINE_AA)
            cv2.putText(first, move, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
            rows.append(np.hstack([first, last]))
        half = len(rows) // 2
        sheet = np.hstack([np.vstack(rows[:half]), np.vstack(rows[half:])])
        cv2.imwrite(str(given.output / "camera_moves.jpg"), sheet, [cv2.IMWRITE_JPEG_QUALITY, 82])
        ops.apply_move(camera_move="none")
        for stereo in ("anaglyph", "side-by-side"):
            ops.render_output(filepath=f"{place}/{stereo}.png", stereo=stereo, render_side=int(given.width * 1.4))
        pictures = [cv2.imread(f"{place}/{stereo}.png") for stereo in ("anaglyph", "side-by-side")]
        cv2.imwrite(str(given.output / "stereo.jpg"), np.hstack(pictures), [cv2.IMWRITE_JPEG_QUALITY, 82])
    print(f"made {given.output / 'camera_moves.jpg'} and {given.output / 'stereo.jpg'}")


if __name__ == "__main__":
    main()
    import os

    sys.stdout.flush()
    os._exit(0)  # Blender's own clean-up can hang beside threads
