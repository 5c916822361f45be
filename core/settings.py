"""Every option of what is built, once: its default, range and help.

Options of a render are in core/scene/output.py, the number of threads is in core/threads.py. Command line, panel and scene properties
are made from all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from .camera.moves import EASINGS, MOVES
from .errors import DioramaError
from .models.catalogue import CATALOGUE, METRIC_DEPTH, RELATIVE_DEPTH


def option(default: Any, help: str, *, label: str = "", low=None, high=None, choices: dict[str, str] | None = None):
    """A field with its help; numbers may have bounds (both ends allowed), texts may have choices {value: help}."""
    return field(default=default, metadata=dict(help=help, label=label, low=low, high=high, choices=choices))


@dataclass(frozen=True)
class PhotoSettings:
    """How the photo's camera is known."""

    focal_px: float = option(0.0, "Focal length in pixels of the photo; 0 reads it from the photo", low=0.0, high=1e6)
    focal_mm: float = option(0.0, "Focal length as on a full-frame camera (35 mm film); 0 reads it from the photo", low=0.0, high=3000.0)
    centre_x: float = option(
        0.0, "Principal point, where the lens looks straight ahead, in pixels from the left; 0 is the photo's middle", low=0.0, high=1e6
    )
    centre_y: float = option(0.0, "Principal point in pixels from the top; 0 is the photo's middle", low=0.0, high=1e6)
    fov: float = option(0.0, "Angle across the photo's long side in degrees; 0 reads it from the photo", low=0.0, high=170.0)


HIDDEN_COLOUR = Path(__file__).parent / "networks" / "weights" / "hidden_colour.onnx"
"""Weights of `training/inpaint`, exported by `training/export_onnx.py`."""
HIDDEN_EDGES = HIDDEN_COLOUR.with_name("inpaint_edge.onnx")
"""Weights of `training/inpaint_structure`, exported likewise."""
ESTIMATORS = {
    "auto": "A depth file, else the depth in the photo, else the best network downloaded, else the built-in network",
    "built-in": "The small network that comes with Photo Diorama, offline",
    **{w.key: f"{w.purpose} ({w.licence}); to be downloaded first" for w in CATALOGUE if w.kind in (RELATIVE_DEPTH, METRIC_DEPTH)},
}


@dataclass(frozen=True)
class DepthSettings:
    """Where depth comes from and what its numbers mean."""

    estimator: str = option("auto", "What finds the depth of a photo without a depth file", choices=ESTIMATORS)
    device: str = option(
        "auto",
        "Processor that networks run on",
        choices={"auto": "The fastest there is", "cpu": "Main processor", "cuda": "NVIDIA GPU", "mps": "Apple GPU"},
    )
    depth_kind: str = option(
        "auto",
        "What the depth file holds",
        choices={
            "auto": "Find out from the file's format and values, and say what was found",
            "metric": "Distance along the optical axis; multiplied by the depth scale it is metres",
            "disparity": "Inverse depth of unknown scale, larger is nearer",
            "relative": "Distance without a unit, larger is farther",
        },
    )
    invert_depth: bool = option(False, "Exchange near and far, where a depth map came out inside out")
    depth_unknown: str = option(
        "", "Number that marks unknown depth in the depth file, or several separated by commas; empty: detected, and reported"
    )
    depth_sky: str = option(
        "auto",
        "How infinite values, zeros of inverse depth and unknown regions at the top of the depth are taken",
        choices={
            "auto": "Farthest in regions with the size and place of a sky, if the photo agrees, and unknown elsewhere",
            "farthest": "Always the farthest distance",
            "unknown": "Always unknown, and filled from the depth around",
        },
    )
    depth_range: str = option(
        "",
        "Nearest and farthest value in the depth file's own numbers (NEAR FAR), so that all frames of one camera have one scale; "
        "shared: all files take the first one's range; empty: each file has its own",
    )
    depth_measure: str = option(
        "planar",
        "Direction in which the depth file measures distances",
        choices={"planar": "Along the optical axis, as most files do", "ray": "From the camera straight to each point"},
    )
    depth_scale: float = option(
        0.0, "Metres per unit of a metric depth file, 0.001 for millimetres; 0 takes it from the format", low=0.0, high=1e6
    )
    near_distance: float = option(
        1.0, "Distance of the nearest point in metres where the depth has no unit of its own", low=0.01, high=10000.0
    )
    known_length: float = option(
        0.0, "Length in metres of the known line, which gives the whole scene its scale; 0 leaves the scale as it is", low=0.0, high=1e5
    )
    known_line: str = option("", "Both ends of a line on the photo whose length is known: X,Y,X,Y in pixels from the left and the top")


