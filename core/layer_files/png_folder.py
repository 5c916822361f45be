"""Layers as a folder of PNGs, each of the whole canvas, with an index in JSON; of linear colours as OpenEXR."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import DioramaError, Kind
from ..raster.decode import MAX_PIXELS, read_file, read_regular
from ..raster.exr_encode import encode_exr
from ..raster.exr_read import read_pixels
from ..raster.open_picture import picture_kind
from .layer_file import (
    DEPTH,
    INVENTED,
    OUR_NAMES,
    PHOTO_NAMES,
    FileLayer,
    LayerFile,
    Origin,
    bounded_notes,
    bounding_box,
    damaged,
    duplicate_name_notes,
    highest_disparity,
    levels,
    place_in_canvas,
    plain,
    unify_kinds,
)
from .pictures import decode_picture, encode_png

INDEX = "layers.json"
MAX_INDEX_BYTES, MAX_LAYERS = 1 << 20, 500
TOP = 65535


def folder_files(file: LayerFile) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Names of the files and what makes their contents: of each layer its picture, its depth and a mask of what was invented; and
    the index, the last."""
    white = file.white or highest_disparity(file.layers)
    taken: set[str] = set()
    listed = []
    for each in file.layers:
        stem = _stem(each.name, taken)
        entry: dict = {"name": each.name, "file": stem + (".exr" if file.is_linear else ".png")}
        if each.opacity != 1 or not each.visible:
            entry |= {"opacity": each.opacity, "visible": each.visible}
        yield entry["file"], partial(_picture, file, each)
        if each.disparity is not None:
            entry["depth"] = f"{stem}_depth.png"
            yield entry["depth"], partial(_depth, file, each, white)
        entry["invented"] = bool(each.is_invented.any())
        if entry["invented"]:
            entry["mask"] = f"{stem}_invented.png"
            yield entry["mask"], partial(_mask, file, each)
        listed.append(entry)
    index: dict = {
        "photo": file.photo, "order": "front first", "alpha": "straight", "colours": "linear Rec. 709" if file.is_linear else "sRGB",
        "canvas": [file.canvas[1], file.canvas[0]],
    }  # fmt: skip
    if file.frame is not None:
        top, left, height, width = file.frame
        index |= {"photo_offset": [left, top], "photo_size": [width, height]}
    if file.origin is not None:
        made = file.origin
        index["made_of"] = {"photo": made.photo, "surfaces": made.surfaces, "options": dict(made.options or ())}
    depth = {"is": "disparity", "none": 0, "white": TOP, "white_in_1_per_m": white, "metric": file.metric}
    index |= {"depth": depth, "layers": listed}
    yield INDEX, lambda: (json.dumps(index, indent=1) + "\n").encode()


def _stem(name: str, taken: set[str]) -> str:
    stem = re.sub(r"[^\w\-]+", "_", name).strip("_") or "layer"
    while stem in taken:
        stem += "_"
    taken.add(stem)
    return stem


def _whole(file: LayerFile, layer: FileLayer, values: np.ndarray) -> np.ndarray:
    return place_in_canvas(values, layer.corner, file.canvas)


def _depth(file: LayerFile, layer: FileLayer, white: float) -> bytes:
    return encode_png(_whole(file, layer, levels(layer, white, np.uint16)))


def _mask(file: LayerFile, layer: FileLayer) -> bytes:
    return encode_png(_whole(file, layer, layer.is_invented.view(np.uint8) * np.uint8(255)))


def _picture(file: LayerFile, layer: FileLayer) -> bytes:
    whole = _whole(file, layer, layer.colour)
    if not file.is_linear:
        return encode_png(whole, is_photo=bool(PHOTO_NAMES.fullmatch(layer.name)))
    return encode_exr(np.dstack([whole[..., :3] * whole[..., 3:], whole[..., 3]]))


