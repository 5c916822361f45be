"""Renders made scenes from two places with true depth, to see what fills make of what the left view hides (needs bpy).

    python training/inpaint/render_views.py --photos DIR [DIR ...] --furniture DIR_OF_SH3F --out CACHE/views --count 12

The scenes are those of `training/depth/scene_kinds/layouts.py`; their textures come from the photos that training/inpaint holds out. For
each
view a file NAME.npz: `left` and `right` (h, w, 3) uint8 sRGB, `d_left` and `d_right` (h, w) float32 disparity in pixels between
the two, 0 for sky. The right camera stands one baseline to the right.
"""
# ruff: noqa: E402, I001  (the path comes first: these scripts are run from a checkout, not installed)

import argparse
import os
import sys
from pathlib import Path

os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"  # before cv2 is imported: its EXR reader is off otherwise
sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "depth")]

import bpy
import numpy as np
from scene_kinds.catalogue import draw_models
from scene_kinds.layouts import LAYOUTS
from pictures import photo_files
from render_scenes import WANTED, expose, read_photos, set_up, usable
from scene_kinds.stage import Stage

LONG, SHORT, SAMPLES = 480, 360, 24
WIDEST = 0.05
"""Disparity of the nearest things between the two views, as a part of the width."""


def two_views(stage: Stage, work: Path, view: tuple) -> dict[str, np.ndarray] | None:
    """What is written of one place; None where there is nothing to see."""
    stage.scene.render.resolution_x, stage.scene.render.resolution_y = LONG, SHORT
    stage.look(*view)
    light, inverse = expose(stage, work)
    white = max(float(np.percentile(light.mean(-1), 80)) / 0.55, 1e-4)
    left = develop(light, white)
    if not usable(inverse, left):
        return None
    focal = 0.5 * LONG / np.tan(stage.camera.data.angle / 2)
    baseline = WIDEST * LONG / (focal * float(np.percentile(inverse, 98)))
    stage.camera.location += stage.camera.matrix_world.to_3x3().col[0] * baseline
    bpy.context.view_layer.update()
    light, beside = expose(stage, work)
    scale = np.float32(focal * baseline)
    return {"left": left, "right": develop(light, white), "d_left": inverse * scale, "d_right": beside * scale}


def develop(light: np.ndarray, white: float) -> np.ndarray:
    """(h, w, 3) uint8 of linear light, `white` as bright as can be."""
    return np.rint(255 * np.clip(light / white, 0, 1) ** (1 / 2.2)).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, nargs="+", required=True)
    parser.add_argument("--furniture", type=Path, required=True, help="folder of .sh3f archives")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--seed", type=int, default=9001)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    work = options.out / f".work{os.getpid()}"
    work.mkdir(exist_ok=True)
    rng = np.random.default_rng(options.seed)
    chosen = draw_models(rng, options.furniture, options.out.parent / "sh3f", {kind: count // 2 for kind, count in WANTED.items()})
    stage = Stage(rng, read_photos(photo_files(options.photos, held_out=True)), chosen)
    set_up(stage.scene, work, options.threads)
    stage.scene.cycles.samples, stage.scene.cycles.denoising_quality = SAMPLES, "HIGH"
    stage.scene.cycles.denoising_prefilter = "ACCURATE"
    done = 0
    while done < options.count:
        stage.clear()
        layout = rng.choice(list(LAYOUTS), p=list(LAYOUTS.values()))
        for view in layout(stage)[:1]:
            made = two_views(stage, work, view)
            if made:
                name = f"{layout.__name__}_{options.seed}_{done:02d}.npz"
                np.savez_compressed(options.out / f".{name}", **made)
                os.replace(options.out / f".{name}", options.out / name)
                done += 1
                print(name, flush=True)
    sys.stdout.flush()
    os._exit(0)  # Blender's clean-up can hang


if __name__ == "__main__":
    main()
