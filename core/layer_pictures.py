"""The surfaces of a diorama as pictures in the photo's own frame, for programs that paint and composite."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from .layers.layered_depth_image import Layer
from .mesh.atlas import without_gaps
from .mesh.texture_layout import SKIRT, PaintedTexels, TextureLayout, carry_over, layout_of_boxes
from .pipeline import Diorama
from .raster.colour_curves import linear_from_srgb
from .raster.exr_encode import encode_exr

TOP = 65535
INDEX = "layers.json"


@dataclass(frozen=True)
class LayerPicture:
    """One surface on the canvas: the photo's frame at full resolution, with the border round it."""

    name: str  # "photo", "part 1 photo", "border", "hidden 1" ...
    colour: np.ndarray  # (H, W, 4) as the photo: uint8 or uint16 sRGB, float32 linear; straight alpha, 0 where the surface is not
    disparity: np.ndarray  # (H, W) float32, 1/m; 0 where the surface is not
    invented: np.ndarray  # (H, W) bool: the photo does not show it


@dataclass(frozen=True)
class _Canvas:
    """Where the working grid lies on the canvas, in pixels of the photo."""

    shape: tuple[int, int]
    offset: tuple[int, int]  # row and column of the photo's first pixel
    scale: np.ndarray  # (2,) pixels of the photo for each of the working grid
    frame: tuple[int, int, int, int]  # of the photo on the working grid: top, left, height, width

    def brought(self, values: np.ndarray, smooth: bool) -> np.ndarray:
        """An array of the working grid, (h, w) or (h, w, 3), at the canvas's resolution."""
        import cv2

        # cv2 numbers pixels by their centres
        shift = (0.5 - np.array(self.offset)) / self.scale + self.frame[:2] - 0.5
        matrix = np.array([[1 / self.scale[1], 0, shift[1]], [0, 1 / self.scale[0], shift[0]]])
        flags = (cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST) | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(np.ascontiguousarray(values), matrix, self.shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)

    @property
    def inside(self) -> tuple[slice, slice]:
        """The photo's frame."""
        size = np.rint(self.scale * self.frame[2:]).astype(int)
        return slice(self.offset[0], self.offset[0] + size[0]), slice(self.offset[1], self.offset[1] + size[1])


def canvas_of(built: Diorama) -> _Canvas:
    """The photo's frame at full resolution with the border, rounded up to whole pixels."""
    camera, frame, shape = built.photo.camera, built.image.frame, built.image.shape
    scale = np.array([camera.height / frame[2], camera.width / frame[3]])
    before = np.ceil(np.array(frame[:2]) * scale).astype(int)
    after = np.ceil((np.array(shape) - frame[:2] - frame[2:]) * scale).astype(int)
    height, width = before + (camera.height, camera.width) + after
    return _Canvas((int(height), int(width)), (int(before[0]), int(before[1])), scale, frame)


def layer_pictures(built: Diorama, painted: Mapping[str, PaintedTexels] | None = None) -> Iterator[LayerPicture]:
    """Every surface, front first, one at a time. `painted` is what an artist painted on the built textures, by texture.

    The photo, or its parts, comes first with its own pixels: over whatever lies behind, the composite is the photo to the last bit.
    """
    canvas, image, photo, painted = canvas_of(built), built.image, built.photo, painted or {}
    first = image.layers[0]
    seen = np.zeros(canvas.shape, bool)
    seen[canvas.inside] = True
    disparity = canvas.brought(first.disparity, False)
    own = photo.colour if "photo" not in painted else _painted_over(photo.colour, painted["photo"])
    colour = np.zeros((*canvas.shape, 4), own.dtype)
    colour[canvas.inside][..., :3] = own
    colour[canvas.inside][..., 3] = _top(own.dtype) if photo.alpha is None else photo.alpha
    part = np.zeros((1, 1), np.uint8) if first.part is None else canvas.brought(first.part, False)
    for number in np.unique(part):
        there = seen & (part == number)
        if there.any():
            name = f"part {number} photo" if number else "photo"
            yield LayerPicture(name, _only(colour, there), _only(disparity, there), np.zeros(canvas.shape, bool))
    for k, layer in enumerate(image.layers):
        if (picture := _invented(layer, k, built, canvas, painted.get("atlas"))) is not None:
            yield picture


