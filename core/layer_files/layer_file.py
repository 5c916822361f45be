"""One file of layers, whatever its format: what programs that paint and composite keep of a picture."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from ..errors import DioramaError, Kind, is_out_of_memory

DEPTH, INVENTED = "depth", "invented"
"""What follows a layer's name in that of its planes, "hidden 1 depth"; and the groups that hold them."""
PHOTO_NAMES = re.compile(r"(part \d+ )?photo", re.IGNORECASE)
"""Layers of the photo's own pixels: where all else is lost, they tell where its frame lies."""
OUR_NAMES = re.compile(r"(part \d+ )?photo|border|hidden \d+")
"""Plain names of the layers that we write; what an artist added comes beside them."""
WHITE = re.compile(r"depth, white is ([-+.\deE]+) per metre")
MAX_NOTES = 20
TOP = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535, np.dtype(np.float32): 1}
"""What stands for opaque, by the kind of the colours."""


@dataclass(frozen=True)
class FileLayer:
    """One layer: a rectangle of the canvas."""

    name: str  # as the file has it; ours are "photo", "border", "hidden 1" ...
    corner: tuple[int, int]  # row and column on the canvas of its first pixel; it may reach beyond the canvas
    colour: np.ndarray  # (h, w, 4) uint8 or uint16 sRGB, or float32 linear Rec. 709; straight alpha, masks applied; h, w may be 0
    opacity: float = 1.0  # 0 to 1, its groups' included
    visible: bool = True  # its groups' included
    groups: tuple[str, ...] = ()  # names of those that it lies in, the outermost first
    disparity: np.ndarray | None = None  # (h, w) float32, 1/m (see LayerFile.white); 0 where the file has none
    invented: np.ndarray | None = None  # (h, w) bool: not shown by the photo; meaningless at an alpha of 0; None: the file does not say

    @property
    def rows_and_columns(self) -> tuple[slice, slice]:
        """Its place on the canvas; of a layer that reaches beyond, ends may be negative."""
        (top, left), (height, width) = self.corner, self.colour.shape[:2]
        return slice(top, top + height), slice(left, left + width)

    @property
    def is_invented(self) -> np.ndarray:
        """(h, w) bool: `invented` where the layer is."""
        there = self.colour[..., 3] > 0
        return np.zeros(there.shape, bool) if self.invented is None else there & self.invented


@dataclass(frozen=True)
class Origin:
    """Identifies the build that a file of layers was written from, so that it is not taken for a file of another build."""

    photo: str = ""  # fingerprint of the photo's pixels, 16 hexadecimal digits
    surfaces: str = ""  # the same of the invented surfaces
    options: tuple[tuple[str, str], ...] | None = ()  # names and values of those that decide on the surfaces and are not the default;
    # None where they are lost


@dataclass(frozen=True)
class LayerFile:
    """A file of layers, the front one first."""

    canvas: tuple[int, int]  # rows and columns
    frame: tuple[int, int, int, int] | None  # of the photo on the canvas: top, left, height, width; None where nothing tells
    layers: tuple[FileLayer, ...]  # front first, all of one kind of colour
    white: float | None = None  # 1/m for which the top level of depth stands; None: disparity is from 0 to 1 of something unknown
    depth_step: float = 0.0  # disparity between two levels of depth, for those that are whole numbers; 0 for floats
    metric: bool | None = None  # whether metres are real ones; None where the file does not say
    photo: str = ""  # the photo's name
    notes: tuple[str, ...] = ()  # sentences on what was flattened or left out
    origin: Origin | None = None  # None where the file does not say

    @property
    def is_linear(self) -> bool:
        """Whether colours are linear floats, and not sRGB-encoded whole numbers."""
        return bool(self.layers) and self.layers[0].colour.dtype == np.float32

    def layer(self, name: str) -> FileLayer | None:
        """The first layer of that name, however it is written (capitals, underscores for spaces); None without."""
        return next((each for each in self.layers if plain(each.name) == plain(name)), None)


def plain(name: str) -> str:
    """A layer's name as it is compared.

    >>> plain(" Hidden_1 ")
    'hidden 1'
    """
    return " ".join(name.replace("_", " ").split()).casefold()


