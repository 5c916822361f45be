"""Photo, depth, focal length in pixels -> PLACE.blend and PLACE_right.png, seen from one unit further right. Used by novel_view.py.

python benchmarks/render_shifted.py PHOTO DEPTH FOCAL_PX PLACE [option=value ...]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import conftest  # noqa: E402, F401  makes the checkout importable


def main() -> None:
    import bpy

    from photo_diorama.core.pipeline import build_diorama
    from photo_diorama.core.settings import Settings, each_option
    from photo_diorama.operators.scene.emit import emit

    photo, depth, focal, place, *pairs = sys.argv[1:]
    kinds = {f.name: type(f.default) for _, f in each_option()}
    values = {name: kinds[name](value) for name, value in (pair.split("=") for pair in pairs)}
    settings = Settings().with_values({"focal_px": float(focal), "depth_kind": "metric", "set_up_scene": True, **values})
    bpy.ops.wm.read_factory_settings(use_empty=True)
    built = build_diorama(photo, depth, settings)
    emit(built.mesh, built.photo, settings, {})
    bpy.ops.wm.save_as_mainfile(filepath=f"{place}.blend")
    bpy.ops.wm.open_mainfile(filepath=f"{place}.blend")
    scene = bpy.context.scene
    scene.camera.parent.location.x += 1.0  # one baseline, in the units of the depth
    scene.render.engine, scene.render.dither_intensity = "CYCLES", 0
    scene.cycles.device, scene.cycles.samples, scene.cycles.use_adaptive_sampling = "CPU", 16, False
    scene.cycles.use_denoising, scene.cycles.max_bounces = False, 0
    scene.cycles.pixel_filter_type, scene.cycles.filter_width = "BLACKMAN_HARRIS", 1.0
    scene.render.filepath = f"{place}_right.png"
    bpy.ops.render.render(write_still=True)
    print(built.seconds, built.mesh.triangle_count, built.edges)


if __name__ == "__main__":
    main()
