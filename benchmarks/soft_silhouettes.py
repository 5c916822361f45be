"""Hard against soft silhouettes, seen from beside: fur and leaves rendered with their true alpha and true views.

    python benchmarks/soft_silhouettes.py [WIDTH ...]       widths as parts of the long side; 0 is hard

Renders the truth once into out/soft_silhouettes/ (Cycles), builds the diorama from the photo with each width, renders it from
the same places and compares near the true silhouettes. Prints a Markdown table; crops side by side lie beside the renders.
"""

import os
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
import conftest  # noqa: E402, F401  makes the checkout importable

os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")
OUT = ROOT / "out" / "soft_silhouettes"
SIZE, LENS = (480, 360), 36.0
VIEWS = {"photo": (0, 0), "right": (0.12, 0), "up": (0, 0.1)}
"""Steps of the camera in metres, right and up; the foreground stands at 2 m."""
CROPS = {"fur": (250, 30, 150, 120), "leaves": (100, 80, 150, 120)}
"""Left, top, width, height of the crops."""


def ribbons(roots: np.ndarray, ways: np.ndarray, thickness: float, segments: int, droop: float):
    """Vertices and quads of flat hairs that face the camera: from `roots` along `ways`, ends hanging down."""
    t = np.linspace(0, 1, segments + 1)[None, :, None]
    line = roots[:, None] + ways[:, None] * t - np.array([0, 0, droop]) * t**2
    across = np.cross(np.diff(line, axis=1, append=2 * line[:, -1:] - line[:, -2:-1]), [0, 1, 0])
    across /= np.linalg.norm(across, axis=2, keepdims=True) + 1e-9
    half = across * thickness * (1 - 0.8 * t)
    points = np.stack([line - half, line + half], axis=2).reshape(-1, 3)
    n = 2 * (segments + 1)
    quad = np.arange(segments)[:, None] * 2 + [0, 1, 3, 2]
    return points, (np.arange(len(roots))[:, None, None] * n + quad).reshape(-1, 4)


def add(name, points, faces, material) -> None:
    """Adds a mesh to the scene."""
    import bpy

    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([tuple(p) for p in points], [], [tuple(int(i) for i in f) for f in faces])
    mesh.materials.append(material)
    ob = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(ob)


def paint(name, ramp, scale):
    """A rough material whose colours come from noise through a ramp."""
    import bpy

    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    noise, colours, place = (nodes.new(f"ShaderNode{n}") for n in ("TexNoise", "ValToRGB", "TexCoord"))
    noise.inputs["Scale"].default_value, noise.inputs["Detail"].default_value = scale, 4.0
    links.new(place.outputs["Object"], noise.inputs["Vector"])
    links.new(noise.outputs["Fac"], colours.inputs["Fac"])
    elements = colours.color_ramp.elements
    for i, (at, colour) in enumerate(ramp):
        element = elements[i] if i < 2 else elements.new(at)
        element.position, element.color = at, (*colour, 1)
    shader = nodes["Principled BSDF"]
    shader.inputs["Roughness"].default_value = 0.8
    links.new(colours.outputs["Color"], shader.inputs["Base Color"])
    return material