@dataclass(frozen=True)
class LayerSettings:
    """Where the photo is split into layers and how far the hidden parts reach."""

    long_side: int = option(960, "Long side of the depth and of the mesh grid, in pixels; the photo keeps its own", low=64, high=4096)
    tear: float = option(0.04 / 3, "Jump of disparity at which a surface is cut, as a part of the whole range", low=0.001, high=0.5)
    rim: float = option(
        0.002,
        "Width of the mixed pixels beside a silhouette that are given to the foreground, as a part of the long side",
        low=0.0,
        high=0.01,
    )
    soft_edge: float = option(
        -1.0,
        "Half the width of soft silhouettes, for hair and leaves, as a part of the long side; 0 is hard, -1 is automatic: soft where "
        "the depth was estimated or a matte came with the photo, hard where depth was measured",
        low=-1.0, high=0.05,
    )  # fmt: skip
    hidden_width: float = option(0.07, "How far a background continues behind a foreground, as a part of the long side", low=0.0, high=0.5)
    context_width: float = option(0.14, "How far around a hidden part the fill looks, as a part of the long side", low=0.01, high=0.5)
    border: float = option(0.06, "How far the picture continues outside its frame, as a part of the long side", low=0.0, high=0.25)
    passes: int = option(3, "Number of passes: each fills what the parts of the pass before hide in turn", low=0, high=6)

    def rim_width(self, long_side: int) -> int:
        """Mixed pixels beside a silhouette that are given to the foreground, px of the working grid."""
        return max(1, round(self.rim * long_side)) if self.rim > 0 else 0


INPAINTERS = {
    "automatic": "The best one that is included: learned",
    "diffusion": "Smooth continuation of the surroundings with fine detail, quick",
    "exemplar": "The same with patches of the surroundings, so that texture and lines go on; no network",
}
if HIDDEN_COLOUR.is_file():
    INPAINTERS["learned"] = "The same, completed by a small network"
INPAINTERS |= {
    "published": "Edges, depth and colour by the three networks of the method's authors (MIT, the edge network also CC-BY-NC-4.0: "
    "NOT for commercial use); to be downloaded first",
    "lama": "Colour by the network LaMa, for large holes and patterns (Apache-2.0); to be downloaded first",
}


HIDDEN_DEPTH = Path(__file__).parent / "networks" / "weights" / "hidden_depth.npz"
"""Weights of `training/hidden_depth`, which choose surfaces; without the file there is no such choice."""
HIDDEN_DEPTHS = {"nearest": "The background across the nearest silhouette, stretched smoothly"}
if HIDDEN_DEPTH.is_file():
    HIDDEN_DEPTHS["learned"] = "A small network chooses among the surfaces seen around the foreground"
HIDDEN_EDGE_WAYS = {"nearest": "Each hidden pixel continues the nearest silhouette"}
if HIDDEN_EDGES.is_file():
    HIDDEN_EDGE_WAYS["learned"] = "With the inpainter learned, a network continues depth edges that end at a silhouette"


@dataclass(frozen=True)
class InpaintSettings:
    """How hidden parts are invented."""

    inpainter: str = option(
        "automatic",
        "What invents the hidden parts",
        choices=INPAINTERS,
    )
    hidden_depth: str = option(
        "learned" if "learned" in HIDDEN_DEPTHS else "nearest",
        "Which surface goes on behind a foreground; the inpainter published draws its own",
        choices=HIDDEN_DEPTHS,
    )
    hidden_edges: str = option(
        "nearest",
        "Where one hidden surface ends and the next begins; the inpainter published draws its own",
        choices=HIDDEN_EDGE_WAYS,
    )
    eroded_rim: float = option(
        0.003,
        "Width beside a silhouette whose colours are not used for the fill, as foreground is mixed in; a part of the long side",
        low=0.0,
        high=0.02,
    )


@dataclass(frozen=True)
class MeshSettings:
    """How densely the surfaces are triangulated."""

    triangles: int = option(
        0, "How many triangles the diorama has, from 20000 up; 0 takes as many as photo and depth need", low=0, high=50_000_000
    )
    density: float = option(
        1.0,
        "Detail of the mesh where the number of triangles is automatic: 2 halves the error allowed, 0.5 doubles it",
        low=0.05,
        high=10.0,
    )
    backdrop: bool = option(True, "A smooth sheet behind everything, so that gaps show no void when the camera moves far")


