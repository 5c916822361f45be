"""Builds every kind of scene once without furniture and people, and compares one render's depth with what it must be."""
# ruff: noqa: E402, I001  (the path comes first: these scripts are run from a checkout, not installed)

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import render_scenes
import numpy as np
from scene_kinds.cast import Cast

DISTANCE, RADIUS = 3.0, 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    stage = Cast(rng, [rng.integers(0, 255, (300, 400, 3)).astype(np.uint8)], [], None)
    for layout in render_scenes.SHARES:
        stage.clear()
        views = layout(stage)
        if not views or len(stage.scene.objects) < 2:
            raise SystemExit(f"{layout.__name__} leaves the stage empty")
    print("all scenes fill the stage")
    render_scenes.set_up(stage.scene, options.work, 1, 1)
    stage.clear()
    stage.ambient(1.0)
    stage.ball((0, 0, 0), RADIUS)
    render_scenes.frame(stage, ((0, -DISTANCE, 0), (0, 0, 0), 30.0), 64)
    inverse = render_scenes.expose(stage, options.work)[1]
    if abs(1 / inverse.max() - (DISTANCE - RADIUS)) > 0.02 or (inverse == 0).mean() < 0.3:
        raise SystemExit(f"the ball is {1 / inverse.max():.3f} m away, not {DISTANCE - RADIUS}")
    code = render_scenes.encode(inverse)
    if ((code == 0) != (inverse == 0)).any() or code.max() != 65535:
        raise SystemExit("the code of the sky is not the sky's alone")
    print("depth is true")


if __name__ == "__main__":
    main()
