"""Whether a file of layers belongs to a diorama: to its photo, and to the options that it is built with."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from ..errors import DioramaError, Kind
from ..layer_files.layer_file import PHOTO_NAMES, TOP, LayerFile, composite, place_in_canvas, plain
from ..layer_pictures import full_canvas
from ..pipeline import Diorama
from ..raster.colour_curves import srgb_from_linear
from ..settings import InpaintSettings, LayerSettings
from .registration import Placement

SIDE = 96
"""Long side of the pictures that are compared, px: coarse enough to survive colour grading, noise and scaling."""
BLUR = 3.0
"""px of those: what is darker or lighter over a larger area, as the sky is on most photos, does not count."""
OTHER_PHOTO, SAME_PHOTO = 0.2, 0.4
"""Correlation below which the picture is another, and from which it is the same."""
MIN_SHOWN = 0.2
"""Part of the photo that layers must show, so that they can be compared with it."""
MIN_DETAIL = 0.003
"""Standard deviation of grey from 0 to 1 below which a picture shows nothing that can be compared."""


def other_photo_error(file: LayerFile, built: Diorama, name: str) -> DioramaError:
    """The sentence for layers of another photo."""
    named = f' ("{file.photo}")' if file.photo and file.photo != built.photo.name else ""
    return DioramaError(
        f'{name}: these are layers of another photo{named}, not of "{built.photo.name}"; choose the layers of that one.', Kind.UNUSABLE_FILE
    )


def has_other_pixels(file: LayerFile, ours: LayerFile) -> bool:
    """Whether a file says that it was written from a photo of other pixels."""
    return file.origin is not None and ours.origin is not None and file.origin.photo != ours.origin.photo


def check_photo(built: Diorama, file: LayerFile, ours: LayerFile, where: Placement, name: str) -> tuple[str, ...]:
    """Warnings about what is unsure; none where the file shows this photo. Raises DioramaError where it shows another."""
    if file.origin is not None and not has_other_pixels(file, ours):
        return ()
    alike = likeness(built, file, where)
    if alike is not None and alike < OTHER_PHOTO:
        raise other_photo_error(file, built, name)
    if alike is None or alike < SAME_PHOTO:
        return (f'{name} may be of another photo than "{built.photo.name}": they have little in common that could be compared.',)
    if file.origin is not None:
        return (f"{name} was written from other pixels of this photo; what differs in the photo's layer counts as painted.",)
    return ()


def check_options(file: LayerFile, ours: LayerFile, name: str) -> tuple[str, ...]:
    """A warning where a file was written from other surfaces. Raises DioramaError where those were built with other options: differences
    of the build would be taken for paint."""
    if file.origin is None or ours.origin is None:
        return ()
    default = {f.name: str(f.default) for part in (LayerSettings, InpaintSettings) for f in fields(part)}
    now = default | dict(ours.origin.options or ())
    then = now if file.origin.options is None else default | dict(file.origin.options)
    others = [(option, then[option]) for option in default if then[option] != now[option]]
    if others:
        words = [
            (each.replace("_", " ").title(), f"--{each.replace('_', '-')}", _short(value), _short(now[each])) for each, value in others
        ]
        again = "export the layers again, or use the options that they were written with"
        raise DioramaError(
            f"{name} was written with other options",
            Kind.UNUSABLE_FILE,
            window=f"{', '.join(f'{label} {was}, now {new}' for label, _, was, new in words)}; {again}",
            command_line=f"{', '.join(f'{flag} {was}, now {new}' for _, flag, was, new in words)}; {again}",
        )
    if file.origin.surfaces != ours.origin.surfaces and not has_other_pixels(file, ours):
        return (f"{name} was written from other surfaces, before the depth was changed or by another version; "
                "areas that have been filled differently since then count as painted. "
                "If you do not want that, export the layers again.",)  # fmt: skip
    return ()


def _short(value: str) -> str:
    try:
        return f"{float(value):.4g}"
    except ValueError:
        return value


def likeness(built: Diorama, file: LayerFile, where: Placement) -> float | None:
    """Correlation of the photo with what a file shows of it, from -1 to 1, whatever its colours were graded to: of the ranks of grey,
    less their surroundings. None where there is too little to compare.

    The photo's own layers are compared where the file has any, else what all visible ones show together.
    """
    own = [replace(each, visible=True, opacity=1.0) for each in file.layers if PHOTO_NAMES.fullmatch(plain(each.name))]
    grey, there = _shown(built, replace(file, layers=tuple(own or file.layers)), where)
    photo = built.photo.working_colour(*grey.shape).mean(axis=2)
    if there.mean() < MIN_SHOWN:
        return None
    details = [_detail(each, there) for each in (photo, grey)]
    if min(float(each[there].std()) for each in details) < MIN_DETAIL:
        return None
    one, other = (_detail(_ranks(each, there), there)[there] for each in (photo, grey))
    return float((one * other).mean() / max(1e-12, float(one.std() * other.std())))


def _shown(built: Diorama, file: LayerFile, where: Placement) -> tuple[np.ndarray, np.ndarray]:
    """What a file shows within the photo's frame, as grey (h, w) at a long side of SIDE; and (h, w) bool where it is opaque."""
    import cv2

    if not any(each.visible and each.colour.size for each in file.layers):
        return np.zeros((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), bool)
    picture, camera = composite(file), built.photo.camera
    scale = np.array(file.canvas) / where.size
    frame = [(np.array([each.start, each.stop]) - offset) * s for each, offset, s in
             zip(full_canvas(built).inside, where.offset, scale, strict=True)]  # fmt: skip
    (top, bottom), (left, right) = np.rint(frame).astype(int)
    inside = place_in_canvas(picture, (0, 0), (max(1, bottom - top), max(1, right - left)), (top, left)).astype(np.float32)
    inside /= np.float32(TOP[picture.dtype])
    if file.is_linear:
        inside[..., :3] = srgb_from_linear(np.maximum(inside[..., :3], 0))
    size = tuple(max(1, round(SIDE * each / max(camera.width, camera.height))) for each in (camera.width, camera.height))
    both = np.dstack([inside[..., :3].mean(axis=2) * inside[..., 3], inside[..., 3]])
    small = cv2.resize(both, size, interpolation=cv2.INTER_AREA if size[0] < both.shape[1] else cv2.INTER_LINEAR)
    return small[..., 0] / np.maximum(small[..., 1], 1e-3), small[..., 1] >= 0.9


def _detail(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Values less the mean of their surroundings, where they are there."""
    import cv2

    weight = there.astype(np.float32)
    around = cv2.GaussianBlur(values.astype(np.float32) * weight, (0, 0), BLUR) / np.maximum(cv2.GaussianBlur(weight, (0, 0), BLUR), 1e-3)
    return (values - around) * weight


def _ranks(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Their places in order, from 0 to 1; equal ones have equal places."""
    result = np.zeros(values.shape, np.float32)
    _, place, count = np.unique(values[there], return_inverse=True, return_counts=True)
    result[there] = ((np.cumsum(count) - count / 2) / count.sum())[place]
    return result
