"""Quick look at the demo scene: python -m benchmarks.demo_scene.preview OUT.png [WIDTH] [SAMPLES]."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from . import render, scene

if __name__ == "__main__":
    path = Path(sys.argv[1]).resolve()
    width, samples = int(sys.argv[2]) if len(sys.argv) > 2 else 480, int(sys.argv[3]) if len(sys.argv) > 3 else 24
    began = time.time()
    scene.build()
    built = time.time()
    render.render_colour(path, width, width * scene.HEIGHT // scene.WIDTH, samples)
    print(f"built {built - began:.1f} s, rendered {time.time() - built:.1f} s")
