"""Options of a render, each once with its default, range and help, as in core/settings.py."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

from ..errors import DioramaError
from ..settings import check_option, option

MOVIES, STILLS, GIF, VIEWER = (".mp4", ".mkv", ".mov"), (".png", ".jpg", ".jpeg", ".exr", ".tif"), ".gif", ".html"

STEREO = {
    "none": "One eye",
    "pair": "Two files, one for each eye, called _left and _right",
    "side-by-side": "Both eyes in one picture of double width, the left eye on the left",
    "top-bottom": "Both eyes in one picture of double height, the left eye on top",
    "anaglyph": "For red and cyan glasses",
    "vr180": "Half a sphere for each eye, side by side, for VR glasses; Cycles only",
}
SIDES = {"still": 0, "frames": 0, "movie": 1280, "gif": 640, "vr180": 1920, "viewer": 2048}
"""Long side of one eye's picture unless another is asked for; 0 is the photo's own."""
NEAREST_TO_EYES = 30.0
"""Nearest distance over eye distance: stereo photographers' 1/30 rule."""
HUMAN_EYES = 0.063
"""Human eye distance in metres, with which things in VR glasses have their true size."""


@dataclass(frozen=True)
class OutputSettings:
    """How a picture or film is rendered."""

    stereo: str = option("none", "Stereo output for two eyes", choices=STEREO)
    eye_distance: float = option(
        0.0,
        "Distance between the eyes in metres; 0 takes a thirtieth of the nearest distance, for VR180 in real metres 63 mm",
        low=0.0,
        high=100.0,
    )
    convergence: float = option(
        0.0, "Distance in metres that appears in the plane of the screen; 0 takes the focus object's", low=0.0, high=100000.0
    )
    render_side: int = option(
        0,
        "Long side of one eye's picture in pixels; 0 takes the photo's, for films 1280, GIF 640, VR180 1920, "
        "a web page's photo 2048 at most",
        low=0,
        high=16384,
    )
    samples: int = option(
        4, "Samples per pixel, at least 4; 4 are enough for the photo alone, light and shadow need 64 or more", low=1, high=16384
    )
    engine: str = option(
        "cycles",
        "Render engine",
        choices={
            "cycles": "On every computer, with every kind of stereo",
            "eevee": "Quick where there is a graphics card",
            "scene": "The scene's own engine, samples and filter, at its own quality",
        },
    )
    render_passes: bool = option(
        False,
        "OpenEXR of many layers for compositors: combined, depth, normal, objects, and what is photo or invented; a folder or .exr",
    )
    colours: str = option(
        "photo",
        "How colours are shown",
        choices={"photo": "The photo's own, unchanged", "scene": "By the scene's own view transform"},
    )

    def __post_init__(self):
        for f in fields(self):
            check_option(f, getattr(self, f.name))
        if self.stereo == "vr180" and self.engine != "cycles":
            raise DioramaError("VR180 is rendered by Cycles only; choose Cycles as the engine.")
        if self.render_passes and self.stereo != "none":
            raise DioramaError("Passes are rendered for one eye; choose no stereo, or render without passes.")

    def with_values(self, values: dict) -> OutputSettings:
        """A copy with options set by their names; raises DioramaError for an impossible one."""
        return replace(self, **values)


def output_kind(target: Path) -> str:
    """The kind of output, by the name's ending: still, movie, gif, viewer or frames. Raises DioramaError for another ending."""
    ending = target.suffix.lower()
    if ending not in (*MOVIES, *STILLS, GIF, VIEWER, ""):
        raise DioramaError(f"{target} has no ending that can be rendered; use .mp4, .gif, .png, .jpg, .exr, .html or a folder.")
    if ending == VIEWER:
        return "viewer"
    return "frames" if not ending else "gif" if ending == GIF else "movie" if ending in MOVIES else "still"


def output_files(target: Path, output: OutputSettings) -> list[Path]:
    """The files (or the folder) that are written for a target: two for a stereo pair."""
    if output.stereo != "pair" or output_kind(target) == "frames":
        return [target]
    return [target.with_name(f"{target.stem}_{eye}{target.suffix}") for eye in ("left", "right")]


def picture_size(photo: tuple[int, int], kind: str, output: OutputSettings) -> tuple[int, int]:
    """Width and height of one eye's picture; even for films, whose codec wants that; square for half a sphere."""
    wanted = output.render_side or SIDES["vr180" if output.stereo == "vr180" else kind]
    even = 2 if kind == "movie" else 1
    if output.stereo == "vr180":
        side = max(2, wanted // 2 * 2)
        return side, side
    scale = 1.0 if not wanted else wanted / max(photo)
    if not output.render_side:
        scale = min(1.0, scale)  # never enlarged unless asked for
    width, height = (max(even, round(length * scale / even) * even) for length in photo)
    return width, height


def eye_distance(output: OutputSettings, nearest: float, metric: bool) -> float:
    """Metres between the eyes."""
    if output.eye_distance:
        return output.eye_distance
    return HUMAN_EYES if output.stereo == "vr180" and metric else nearest / NEAREST_TO_EYES
