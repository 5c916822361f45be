"""Renders training pictures with true inverse depth in Blender's Cycles (needs bpy); can be stopped and run again.

    python training/depth/render_scenes.py --photos DIR [DIR ...] --furniture DIR_OF_SH3F --people CACHE/people \
        --out CACHE/rendered --count 8000

NAME.jpg is the picture, NAME.png its disparity: 16 bit, 0 for the sky alone, 65535 for the nearest point; the PNG's text
holds `nearest` (1/m), so that metres can be had back, `hfov` (degrees) and `kind`. Cut-outs (a hero with its true alpha
before nothing) go to the folder `cut_outs` beside: NAME.png is RGBA, NAME_depth.png as above.
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
from scene_kinds.catalogue import draw_models
from scene_kinds.layouts import LAYOUTS
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from scene_kinds.cast import Cast
from scene_kinds.fronts import FRONTS
from scene_kinds.heroes import HEROES, cut_out
from scene_kinds.interiors import INTERIORS
from scene_kinds.stage import Stage

LONG_SIDE = 512
CUT_OUTS = 0.045  # share of scenes
ASKEW = 0.12  # share of cameras that are held askew
SHARES = {
    **{layout: 0.5 * share for layout, share in LAYOUTS.items()},
    **{layout: 0.16 * share for layout, share in HEROES.items()},
    **{layout: 0.115 * share for layout, share in FRONTS.items()},
    **{layout: 0.18 * share for layout, share in INTERIORS.items()},
    cut_out: CUT_OUTS,
}
WANTED = {"furniture": 46, "small": 46, "person": 14, "animal": 8, "vehicle": 9, "tree": 2, "plant": 9, "garden": 12}


def drawn_more(factors: list[str]) -> np.ndarray:
    """`SHARES` as an array, those of some kinds multiplied: "still_life=3". Raises SystemExit for what is no kind or no factor."""
    shares = {layout.__name__: share for layout, share in SHARES.items()}
    for text in factors:
        kind, _, factor = text.partition("=")
        if kind not in shares or not factor.replace(".", "", 1).isdigit():
            raise SystemExit(f"--more {text}: give a kind of scene and a factor, as still_life=3. Kinds: {', '.join(shares)}.")
        shares[kind] *= float(factor)
    return np.array(list(shares.values()))


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


def set_up(scene: bpy.types.Scene, work: Path, threads: int, samples: int = 4) -> None:
    """Cycles with few samples and a fast denoiser; colour and z-depth go to EXR files in `work`."""
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples = "CPU", samples
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


def worth_keeping(inverse: np.ndarray, picture: np.ndarray) -> bool:
    """False when the camera stands inside or against something, or sees next to nothing; walls head-on are kept."""
    against = (inverse > 4).mean()  # nearer than 25 cm
    detail = np.abs(np.diff(picture.astype(np.int16), axis=1)).mean()
    return 2e-3 < np.percentile(inverse, 98) < 12 and against < 0.5 and 14 < picture.std() and detail > 0.9 and 18 < picture.mean() < 240


def usable(inverse: np.ndarray, picture: np.ndarray) -> bool:
    """As `worth_keeping`, and with something before something else."""
    near = np.percentile(inverse, 98)
    far = np.percentile(inverse, 3)
    covered = (inverse > 0.8 * inverse.max()).mean()
    return 2e-3 < near < 8 and near > 1.25 * far and covered < 0.75 and 8 < picture.std() and 15 < picture.mean() < 245


def expose(stage: Stage, work: Path) -> tuple[np.ndarray, np.ndarray]:
    """What the camera sees: (H, W, 3) float32 linear light and (H, W) float32 inverse z-depth in 1/m, 0 where there is only sky."""
    light, inverse = expose_with_alpha(stage, work)
    return light[..., :3], inverse


def expose_with_alpha(stage: Stage, work: Path) -> tuple[np.ndarray, np.ndarray]:
    """As `expose`, with alpha as a fourth channel (1 unless the film is transparent); light is not multiplied by it."""
    stage.scene.frame_set(1)
    bpy.ops.render.render()
    light = cv2.imread(str(work / "Image_0001.exr"), cv2.IMREAD_UNCHANGED)
    depth = cv2.imread(str(work / "Depth_0001.exr"), cv2.IMREAD_UNCHANGED)
    depth = depth if depth.ndim == 2 else depth[..., 0]
    light = np.nan_to_num(light[..., [2, 1, 0, 3]].astype(np.float32))
    light[..., :3] /= np.maximum(light[..., 3:], 1e-3)
    return light, np.where(depth < 1e5, 1 / np.maximum(depth, 0.02), 0).astype(np.float32)


def frame(stage: Stage, view: tuple, long_side: int) -> None:
    """Point the camera and choose the picture's format."""
    rng = stage.rng
    short = int(round(long_side * rng.choice([0.75, 0.75, 0.667, 1.0]) / 16) * 16)
    upright = rng.random() < 0.3
    stage.scene.render.resolution_x, stage.scene.render.resolution_y = (short, long_side) if upright else (long_side, short)
    stage.look(*view, roll_deg=float(rng.normal(scale=10 if rng.random() < ASKEW else 1.5)))


