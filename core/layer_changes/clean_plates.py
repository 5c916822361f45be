"""Pictures and masks for programs that inpaint, one pair for each invented layer; and their answers as a file of layers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import DioramaError, Kind
from ..layer_files.layer_file import FileLayer, LayerFile, composite, damaged, plain
from ..layer_files.pictures import ANSWER_KINDS, decode_picture, encode_png
from ..layer_pictures import full_canvas, make_layer_file
from ..layers.layered_depth_image import LayeredDepthImage
from ..mesh.texture_layout import PaintedTexels
from ..pipeline import Diorama
from ..raster.colour_curves import srgb_from_linear
from ..raster.decode import read_file, read_regular
from ..raster.nearest_known import nearest_known

INDEX = "plates.json"
PICTURES, MASKS, ANSWERS = "pictures", "masks", "filled"
"""Folders of files with the same names, as programs want them that fill many pictures at once."""
IN_FRONT = 0.04
"""Part of the long side: within this distance of invented pixels the hole includes the foreground, which must not be continued into it."""
RIM = 0.002
"""The same for the rim, where photos mix the colours of both sides."""
MAX_INDEX_BYTES = 1 << 16
ANSWER_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


def plate_files(built: Diorama, painted: dict[str, PaintedTexels] | None = None, only: str = "") -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files, the index last: for each layer that holds something invented, or the one called `only`, what is
    to be seen (8 or 16 bits, sRGB, no alpha) and the mask of its hole (8 bits, white where it is to be filled).

    Raises DioramaError where there is no such layer.
    """
    file = make_layer_file(built, painted)
    wanted = [each for each in file.layers if each.is_invented.any() and (not only or plain(each.name) == plain(only))]
    if not wanted:
        names = ", ".join(each.name for each in file.layers if each.is_invented.any())
        raise DioramaError(f'There is no invented layer "{only}"; there is {names or "none at all"}.')
    picture = _shown(composite(replace(file, layers=tuple(replace(each, visible=True) for each in file.layers))))
    numbers = {layer.name or (f"hidden {k}" if k else "border"): k for k, layer in enumerate(built.image.layers)}
    listed = []
    pixels = encode_png(np.dstack([picture, np.full(picture.shape[:2], np.iinfo(picture.dtype).max, picture.dtype)]), True)
    for each in wanted:
        name = re.sub(r"[^\w\-]+", "_", each.name).strip("_") + ".png"
        hole = full_canvas(built).brought(invented_hole(built.image, numbers[each.name]).view(np.uint8), False) > 0
        hole[each.rows_and_columns] |= each.is_invented
        yield f"{PICTURES}/{name}", pixels
        yield f"{MASKS}/{name}", encode_png(hole.view(np.uint8) * np.uint8(255))
        listed.append({"name": each.name, "picture": f"{PICTURES}/{name}", "mask": f"{MASKS}/{name}", "answer": f"{ANSWERS}/{name}"})
    index = {"photo": file.photo, "size": [file.canvas[1], file.canvas[0]], "hole": "white", "plates": listed}
    yield INDEX, (json.dumps(index, indent=1) + "\n").encode()


def invented_hole(image: LayeredDepthImage, k: int) -> np.ndarray:
    """(h, w) bool on the working grid: the invented pixels of a layer, the rim around them, and the foreground nearby."""
    import cv2

    layer, first = image.layers[k], image.layers[0]
    invented = layer.synthesised
    distance, index = nearest_known(invented)
    behind = layer.disparity.ravel()[index]
    front = first.present & (first.disparity > behind + image.threshold / 2) & (distance <= IN_FRONT * image.long_side)
    front &= distance > 0
    _, pieces = cv2.connectedComponents((invented | front).astype(np.uint8), connectivity=8)
    touching = np.zeros(int(pieces.max()) + 1, bool)
    touching[np.unique(pieces[invented])] = True
    hole = touching[pieces] & (invented | front)
    rim, _ = nearest_known(hole)
    return rim <= max(1.0, RIM * image.long_side)


