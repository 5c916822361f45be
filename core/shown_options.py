"""How the window shows options: artists' words, important ones first, parts of the width as percentages; and presets."""

from __future__ import annotations

from dataclasses import dataclass, field

from .camera.moves import MOVES


@dataclass(frozen=True)
class Shown:
    """How one option is shown."""

    label: str = ""  # its name; empty: the option's own, in plain words
    first: bool = False  # before the others, which lie under Advanced
    percent: bool = False  # a part of something, shown as a percentage
    needs: dict[str, tuple] = field(default_factory=dict)  # values of other options without which this one does nothing and is greyed out


MOVING = {"camera_move": tuple(MOVES)}

SHOWN = {
    "focal_px": Shown("Focal Length (pixels)"),
    "focal_mm": Shown("Focal Length (mm, full frame)"),
    "centre_x": Shown("Lens Centre X (pixels)"),
    "centre_y": Shown("Lens Centre Y (pixels)"),
    "fov": Shown("Field of View (°)"),
    "estimator": Shown("Depth From", first=True),
    "device": Shown("Processor"),
    "depth_kind": Shown("Depth Kind"),
    "invert_depth": Shown("Invert Depth", first=True),
    "depth_unknown": Shown("Unknown Depth Is"),
    "depth_sky": Shown("Infinite Depth Is"),
    "depth_range": Shown("Depth Range (near far)"),
    "depth_measure": Shown("Depth Runs Along"),
    "depth_scale": Shown("Depth Scale (metres per unit)"),
    "near_distance": Shown("Nearest Distance (m)"),
    "known_length": Shown("Length of the Line (m)"),
    "known_line": Shown("Known Line (pixels)"),
    "long_side": Shown("Long Side (pixels)"),
    "tear": Shown("Split Where Depth Jumps", percent=True),
    "rim": Shown("Silhouette Rim", percent=True),
    "soft_edge": Shown("Soft Edges", first=True, percent=True),
    "hidden_width": Shown("Hidden Part Width", percent=True),
    "context_width": Shown("Look Around", percent=True),
    "border": Shown("Outside Frame", first=True, percent=True),
    "passes": Shown("Hidden Layers", first=True),
    "inpainter": Shown("Fill Hidden Parts"),
    "hidden_edges": Shown(needs={"inpainter": ("automatic", "learned")}),
    "eroded_rim": Shown("Distrusted Rim", percent=True),
    "triangles": Shown("Triangles (0: as needed)"),
    "density": Shown("Mesh Detail", needs={"triangles": (0,)}),
    "emission_strength": Shown(needs={"shader": ("emission",)}),
    "roughness": Shown(needs={"shader": ("principled",)}),
    "delight": Shown("Take Light Off", needs={"shader": ("principled",)}),
    "texture_filter": Shown("Texture"),
    "camera_move": Shown("Move", first=True),
    "move_amount": Shown("Amount of the Move", needs=MOVING),
    "move_easing": Shown("Pace", needs=MOVING),
    "move_loop": Shown("There and Back", needs=MOVING),
    "move_aim": Shown("Look at the Focus", needs=MOVING),
    "move_seed": Shown("Tremble", needs={"camera_move": ("handheld",)}),
    "frames": Shown("Length (frames)", needs=MOVING),
    "placement": Shown("Placement", first=True),
}
"""Labels by option; options that are missing here use their own name."""

PRESETS = {
    "draft": ("Quick, to try things out", {"long_side": 480, "inpainter": "diffusion", "passes": 1}),
    "standard": ("For most photos and moves", {"long_side": 960, "inpainter": "automatic", "passes": 3}),
    "fine": ("For large photos and prints; takes several times as long", {"long_side": 1920, "inpainter": "automatic", "passes": 4}),
}
"""Description of each preset, and the options that it sets; all others stay."""


def shown(name: str) -> Shown:
    """How an option is shown."""
    return SHOWN.get(name, Shown())