def read_folder(folder: Path) -> LayerFile:
    """The layers of a folder: those of its index, or without one every picture in it, by name, the first in front.

    Raises DioramaError for an index that is damaged, names what is missing or pictures of another size than the canvas.
    """
    index = folder / INDEX
    if not index.is_file():
        return _read_without_index(folder)
    try:
        data = read_regular(index, MAX_INDEX_BYTES)
        contents = json.loads((data or b"").decode("utf-8"))
        width, height = (_whole_number(n) for n in contents["canvas"])
        entries = [dict(each) for each in contents["layers"]]
        frame = None
        if "photo_offset" in contents:
            (left, top), (wide, high) = contents["photo_offset"], contents["photo_size"]
            frame = _whole_number(top), _whole_number(left), _whole_number(high), _whole_number(wide)
        depth = contents.get("depth") or {}
        white = depth.get("white_in_1_per_m")
        white = None if white is None else float(white)
        made = contents.get("made_of")
        origin = None
        if made is not None:
            options = tuple((str(name)[:80], str(value)[:80]) for name, value in list(made["options"].items())[:100])
            origin = Origin(str(made["photo"])[:16], str(made["surfaces"])[:16], options)
        metric = None if depth.get("metric") is None else bool(depth["metric"])
    except OSError as error:
        raise DioramaError(f"{index} cannot be read ({error.strerror or error}); check its permissions.") from None
    except (ValueError, KeyError, TypeError, RecursionError, AttributeError):
        raise damaged(index, "export the layers again") from None
    if not 0 < width * height <= MAX_PIXELS or min(width, height) < 1 or not entries or len(entries) > MAX_LAYERS:
        raise damaged(index, "export the layers again")
    if white is not None and not 0 < white < 1e12:
        white = None
    canvas, notes = (height, width), list[str]()
    layers: list[FileLayer] = []
    for entry in entries:
        layers += _read_listed(folder, entry, canvas, white, notes)
    return LayerFile(
        canvas, frame, tuple(unify_kinds(layers)), white, (white or 1.0) / TOP, metric, str(contents.get("photo", ""))[:200],
        bounded_notes([*notes, *duplicate_name_notes(layers)]), origin,
    )  # fmt: skip


def _whole_number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 10**7:
        raise ValueError(value)
    return value


def _read_listed(folder: Path, entry: dict, canvas: tuple[int, int], white: float | None, notes: list[str]) -> list[FileLayer]:
    """The layer of an entry of the index; none where its picture is gone, which is noted."""
    name = entry.get("name")
    if not isinstance(name, str):
        raise damaged(folder / INDEX, "export the layers again")
    picture = _file(folder, entry.get("file"), folder / INDEX)
    if picture is None or not picture.is_file():
        notes.append(f'The picture of the layer "{name}" is not in {folder}; the layer is left as it is.')
        return []
    colour = _of_size(_read(picture), picture, canvas)
    rows, columns = bounding_box(colour[..., 3] > 0)
    planes = {}
    for key in ("depth", "mask"):
        path = _file(folder, entry.get(key), folder / INDEX)
        if path is not None and path.is_file():
            planes[key] = _grey(_of_size(_read(path), path, canvas)[rows, columns])
        elif path is not None:
            notes.append(f'The {key} of the layer "{name}" is not in {folder} and is left as it is.')
    mask = planes.get("mask")
    if mask is None and entry.get("invented") is False:
        mask = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.float32)
    disparity = planes["depth"] * np.float32(white or 1.0) if "depth" in planes else None
    opacity = entry.get("opacity", 1.0)
    return [
        FileLayer(
            name[:200], (rows.start, columns.start), np.ascontiguousarray(colour[rows, columns]),
            float(np.clip(opacity, 0, 1)) if isinstance(opacity, int | float) else 1.0, entry.get("visible") is not False, (),
            disparity, None if mask is None else mask >= 0.5,
        )
    ]  # fmt: skip


def _file(folder: Path, name: object, index: Path) -> Path | None:
    """The path of a file that the index names, in the folder itself; None where it names none."""
    if name is None:
        return None
    if not isinstance(name, str) or not name or len(name) > 255 or Path(name).name != name or "\\" in name or ":" in name or "\0" in name:
        raise DioramaError(f"{index} names a file outside its folder; export the layers again.", Kind.UNUSABLE_FILE)
    return folder / name


def _read(path: Path) -> np.ndarray:
    """(h, w, 4) of a layer's picture: PNG, WebP or OpenEXR."""
    data = read_file(path, "layer")
    if picture_kind(data[:128]) != "EXR":
        return decode_picture(data, str(path))
    from ..raster.exr_header import check_exr

    check_exr(data, str(path), MAX_PIXELS)
    pixels = read_pixels(data, str(path))
    if pixels is None or pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        raise damaged(path, "save it as an OpenEXR of colours and alpha")
    alpha = pixels[..., 3:] if pixels.shape[2] == 4 else np.ones((*pixels.shape[:2], 1), np.float32)
    return straight(pixels[..., [2, 1, 0]], np.clip(np.nan_to_num(alpha), 0, 1))


