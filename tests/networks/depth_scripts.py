"""The scripts of `training/depth`, and a small cache of renders for them."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "training" / "depth"


def load(name: str):
    """A script by a name of its own: other trainings have a losses.py too."""
    spec = importlib.util.spec_from_file_location(f"depth_training_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def floor_and_box(height: int = 96, width: int = 128) -> np.ndarray:
    """Inverse depth: sky, a floor (whose inverse depth is linear in the row) and a box that stands on it."""
    rows, columns = np.mgrid[:height, :width]
    inverse = np.clip((rows - height * 0.4) / height, 0, None)
    box = (rows > 0.35 * height) & (rows < 0.8 * height) & (columns > 0.4 * width) & (columns < 0.6 * width)
    return np.where(box, 0.4, inverse).astype(np.float32)


def made_cache(folder: Path, count: int = 8) -> Path:
    """Renders and a cut-out as render_scenes.py leaves them."""
    rendered, cut_outs = folder / "rendered", folder / "cut_outs"
    rendered.mkdir()
    cut_outs.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        inverse = floor_and_box(96 + 8 * number, 128)
        photo = (inverse[..., None] / inverse.max() * 200 + rng.uniform(0, 50, (*inverse.shape, 3))).astype(np.uint8)
        cv2.imwrite(str(rendered / f"made_1_00{number}-0.png"), np.round(inverse / inverse.max() * 65535).astype(np.uint16))
        cv2.imwrite(str(rendered / f"made_1_00{number}-0.jpg"), photo)
    disc = (np.hypot(*np.mgrid[-40:40, -40:40]) < 30).astype(np.uint16)
    cv2.imwrite(str(cut_outs / "made_2_000-0_depth.png"), disc * 65535)
    cv2.imwrite(str(cut_outs / "made_2_000-0.png"), np.dstack([disc * 90, disc * 20, disc * 200, disc * 255]).astype(np.uint8))
    return rendered


def run(script: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, str(FOLDER / script), *arguments], capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