def _shown(picture: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 or uint16 sRGB of a composite; linear colours above white are cut off, as inpainters know none."""
    if picture.dtype != np.float32:
        return picture[..., :3]
    return (srgb_from_linear(np.clip(picture[..., :3], 0, 1)) * 65535 + 0.5).astype(np.uint16)


def find_plates(path: Path) -> Path | None:
    """The folder of plates that a path names, itself or by its index; None for everything else."""
    folder = path.parent if path.name == INDEX else path
    return folder if (folder / INDEX).is_file() else None


def apply_answers(file: LayerFile, folder: Path) -> LayerFile:
    """The layers of a build with the plates as another program filled them, inside the invented pixels only.

    Raises DioramaError for a damaged index, no answer at all, answers of another shape, and linear photos.
    """
    if file.is_linear:
        raise DioramaError("The photo has linear colours, which inpainting programs cut off; paint its layers as OpenEXR.")
    size, plates = _index(folder)
    layers, found, notes = list(file.layers), 0, list(file.notes)
    for name, answer in plates:
        path = _answer(folder, answer)
        at = next((n for n, each in enumerate(layers) if plain(each.name) == plain(name)), None)
        if path is None:
            notes.append(f'No answer for the layer "{name}" lies in {folder / ANSWERS}; it is left as it is.')
        elif at is None:
            notes.append(f'The diorama has no layer "{name}" any more; its answer is left out.')
        else:
            layers[at] = _fill_layer(layers[at], _read_at_size(path, size, file))
            found += 1
    if not found:
        raise DioramaError(f"{folder / ANSWERS} holds no filled plates; save them there under the names of their pictures.")
    return replace(file, layers=tuple(layers), notes=tuple(notes))


def _index(folder: Path) -> tuple[tuple[int, int], list[tuple[str, str]]]:
    """Width and height, and names of layers with those of their answers."""
    try:
        index = json.loads((read_regular(folder / INDEX, MAX_INDEX_BYTES) or b"").decode("utf-8"))
        width, height = (int(side) for side in index["size"])
        plates = [(str(each["name"])[:200], Path(str(each["answer"])).name) for each in index["plates"][:500]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
        raise damaged(folder / INDEX, "export the plates again") from None
    if min(width, height) < 1:
        raise damaged(folder / INDEX, "export the plates again")
    return (width, height), plates


def _answer(folder: Path, name: str) -> Path | None:
    """The answer's file, of any ending."""
    stem = Path(name).stem
    places = (folder / ANSWERS / (stem + ending) for ending in ANSWER_ENDINGS)
    return next((place for place in places if place.is_file()), None) if stem else None


def _read_at_size(path: Path, size: tuple[int, int], file: LayerFile) -> np.ndarray:
    """(rows, columns, 4) of an answer at the size of the canvas; programs make it smaller, or a multiple of some number."""
    import cv2

    colour = decode_picture(read_file(path, "filled plate"), str(path), ANSWER_KINDS)
    height, width = colour.shape[:2]
    if abs(width * size[1] / (height * size[0]) - 1) > 0.01:
        raise DioramaError(
            f"{path} has {width}x{height} pixels, another shape than its picture of {size[0]}x{size[1]}; save it at that size.",
            Kind.UNUSABLE_FILE,
        )
    if colour.shape[:2] == file.canvas:
        return colour
    return cv2.resize(colour, file.canvas[::-1], interpolation=cv2.INTER_AREA if width > file.canvas[1] else cv2.INTER_CUBIC)


def _fill_layer(layer: FileLayer, answer: np.ndarray) -> FileLayer:
    """A layer with the answer's colours where it is invented."""
    part, kind = answer[layer.rows_and_columns], layer.colour.dtype
    if part.dtype != kind:
        part = (part.astype(np.uint16) * np.uint16(257)) if kind == np.uint16 else (part >> 8).astype(np.uint8)
    colour = layer.colour.copy()
    colour[..., :3] = np.where(layer.is_invented[..., None], part[..., :3], colour[..., :3])
    return replace(layer, colour=colour)