def straight(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """(h, w, 4) float32 of (h, w, 3) premultiplied finite colours and (h, w, 1) alpha."""
    colour = np.nan_to_num(colour, nan=0.0, posinf=65504.0, neginf=0.0)
    soft = (alpha > 0) & (alpha < 1)
    if soft.any():
        with np.errstate(over="ignore"):
            colour = np.where(soft, np.minimum(colour / np.where(soft, alpha, 1), 65504.0), colour)
    return np.concatenate([colour, alpha], axis=2).astype(np.float32, copy=False)


def _of_size(pixels: np.ndarray, path: Path, canvas: tuple[int, int]) -> np.ndarray:
    if pixels.shape[:2] == canvas:
        return pixels
    raise DioramaError(
        f"{path} has {pixels.shape[1]}x{pixels.shape[0]} pixels and the canvas of the layers {canvas[1]}x{canvas[0]}; "
        "save it at the size that it had.", Kind.UNUSABLE_FILE,
    )  # fmt: skip


def _grey(colour: np.ndarray) -> np.ndarray:
    """(h, w) float32 from 0 to 1."""
    top = 1.0 if colour.dtype == np.float32 else float(np.iinfo(colour.dtype).max)
    return np.ascontiguousarray(colour[..., 1]).astype(np.float32) / np.float32(top)


def _read_without_index(folder: Path) -> LayerFile:
    files = (path for path in folder.iterdir() if path.suffix.lower() in (".png", ".webp", ".exr") and path.is_file())
    pictures = sorted(files, key=_natural_order)
    if not pictures:
        raise DioramaError(f"{folder} holds no pictures of layers; name a folder of PNGs.", Kind.UNUSABLE_FILE)
    if len(pictures) > MAX_LAYERS:
        raise DioramaError(f"{folder} holds {len(pictures)} pictures, more than {MAX_LAYERS} layers; name a folder of layers alone.")
    planes, lone = _find_planes(pictures)
    layers: list[FileLayer] = []
    canvas: tuple[int, int] | None = None
    for path in pictures:
        if path in planes or path in lone:
            continue
        colour = _read(path)
        canvas = canvas or (colour.shape[0], colour.shape[1])
        rows, columns = box = bounding_box(_of_size(colour, path, canvas)[..., 3] > 0)
        own = {kind: _grey(_of_size(_read(each), each, canvas)[box]) for each, (of, kind) in planes.items() if of == path}
        mask = own[INVENTED] >= 0.5 if INVENTED in own else None
        pixels = np.ascontiguousarray(colour[box])
        layers.append(FileLayer(plain(path.stem), (rows.start, columns.start), pixels, disparity=own.get(DEPTH), invented=mask))
    if canvas is None:
        raise DioramaError(f"{folder} holds depth and masks, but no pictures of layers; name a folder that has those.", Kind.UNUSABLE_FILE)
    notes = [f"{folder} has no {INDEX}; its pictures are taken by name, the first in front."]
    notes += [f"{each} belongs to a layer that is not there and is left out." for each in lone]
    return LayerFile(canvas, None, tuple(unify_kinds(layers)), notes=bounded_notes([*notes, *duplicate_name_notes(layers)]))


def _find_planes(pictures: list[Path]) -> tuple[dict[Path, tuple[Path, str]], list[Path]]:
    """Those of the pictures that hold depth or a mask of another, by their names, with that and DEPTH or INVENTED; and those which
    would, of a layer of ours that is gone."""
    by_name = {plain(path.stem): path for path in pictures}
    planes, lone = {}, []
    for path in pictures:
        of, _, kind = plain(path.stem).rpartition(" ")
        if kind not in (DEPTH, INVENTED):
            continue
        if of in by_name:
            planes[path] = by_name[of], kind
        elif OUR_NAMES.fullmatch(of):
            lone.append(path)
    return planes, lone


def _natural_order(path: Path) -> list:
    """Sorts names as people do, 2 before 10."""
    return [int(part) if k % 2 else part for k, part in enumerate(re.split("([0-9]+)", path.name.casefold()))]


def single_picture(path: Path) -> LayerFile:
    """A picture as a file of one layer."""
    colour = _read(path)
    return LayerFile((colour.shape[0], colour.shape[1]), None, (FileLayer(plain(path.stem), (0, 0), colour),))
