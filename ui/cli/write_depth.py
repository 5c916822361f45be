"""`photo-diorama depth`: writes the depth of a photo to a file that other programs read."""

from __future__ import annotations

import argparse
import io
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...core.depth.depth_map import Guess, depth_on_photo
from ...core.depth.find_depth import FoundDepth, find_depth
from ...core.errors import DioramaError
from ...core.photo.photo import Photo, load_photo
from ...core.raster.exr_encode import encode_exr
from ...core.raster.open_picture import READ_FORMATS
from ...core.settings import DepthSettings, Settings
from .flags import add_common, add_options, refuse_for_scene, settings_from
from .output_paths import check_target, write_whole
from .session import Session, peak_memory_mb
from .write_layers import diorama_in_scene

OPTIONS = (
    "estimator", "device", "depth_kind", "invert_depth", "depth_unknown", "depth_sky", "depth_range", "depth_measure", "depth_scale",
    "long_side",
)  # fmt: skip
ENDINGS = (".npy", ".exr", ".png")
TOP = 65535
FARTHEST = 1 / TOP
"""Relative disparity of the farthest point; readers of depth maps take 0 for a hole."""


@dataclass(frozen=True)
class WholeDepth:
    """Depth without unknown pixels, as it is written."""

    values: np.ndarray  # (h, w) float32: metres, or disparity from FARTHEST to 1, the nearest
    source: str
    guess: Guess
    zero_is_far: bool = False  # of disparity: 0 is infinitely far

    @property
    def metric(self) -> bool:
        """Whether the values are metres."""
        return self.guess.metric


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photo", type=Path, metavar="PHOTO|SCENE", help=f"{READ_FORMATS}; or a .blend, for the depth that its diorama uses")
    parser.add_argument("--depth", type=Path, metavar="FILE", help="depth map to bring onto the photo")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE.npy|FILE.exr|FILE.png",
        help="metres as float (.npy, .exr) or millimetres (16-bit .png); relative disparity as 0 to 1 or 0 to 65535. Of a scene, for "
        "editing: disparity (16-bit .png, near is white) or metres (.exr, .tif)",
    )  # fmt: skip
    parser.add_argument("--full-size", action="store_true", help="at the photo's own size instead of --long-side")
    parser.add_argument("--diorama", metavar="NAME", help="which diorama of the scene, where it holds several")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")
    add_common(parser)
    add_options(parser, OPTIONS)


def run(given: argparse.Namespace, session: Session) -> None:
    """Finds depth as for a diorama, fills its holes on the photo, writes it and prints what it is."""
    started = time.perf_counter()
    settings = settings_from(given, OPTIONS)
    ending = given.output.suffix.lower()
    if given.photo.suffix.lower() == ".blend":
        refuse_for_scene(given, OPTIONS)
        if given.full_size:
            raise DioramaError(f"{given.photo} keeps its depth at the size of its own --long-side; leave --full-size out.")
        _write_of_scene(given, session, ending)
        return
    if ending not in ENDINGS:
        raise DioramaError(f"{given.output} has no ending for depth; use {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}.")
    check_target(given.output, given.overwrite, [given.photo, given.depth])
    session.progress("Reading the photo", 0.0)
    photo = load_photo(given.photo, settings.photo)
    session.progress("Finding the depth", 0.1)
    found = find_depth(photo, given.depth, settings.depth, session.models)
    session.progress("Bringing the depth onto the photo", 0.6)
    long_side = max(photo.camera.width, photo.camera.height) if given.full_size else settings.layers.long_side
    whole = whole_depth(found, photo, settings, long_side, str(given.depth or given.photo))
    session.progress("Writing", 0.9)
    write_whole(given.output, encode(whole, ending), given.overwrite)
    session.progress("Done", 1.0)
    _report(session, given.output, whole, ending, time.perf_counter() - started)


def _write_of_scene(given: argparse.Namespace, session: Session, ending: str) -> None:
    """Writes the depth that a diorama uses, with its edits; Take Edited Depth reads it back."""
    from ...core.depth_file.depth_for_editing import ENDINGS, encode_depth
    from ...core.edit_and_rebuild import current_depth
    from ...operators.depth.change_region import stored_source
    from ...operators.scene.depth_image import stored_edit

    started = time.perf_counter()
    if ending not in ENDINGS:
        raise DioramaError(f"{given.output} has no ending for edited depth; use {', '.join(ENDINGS[:-1])}.")
    check_target(given.output, given.overwrite, [given.photo])
    context, root = diorama_in_scene(given.photo, given.depth, given.diorama)
    now = current_depth(stored_source(context, root), stored_edit(root), session.progress).edit.edited
    write_whole(given.output, encode_depth(now, ending), given.overwrite)
    what = "disparity, near is white" if ending == ".png" else "distances in metres"
    session.say(f"{given.output}: {now.shape[1]}x{now.shape[0]}, {what}", "  to take it back: Depth > Take Back in the window")
    session.result({
        "output": str(given.output.absolute()), "width": now.shape[1], "height": now.shape[0], "nearest_m": float(1 / now.max()),
        "farthest_m": float(1 / now.min()), "seconds": round(time.perf_counter() - started, 4), "peak_memory_mb": peak_memory_mb(),
    })  # fmt: skip


