"""Builds every kind of scene once without people, with one made model, and compares one render's depth with what it must be."""
# ruff: noqa: E402, I001  (the path comes first: these scripts are run from a checkout, not installed)

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bpy
import render_scenes
import numpy as np
from scene_kinds.cast import Cast
from scene_kinds.catalogue import Model

DISTANCE, RADIUS = 3.0, 0.5


def model(folder: Path) -> Model:
    """A triangle whose texture is missing, as some archives' are."""
    (folder / "model.mtl").write_text("newmtl painted\nKd 0.2 0.5 0.3\nmap_Kd gone.png\n")
    (folder / "model.obj").write_text("mtllib model.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 1\nvt 0 0\nusemtl painted\nf 1/1 2/1 3/1\n")
    return Model("model", folder / "model.obj", "small", (1.0, 1.0, 1.0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    stage = Cast(rng, [rng.integers(0, 255, (300, 400, 3)).astype(np.uint8)], [model(options.work)], None)
    missing = [image for image in bpy.data.images if image.users and not image.size[0]]
    if missing:
        raise SystemExit(f"{len(missing)} textures are missing and would be magenta")
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
