"""Reads Sweet Home 3D furniture archives and cuts textures: the raw material of the rendered training scenes."""

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

NAMED = {  # What the layouts ask for, by a pattern over the English name and the model's path.
    "person": r"\b(male|female|boy|girl|mannequin|woman|man)\b",
    "animal": r"\b(dog|cat|horse|deer|rabbit|chicken|bulldog|cow|sheep|duck|bird|fish)\b",
    "vehicle": r"\b(car|van|truck|bus|sedan|beetle|scooter|motorbike|motorcycle|bike|bicycle|focus|peugeot|chevrolet"
    r"|leon)\b",
    "tree": r"\b(tree|palm|poplar|acacia|ficus|maple|cypress|fir|bonsai|bamboo|yucca)\b",
    "plant": r"\b(plant|flower|flowers|tulip|tulips|lily|orchids|cactus|bush|hedge|rock|spatifilum)\b",
}
REFUSED = re.compile(
    r"window|door|switch|plug|socket|arrow|fleche|stair|elevator|escalator|garage|rails|bath ?mat"
    r"|pool",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Model:
    """One model: its OBJ file, its kind, and width, depth, height in metres."""

    name: str
    path: Path
    kind: str
    size: tuple[float, float, float]


def extract(archive: Path, folder: Path) -> Path:
    """Unpack one .sh3f archive beside the others, once; member names that leave the folder are refused."""
    target = folder / archive.stem
    if target.exists():
        return target
    with zipfile.ZipFile(archive) as box:
        for member in box.infolist():
            if member.filename.startswith("/") or ".." in Path(member.filename).parts or member.file_size > 64 << 20:
                raise ValueError(f"{archive}: refused member {member.filename!r}")
        box.extractall(target)
    return target


def _kind(text: str, category: str, size: tuple[float, float, float]) -> str:
    for kind, pattern in NAMED.items():
        if re.search(pattern, text, re.IGNORECASE):
            return kind
    if category == "Characters":
        return "person"
    if category == "Vehicles":
        return "vehicle"
    if category == "Exterior":
        return "garden"
    return "small" if max(size) < 0.55 else "furniture"


def read_catalogue(folder: Path, largest: int = 1_800_000) -> list[Model]:
    """All usable models of an unpacked archive; `largest` bounds the OBJ file in bytes (trees: three times that)."""
    text = (folder / "PluginFurnitureCatalog.properties").read_text("latin-1")
    fields: dict[str, dict[str, str]] = {}
    for key, number, value in re.findall(r"^(\w+)#(\d+)=(.*)$", text, re.MULTILINE):
        fields.setdefault(number, {})[key] = value.strip()
    models = []
    for entry in fields.values():
        path = folder / entry.get("model", "").lstrip("/")
        turned = entry.get("modelRotation", "1 0 0 0 1 0 0 0 1").split()
        if path.suffix != ".obj" or not path.is_file() or float(turned[4]) < 0.9:
            continue
        if REFUSED.search(entry.get("name", "")) or entry.get("doorOrWindow") == "true":
            continue
        size = tuple(float(entry[side]) / 100 for side in ("width", "depth", "height"))
        kind = _kind(f"{entry.get('name', '')} {path.stem}".replace("_", " ").replace("-", " "), entry.get("category", ""), size)
        if path.stat().st_size <= largest * (3 if kind == "tree" else 1):
            models.append(Model(path.stem, path, kind, size))
    return models


def noise(rng: np.random.Generator, side: int = 256, coarsest: int = 4, roughness: float = 0.6) -> np.ndarray:
    """Fractal noise that tiles, (side, side) float32 in 0..1."""
    total, gain, cells = np.zeros((side, side), np.float32), 1.0, coarsest
    while cells <= side // 2:
        grid = np.pad(rng.random((cells, cells), dtype=np.float32), 1, mode="wrap")
        step = side // cells
        big = cv2.resize(grid, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
        total += gain * big[step : step + side, step : step + side]
        gain, cells = gain * roughness, cells * 2
    low, high = np.percentile(total, (1, 99))
    return np.clip((total - low) / (high - low), 0, 1)


def palette(photo: np.ndarray, rng: np.random.Generator, count: int = 3) -> np.ndarray:
    """Colours of neighbouring pixels of a photo, (count, 3) float32 in 0..1, so that they go together."""
    y, x = rng.integers(photo.shape[0] - 40), rng.integers(photo.shape[1] - 40)
    patch = photo[y : y + 40, x : x + 40].reshape(-1, 3)
    return patch[rng.integers(len(patch), size=count)].astype(np.float32) / 255


EARTH = (
    np.array(
        [
            (70, 95, 40),
            (95, 110, 50),
            (50, 75, 30),
            (110, 90, 65),
            (140, 120, 90),
            (165, 150, 120),
            (95, 95, 95),
            (70, 70, 72),
            (130, 130, 128),
            (190, 180, 165),
            (235, 238, 242),
        ],
        np.float32,
    )
    / 255
)


def earth(rng: np.random.Generator) -> np.ndarray:
    """Three shades of one ground, (3, 3) float32 in 0..1: grass, soil, sand, asphalt, stone or snow."""
    shades = EARTH[rng.integers(len(EARTH))] * rng.uniform(0.6, 1.3, (3, 1))
    return np.clip(shades * rng.uniform(0.9, 1.1, (3, 3)), 0, 1)


def noise_texture(photo: np.ndarray, rng: np.random.Generator, side: int = 256, ground: bool = False) -> np.ndarray:
    """Grass, soil, plaster, stone: two noises mixing three colours of a photo or a ground, (side, side, 3) uint8."""
    first, second, third = earth(rng) if ground else palette(photo, rng)
    coarse = noise(rng, side, int(2 ** rng.integers(1, 5)), rng.uniform(0.5, 0.95))[..., None]
    fine = noise(rng, side, int(2 ** rng.integers(4, 7)), rng.uniform(0.6, 1.0))[..., None]
    colour = first + (second - first) * coarse + (third - first) * (fine - 0.5) * rng.uniform(0.2, 1.0)
    return (np.clip(colour * rng.uniform(0.8, 1.2) + (fine - 0.5) * rng.uniform(0, 0.3), 0, 1) * 255).astype(np.uint8)


def facade(rng: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    """One bay of a building front, a window in a rendered or brick wall, (128, 128, 3) uint8; it tiles."""
    wall = noise_texture(photo, rng, 128).astype(np.float32)
    if rng.random() < 0.4:
        rows = np.arange(128)[:, None] // 8
        joint = (np.arange(128)[:, None] % 8 == 0) | ((np.arange(128)[None] + 8 * (rows % 2)) % 16 == 0)
        wall[joint] = wall[joint] * 0.6 + 60
    left, top = int(rng.integers(16, 44)), int(rng.integers(14, 40))
    right, bottom = 128 - left, 128 - int(rng.integers(14, 40))
    frame = rng.uniform(30, 240, 3)
    wall[top - 4 : bottom + 4, left - 4 : right + 4] = frame
    glass = rng.uniform(10, 120) + rng.uniform(0, 90) * noise(rng, 128, 2)[top:bottom, left:right, None]
    wall[top:bottom, left:right] = glass * rng.uniform(0.8, 1.1, 3)
    wall[top:bottom, 62:66] = frame
    return np.clip(wall, 0, 255).astype(np.uint8)


def sky(rng: np.random.Generator, width: int = 512) -> np.ndarray:
    """An equirectangular sky, (width/2, width, 3) float32 linear light: clear, cloudy, grey, dusk or dark."""
    height = width // 2
    up = np.clip(np.linspace(1, -1, height, dtype=np.float32), 0, 1)[:, None, None] ** rng.uniform(0.4, 1.0)
    mood = rng.choice(["clear", "cloudy", "grey", "dusk", "night"], p=[0.35, 0.3, 0.2, 0.12, 0.03])
    zenith, horizon = {
        "clear": ((0.12, 0.3, 0.8), (0.6, 0.75, 0.95)),
        "cloudy": ((0.15, 0.32, 0.7), (0.65, 0.75, 0.9)),
        "grey": ((0.5, 0.52, 0.56), (0.75, 0.76, 0.78)),
        "dusk": ((0.1, 0.14, 0.35), (0.95, 0.5, 0.25)),
        "night": ((0.01, 0.012, 0.03), (0.06, 0.06, 0.08)),
    }[mood]
    shade = rng.uniform(0.8, 1.2, 3)
    image = (np.asarray(horizon) + (np.asarray(zenith) - np.asarray(horizon)) * up) * shade
    image = np.broadcast_to(image, (height, width, 3)).copy()
    if mood != "clear" or rng.random() < 0.3:
        cloud = np.hstack([noise(rng, height, 4, 0.55)] * 2)[:, :, None]
        cover = np.clip((cloud - rng.uniform(0.2, 0.7)) * rng.uniform(1.5, 5), 0, 1) * np.clip(up * 6, 0, 1)
        image += (max(0.2, float(image.max())) * rng.uniform(0.8, 1.3) - image) * cover
    return image.astype(np.float32)


def draw_models(rng: np.random.Generator, furniture: Path, cache: Path, wanted: dict[str, int]) -> list[Model]:
    """As many models of each kind as `wanted` says, or all there are, from the .sh3f archives of a folder, unpacked into `cache`."""
    archives = [extract(path, cache) for path in sorted(furniture.glob("*.sh3f"))]
    catalogue = [model for archive in archives for model in read_catalogue(archive)]
    chosen = []
    for kind, count in wanted.items():
        pool = [model for model in catalogue if model.kind == kind]
        chosen += [pool[k] for k in rng.permutation(len(pool))[:count]]
    return chosen
