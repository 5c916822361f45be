"""Whether the photo's camera sees the photo through soft silhouettes, in one of Blender's engines.

python benchmarks/soft_exactness.py [CYCLES | EEVEE] [option=value ...]
"""

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "blender")]
import conftest  # noqa: E402, F401  makes the checkout importable


def main() -> None:
    import bpy
    import numpy as np
    from made_photos import blades
    from PIL import Image

    from photo_diorama.core.pipeline import build_diorama
    from photo_diorama.core.settings import Settings, each_option
    from photo_diorama.operators.scene.emit import emit

    engine, *pairs = sys.argv[1:] or ["CYCLES"]
    kinds = {f.name: type(f.default) for _, f in each_option()}
    values = {name: kinds[name](value) for name, value in (pair.split("=") for pair in pairs)}
    fixed = {"depth_kind": "metric", "long_side": 128, "border": 0.2, "texture_filter": "closest", "set_up_scene": True}
    settings = Settings().with_values({"soft_edge": 0.03, **fixed, **values})
    with tempfile.TemporaryDirectory() as folder:
        photo, depth = blades(Path(folder))
        built = build_diorama(photo, depth, settings)
        bpy.ops.wm.read_factory_settings(use_empty=True)
        emit(built.mesh, built.photo, settings, {})
        scene = bpy.context.scene
        eevee = "BLENDER_EEVEE_NEXT" if bpy.app.version < (5, 0, 0) else "BLENDER_EEVEE"
        scene.render.engine = "CYCLES" if engine == "CYCLES" else eevee
        scene.render.dither_intensity, scene.render.filter_size, scene.eevee.taa_render_samples = 0, 0, 1
        cycles = scene.cycles
        cycles.device, cycles.samples, cycles.use_adaptive_sampling, cycles.use_denoising = "CPU", 1, False, False
        cycles.max_bounces, cycles.pixel_filter_type, cycles.filter_width = 0, "BLACKMAN_HARRIS", 0.01
        scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGB"
        scene.render.filepath = str(Path(folder) / "seen.png")
        bpy.ops.render.render(write_still=True)
        seen, wanted = (np.asarray(Image.open(f).convert("RGB")).astype(float) for f in (scene.render.filepath, photo))
    off = np.abs(seen - wanted)
    print(f"{engine} {bpy.app.version_string}: at most {off.max():.0f} of 255 off, {(off > 0).sum()} of {off.size} values", flush=True)


if __name__ == "__main__":
    main()
    os._exit(0)