def build_scene(kind: str):
    """The foreground's objects (named front...), a backdrop, light and the camera; in Blender's axes, looking along +y."""
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    rng = np.random.default_rng(7)
    scene = bpy.context.scene

    hair = paint("hair", [(0.3, (0.16, 0.07, 0.03)), (0.7, (0.55, 0.33, 0.14))], 9)
    wall = paint("wall", [(0.3, (0.10, 0.24, 0.30)), (0.5, (0.62, 0.70, 0.66)), (0.7, (0.25, 0.40, 0.20))], 1.7)
    leaf = paint("leaf", [(0.3, (0.05, 0.16, 0.03)), (0.7, (0.24, 0.42, 0.08))], 14)
    add("backdrop", [(-6, 5, -5), (6, 5, -5), (6, 5, 5), (-6, 5, 5)], [(0, 1, 2, 3)], wall)
    if kind == "fur":
        way = rng.normal(size=(9000, 3))
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        way = way[way[:, 1] < 0.5]
        centre = np.array([0, 2.0, -0.05])
        bpy.ops.mesh.primitive_uv_sphere_add(segments=64, ring_count=32, radius=0.42, location=centre)
        bpy.context.object.name = "front body"
        bpy.context.object.data.materials.append(hair)
        long = rng.uniform(0.06, 0.16, (len(way), 1))
        bent = way + rng.normal(scale=0.25, size=way.shape)
        add("front hairs", *ribbons(centre + way * 0.41, bent * long, 0.0025, 5, 0.03), hair)
    else:
        stem = np.array([[-0.55, 2.0, -0.5], [-0.2, 2.0, -0.1], [0.15, 2.05, 0.15], [0.6, 2.0, 0.3]])
        along = np.linspace(0, 3, 160)
        line = np.stack([np.interp(along, range(4), stem[:, i]) for i in range(3)], axis=1)
        add("front stem", *ribbons(line[:1], line[-1:] - line[:1], 0.006, 30, -0.08), leaf)
        points, faces = [], []
        for base in line[rng.integers(0, 160, 210)]:
            way, side = rng.normal(size=3) * (1, 0.4, 1), rng.normal(size=3) * (1, 0.4, 1)
            way /= np.linalg.norm(way)
            side -= way * (side @ way)
            side *= 0.018 / np.linalg.norm(side)
            base, way = base + rng.normal(scale=0.05, size=3), way * rng.uniform(0.07, 0.16)
            faces.append(np.arange(6) + len(points))
            points += [base, base + 0.3 * way + side, base + 0.7 * way + 0.8 * side, base + way, base + 0.7 * way - 0.8 * side,
                       base + 0.3 * way - side]  # fmt: skip
        add("front leaves", points, faces, leaf)
    world = bpy.data.worlds.new("sky")
    scene.world = world
    if bpy.app.version < (5, 0, 0):
        world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.75, 0.85, 1, 1)
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.rotation_euler = 2.5, (0.9, 0.2, 0.4)
    scene.collection.objects.link(sun)
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.lens, camera.rotation_euler = LENS, (np.pi / 2, 0, 0)
    scene.collection.objects.link(camera)
    scene.camera = camera


def settle(samples: int, bounces: int = 0, width: float = 1.5) -> None:
    """Cycles without denoising, dither or adaptive sampling; colours as they are."""
    import bpy

    scene = bpy.context.scene
    scene.render.engine, scene.render.dither_intensity = "CYCLES", 0
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    cycles = scene.cycles
    cycles.device, cycles.samples, cycles.use_adaptive_sampling, cycles.use_denoising = "CPU", samples, False, False
    cycles.max_bounces, cycles.transparent_max_bounces = bounces, 32
    cycles.pixel_filter_type, cycles.filter_width = "BLACKMAN_HARRIS", width
    scene.view_settings.view_transform, scene.view_settings.look = "Standard", "None"
    scene.display_settings.display_device = "sRGB"
    scene.render.image_settings.file_format = "PNG"


def shoot(path: Path, alpha: bool = False) -> None:
    import bpy

    bpy.context.scene.render.film_transparent = alpha
    bpy.context.scene.render.image_settings.color_mode = "RGBA" if alpha else "RGB"
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


def make_truth(kind: str, folder: Path) -> None:
    """Photo, other views, the foreground's true alpha in each, and metric depth: of one surface for each pixel."""
    import bpy
    import cv2
    from scipy import ndimage

    build_scene(kind)
    settle(24, bounces=1)
    camera, backdrop = bpy.context.scene.camera, bpy.data.objects["backdrop"]
    for name, (x, z) in VIEWS.items():
        camera.location = (x, 0, z)
        shoot(folder / f"{name}.png")
        backdrop.visible_camera = False
        shoot(folder / f"{name}_alpha.png", alpha=True)
        backdrop.visible_camera = True
    alpha = cv2.imread(str(folder / "photo_alpha.png"), cv2.IMREAD_UNCHANGED)[..., 3] / 255.0
    front = cv2.GaussianBlur(alpha, (0, 0), 1.0) > 0.5  # what a depth camera or network tells: the body, no single hair
    metres = true_depth(folder / "depth.exr")
    nearest = ndimage.distance_transform_edt(metres > 4, return_distances=False, return_indices=True)
    np.save(folder / "depth.npy", np.where(front, ndimage.median_filter(metres[tuple(nearest)], 5), 5.0).astype(np.float32))


