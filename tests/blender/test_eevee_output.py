"""Stills by EEVEE are as sharp as those by Cycles, and their silhouettes as smooth."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EEVEE = """
import sys
sys.path[:0] = [{tests!r}, {here!r}]
import conftest, bpy, cv2, numpy as np, photo_diorama
from pathlib import Path
from made_photos import OPTIONS, sphere
photo_diorama.register()
bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
folder = Path({folder!r})
photo, depth = sphere(folder)
smooth = cv2.GaussianBlur(cv2.imread(str(photo)), (0, 0), 1.5)  # what a lens makes of it: no noise from texel to texel
cv2.imwrite(str(photo), smooth)
ops = bpy.ops.photo_diorama
ops.import_photo(filepath=str(photo), depth=str(depth), **OPTIONS)
seen = {{"photo": smooth}}
for engine in ("cycles", "eevee"):
    ops.render_output(filepath=str(folder / f"{{engine}}.png"), engine=engine)
    seen[engine] = cv2.imread(str(folder / f"{{engine}}.png"))
np.savez(folder / "seen.npz", **seen)
import os
os._exit(0)
"""


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(np.mean((a[2:-2, 2:-2].astype(float) - b[2:-2, 2:-2]) ** 2), 1e-9)))


def test_the_photos_own_view_is_the_photo(tmp_path):
    """In a process of its own: without a driver for graphics Blender does not raise but abort."""
    pytest.importorskip("bpy", reason="needs Blender as a module: pip install bpy")
    here = Path(__file__).parent
    script = EEVEE.format(tests=str(here.parent), here=str(here), folder=str(tmp_path))
    try:
        subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=400, cwd=here.parents[1])
    except subprocess.TimeoutExpired:
        pytest.skip("EEVEE takes too long on this machine")
    if not (tmp_path / "seen.npz").is_file():
        pytest.skip("EEVEE cannot render on this machine")
    seen = np.load(tmp_path / "seen.npz")
    # a driver in software filters textures along the wrong way and is a little softer
    assert psnr(seen["cycles"], seen["photo"]) > 45 and psnr(seen["eevee"], seen["photo"]) > 45
    print("cycles", psnr(seen["cycles"], seen["photo"]), "eevee", psnr(seen["eevee"], seen["photo"]))