def _invented(layer: Layer, k: int, built: Diorama, canvas: _Canvas, painted: PaintedTexels | None) -> LayerPicture | None:
    """What was invented of one layer; None where that is nothing."""
    there = canvas.brought(layer.synthesised.astype(np.uint8), False) > 0
    if k == 0:
        there[canvas.inside] = False
    if not there.any():
        return None
    kind, linear = built.photo.colour.dtype, built.photo.is_linear
    colour = without_gaps(layer)
    picture = np.empty((*canvas.shape, 4), kind)
    # rounded before it is enlarged: as floats a large photo would take gigabytes
    picture[..., :3] = canvas.brought(_stored(linear_from_srgb(colour) if linear else colour, kind), True)
    picture[..., 3] = _top(kind)
    if painted is not None:
        surface = SKIRT if k and k == built.image.skirt else k
        texels, _ = carry_over(painted, built.mesh.layouts["atlas"], _as_layout(canvas, surface))
        picture[texels.mask, :3] = _stored(texels.colours(linear)[texels.mask][:, :3], kind)
    depth = _only(canvas.brought(layer.disparity, False), there)
    return LayerPicture(f"hidden {k}" if k else "border", _only(picture, there), depth, there)


def _as_layout(canvas: _Canvas, surface: int) -> TextureLayout:
    """The canvas as a texture that shows one surface."""
    (top, bottom), (left, right) = ((each.start, each.stop) for each in canvas.inside)
    box = (0, 0, *canvas.shape)
    return layout_of_boxes(canvas.shape, [surface], [box], [box], (top, left, bottom - top, right - left), 0)


def _painted_over(colour: np.ndarray, texels: PaintedTexels) -> np.ndarray:
    values = _stored(texels.colours(colour.dtype == np.float32)[..., :3], colour.dtype)
    return np.where(texels.mask[..., None], values, colour)


def _only(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """The values where the surface is, 0 elsewhere."""
    import cv2

    return cv2.copyTo(values, there.view(np.uint8))


def _top(kind) -> int:
    """What stands for opaque."""
    return 1 if kind == np.float32 else int(np.iinfo(kind).max)


def _stored(values: np.ndarray, kind) -> np.ndarray:
    """Float colours as the photo's own type."""
    if kind == np.float32:
        return values.astype(np.float32)
    return (np.clip(values, 0, 1) * np.iinfo(kind).max + 0.5).astype(kind)


def layer_files(built: Diorama, painted: Mapping[str, PaintedTexels] | None = None) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files: for each surface its picture, its depth and, where it was invented, a mask; and an index,
    the last."""
    canvas, camera = canvas_of(built), built.photo.camera
    white, listed = max(float(layer.disparity[layer.present].max()) for layer in built.image.layers if layer.present.any()), []
    for each in layer_pictures(built, painted):
        stem, ending = each.name.replace(" ", "_"), ".exr" if each.colour.dtype == np.float32 else ".png"
        picture, depth, mask = stem + ending, f"{stem}_depth.png", f"{stem}_invented.png"
        yield picture, encode_exr(each.colour) if ending == ".exr" else _png(each.colour)
        levels = np.clip(np.rint(each.disparity * np.float32(TOP / white)), each.disparity > 0, TOP)
        yield depth, _png(levels.astype(np.uint16))
        invented = bool(each.invented.any())
        if invented:
            yield mask, _png(each.invented.astype(np.uint8) * np.uint8(255))
        entry = {"name": each.name, "file": picture, "depth": depth, "invented": invented} | ({"mask": mask} if invented else {})
        listed.append(entry)
    index = {
        "photo": built.photo.name, "order": "front first", "alpha": "straight",
        "colours": "linear Rec. 709" if built.photo.is_linear else "sRGB",
        "canvas": [canvas.shape[1], canvas.shape[0]], "photo_offset": [canvas.offset[1], canvas.offset[0]],
        "photo_size": [camera.width, camera.height],
        "depth": {"is": "disparity", "none": 0, "white": TOP, "white_in_1_per_m": white, "metric": built.mesh.metric},
        "layers": listed,
    }  # fmt: skip
    yield INDEX, (json.dumps(index, indent=1) + "\n").encode()


def _png(pixels: np.ndarray) -> bytes:
    import cv2

    order = pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., [2, 1, 0, 3]])
    done, data = cv2.imencode(".png", order, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise RuntimeError("the layer could not be encoded")
    return data.tobytes()
