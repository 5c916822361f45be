"""Renders photo, true depth and the four other viewpoints of the demo scene: python -m benchmarks.demo_scene.render."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import bpy
import cv2
import numpy as np
from PIL import Image

from . import scene as demo

SHIFTS = {"photo": (0, 0, 0), "left": (-1, 0, 0), "right": (1, 0, 0), "up": (0, 1, 0), "forward": (0, 0, 1)}
SHIFT_M = 0.11
"""Metres, a tenth of the nearest distance."""


def set_up(width: int, height: int, samples: int, exact: bool) -> None:
    """Cycles on the processor; `exact` is one ray through each pixel's centre and raw values."""
    s = bpy.context.scene
    s.render.engine = "CYCLES"
    s.render.resolution_x, s.render.resolution_y, s.render.resolution_percentage = width, height, 100
    s.render.use_persistent_data = True
    s.render.dither_intensity = 0.0 if exact else 0.5
    s.render.use_compositing = s.render.use_sequencer = False
    c = s.cycles
    c.device, c.samples, c.seed = "CPU", 1 if exact else samples, 7
    c.use_adaptive_sampling = not exact
    c.adaptive_threshold = 0.02
    c.use_denoising = not exact
    c.denoiser, c.denoising_input_passes, c.denoising_prefilter = "OPENIMAGEDENOISE", "RGB_ALBEDO_NORMAL", "ACCURATE"
    c.pixel_filter_type, c.filter_width = "BLACKMAN_HARRIS", 0.01 if exact else 1.3
    c.max_bounces, c.diffuse_bounces, c.glossy_bounces, c.transmission_bounces = (0, 0, 0, 0) if exact else (7, 4, 3, 4)
    c.sample_clamp_indirect, c.caustics_reflective, c.caustics_refractive = 6.0, False, False
    s.view_settings.view_transform = "Raw" if exact else "AgX"
    s.view_settings.look = "None" if exact else "AgX - Medium High Contrast"
    s.view_settings.exposure = 0.0 if exact else 0.25
    s.display_settings.display_device = "sRGB"
    s.render.image_settings.file_format = "OPEN_EXR" if exact else "PNG"
    s.render.image_settings.color_mode = "RGB"
    s.render.image_settings.color_depth = "32" if exact else "8"


def depth_material() -> bpy.types.Material:
    """Shines with the distance along the optical axis, metres."""
    m = bpy.data.materials.new("z depth")
    if bpy.app.version < (5, 0, 0):
        m.use_nodes = True
    tree = m.node_tree
    tree.nodes.clear()
    camera, emission = tree.nodes.new("ShaderNodeCameraData"), tree.nodes.new("ShaderNodeEmission")
    out = tree.nodes.new("ShaderNodeOutputMaterial")
    tree.links.new(camera.outputs["View Z Depth"], emission.inputs["Color"])
    tree.links.new(emission.outputs[0], out.inputs["Surface"])
    return m


def render_colour(path: Path, width: int, height: int, samples: int) -> np.ndarray:
    """Render the picture to `path` (PNG); returns (height, width, 3) uint8 RGB."""
    set_up(width, height, samples, exact=False)
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    return np.asarray(Image.open(path).convert("RGB"))


def render_depth(path: Path, width: int, height: int) -> np.ndarray:
    """(height, width) float32 metres along the axis at pixel centres, rendered by way of `path` (EXR)."""
    set_up(width, height, 1, exact=True)
    s = bpy.context.scene
    s.render.filepath = str(path)
    layer = s.view_layers[0]
    layer.material_override = depth_material()
    strength = [n for n in s.world.node_tree.nodes if n.type == "BACKGROUND"][0].inputs["Strength"] if s.world else None
    keep = strength.default_value if strength else None
    if strength:
        strength.default_value = 0.0
    bpy.ops.render.render(write_still=True)
    layer.material_override = None
    if strength:
        strength.default_value = keep
    image = bpy.data.images.load(str(path), check_existing=False)
    image.colorspace_settings.name = "Non-Color"
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return pixels.reshape(height, width, 4)[::-1, :, 0].copy()