def encode(inverse: np.ndarray) -> np.ndarray:
    """Inverse depth as 16 bit: the nearest 65535, the sky 0 and nothing else 0."""
    return np.where(inverse > 0, np.maximum(np.round(inverse / inverse.max() * 65535), 1), 0).astype(np.uint16)


def save_depth(path: Path, inverse: np.ndarray, notes: dict[str, str]) -> None:
    """A 16-bit PNG with its scale and `notes` as text, written beside and renamed."""
    text = PngInfo()
    for key, value in ({"nearest": f"{inverse.max():.6g}"} | notes).items():
        text.add_text(key, value)
    temporary = path.with_name("." + path.name)
    Image.fromarray(encode(inverse)).save(temporary, pnginfo=text)
    os.replace(temporary, path)


def save(folder: Path, name: str, picture: np.ndarray, inverse: np.ndarray, notes: dict[str, str]) -> None:
    """NAME.png, then NAME.jpg, so that a picture never stands there without its depth."""
    save_depth(folder / f"{name}.png", inverse, notes)
    temporary = folder / f".{name}.jpg"
    cv2.imwrite(str(temporary), picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 94])
    os.replace(temporary, folder / f"{name}.jpg")


def save_cut_out(folder: Path, name: str, light: np.ndarray, inverse: np.ndarray, rng: np.random.Generator, notes: dict) -> bool:
    """NAME_depth.png, then NAME.png (RGBA); False when hardly anything, or no background, is seen."""
    solid = light[..., 3] > 0.5
    if not 0.03 < solid.mean() < 0.8:
        return False
    picture = develop(np.where(solid[..., None], light[..., :3], np.median(light[solid][:, :3], 0)), np.ones_like(inverse), rng)
    rgba = np.dstack([picture[:, :, ::-1], np.round(np.clip(light[..., 3], 0, 1) * 255).astype(np.uint8)])
    save_depth(folder / f"{name}_depth.png", inverse, notes)
    temporary = folder / f".{name}.png"
    cv2.imwrite(str(temporary), rgba)
    os.replace(temporary, folder / f"{name}.png")
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, nargs="+", required=True, help="folders of free photos for textures")
    parser.add_argument("--furniture", type=Path, required=True, help="folder of .sh3f archives")
    parser.add_argument("--out", type=Path, required=True, help="cache folder, outside the repository")
    parser.add_argument("--people", type=Path, help="folder that scene_kinds/people.py has filled")
    parser.add_argument("--count", type=int, default=8000, help="stop when the cache holds so many pictures")
    parser.add_argument("--long-side", type=int, default=LONG_SIDE)
    parser.add_argument("--per-process", type=int, default=260, help="pictures before the models are drawn anew")
    parser.add_argument("--samples", type=int, default=3, help="rays a pixel, before the denoiser")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--core",
        type=int,
        help="the number, among the cores it may use, of the only one to run on (Linux; -1 is the last): else the denoiser's threads, "
        "which spin while they wait, cost half as much again",
    )
    parser.add_argument("--more", nargs="*", default=[], metavar="KIND=FACTOR", help="kinds of scene to draw more often, by what factor")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    layouts, shares = list(SHARES), drawn_more(options.more)
    if options.core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[options.core]})
    options.out.mkdir(parents=True, exist_ok=True)
    work = options.out / f".work{os.getpid()}"
    work.mkdir(exist_ok=True)
    cut_outs = options.out.parent / "cut_outs"
    cut_outs.mkdir(exist_ok=True)
    rng = np.random.default_rng(options.seed)
    chosen = draw_models(rng, options.furniture, options.out.parent / "sh3f", WANTED)
    stage = Cast(rng, read_photos(pictures_in(options.photos)), chosen, options.people)
    set_up(stage.scene, work, options.threads, options.samples)
    print({kind: len(pool) for kind, pool in stage.models.items()}, flush=True)
    done, start = 0, time.process_time()
    scene = 0
    while done < options.per_process and len(list(options.out.glob("*.jpg"))) < options.count:
        stage.clear()
        layout = layouts[rng.choice(len(layouts), p=shares / shares.sum())]
        views = layout(stage)
        stage.scene.render.film_transparent = layout is cut_out
        scene += 1
        for number, view in enumerate(views):
            frame(stage, view, options.long_side)
            light, inverse = expose_with_alpha(stage, work)
            name, notes = f"{layout.__name__}_{options.seed}_{scene:03d}-{number}", {"hfov": f"{view[2]:.1f}", "kind": layout.__name__}
            if layout is cut_out:
                done += save_cut_out(cut_outs, name, light, inverse, rng, notes)
                continue
            picture = develop(light[..., :3], inverse, rng)
            if worth_keeping(inverse, picture):
                save(options.out, name, picture, inverse, notes)
                done += 1
        print(f"{done} pictures, {(time.process_time() - start) / max(done, 1):.2f} core-seconds each, {layout.__name__}", flush=True)


if __name__ == "__main__":
    main()
