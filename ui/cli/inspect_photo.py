"""`photo-diorama inspect`: camera and depth in a photo's file."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ...core.depth.apple_depth import SpatialPhoto, read_spatial_photo
from ...core.depth.depth_in_photo import EmbeddedDepth, decode_embedded_depth, describe
from ...core.depth.depth_sidecar import find_sidecar_depth, read_sidecar_depth
from ...core.depth.find_depth import BESIDE, FoundDepth, given_depth
from ...core.errors import DioramaError
from ...core.models.store import best_estimator
from ...core.photo.photo import Photo, load_photo
from ...core.raster.decode import read_file
from ...core.raster.decoder_errors import DECODER_ERRORS
from ...core.raster.open_picture import READ_FORMATS, is_heif, open_picture
from ...core.settings import DepthSettings
from .flags import add_common
from .session import Session

MAKE, MODEL = 0x010F, 0x0110
MAX_CAMERA_NAME = 80


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photo", type=Path, metavar="PHOTO", help=READ_FORMATS)
    add_common(parser, threads=False)


def run(given: argparse.Namespace, session: Session) -> None:
    """Prints size, camera, focal length and its source, depth kind, range, unit, matte and views."""
    path = given.photo
    photo, data = load_photo(path), read_file(path)
    found, passed_over = given_depth(photo, DepthSettings())
    carried = decode_embedded_depth(data, str(path)) if found is not None and found.origin == "photo" else None
    spatial = read_spatial_photo(data, str(path)) if carried is None and is_heif(data) else None
    beside = find_sidecar_depth(path) if found is not None and found.origin == BESIDE and found.path is None else None
    lying = read_sidecar_depth(beside, path) if beside is not None else None
    facts = {
        "photo": str(path.absolute()),
        "width": photo.camera.width,
        "height": photo.camera.height,
        "pixels": {"uint8": "8-bit sRGB", "uint16": "16-bit sRGB"}.get(photo.colour.dtype.name, "float, linear"),
        "alpha": photo.alpha is not None,
        "notes": list(photo.notes),
        "camera": camera_name(path),
        **_focal(photo, carried or lying),
        "depth": None if carried is None else depth_facts(carried),
        "depth_beside": _beside(beside, lying, found),
        "depth_not_used": passed_over,
        "spatial": None if spatial is None else _views(spatial),
    }
    facts["auto"] = _would_take(found, session.models)
    session.say(*_lines(facts, carried, lying))
    session.result(facts)


def _focal(photo: Photo, calibrated: EmbeddedDepth | None) -> dict:
    """The focal length that a diorama would use, as `choose_camera` decides."""
    camera, source = photo.camera, photo.focal_source
    focal, centre = camera.focal_px, (camera.cx, camera.cy)
    if calibrated is not None and calibrated.focal_px is not None:
        focal, source = calibrated.focal_px, "calibration that lies with the depth"
        centre = centre if calibrated.cx is None or calibrated.cy is None else (calibrated.cx, calibrated.cy)
    angle = 2 * np.degrees(np.arctan(0.5 * max(camera.width, camera.height) / focal))
    return {
        "focal_px": round(float(focal), 3),
        "field_of_view": round(float(angle), 3),
        "focal_source": source,
        "principal_point": [round(float(x), 3) for x in centre],
    }


def depth_facts(found: EmbeddedDepth) -> dict:
    """Depth in or beside the photo, as plain values; an infinite end of its range is None."""
    height, width = found.values.shape
    ends = None if found.range is None else [round(float(x), 6) if np.isfinite(x) else None for x in found.range]
    return {
        "kind": found.kind,
        "metric": found.kind == "metric" or found.metric_scale,
        "unit": found.unit,
        "range": ends,
        "width": width,
        "height": height,
        "known": round(float(found.valid.mean()), 4),
        "source": found.source,
        "matte": None if found.matte is None else [found.matte.shape[1], found.matte.shape[0]],
        "original": found.original,
        "notes": list(found.notes),
    }


def _beside(known: Path | None, lying: EmbeddedDepth | None, found: FoundDepth | None) -> dict | None:
    """The depth file beside the photo that a diorama would use: of a recording whose unit is known, or named after the photo."""
    if lying is not None:
        return {"file": str(known), **depth_facts(lying)}
    return None if found is None or found.path is None else {"file": str(found.path), "source": found.values.source}


def _views(spatial: SpatialPhoto) -> dict:
    focal = None if spatial.intrinsics is None else round(float(spatial.intrinsics.focal_px), 3)
    return {"views": spatial.views, "width": spatial.width, "height": spatial.height, "focal_px": focal}


def _would_take(found: FoundDepth | None, models: Path) -> str:
    """Where the depth of a diorama without --depth would come from."""
    if found is not None:
        return "the depth file beside the photo" if found.origin == BESIDE else "the depth in the photo"
    best = best_estimator(models)
    return f"an estimate by {best.key if best else 'the built-in network'}"


def _lines(facts: dict, carried: EmbeddedDepth | None, lying: EmbeddedDepth | None) -> list[str]:
    alpha = ", with alpha" if facts["alpha"] else ""
    x, y = facts["principal_point"]
    lines = [
        f"{facts['photo']}: {facts['width']}x{facts['height']} pixels, {facts['pixels']}{alpha}",
        *(f"note: {note}" for note in facts["notes"]),
        f"camera: {facts['camera'] or 'not named'}",
        f"focal length: {facts['focal_px']:g} px ({facts['field_of_view']:.1f} degrees across the long side), {facts['focal_source']}",
        f"principal point: ({x:g}, {y:g})",
    ]
    in_exr = "its own depth pass" if facts["auto"] == "the depth in the photo" else "none in the file"
    lines += _depth_lines(carried) if carried else [f"depth: {in_exr}"]
    if lying:
        lines += [f"beside the photo: {facts['depth_beside']['file']}", *_depth_lines(lying)]
    elif facts["depth_beside"]:
        lines += [f"beside the photo: {facts['depth_beside']['source']}"]
    lines += [f"not used: {why}" for why in facts["depth_not_used"]]
    if facts["spatial"]:
        views = facts["spatial"]
        lines.append(f"spatial photo: {views['views']} views of {views['width']}x{views['height']}, the first is used")
        if views["focal_px"]:
            lines.append(f"calibration of the first view: {views['focal_px']:g} px")
    return [*lines, f"without --depth a diorama takes {facts['auto']}"]


def _depth_lines(found: EmbeddedDepth) -> list[str]:
    """Core's description without the focal length, which is printed with the camera."""
    return [line for line in describe(found) if not line.startswith("focal length:")]


def camera_name(path: Path) -> str:
    """Maker and model by EXIF, "" without; untrusted text."""
    from PIL import Image

    try:
        with open_picture(read_file(path), str(path)) as image:
            exif = image.getexif()
            make, model = (" ".join(str(exif.get(tag, "")).split()).strip("\0 ") for tag in (MAKE, MODEL))
    except (DioramaError, *DECODER_ERRORS, Image.DecompressionBombError):
        return ""  # OpenEXR, or a damaged block: the photo itself was read
    named = model if model.lower().startswith(make.lower()) else f"{make} {model}"
    return "".join(c for c in named if c.isprintable())[:MAX_CAMERA_NAME].strip()