def place_in_canvas(values: np.ndarray, corner: tuple[int, int], shape: tuple[int, ...], at: tuple[int, int] = (0, 0)) -> np.ndarray:
    """A rectangle's values (h, w[, channels]) at `corner` within another, of `shape` at `at`; 0 where they do not reach.

    >>> place_in_canvas(np.ones((2, 2), int), (-1, 0), (2, 3)).tolist()
    [[1, 1, 0], [0, 0, 0]]
    """
    top, left = corner[0] - at[0], corner[1] - at[1]
    if (top, left) == (0, 0) and values.shape[:2] == shape:
        return values
    result = np.zeros((*shape[:2], *values.shape[2:]), values.dtype)
    rows = slice(max(0, top), max(0, min(shape[0], top + values.shape[0])))
    columns = slice(max(0, left), max(0, min(shape[1], left + values.shape[1])))
    if rows.start < rows.stop and columns.start < columns.stop:
        result[rows, columns] = values[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return result


def bounding_box(there: np.ndarray) -> tuple[slice, slice]:
    """The smallest rectangle of (h, w) bool that holds all that is there; empty without any."""
    rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def levels(layer: FileLayer, white: float, kind: type) -> np.ndarray:
    """A layer's disparity as whole numbers, of which the largest stands for `white`; 0 where there is none, and only there."""
    assert layer.disparity is not None
    top = np.iinfo(kind).max
    return np.clip(np.rint(layer.disparity * np.float32(top / white)), layer.disparity > 0, top).astype(kind)


def highest_disparity(layers: Iterable[FileLayer]) -> float:
    """1/m; 1 without any depth."""
    highest = [float(each.disparity.max()) for each in layers if each.disparity is not None and each.disparity.size]
    return max(highest, default=0.0) or 1.0


def frame_by_photo(layers: Iterable[FileLayer]) -> tuple[int, int, int, int] | None:
    """The photo's frame, from the extent of the photo's own layers; None without any."""
    boxes = [each.rows_and_columns for each in layers if PHOTO_NAMES.fullmatch(plain(each.name)) and each.colour.size]
    if not boxes:
        return None
    top, left = min(box[0].start for box in boxes), min(box[1].start for box in boxes)
    return top, left, max(box[0].stop for box in boxes) - top, max(box[1].stop for box in boxes) - left


def plane_kind(layer: FileLayer) -> str:
    """DEPTH or INVENTED for a layer in a group of such planes, else nothing."""
    group = layer.groups[0] if layer.groups else ""
    kind = DEPTH if group == DEPTH or WHITE.fullmatch(group) else INVENTED if group.split(",")[0] == INVENTED else ""
    return kind if kind and plain(layer.name).endswith(" " + kind) else ""


def as_one_channel(layer: FileLayer) -> FileLayer:
    """The layer; a depth or mask plane is kept as one channel in memory and shown as four: grey, 0 where it was transparent."""
    if not plane_kind(layer) or not layer.colour.size:
        return layer
    grey = np.where(layer.colour[..., 3] > 0, layer.colour[..., 1], layer.colour.dtype.type(0))
    return replace(layer, colour=np.broadcast_to(grey[..., None], layer.colour.shape))


def attach_planes(file: LayerFile) -> LayerFile:
    """The file; layers in groups of depth or masks become planes of the layers whose names they have. Where the file has no `white`, it is
    taken from such a group's name; planes without a layer are noted.
    """
    white, own = file.white, list[FileLayer]()
    planes: dict[tuple[str, str], FileLayer] = {}
    for each in file.layers:
        if each.groups and (found := WHITE.fullmatch(each.groups[0])):
            white = white or parse_white(found[1])
        if kind := plane_kind(each):
            planes[plain(each.name).removesuffix(" " + kind), kind] = each
        else:
            own.append(each)
    steps = [1 / TOP[each.colour.dtype] for (_, kind), each in planes.items() if kind == DEPTH and each.colour.dtype != np.float32]
    result = []
    for each in own:
        depth, mask = planes.pop((plain(each.name), DEPTH), None), planes.pop((plain(each.name), INVENTED), None)
        at = each.corner, each.colour.shape[:2]
        if depth is not None:
            grey = place_in_canvas(_grey(depth), depth.corner, at[1], at[0])
            each = replace(each, disparity=grey * np.float32(white or 1.0))
        if mask is not None:
            each = replace(each, invented=place_in_canvas(_grey(mask) >= 0.5, mask.corner, at[1], at[0]))
        result.append(each)
    notes = [f'The {kind} of "{name}" belongs to no layer of that name and is left out.' for name, kind in planes]
    step = max(steps, default=0.0) * (white or 1.0)
    return replace(file, layers=tuple(result), white=white, depth_step=step, notes=(*file.notes, *notes))


def parse_white(text: str) -> float | None:
    """The disparity, 1/m, that a text gives; None where it gives none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 < number < 1e12 else None


def _grey(layer: FileLayer) -> np.ndarray:
    """(h, w) float32 from 0 to 1 of a grey layer, 0 where it is transparent."""
    colour = layer.colour
    return np.where(colour[..., 3] > 0, colour[..., 1], 0).astype(np.float32) / np.float32(TOP[colour.dtype])


def composite(file: LayerFile) -> np.ndarray:
    """(rows, columns, 4) of all visible layers over each other on the canvas, of their own kind, straight alpha."""
    kind = file.layers[0].colour.dtype
    result = np.zeros((*file.canvas, 4), kind)
    for each in reversed(file.layers):
        if not each.visible or not each.colour.size:
            continue
        (rows, columns), top = each.rows_and_columns, TOP[kind]
        inside = slice(max(0, rows.start), max(0, rows.stop)), slice(max(0, columns.start), max(0, columns.stop))
        below = result[inside]
        over = place_in_canvas(each.colour, each.corner, below.shape[:2], (inside[0].start, inside[1].start))
        _lay_over(below, over, each.opacity, top)
    return result


def _lay_over(below: np.ndarray, over: np.ndarray, opacity: float, top: int) -> None:
    """Composites (h, w, 4) over another in place; to the bit where alpha is none or all."""
    import cv2

    alpha = over[..., 3]
    whole = (alpha == top) if opacity == 1 else np.zeros(alpha.shape, bool)
    soft = (alpha > 0) & ~whole
    below[...] = cv2.copyTo(over, whole.view(np.uint8), below)
    if soft.any():
        a = over[soft].astype(np.float64) / top
        b = below[soft].astype(np.float64) / top
        share = a[:, 3:] * opacity
        total = share + b[:, 3:] * (1 - share)
        mixed = (a[:, :3] * share + b[:, :3] * b[:, 3:] * (1 - share)) / np.maximum(total, 1e-9)
        values = np.hstack([mixed, total]) * top
        below[soft] = values if top == 1 else np.rint(values)


def damaged(name: object, how: str = "save it again") -> DioramaError:
    """The sentence for a file that breaks off or contradicts itself."""
    return DioramaError(f"{name} is damaged or cut short; {how}.", Kind.UNUSABLE_FILE)


@contextmanager
def reading_layers(name: object, failures: tuple[type[Exception], ...], how: str) -> Iterator[None]:
    """A context in which what a damaged file raises, one of `failures`, becomes the sentence for it, or MemoryError."""
    try:
        yield
    except DioramaError:  # which is a ValueError
        raise
    except failures as error:
        if is_out_of_memory(error):
            raise MemoryError from None
        raise damaged(name, how) from None


def bounded_notes(notes: Iterable[str]) -> tuple[str, ...]:
    """Notes without repetitions, a bounded number of them."""
    every = list(dict.fromkeys(notes))
    if len(every) > MAX_NOTES:
        every = [*every[: MAX_NOTES - 1], f"{len(every) - MAX_NOTES + 1} more remarks of this kind are left out."]
    return tuple(every)


def unify_kinds(layers: list[FileLayer]) -> list[FileLayer]:
    """Layers whose colours are all of the largest kind among them."""
    kinds = [each.colour.dtype for each in layers if each.colour.size]
    kind = max(kinds, key=lambda kind: kind.itemsize, default=np.dtype(np.uint8))
    return [replace(each, colour=_as_kind(each.colour, kind)) for each in layers]


def _as_kind(colour: np.ndarray, kind: np.dtype) -> np.ndarray:
    if colour.dtype == kind or not colour.size:
        return colour.astype(kind, copy=False)
    if kind == np.uint16:
        return colour.astype(np.uint16) * np.uint16(257)
    from ..raster.colour_curves import linear_from_srgb

    share = colour.astype(np.float32) / np.float32(TOP[colour.dtype])
    share[..., :3] = linear_from_srgb(share[..., :3])
    return share


def duplicate_name_notes(layers: Iterable[FileLayer]) -> Iterator[str]:
    """A note for each name that several layers have."""
    seen: dict[str, int] = {}
    for each in layers:
        seen[plain(each.name)] = seen.get(plain(each.name), 0) + 1
    yield from (f'{count} layers are called "{name}"; the front one is taken for it.' for name, count in seen.items() if count > 1)
