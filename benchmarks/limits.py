"""Pictures of the limits that the manual names: what the photo shows, what the diorama shows from beside, what is true.

    python benchmarks/limits.py [far|mirror|hair|colour|network ...] [--output docs/images/limits]

Scenes of our own, rendered in Cycles with their true depth and true views (out/limits, out/soft_silhouettes), and the demo's
courtyard. Writes a PNG of three cells each; with --output a JPEG of it there.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import soft_silhouettes as stage  # imports the checkout too

ROOT = Path(__file__).resolve().parents[1]
OUT, DEMO = ROOT / "out" / "limits", ROOT / "docs" / "demo"
CELL, GAP = (300, 225), 6
FEW = {"courtyard": 12, "made": 48}
"""Samples a pixel of Cycles."""


def make_room(kind: str) -> None:
    """A wall, a floor and what the limit is about, in Blender's axes; the camera in the origin looks along +y."""
    import bpy

    stage.build_scene("leaves")
    for name in ("front stem", "front leaves"):
        bpy.data.objects.remove(bpy.data.objects[name])

    def add(name: str, shape: str, place, size, colour, metallic=0.0, rough=0.7) -> None:
        options = {"segments": 64, "ring_count": 32} if shape == "uv_sphere" else {}
        getattr(bpy.ops.mesh, f"primitive_{shape}_add")(location=place, **options)
        ob = bpy.context.object
        ob.name, ob.scale = name, size
        if shape == "uv_sphere":
            ob.data.shade_smooth()
        material = bpy.data.materials.new(name)
        if bpy.app.version < (5, 0, 0):
            material.use_nodes = True
        for field, value in (("Base Color", (*colour, 1)), ("Metallic", metallic), ("Roughness", rough)):
            material.node_tree.nodes["Principled BSDF"].inputs[field].default_value = value
        ob.data.materials.append(material)

    bpy.data.objects.remove(bpy.data.objects["backdrop"])
    plaster = (0.72, 0.46, 0.22)
    if kind == "mirror":
        add("wall", "cube", (0, 2.7, 0), (8, 0.1, 6), (0.30, 0.45, 0.42))
        add("mirror", "cube", (0.1, 2.58, 0), (0.8, 0.01, 0.55), (0.92, 0.92, 0.92), 1.0, 0.0)
        for x, z, width, height in (
            (-0.76, 0, 0.06, 0.67),
            (0.96, 0, 0.06, 0.67),
            (0.1, 0.61, 0.8, 0.06),
            (0.1, -0.61, 0.8, 0.06),
        ):
            add("frame", "cube", (x, 2.55, z), (width, 0.05, height), (0.45, 0.25, 0.04), 0.0, 0.5)
        add("far wall", "cube", (0, -5, 0), (7, 0.1, 4), plaster)
        for x, colour in ((-3.2, (0.1, 0.2, 0.5)), (-1.6, (0.1, 0.3, 0.15)), (0, (0.7, 0.1, 0.05)), (1.6, (0.1, 0.3, 0.15)),
                          (3.2, (0.1, 0.2, 0.5))):  # fmt: skip
            add("door", "cube", (x, -4.9, -0.3), (0.4, 0.1, 1.0), colour)
        add("ball", "uv_sphere", (0.2, -0.5, -0.3), (0.2, 0.2, 0.2), (0.8, 0.35, 0.03), 0.0, 0.4)
    else:
        add("wall", "cube", (0, 5, 0), (8, 0.1, 8), plaster)
        add("egg", "uv_sphere", (0, 2.2, 0.02), (0.42, 0.42, 0.55), plaster, 0.0, 1.0)
        for name in ("wall", "egg"):
            bpy.data.objects[name].data.materials[0] = bpy.data.materials["wall"]


def make_truth(kind: str, aside: float) -> Path:
    """Photo, true view from `aside` metres to the right, and depth; of the colours' limit as coarse as a network's."""
    import bpy
    import cv2

    folder = OUT / kind
    folder.mkdir(parents=True, exist_ok=True)
    make_room(kind)
    stage.settle(FEW["made"], bounces=4)
    bpy.context.scene.cycles.use_denoising = True
    for name, x in (("photo", 0.0), ("right", aside)):
        bpy.context.scene.camera.location = (x, 0, 0)
        stage.shoot(folder / f"{name}.png")
    metres = stage.true_depth(folder / "depth.exr")
    if kind == "colour":
        coarse = cv2.resize(1 / metres, (48, 36), interpolation=cv2.INTER_AREA)
        metres = 1 / cv2.resize(coarse, stage.SIZE, interpolation=cv2.INTER_CUBIC)
    np.save(folder / "depth.npy", metres.astype(np.float32))
    return folder


def look(photo: Path, depth: Path, focal_px: float, asides: dict[Path, float], samples: int, **options) -> None:
    """Builds the diorama and renders it from metres to the right."""
    import bpy

    from photo_diorama.core.pipeline import build_diorama
    from photo_diorama.core.settings import Settings
    from photo_diorama.operators.scene.emit import emit

    settings = Settings().with_values({"focal_px": focal_px, "depth_kind": "metric", "set_up_scene": True} | options)
    built = build_diorama(photo, depth, settings)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    emit(built.mesh, built.photo, settings, {})
    scene = bpy.context.scene
    size = scene.render.resolution_x, scene.render.resolution_y
    stage.settle(samples, width=1.0)
    scene.render.resolution_x, scene.render.resolution_y = size
    scene.render.resolution_percentage = min(100, round(100 * 768 / size[0]))
    for into, aside in asides.items():
        scene.camera.parent.location = (aside, 0, 0)
        stage.shoot(into)


