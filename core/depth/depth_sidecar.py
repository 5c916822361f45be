"""Finds a depth file beside a photo whose unit is known: Lens Blur pairs and the usual RGB-D recordings."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DioramaError, reading_a_file
from ..raster.decode import read_file, read_regular
from ..raster.decoder_errors import DECODER_ERRORS
from ..raster.open_picture import READ_FORMATS, open_picture
from .depth_in_photo import EmbeddedDepth, place_on_photo
from .depth_raster import Intrinsics, StoredDepth, decode_grey

MAX_ASPECT_ERROR = 0.02
MAX_CAMERA_BYTES = 65536
COLOUR_FOLDERS = ("color", "colour", "rgb", "image", "images", "corrected_images")
CAMERA_FOLDERS = ("corrected_cameras", "cameras")
"""Folders of Polycam's raw data that hold a camera for each picture."""
PHOTO_ENDINGS = (".jpg", ".jpeg", ".png")
MILLIMETRE_CAMERAS = ("primesense", "kinect", "realsense", "orbbec", "astra", "femto", "xtion", "arkit", "scannet")
_SCENE = re.compile(r"scene\d{4}_\d{2}$")  # ScanNet's folders


@dataclass(frozen=True)
class SidecarMeaning:
    """What the numbers of a depth file beside a photo mean."""

    kind: str  # "metric": distance along the axis; "disparity": inverse depth of unknown scale and shift
    metres_per_unit: float  # of a metric file; 1 for disparity
    source: str  # what the file was recognised by
    turned_bits: bool = False  # SUN RGB-D: each 16-bit value is rotated left by 3 bits
    dark_is_near: bool = False  # disparity: whether small values are near, as in Lens Blur's pictures
    none_values: tuple[int, ...] = (0,)  # of a metric file: these mean unknown
    intrinsics: Intrinsics | None = None


def find_sidecar_depth(path: str | Path) -> Path | None:
    """The depth file that certainly belongs to the photo, None where there is none or any doubt.

    Looked for, in this order: NAME-depth.jpg|png for NAME-image or NAME-alternative (Lens Blur pairs);
    NAME.depth.png for NAME.color (7-Scenes), NAME_depth.png for NAME_color (Open3D, RealSense viewer);
    depth/NAME.png for color/NAME, rgb/NAME or images/NAME (ScanNet, Open3D, TUM with equal names, Polycam); arkit_depth.png for image.
    All but Lens Blur's must be 16-bit grey PNG, and every one must have a known unit and the photo's aspect:
    a file called so by chance, or an 8-bit map whose near end is unknown, is not taken.
    """
    path = Path(path)
    if not path.is_file():
        return None
    for candidate in _candidates(path):
        if candidate.is_file() and known_sidecar_meaning(candidate) and same_aspect(path, candidate):
            return candidate
    return None


def known_sidecar_meaning(path: str | Path) -> SidecarMeaning | None:
    """The unit of a depth file beside a photo, known by its name, its folder or a camera file there; else None.

    A camera file is JSON with "intrinsic_matrix" (column by column), "width", "height" and perhaps "depth_scale"
    (Open3D: units per metre; RealSense: metres per unit), in the file's folder or the one above.
    """
    path = Path(path)
    base, role = _split_name(path.stem)
    pair = (path.with_name(base + r + ending) for r in ("-image", "-alternative") for ending in PHOTO_ENDINGS)
    if role == "-depth" and any(file.is_file() for file in pair):
        return SidecarMeaning("disparity", 1.0, "a Lens Blur pair", dark_is_near=True)
    if not _is_deep_grey_png(path):
        return None
    words, own = _words(path), _words(Path(path.stem))
    if "sun" in own or "sunrgbd" in words:  # a folder may be called Sun for the weather
        return SidecarMeaning("metric", 0.001, "SUN RGB-D, bits turned by 3", turned_bits=True)
    if "tum" in own or any(w.startswith("freiburg") for w in words) or _is_tum_folder(path.parent.parent):
        return SidecarMeaning("metric", 1 / 5000, "TUM RGB-D, 5000 a metre")
    for folder in (path.parent, path.parent.parent):
        unit = _unit_by_camera_file(folder)
        if unit is not None:
            return unit
    for cameras in CAMERA_FOLDERS:
        camera_of_picture = _read_flat_camera(path.parent.parent / cameras / f"{path.stem}.json")
        if camera_of_picture is not None:
            return SidecarMeaning("metric", 0.001, f"Polycam, {cameras}/{path.stem}.json, millimetres", intrinsics=camera_of_picture)
    if _is_seven_scenes(path):
        matrix = _text_matrix(path.with_name("camera-intrinsics.txt"))
        return SidecarMeaning("metric", 0.001, "7-Scenes, millimetres", none_values=(0, 65535), intrinsics=matrix)
    if any(_SCENE.match(part) for part in (path.parent.name, path.parent.parent.name)):
        return SidecarMeaning("metric", 0.001, "ScanNet, millimetres")
    camera = next((c for c in MILLIMETRE_CAMERAS if c in words), None)
    return None if camera is None else SidecarMeaning("metric", 0.001, f"a depth camera ({camera}), millimetres")