def whole_depth(found: FoundDepth, photo: Photo, settings: Settings, long_side: int, name: str) -> WholeDepth:
    """Depth for every pixel of the photo at a long side of `long_side`; raises DioramaError where it does not fit."""
    values = found.values
    if not values.known.any():
        raise DioramaError(f"{name} has no known depth by {values.source}; use another source of depth.")
    if values.metric:
        depth = depth_on_photo(values, photo, settings.depth, long_side, name)
        return WholeDepth(1 / depth.disparity, depth.source, depth.guess)
    low = 0.0 if values.shift_known else float(values.values[values.known].min())
    high = float(values.values[values.known].max())
    if not high > low:
        raise DioramaError(f"{name} has the same depth everywhere by {values.source}; use another source of depth.")
    # a scene bounds how far its farthest point is; from 1 to 2 instead of 0 to 1, nothing comes near that bound
    lifted = np.where(values.known, 1 + (values.values - low) / (high - low), 0).astype(np.float32)
    lifted = replace(values, values=lifted, shift_known=True, scaled=False)
    disparity = depth_on_photo(lifted, photo, DepthSettings(near_distance=1.0), long_side, name).disparity
    relative = np.clip(2 * disparity - 1, FARTHEST, 1).astype(np.float32)
    return WholeDepth(relative, values.source, Guess(values.unsure), zero_is_far=values.shift_known)


def encode(depth: WholeDepth, ending: str) -> bytes:
    """The bytes of a .npy or .exr (float32), or a .png of 16 bits, 1 to 65535, where 0 would mean unknown."""
    if ending == ".npy":
        file = io.BytesIO()
        np.save(file, depth.values)
        return file.getvalue()
    if ending == ".exr":
        return encode_exr(depth.values)
    import cv2

    values = depth.values
    if ending == ".png":
        values = np.clip(np.rint(values * (1000 if depth.metric else TOP)), 1, TOP).astype(np.uint16)
    done, data = cv2.imencode(ending, values)
    if not done:
        raise RuntimeError("the depth could not be encoded")
    return data.tobytes()


def read_again(depth: WholeDepth, ending: str) -> str:
    """The flags with which our own reader understands the file correctly."""
    if depth.metric:
        return f"--depth-kind metric --depth-scale {0.001 if ending == '.png' else 1:g}"
    if depth.zero_is_far:
        return f"--depth-kind disparity --depth-range '{TOP if ending == '.png' else 1} 0'"
    return "--depth-kind disparity"


def _report(session: Session, output: Path, depth: WholeDepth, ending: str, seconds: float) -> None:
    height, width = depth.values.shape
    low, high = float(depth.values.min()), float(depth.values.max())
    if depth.metric:
        kind, unit = "metric depth", "mm" if ending == ".png" else "m"
        content = f"metric depth in {'millimetres' if unit == 'mm' else 'metres'}, {low:.4g} to {high:.4g} m"
    else:
        kind, unit = "relative disparity", "none"
        content = f"relative disparity, larger is nearer, {TOP if ending == '.png' else 1} the nearest; it has no unit"
    cut = int((depth.values * 1000 > TOP).sum()) if unit == "mm" else 0
    session.say(f"{output}: {width}x{height}, {content}", f"  depth: {depth.source}")
    session.say(*(f"  {question}" for question in depth.guess.questions(window=False)))
    session.say(f"  to use it again: --depth {output} {read_again(depth, ending)}")
    if cut:
        most = f"{TOP / 1000:g} m, which 16 bits cannot hold"
        session.warn(f"{cut:,} pixels of {output} are farther than {most}; .exr and .npy can.")
    session.result({
        "output": str(output.absolute()), "kind": kind, "unit": unit, "width": width, "height": height,
        "lowest": low, "highest": high, "cut_off": cut, "source": depth.source, "unsure": depth.guess.unsure, "sky": depth.guess.sky,
        "read_with": read_again(depth, ending), "seconds": round(seconds, 4), "peak_memory_mb": peak_memory_mb(),
    })  # fmt: skip