@dataclass(frozen=True)
class SceneSettings:
    """How the diorama stands in the Blender scene."""

    shader: str = option(
        "shadeless",
        "How the photo is shaded",
        choices={
            "shadeless": "Shows the photo as it is to the camera and in reflections; lights nothing else",
            "principled": "Principled BSDF: takes light and shadow of the scene",
            "emission": "Shows the photo as it is and lights the scene with it",
        },
    )
    emission_strength: float = option(1.0, "Strength of Emission; at 1 the photo's own camera sees the photo", low=0.0, high=1000.0)
    roughness: float = option(1.0, "Roughness of Principled; 1 is matt, without any highlight", low=0.0, high=1.0)
    delight: float = option(
        0.0, "How much of the photo's own light and shadow is removed, with Principled; 0 keeps the photo", low=0.0, high=1.0
    )
    texture_filter: str = option(
        "linear",
        "How the photo's texels are filtered",
        choices={"linear": "Smooth between texels", "closest": "The nearest texel, exact from the photo's own camera"},
    )
    camera_move: str = option(
        "none",
        "Movement of the camera",
        choices={"none": "The camera stays where the photo was taken", **{name: move.help for name, move in MOVES.items()}},
    )
    move_amount: float = option(1.0, "Size of the movement relative to the nearest distance; 1 is the size in the paper", low=0.0, high=5.0)
    move_easing: str = option("smooth", "Pace of a movement from one place to another", choices=EASINGS)
    move_loop: bool = option(False, "There and back, so that the film can repeat without a jump; circle and handheld always do")
    move_aim: bool = option(False, "The camera keeps looking at the distance of the focus object, or of the picture's middle")
    move_seed: int = option(0, "Random seed of a handheld move: another number gives another tremble", low=0, high=100000)
    framing: str = option(
        "clean",
        "What a movement shows of the photo's edge",
        choices={
            "clean": "Nothing: the lens is longer by as much as this movement needs; Stay gives the photo's own back",
            "whole": "The photo's own lens: the whole photo from its own place, and what was invented outside its frame from other places",
        },
    )
    frames: int = option(96, "Length of the movement in frames", low=2, high=100000)
    placement: str = option(
        "automatic",
        "Where a new diorama stands; an existing one is not moved",
        choices={
            "automatic": "At the world's origin, or beside other dioramas and objects that its camera would stand in",
            "origin": "The photo's camera at the world's origin",
            "cursor": "The photo's camera at the 3D cursor",
            "ground": "Its ground, where one is found, is level at Z = 0; its camera has the photo's height above it",
            "camera": "In front of the scene's camera, as if that had taken the photo",
        },
    )
    set_up_scene: bool = option(False, "Make the photo's camera the scene's, with the photo's resolution and colours shown unchanged")


@dataclass(frozen=True)
class Settings:
    """All options, one part a stage."""

    photo: PhotoSettings = field(default_factory=PhotoSettings)
    depth: DepthSettings = field(default_factory=DepthSettings)
    layers: LayerSettings = field(default_factory=LayerSettings)
    inpaint: InpaintSettings = field(default_factory=InpaintSettings)
    mesh: MeshSettings = field(default_factory=MeshSettings)
    scene: SceneSettings = field(default_factory=SceneSettings)

    def with_values(self, values: dict[str, Any]) -> Settings:
        """A copy with options set by their names, each checked; raises DioramaError for an unknown or impossible one.

        >>> Settings().with_values({"long_side": 640, "inpainter": "diffusion"}).layers.long_side
        640
        """
        known = {f.name: part for part, f in each_option()}
        for name, value in values.items():
            if name not in known:
                raise DioramaError(
                    f"There is no option named {name!r}",
                    window="the panel shows them all",
                    command_line="`photo-diorama --help` lists them",
                )
            check(known[name], name, value)
        parts = {
            part.name: replace(getattr(self, part.name), **{k: v for k, v in values.items() if known[k] == part.name})
            for part in fields(self)
        }
        return replace(self, **parts)

    def values(self) -> dict[str, Any]:
        """All options flat, by name: what a scene keeps for a later rebuild."""
        return {f.name: getattr(getattr(self, part), f.name) for part, f in each_option()}


def each_option():
    """Yields (name of the part, dataclass field) for every option, in the order of the stages."""
    for part in fields(Settings):
        for f in fields(part.default_factory):
            yield part.name, f


def check(part: str, name: str, value: Any) -> None:
    """Raises DioramaError where a value is outside its option's range or of another type."""
    check_option(next(f for p, f in each_option() if p == part and f.name == name), value)


def check_option(f, value: Any) -> None:
    """`check` for a field that was declared by `option`, in any dataclass."""
    choices, low, high = f.metadata["choices"], f.metadata["low"], f.metadata["high"]
    if choices and value not in choices:
        raise _impossible(f.name, value, f"it can be {', '.join(choices)}")
    if isinstance(f.default, (bool, str)):
        if not isinstance(value, type(f.default)):
            raise _impossible(f.name, value, f"it must be {'True or False' if isinstance(f.default, bool) else 'a text'}")
        return
    whole = isinstance(f.default, int)
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or not (low <= value <= high):
        raise _impossible(f.name, value, f"it must be a{' whole' * whole} number from {low:g} to {high:g}")


def _impossible(name: str, value: Any, asked: str) -> DioramaError:
    """The error for an option's impossible value; the option is named by its flag on the command line and by its label in the window."""
    return DioramaError(
        "",
        window=f"{name.replace('_', ' ').title()} is {value!r}; {asked}",
        command_line=f"--{name.replace('_', '-')} is {value!r}; {asked}",
    )