def save_photo(pixels: np.ndarray, path: Path, limit: int = 900_000) -> int:
    """JPEG with the focal length in its EXIF, of the best quality to 93 that stays under `limit` bytes; returns it."""
    exif = Image.Exif()
    exif[0x010E] = "Courtyard, a synthetic scene"
    exif[0x8298] = "CC0 1.0, no rights reserved"
    exif.get_ifd(0x8769)[0x920A] = float(demo.FOCAL_35MM)
    exif.get_ifd(0x8769)[0xA405] = demo.FOCAL_35MM
    for quality in range(93, 70, -1):
        Image.fromarray(pixels).save(path, quality=quality, subsampling=0, optimize=True, exif=exif)
        if path.stat().st_size < limit:
            break
    return quality


def save_depth(z: np.ndarray, path: Path) -> None:
    """16-bit PNG in millimetres; refuses unknown or too distant pixels."""
    if not (np.isfinite(z).all() and z.min() > 0.05 and z.max() < 65.5):
        raise SystemExit(f"depth from {z.min()} to {z.max()} m does not fit 16 bit of millimetres")
    cv2.imwrite(str(path), np.round(z * 1000).astype(np.uint16), [cv2.IMWRITE_PNG_COMPRESSION, 9])


def camera_record(z: np.ndarray) -> dict:
    """What camera.json tells: pinhole of the photo, and where the other viewpoints are."""
    axes = "x right, y down, z forward; image (0, 0) is the outer corner of the top left pixel, its centre is (0.5, 0.5)"
    pinhole = {
        "width": demo.WIDTH,
        "height": demo.HEIGHT,
        "focal_px": demo.focal_px(),
        "cx": demo.WIDTH / 2,
        "cy": demo.HEIGHT / 2,
    }
    views = {}
    for name, (right, up, forward) in SHIFTS.items():
        if name != "photo":
            views[name] = {
                "image": f"views/{name}.png",
                "depth": f"views/{name}_depth.png",
                "shift_m": [right * SHIFT_M, -up * SHIFT_M, forward * SHIFT_M],
            }
    small = {
        "width": demo.WIDTH // 2,
        "height": demo.HEIGHT // 2,
        "focal_px": demo.focal_px() / 2,
        "cx": demo.WIDTH / 4,
        "cy": demo.HEIGHT / 4,
    }
    return {
        "axes": axes,
        **pinhole,
        "focal_length_35mm": demo.FOCAL_35MM,
        "depth": "courtyard_depth.png",
        "depth_unit_m": 0.001,
        "nearest_m": round(float(z.min()), 3),
        "farthest_m": round(float(z.max()), 3),
        "views_camera": small,
        "views": views,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("docs/demo"))
    parser.add_argument("--work", type=Path, default=Path("out/demo_scene"), help="where the lossless renders stay")
    parser.add_argument("--samples", type=int, default=128)
    parser.add_argument("--only", nargs="*", choices=list(SHIFTS), default=list(SHIFTS))
    options = parser.parse_args()
    output, work = options.output.resolve(), options.work.resolve()
    (output / "views").mkdir(parents=True, exist_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    demo.build()
    for name in options.only:
        began = time.time()
        demo.place_camera(np.array(SHIFTS[name]) * SHIFT_M)
        scale = 1 if name == "photo" else 2
        width, height = demo.WIDTH // scale, demo.HEIGHT // scale
        z = render_depth(work / f"{name}.exr", width, height)
        pixels = render_colour(work / f"{name}.png", width, height, options.samples)
        if name == "photo":
            save_depth(z, output / "courtyard_depth.png")
            quality = save_photo(pixels, output / "courtyard.jpg")
            (output / "camera.json").write_text(json.dumps(camera_record(z), indent=1) + "\n")
            print(f"JPEG quality {quality}")
        else:
            save_depth(z, output / "views" / f"{name}_depth.png")
            cv2.imwrite(str(output / "views" / f"{name}.png"), pixels[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
        print(f"{name}: {time.time() - began:.0f} s, z {z.min():.3f} to {z.max():.3f} m", flush=True)


if __name__ == "__main__":
    main()