def far() -> list[np.ndarray]:
    """The courtyard from its own place, from a little aside, and from much farther than its photo can tell."""
    OUT.mkdir(parents=True, exist_ok=True)
    places = {OUT / "courtyard_near.png": 0.08, OUT / "courtyard_far.png": 0.5}
    photo = DEMO / "courtyard.jpg"
    look(photo, DEMO / "courtyard_depth.png", 1194.67, places, FEW["courtyard"], depth_scale=0.001)
    return [_picture(photo, 768), *(_picture(place, 768) for place in places)]


def mirror() -> list[np.ndarray]:
    """A mirror: the diorama holds one depth for it, the glass's; the truth moves with what is behind the camera."""
    return _beside("mirror", 0.3)


def colour() -> list[np.ndarray]:
    """An egg before a wall of its own colours, and a depth as coarse as a network's."""
    return _beside("colour", 0.25)


def _beside(kind: str, aside: float) -> list[np.ndarray]:
    folder = make_truth(kind, aside)
    focal = stage.LENS / 36 * stage.SIZE[0]
    look(folder / "photo.png", folder / "depth.npy", focal, {folder / "seen.png": aside}, 16)
    return [_picture(folder / f"{name}.png") for name in ("photo", "seen", "right")]


def hair() -> list[np.ndarray]:
    """Fur from beside: hard, with Soft Edge 0.01, and the truth."""
    folder = stage.OUT / "fur"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "depth.npy").is_file():
        stage.make_truth("fur", folder)
    made = [stage.make_views(folder, width) for width in (0.0, 0.01)]
    left, top, width, height = 230, 40, 140, 105
    return [_picture(f / "right.png")[top : top + height, left : left + width] for f in (*made, folder)]


def network() -> list[np.ndarray]:
    """The courtyard, its depth as the built-in network sees it, and as it is: inverse depth, near is light."""
    from photo_diorama.core.depth.depth_map import depth_on_photo, read_depth
    from photo_diorama.core.depth.find_depth import BUILT_IN, estimate_depth
    from photo_diorama.core.photo.photo import load_photo
    from photo_diorama.core.settings import DepthSettings

    photo, settings = load_photo(DEMO / "courtyard.jpg"), DepthSettings(depth_scale=0.001)
    guessed = estimate_depth(photo, BUILT_IN, "cpu", None).values
    maps = (guessed, read_depth(DEMO / "courtyard_depth.png", settings))
    shown = []
    for values in maps:
        disparity = depth_on_photo(values, photo, settings, 768, "depth").disparity
        low, high = np.percentile(disparity, (1, 99.5))
        grey = (255 * np.clip((disparity - low) / (high - low), 0, 1) ** 0.7).astype(np.uint8)
        shown.append(np.repeat(grey[..., None], 3, axis=2))
    return [_picture(DEMO / "courtyard.jpg", 768), *shown]


def _picture(path: Path, width: int = 0) -> np.ndarray:
    import cv2

    pixels = cv2.imread(str(path))
    return cv2.resize(pixels, None, fx=width / pixels.shape[1], fy=width / pixels.shape[1],
                      interpolation=cv2.INTER_AREA) if width else pixels  # fmt: skip


def strip(cells: list[np.ndarray], window: tuple[float, float, float, float]) -> np.ndarray:
    """The window (left, top, right, bottom as parts) of each cell, side by side on white."""
    import cv2

    shown = []
    for cell in cells:
        h, w = cell.shape[:2]
        left, top, right, bottom = (round(part * side) for part, side in zip(window, (w, h, w, h), strict=True))
        part = cell[top:bottom, left:right]
        kind = cv2.INTER_AREA if part.shape[1] > CELL[0] else cv2.INTER_CUBIC
        shown += [cv2.resize(part, CELL, interpolation=kind), np.full((CELL[1], GAP, 3), 255, np.uint8)]
    return np.hstack(shown[:-1])


ALL = (0.0, 0.0, 1.0, 1.0)
PICTURES = {
    far: (0.0, 0.0, 8 / 9, 1.0),
    mirror: (0.0, 0.03, 0.94, 0.97),
    hair: ALL,
    colour: (0.0, 0.03, 0.94, 0.97),
    network: (0.0, 0.0, 8 / 9, 1.0),
}


def main() -> None:
    import cv2

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", default=[work.__name__ for work in PICTURES])
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    for work, window in PICTURES.items():
        if work.__name__ in given.names:
            pixels = strip(work(), window)
            cv2.imwrite(str(OUT / f"{work.__name__}.png"), pixels)
            if given.output:
                given.output.mkdir(parents=True, exist_ok=True)
                file = given.output / f"{work.__name__}.jpg"
                cv2.imwrite(str(file), pixels, [cv2.IMWRITE_JPEG_QUALITY, 74])
                print(file, f"{file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    sys.exit(main())
