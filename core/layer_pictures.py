"""The surfaces of a diorama as pictures in the photo's own frame, for programs that paint and composite."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .layer_files.layer_file import TOP, FileLayer, LayerFile, Origin, bounding_box, highest_disparity
from .layers.layered_depth_image import Layer
from .mesh.atlas import fill_gaps, surface_number
from .mesh.texture_layout import PaintedTexels, TextureLayout, carry_over, layout_of_boxes
from .pipeline import Diorama
from .raster.colour_curves import linear_from_srgb


@dataclass(frozen=True)
class _Canvas:
    """Where the working grid lies on the canvas, in pixels of the photo."""

    shape: tuple[int, int]
    offset: tuple[int, int]  # row and column of the photo's first pixel
    scale: np.ndarray  # (2,) pixels of the photo for each of the working grid
    frame: tuple[int, int, int, int]  # of the photo on the working grid: top, left, height, width

    def brought(self, values: np.ndarray, smooth: bool, box: tuple[slice, slice] | None = None) -> np.ndarray:
        """An array of the working grid, (h, w) or (h, w, 3), at the canvas's resolution; a part of the canvas alone with `box`."""
        import cv2

        rows, columns = box or (slice(0, self.shape[0]), slice(0, self.shape[1]))
        # cv2 numbers pixels by their centres
        shift = (0.5 - np.array(self.offset) + (rows.start, columns.start)) / self.scale + self.frame[:2] - 0.5
        matrix = np.array([[1 / self.scale[1], 0, shift[1]], [0, 1 / self.scale[0], shift[0]]])
        flags = (cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST) | cv2.WARP_INVERSE_MAP
        size = columns.stop - columns.start, rows.stop - rows.start
        return cv2.warpAffine(np.ascontiguousarray(values), matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)

    @property
    def inside(self) -> tuple[slice, slice]:
        """The photo's frame."""
        height, width = (int(n) for n in np.rint(self.scale * self.frame[2:]))
        return slice(self.offset[0], self.offset[0] + height), slice(self.offset[1], self.offset[1] + width)

    @property
    def photo_frame(self) -> tuple[int, int, int, int]:
        """The same as top, left, height, width."""
        rows, columns = self.inside
        return rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start


def full_canvas(built: Diorama) -> _Canvas:
    """The photo's frame at full resolution with the border, rounded up to whole pixels."""
    camera, frame, shape = built.photo.camera, built.image.frame, built.image.shape
    scale = np.array([camera.height / frame[2], camera.width / frame[3]])
    before = np.ceil(np.array(frame[:2]) * scale).astype(int)
    after = np.ceil((np.array(shape) - frame[:2] - frame[2:]) * scale).astype(int)
    height, width = before + (camera.height, camera.width) + after
    return _Canvas((int(height), int(width)), (int(before[0]), int(before[1])), scale, frame)


def make_layer_file(built: Diorama, painted: Mapping[str, PaintedTexels] | None = None) -> LayerFile:
    """Every surface as a layer, front first. `painted` is what an artist painted on the built textures, by texture.

    The photo, or its parts, comes first with its own pixels, so the composite over any background is the photo to the last bit.
    """
    canvas, painted = full_canvas(built), painted or {}
    layers = _photo_layers(built, canvas, painted.get("photo"))
    image = built.image
    before = [_lies_before(layer, image.layers[0]) for layer in image.layers]
    for k in [k for k in range(len(image.layers)) if before[k]]:
        if (found := _invented(image.layers[k], k, built, canvas, painted.get("atlas"))) is not None:
            layers.insert(0, found)
    for k, layer in enumerate(image.layers):
        if not before[k] and (found := _invented(layer, k, built, canvas, painted.get("atlas"))) is not None:
            layers.append(found)
    return LayerFile(canvas.shape, canvas.photo_frame, tuple(layers), highest_disparity(layers), 0.0, built.mesh.metric, built.photo.name,
                     origin=make_origin(built))  # fmt: skip


def make_origin(built: Diorama) -> Origin:
    """What tells this build from others: the photo's pixels, and what was invented before anybody edited the layers."""
    photo, surfaces = built.photo, built.unedited
    pixels, shapes = hashlib.blake2b(repr(photo.colour.shape).encode(), digest_size=8), hashlib.blake2b(digest_size=8)
    for each in (photo.colour, photo.alpha):
        if each is not None:
            pixels.update(np.ascontiguousarray(each).data)
    shapes.update(repr((surfaces.shape, surfaces.frame)).encode())
    for layer in surfaces.layers:
        shapes.update(np.packbits(layer.synthesised).data)
        shapes.update(_stored(layer.colour[layer.synthesised], np.uint8).data)
    return Origin(pixels.hexdigest(), shapes.hexdigest(), built.options)


