"""Renders training pictures with true inverse depth in Blender's Cycles (needs bpy); can be stopped and run again.

    python training/depth/render_scenes.py --photos DIR [DIR ...] --furniture DIR_OF_SH3F --out CACHE --count 1500
"""
# ruff: noqa: E402, I001  (the path comes first: these scripts are run from a checkout, not installed)

import argparse
import os
import sys
import time
from pathlib import Path

os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"  # Before cv2 is imported: its EXR reader is off otherwise.
sys.path.insert(0, str(Path(__file__).parent))

import bpy
import cv2
import numpy as np
from catalogue import draw_models
from layouts import LAYOUTS
from stage import Stage

LONG, SHORT = 272, 204
WANTED = {"furniture": 46, "small": 46, "person": 14, "animal": 8, "vehicle": 9, "tree": 2, "plant": 9, "garden": 12}


def pictures_in(folders: list[Path]) -> list[Path]:
    """All photos of these folders."""
    return sorted(path for folder in folders for path in folder.iterdir() if path.suffix in (".jpg", ".png"))


def read_photos(paths: list[Path], side: int = 900) -> list[np.ndarray]:
    """Photos as (H, W, 3) uint8 RGB with the longer side at most `side`."""
    photos = []
    for path in paths:
        image = cv2.imread(str(path))[:, :, ::-1]
        factor = min(1.0, side / max(image.shape[:2]))
        photos.append(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))
    return photos


def set_up(scene: bpy.types.Scene, work: Path, threads: int) -> None:
    """Cycles with few samples and a fast denoiser; colour and z-depth go to EXR files in `work`."""
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples = "CPU", 4
    scene.cycles.use_denoising, scene.cycles.denoising_quality = True, "FAST"
    scene.cycles.denoising_prefilter = "NONE"
    scene.cycles.max_bounces, scene.cycles.diffuse_bounces, scene.cycles.transparent_max_bounces = 2, 1, 4
    scene.cycles.use_light_tree = False
    scene.cycles.sample_clamp_indirect = 4
    scene.cycles.caustics_reflective = scene.cycles.caustics_refractive = False
    scene.render.threads_mode, scene.render.threads = "FIXED", threads
    scene.render.use_persistent_data = True
    scene.view_layers[0].use_pass_z = True
    scene.use_nodes = True
    nodes = scene.node_tree.nodes
    nodes.clear()
    layers, files = nodes.new("CompositorNodeRLayers"), nodes.new("CompositorNodeOutputFile")
    files.base_path, files.format.file_format, files.format.color_depth = str(work), "OPEN_EXR", "32"
    files.file_slots.clear()
    for name in ("Image", "Depth"):
        files.file_slots.new(name + "_")
        scene.node_tree.links.new(layers.outputs[name], files.inputs[-1])


def develop(light: np.ndarray, inverse: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Linear light to a picture: haze over distance, exposure, tone curve and white balance drawn at random."""
    if inverse.min() < 1 / 60 and rng.random() < 0.6:
        through = np.exp(-1 / (np.maximum(inverse, 1e-5) * rng.uniform(150, 3000)))[..., None]
        air = np.percentile(light, 85, axis=(0, 1)) * rng.uniform(0.7, 1.1)
        light = np.where(inverse[..., None] > 1e-4, light * through + air * (1 - through), light)
    light = light * rng.uniform(0.88, 1.12, 3)
    light = light * rng.uniform(0.25, 0.75) / max(float(np.percentile(light.mean(-1), rng.uniform(55, 90))), 1e-4)
    if rng.random() < 0.5:
        light = light / (1 + light * rng.uniform(0.1, 0.5))
    picture = np.clip(light, 0, 1) ** (1 / rng.uniform(2.0, 2.5))
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def usable(inverse: np.ndarray, picture: np.ndarray) -> bool:
    """False when the camera stands inside or against something, or sees next to nothing."""
    near = np.percentile(inverse, 98)
    far = np.percentile(inverse, 3)
    covered = (inverse > 0.8 * inverse.max()).mean()
    return 2e-3 < near < 8 and near > 1.25 * far and covered < 0.75 and 8 < picture.std() and 15 < picture.mean() < 245


def expose(stage: Stage, work: Path) -> tuple[np.ndarray, np.ndarray]:
    """What the camera sees: (H, W, 3) float32 linear light and (H, W) float32 inverse z-depth in 1/m, 0 where there is only sky."""
    stage.scene.frame_set(1)
    bpy.ops.render.render()
    light = cv2.imread(str(work / "Image_0001.exr"), cv2.IMREAD_UNCHANGED)[:, :, 2::-1]
    depth = cv2.imread(str(work / "Depth_0001.exr"), cv2.IMREAD_UNCHANGED)
    depth = depth if depth.ndim == 2 else depth[..., 0]
    return np.nan_to_num(light.astype(np.float32)), np.where(depth < 1e5, 1 / np.maximum(depth, 0.02), 0).astype(np.float32)


def render(stage: Stage, work: Path, view: tuple) -> tuple[np.ndarray, np.ndarray]:
    """One view: (H, W, 3) uint8 RGB and (H, W) float32 inverse z-depth in 1/m, 0 where there is only sky."""
    upright = stage.rng.random() < 0.25
    stage.scene.render.resolution_x, stage.scene.render.resolution_y = (SHORT, LONG) if upright else (LONG, SHORT)
    stage.look(*view, roll_deg=float(stage.rng.normal(scale=1.5)))
    light, inverse = expose(stage, work)
    return develop(light, inverse, stage.rng), inverse


def save(folder: Path, name: str, picture: np.ndarray, inverse: np.ndarray) -> None:
    """NAME.jpg and NAME.png (16-bit inverse depth, the nearest 65535); written beside and renamed."""
    code = np.round(inverse / inverse.max() * 65535).astype(np.uint16)
    for suffix, pixels, options in ((".png", code, []), (".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 94])):
        temporary = folder / f".{name}{suffix}"
        cv2.imwrite(str(temporary), pixels, options)
        os.replace(temporary, folder / f"{name}{suffix}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, nargs="+", required=True, help="folders of free photos for textures")
    parser.add_argument("--furniture", type=Path, required=True, help="folder of .sh3f archives")
    parser.add_argument("--out", type=Path, required=True, help="cache folder, outside the repository")
    parser.add_argument("--count", type=int, default=1500, help="stop when the cache holds so many pictures")
    parser.add_argument("--per-process", type=int, default=260, help="pictures before the models are drawn anew")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    work = options.out / f".work{os.getpid()}"
    work.mkdir(exist_ok=True)
    rng = np.random.default_rng(options.seed)
    chosen = draw_models(rng, options.furniture, options.out.parent / "sh3f", WANTED)
    stage = Stage(rng, read_photos(pictures_in(options.photos)), chosen)
    set_up(stage.scene, work, options.threads)
    print({kind: len(pool) for kind, pool in stage.models.items()}, flush=True)
    done, start = 0, time.time()
    while done < options.per_process and len(list(options.out.glob("*.jpg"))) < options.count:
        stage.clear()
        layout = rng.choice(list(LAYOUTS), p=list(LAYOUTS.values()))
        for view in layout(stage):
            picture, inverse = render(stage, work, view)
            if usable(inverse, picture):
                save(options.out, f"{layout.__name__}_{options.seed}_{done:04d}", picture, inverse)
                done += 1
        print(f"{done} pictures, {(time.time() - start) / max(done, 1):.2f} s each, {layout.__name__}", flush=True)


if __name__ == "__main__":
    main()
