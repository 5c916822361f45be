"""`make demo`: a photo becomes diorama.blend, parallax.mp4 and contact_sheet.png, and their places are printed.

python benchmarks/demo.py PHOTO [--depth FILE] [--output FOLDER] [--move zoom-in|swing|circle|dolly-zoom] [--frames N]
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

CELLS = ((0.0, 0.0, 0.0), (-0.045, 0.0, 0.0), (0.045, 0.0, 0.0), (0.0, 0.03, 0.0), (0.0, 0.0, 0.1), (0.045, 0.03, 0.06))
"""Where the contact sheet looks from: right, up, forward, in nearest distances."""
CELL_WIDTH = 640


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo")
    parser.add_argument("--depth")
    parser.add_argument("--output", type=Path, default=Path("out"))
    parser.add_argument("--move", default="swing")
    parser.add_argument("--frames", type=int, default=48)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    blend, movie, sheet = (given.output / name for name in ("diorama.blend", "parallax.mp4", "contact_sheet.png"))
    command = [str(Path(sys.executable).with_name("photo-diorama")), given.photo, "--output", str(blend), "--overwrite"]
    command += ["--render", str(movie), "--camera-move", given.move, "--frames", str(given.frames)]
    command += ["--depth", given.depth] if given.depth else []
    code = subprocess.run(command).returncode
    if code:
        sys.exit(code)
    make_contact_sheet(blend, sheet)
    print("\n".join(f"made {path}" for path in (blend, movie, sheet)))


def make_contact_sheet(blend: Path, sheet: Path) -> None:
    """Six views of a saved diorama: the photo's own, the sides, from above, nearer, and all together."""
    import bpy
    import cv2

    from photo_diorama.ui.cli.session import only_ours_on_standard_output

    with only_ours_on_standard_output():
        _render_cells(bpy, cv2, blend, sheet)


def _render_cells(bpy, cv2, blend: Path, sheet: Path) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(blend.resolve()))
    scene = bpy.context.scene
    scene.camera.parent.animation_data_clear()
    scene.camera.data.animation_data_clear()
    nearest = scene.camera.data.clip_start * 50  # as the camera was made
    scene.render.engine, scene.render.dither_intensity = "CYCLES", 0
    scene.cycles.device, scene.cycles.samples, scene.cycles.use_denoising = "CPU", 16, False
    scene.render.resolution_percentage = max(1, min(100, round(100 * CELL_WIDTH / scene.render.resolution_x)))
    scene.render.use_persistent_data = True
    cells = []
    with tempfile.TemporaryDirectory() as place:
        for number, (side, up, forward) in enumerate(CELLS):
            scene.camera.parent.location = (side * nearest, forward * nearest, up * nearest)
            scene.render.filepath = str(Path(place) / f"{number}.png")
            bpy.ops.render.render(write_still=True)
            cells.append(cv2.imread(scene.render.filepath))
    rows = [np.hstack(cells[i : i + 3]) for i in (0, 3)]
    cv2.imwrite(str(sheet), np.vstack(rows))


if __name__ == "__main__":
    main()