def _photo_layers(built: Diorama, canvas: _Canvas, painted: PaintedTexels | None) -> list[FileLayer]:
    """The photo as one layer, or one for each part."""
    photo, first, inside = built.photo, built.image.layers[0], canvas.inside
    own = photo.colour if painted is None else _lay_paint_over(photo.colour, painted)
    colour = np.empty((*own.shape[:2], 4), own.dtype)
    colour[..., :3] = own
    colour[..., 3] = TOP[own.dtype] if photo.alpha is None else photo.alpha
    disparity = canvas.brought(first.disparity, False, inside)
    part = np.zeros(own.shape[:2], np.uint8) if first.part is None else canvas.brought(first.part, False, inside)
    layers = []
    for number in np.unique(part):
        there = part == number
        rows, columns = box = bounding_box(there)
        corner = inside[0].start + rows.start, inside[1].start + columns.start
        nothing = np.broadcast_to(np.bool_(False), there[box].shape)
        pixels, depth = (colour, disparity) if there.all() else (_only(each[box], there[box]) for each in (colour, disparity))
        layers.append(FileLayer(f"part {number} photo" if number else "photo", corner, pixels, disparity=depth, invented=nothing))
    return layers


def _lies_before(layer: Layer, photo: Layer) -> bool:
    """Whether a layer that came in as its own lies before the photo for the most part."""
    return bool(layer.number) and (layer.disparity > photo.disparity)[layer.present & photo.present].mean() > 0.5


def _invented(layer: Layer, k: int, built: Diorama, canvas: _Canvas, painted: PaintedTexels | None) -> FileLayer | None:
    """What was invented of one layer; None where that is nothing."""
    there = canvas.brought(layer.synthesised.view(np.uint8), False) > 0
    if k == 0:
        there[canvas.inside] = False
    rows, columns = box = bounding_box(there)
    if rows.start == rows.stop:
        return None
    there = there[box]
    kind, linear = built.photo.colour.dtype, built.photo.is_linear
    colour = fill_gaps(layer)
    picture = np.empty((*there.shape, 4), kind)
    # rounded before it is enlarged: as floats a large photo would take gigabytes
    picture[..., :3] = canvas.brought(_stored(linear_from_srgb(colour) if linear else colour, kind), True, box)
    picture[..., 3] = TOP[kind]
    if painted is not None:
        surface = surface_number(built.image, k)
        texels, _ = carry_over(painted, built.mesh.layouts["atlas"], _as_layout(canvas, surface, box))
        picture[texels.mask, :3] = _stored(texels.colours(linear)[texels.mask][:, :3], kind)
    depth = _only(canvas.brought(layer.disparity, False, box), there)
    name, corner = layer.name or (f"hidden {k}" if k else "border"), (rows.start, columns.start)
    return FileLayer(name, corner, _only(picture, there), disparity=depth, invented=np.broadcast_to(np.bool_(True), there.shape))


def _as_layout(canvas: _Canvas, surface: int, box: tuple[slice, slice]) -> TextureLayout:
    """A part of the canvas as a texture that shows one surface."""
    rows, columns = box
    size = rows.stop - rows.start, columns.stop - columns.start
    shown = rows.start, columns.start, rows.stop, columns.stop
    return layout_of_boxes(size, [surface], [(0, 0, *size)], [shown], canvas.photo_frame, 0)


def _lay_paint_over(colour: np.ndarray, texels: PaintedTexels) -> np.ndarray:
    values = _stored(texels.colours(colour.dtype == np.float32)[..., :3], colour.dtype)
    return np.where(texels.mask[..., None], values, colour)


def _only(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """The values where the surface is, 0 elsewhere."""
    import cv2

    return cv2.copyTo(values, there.view(np.uint8))


def _stored(values: np.ndarray, kind) -> np.ndarray:
    """Float colours as the photo's own type."""
    if kind == np.float32:
        return values.astype(np.float32)
    return (np.clip(values, 0, 1) * np.iinfo(kind).max + 0.5).astype(kind)
