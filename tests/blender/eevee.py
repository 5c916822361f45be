"""Runs a script that renders with EEVEE in a process of its own: without a driver for graphics Blender does not raise but abort."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
BEGIN = f"""
import sys
sys.path[:0] = [{str(HERE.parent)!r}, {str(HERE)!r}]
import conftest, bpy, cv2, numpy as np, os, photo_diorama
from pathlib import Path
from made_photos import OPTIONS
photo_diorama.register()
bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
folder, ops, seen = Path(sys.argv[1]), bpy.ops.photo_diorama, {{}}
"""
END = """
np.savez(folder / "seen.npz", **seen)
os._exit(0)
"""


def seen_by_eevee(script: str, folder: Path) -> dict[str, np.ndarray]:
    """What a script puts into `seen`; it finds `folder`, `ops` and the options for made photos. Skips where EEVEE cannot render."""
    pytest.importorskip("bpy", reason="needs Blender as a module: pip install bpy")
    command = [sys.executable, "-c", BEGIN + script + END, str(folder)]
    try:
        subprocess.run(command, capture_output=True, timeout=400, cwd=HERE.parents[1])
    except subprocess.TimeoutExpired:
        pytest.skip("EEVEE takes too long on this machine")
    if not (folder / "seen.npz").is_file():
        pytest.skip("EEVEE cannot render on this machine")
    return np.load(folder / "seen.npz")