@reading_a_file()
def read_sidecar_depth(path: str | Path, photo: str | Path, unit: SidecarMeaning | None = None) -> EmbeddedDepth:
    """Reads a depth file found beside `photo` as if the photo carried it; `unit` as `known_sidecar_meaning` tells.

    Raises DioramaError where the unit is not known or either file cannot be read.
    """
    path, photo = Path(path), Path(photo)
    unit = unit or known_sidecar_meaning(path)
    if unit is None:
        raise DioramaError(f"{path} has no unit that can be known", window="set Depth Scale (metres per unit)",
                           command_line="give it with --depth-scale (metres per unit)")  # fmt: skip
    pixels, white = decode_grey(read_file(path, "depth map"), str(path), "a depth map")
    if unit.kind == "disparity":
        fraction = pixels.astype(np.float32) / np.float32(white)
        values, valid = (1 - fraction if unit.dark_is_near else fraction), np.ones(pixels.shape, bool)
    else:
        if unit.turned_bits:
            pixels = (pixels >> 3) | (pixels << 13)
        valid = ~np.isin(pixels, unit.none_values)
        values = np.where(valid, pixels * np.float32(unit.metres_per_unit), 0).astype(np.float32)
        if not valid.any():
            raise DioramaError(f"{path} knows no distance at all; use another depth map.")
    metric = unit.kind == "metric"
    span = (float(values[valid].min()), float(values[valid].max())) if metric else None
    stored = StoredDepth(
        values, valid, unit.kind, metric_scale=metric, shift_known=metric, range=span,
        unit="m" if metric else "0 to 1, larger is nearer", source=f"{path.name}, {unit.source}", stretch=True,
        intrinsics=unit.intrinsics,
    )  # fmt: skip
    width, height = _picture_size(photo)
    # both files were written as they are to be seen, so the photo's EXIF orientation is not the depth's
    return place_on_photo(stored, width, height, 1, str(path))


def _split_name(stem: str) -> tuple[str, str]:
    """The stem without its role, and the role in lower case ("-depth", "_color", ".depth"), else empty."""
    match = re.fullmatch(r"(.+)([-_.](?:depth|image|alternative|colou?r))", stem, re.IGNORECASE)
    return (stem, "") if match is None else (match[1], match[2].lower())


def _candidates(path: Path) -> list[Path]:
    base, role = _split_name(path.stem)
    if role in ("-image", "-alternative"):
        return [path.with_name(f"{base}-depth{ending}") for ending in PHOTO_ENDINGS]
    if role in ("_color", "_colour", ".color", ".colour"):
        written = path.stem[len(base) + 1 :]
        depth = "Depth" if written[:1].isupper() else "depth"
        return [path.with_name(f"{base}{role[0]}{depth}.png")]
    if path.parent.name.lower() in COLOUR_FOLDERS:
        return [path.parent.parent / "depth" / f"{path.stem}.png"]
    return [path.with_name("arkit_depth.png")] if path.stem == "image" else []


def _words(path: Path) -> set[str]:
    """Lower-case words of the file's stem and of the two folders above it: where a recording says what made it."""
    names = (path.stem, path.parent.name, path.parent.parent.name)
    return {word for name in names for word in re.split(r"[^a-z0-9]+", name.lower()) if word}


