"""Scores what was invented: the right view of stereo scenes, rendered by Blender from the diorama of the left one.

    python benchmarks/novel_view.py [--scenes Art Books ...] [--set option=value ...] [--shared FOLDER] [--output FOLDER]
    python benchmarks/novel_view.py --views CACHE/views     # made scenes of training/inpaint/render_views.py

For each scene: left photo and true left depth (focal length = width, baseline 1) become a .blend; the camera is moved one
baseline along its own x axis; Cycles renders the right view; the reference tool scores it inside and outside the holes.
Prints one table with the tool's own simple fills beside it.
"""

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SCENES = ("Art", "Books", "Dolls", "Laundry", "Cloth3_half", "Wood2_half")
FARTHEST = 0.01
"""Disparity in pixels of the sky of made scenes."""
MIN_PIXELS = 200
"""Pixels of hole below which a scene says nothing."""
FIGURES = ("seen PSNR", "seen SSIM", "hole PSNR", "hole SSIM", "hole edge", "hole deep")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", nargs="+", default=SCENES)
    parser.add_argument("--views", type=Path, help="folder of made scenes, in place of the real ones")
    parser.add_argument("--set", nargs="*", default=[], metavar="OPTION=VALUE", dest="values")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--output", type=Path, default=ROOT / "out" / "novel_view")
    parser.add_argument("--no-base", action="store_true", help="leave out the tool's own fills")
    given = parser.parse_args()
    tool = _load(given.shared / "tools" / "novel_view.py")
    given.output.mkdir(parents=True, exist_ok=True)
    rows, scored = {}, 0
    scenes = [file.stem for file in sorted(given.views.glob("*.npz"))] if given.views else given.scenes
    for scene in scenes:
        if given.views:
            left, right, d_left, d_right = load_made(given.views / f"{scene}.npz")
        else:
            left, right, d_left, d_right = tool.load(given.shared / "data" / "stereo" / scene)
        seen, hole = tool.zones(d_left, d_right)
        if hole.sum() < MIN_PIXELS:
            print(f"{scene} hides next to nothing and is left out", flush=True)
            continue
        scored += 1
        predictions = {} if given.no_base else tool.baselines(left, d_left)
        predictions["tool's warp"] = predictions.get("stretch", left)
        predictions["Photo Diorama"] = render_right_view(left, d_left, given.output / scene, given.values)
        for name, picture in predictions.items():
            rows.setdefault(name, []).append(_figures(tool, picture, right, seen, hole))
            print(f"{scene:12s} {name:14s}", *(f"{x:8.3f}" for x in rows[name][-1]), flush=True)
    print("\n| fill |", " | ".join(FIGURES), "|\n|---|" + "---|" * len(FIGURES))
    for name, figures in rows.items():
        if len(figures) == scored:
            print(f"| {name} |", " | ".join(f"{x:.3f}" for x in np.mean(figures, axis=0)), "|")


def _load(path: Path):
    if not path.is_file():
        sys.exit(f"{path} is not there: this benchmark needs the reference data beside the checkout (--shared FOLDER).")
    spec = importlib.util.spec_from_file_location("novel_view_tool", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_made(path: Path) -> tuple[np.ndarray, ...]:
    """Left and right picture, left and right disparity of a made scene; the sky is far, and not nowhere."""
    with np.load(path) as stored:
        return (stored["left"], stored["right"], *(np.maximum(stored[name], FARTHEST) for name in ("d_left", "d_right")))


def _figures(tool, picture, right, seen, hole) -> list[float]:
    outside, inside = tool.figures(picture, right, seen), tool.figures(picture, right, hole)
    deep = tool.deep(picture, right, hole)
    return [outside[0], outside[1], *inside, float("nan") if deep is None else deep]


def render_right_view(left, d_left, place: Path, values) -> np.ndarray:
    """(H, W, 3) uint8: the diorama of the left view seen one baseline further right, through a saved .blend."""
    import cv2

    photo, depth = place.with_suffix(".png"), place.with_suffix(".npy")
    cv2.imwrite(str(photo), left[..., ::-1])
    width = left.shape[1]
    z = np.where(np.isfinite(d_left), width / np.maximum(d_left, 1e-6), np.inf)
    np.save(depth, z.astype(np.float32))
    command = [sys.executable, str(Path(__file__).with_name("render_shifted.py")), str(photo), str(depth), str(width), str(place)]
    done = subprocess.run(command + list(values), capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout[-2000:] + done.stderr[-4000:])
    return cv2.imread(f"{place}_right.png")[..., ::-1].copy()


if __name__ == "__main__":
    main()