def true_depth(path: Path) -> np.ndarray:
    """Metres along the axis at the pixels' centres from the photo's place, of whatever is there."""
    import bpy
    import cv2

    material = bpy.data.materials.new("depth")
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    tree = material.node_tree
    place, shine = tree.nodes.new("ShaderNodeCameraData"), tree.nodes.new("ShaderNodeEmission")
    tree.links.new(place.outputs["View Z Depth"], shine.inputs["Strength"])
    tree.links.new(shine.outputs["Emission"], tree.nodes["Material Output"].inputs["Surface"])
    settle(1, width=0.01)
    scene = bpy.context.scene
    scene.camera.location = (0, 0, 0)
    scene.view_layers[0].material_override = material
    scene.render.image_settings.file_format, scene.render.image_settings.color_depth = "OPEN_EXR", "32"
    shoot(path)
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., 0]


def make_views(folder: Path, width: float) -> Path:
    """The diorama of the photo with silhouettes of that width, seen from the places of the truth."""
    import bpy

    from photo_diorama.core.pipeline import build_diorama
    from photo_diorama.core.settings import Settings
    from photo_diorama.operators.scene.emit import emit

    into = folder / f"width_{width:g}"
    into.mkdir(exist_ok=True)
    settings = Settings().with_values(
        {"focal_px": LENS / 36 * SIZE[0], "depth_kind": "metric", "long_side": SIZE[0], "soft_edge": width, "set_up_scene": True}
    )
    built = build_diorama(folder / "photo.png", folder / "depth.npy", settings)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    emit(built.mesh, built.photo, settings, {})
    settle(16, width=1.0)
    rig = bpy.context.scene.camera.parent
    for name, (x, z) in VIEWS.items():
        rig.location = (x, 0, z)
        shoot(into / f"{name}.png")
    print(f"{folder.name} {width:g}: softening {built.seconds['Softening silhouettes']} s, {built.mesh.triangle_count} triangles")
    return into


def compare(folder: Path, made: Path) -> dict[str, float]:
    """PSNR within the true silhouettes' neighbourhood, of the shifted views; and how much too bright it is just outside."""
    import cv2

    total, count, halo = 0.0, 0, []
    for name in VIEWS:
        if name == "photo":
            continue
        truth, seen = (cv2.imread(str(f / f"{name}.png")).astype(float) for f in (folder, made))
        alpha = cv2.imread(str(folder / f"{name}_alpha.png"), cv2.IMREAD_UNCHANGED)[..., 3] / 255.0
        mixed = cv2.dilate(((alpha > 0.02) & (alpha < 0.98)).astype(np.uint8), np.ones((5, 5))) > 0
        total, count = total + ((truth - seen)[mixed] ** 2).mean(), count + 1
        outside = mixed & (alpha < 0.02)
        halo.append((seen - truth)[outside].mean())
    return {"psnr": 10 * np.log10(255**2 / (total / count)), "halo": float(np.mean(halo))}


def main() -> None:
    import cv2

    widths = [float(w) for w in sys.argv[1:]] or [0.0, 0.005, 0.01, 0.02]
    rows = []
    for kind in ("fur", "leaves"):
        folder = OUT / kind
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "depth.npy").is_file():
            make_truth(kind, folder)
        made = {width: make_views(folder, width) for width in widths}
        rows += [(kind, width, compare(folder, place)) for width, place in made.items()]
        x, y, w, h = CROPS[kind]
        pictures = [cv2.imread(str(f / "right.png")) for f in (folder, *made.values())]
        crops = [cv2.resize(p[y : y + h, x : x + w], None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC) for p in pictures]
        cv2.imwrite(str(OUT / f"{kind}.png"), np.hstack(crops))
    print("| scene | soft_edge | PSNR near silhouettes, dB | too bright outside, levels |\n|---|---|---|---|")
    for kind, width, found in rows:
        print(f"| {kind} | {width:g} | {found['psnr']:.2f} | {found['halo']:+.1f} |")


if __name__ == "__main__":
    main()