def _is_deep_grey_png(path: Path) -> bool:
    """By the header alone: 16 bits a sample, one sample a pixel (PNG 1.2, 11.2.2)."""
    try:
        with path.open("rb") as file:
            head = file.read(26)
    except OSError:
        return False
    return head[:8] == b"\x89PNG\r\n\x1a\n" and head[12:16] == b"IHDR" and head[24:26] == b"\x10\x00"


def _is_tum_folder(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ("rgb.txt", "depth.txt"))


def _is_seven_scenes(path: Path) -> bool:
    return re.fullmatch(r"frame-\d{6}\.depth", path.stem) is not None


def _unit_by_camera_file(folder: Path) -> SidecarMeaning | None:
    """The unit that a JSON camera file in the folder gives: by its depth scale, or by the camera's name."""
    for file in sorted(folder.glob("*.json"))[:32]:
        camera = _read_camera(file)
        if camera is None:
            continue
        intrinsics, scale = camera
        if scale is not None:
            metres = 1 / scale if scale >= 1 else scale
            return SidecarMeaning("metric", metres, f"depth scale of {file.name}", intrinsics=intrinsics)
        maker = next((c for c in MILLIMETRE_CAMERAS if c in file.stem.lower()), None)
        if maker is not None:
            return SidecarMeaning("metric", 0.001, f"{file.name}, millimetres", intrinsics=intrinsics)
    return None


def _read_camera(file: Path) -> tuple[Intrinsics | None, float | None] | None:
    """Intrinsics and depth scale of a camera file; None where the JSON is about something else or is no JSON."""
    try:
        content = json.loads(read_regular(file, MAX_CAMERA_BYTES) or b"")
        matrix = [float(x) for x in np.asarray(content["intrinsic_matrix"], float).ravel()]
        width, height = float(content["width"]), float(content["height"])
        scale = content.get("depth_scale")
        scale = float(scale) if scale is not None else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError, AttributeError, OverflowError):
        return None  # the last: JSON has numbers of any length
    if len(matrix) != 9 or (scale is not None and not 1e-6 < scale < 1e6):
        return None
    # these files count from the first pixel's centre, we from its outer corner
    camera = Intrinsics(width, height, (matrix[0] + matrix[4]) / 2, matrix[6] + 0.5, matrix[7] + 0.5)
    return (camera.with_plausible_centre() if camera.is_plausible() else None), scale


def _read_flat_camera(file: Path) -> Intrinsics | None:
    """Intrinsics of a JSON file with "fx", "fy", "cx", "cy", "width" and "height" of its own, as Polycam writes them; None for others."""
    try:
        content = json.loads(read_regular(file, MAX_CAMERA_BYTES) or b"")
        width, height, fx, fy, cx, cy = (float(content[name]) for name in ("width", "height", "fx", "fy", "cx", "cy"))
    except (OSError, ValueError, TypeError, KeyError, RecursionError, AttributeError, OverflowError):
        return None
    camera = Intrinsics(width, height, (fx + fy) / 2, cx, cy)
    return camera.with_plausible_centre() if camera.is_plausible() else None


def _text_matrix(file: Path) -> Intrinsics | None:
    """A 3x3 matrix in text, row by row, for the 640x480 pictures of 7-Scenes; None where there is none."""
    try:
        matrix = [float(word) for word in (read_regular(file, MAX_CAMERA_BYTES) or b"").decode().split()]
    except (OSError, ValueError):
        return None
    if len(matrix) != 9:
        return None
    camera = Intrinsics(640, 480, (matrix[0] + matrix[4]) / 2, matrix[2] + 0.5, matrix[5] + 0.5)
    return camera.with_plausible_centre() if camera.is_plausible() else None


def _picture_size(path: Path) -> tuple[int, int]:
    """Width and height as shown, EXIF orientation applied, by the header alone."""
    from PIL import Image

    try:
        with open_picture(read_file(path), str(path)) as image:
            width, height = image.size
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except (*DECODER_ERRORS, Image.DecompressionBombError):
        raise DioramaError(f"{path} is not a picture that can be read; use {READ_FORMATS}.") from None
    return (height, width) if turned else (width, height)


def same_aspect(photo: Path, depth: Path) -> bool:
    """Whether two pictures have one shape, by their headers; False where one cannot be read."""
    try:
        (width, height), (w, h) = _picture_size(photo), _picture_size(depth)
    except DioramaError:
        return False
    return abs(w * height / (h * width) - 1) <= MAX_ASPECT_ERROR + 1 / min(w, h)
