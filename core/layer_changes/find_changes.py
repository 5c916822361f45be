"""Compares a file of layers with the layers of a build: what was painted, cut anew, added or taken away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import DioramaError
from ..layer_edits.edited_layers import AddedSurface, LayerEdits, Recut, continue_planes
from ..layer_files.layer_file import OUR_NAMES, TOP, FileLayer, LayerFile, bounding_box, plain
from ..layer_pictures import full_canvas, make_layer_file
from ..mesh.atlas import surface_number
from ..mesh.texture_layout import PaintedTexels, TextureLayout, layout_of_boxes
from ..pipeline import Diorama, Progress, silent
from .canvas_to_grid import colour_on_grid, mask_on_grid, texels_on_grid
from .compare_layer import Difference, difference, on_canvas
from .new_surfaces import Named, Stacking, make_surface
from .registration import Placement, place
from .same_photo import check_options, check_photo, has_other_pixels, other_photo_error

MAX_ADDED = 40
"""Surfaces that a diorama takes from files."""


@dataclass(frozen=True)
class PaintedPart:
    """What was painted on one layer, as a texture that shows a part of it."""

    role: str  # texture: "photo" or "atlas"
    texels: PaintedTexels
    layout: TextureLayout


@dataclass(frozen=True)
class Changes:
    """What a file changes in a diorama."""

    edits: LayerEdits | None  # all of the diorama's after the change; the same as before where they did not change
    paints: tuple[PaintedPart, ...] = ()
    summary: tuple[str, ...] = ()  # one description for each change of a layer
    notes: tuple[str, ...] = ()  # what the reader of the file left out


@dataclass
class _Gathered:
    """The same while it is found out."""

    built: Diorama
    file: LayerFile
    name: str  # of the file
    where: Placement
    recuts: dict[int, Recut]
    added: dict[str, AddedSurface]  # by plain name
    paints: list[PaintedPart] = field(default_factory=list)
    summary: list[str] = field(default_factory=list)


def find_changes(
    built: Diorama,
    file: LayerFile,
    name: str,
    edits: LayerEdits | None = None,
    painted: Mapping[str, PaintedTexels] | None = None,
    progress: Progress = silent,
) -> Changes:
    """What a file called `name` changes in a build that was made with `edits`; `painted` is what was painted on its textures.

    A file that we wrote and nobody changed changes nothing. Raises DioramaError where layers of ours are missing, or sizes do not fit.
    """
    theirs = _layers_by_name(file, name)
    ours = make_layer_file(built, painted)
    complete = any(OUR_NAMES.fullmatch(each) and each != "photo" for each in theirs)  # else it is somebody's own, perhaps with the photo
    same = complete and not has_other_pixels(file, ours)
    notes = check_options(file, ours, name) if same else ()
    where, unsure = _register(built, file, ours, name)
    notes += unsure
    image = built.image
    old = (edits or LayerEdits(image.frame, image.shape)).on(image.frame, image.shape)
    added = {plain(each.name): each for each in old.added}
    if complete and not same:
        notes += check_options(file, ours, name)
    _check_complete(ours, theirs, complete, set(added), name)
    found = _Gathered(built, file, name, where, {recut.surface: recut for recut in old.recuts}, dict(added))
    unchanged = set()
    for layer in ours.layers:
        own = plain(layer.name)
        if own not in theirs:
            continue
        progress(f"Comparing {layer.name}", 0.9)
        differs = difference(layer, theirs[own], file, where, ours.canvas)
        if own in added and (differs is None or added[own].origin != name):
            unchanged.add(own)
        if differs is None:
            continue
        if own not in added:
            _take(found, layer, differs)
        elif own in unchanged:
            _take_added(found, layer, differs)
    _take_new(found, theirs, unchanged, complete)
    kept = tuple(sorted(found.added.values(), key=lambda each: each.number))
    changed = replace(old, recuts=tuple(found.recuts[k] for k in sorted(found.recuts)), added=kept)
    return Changes(edits if changed.key == old.key else changed, tuple(found.paints), tuple(found.summary), (*file.notes, *notes))


def _register(built: Diorama, file: LayerFile, ours: LayerFile, name: str) -> tuple[Placement, tuple[str, ...]]:
    """Where the file's canvas lies on ours, and sentences on what is not sure. Raises DioramaError for layers of another photo."""
    assert ours.frame is not None
    try:
        where = place(file.canvas, ours.canvas, ours.frame, file.frame, name)
    except DioramaError:
        if has_other_pixels(file, ours):
            raise other_photo_error(file, built, name) from None
        raise
    return where, check_photo(built, file, ours, where, name)


def _layers_by_name(file: LayerFile, name: str) -> dict[str, FileLayer]:
    """The layers by their plain names, front first. Raises DioramaError where none is there, or one of ours is twice."""
    result: dict[str, FileLayer] = {}
    for layer in file.layers:
        own, count = plain(layer.name) or "layer", 1
        if own in result and OUR_NAMES.fullmatch(own):
            raise DioramaError(f'{name} has two layers named "{layer.name}"; give one of them another name.')
        while own in result:
            count += 1
            own = f"{plain(layer.name) or 'layer'} {count}"
        result[own] = layer
    if not result:
        raise DioramaError(f"{name} holds no layers; save it with its layers.")
    return result


def _check_complete(ours: LayerFile, theirs: dict[str, FileLayer], complete: bool, added: set[str], name: str) -> None:
    """Raises DioramaError where the file has some of our layers, but not all."""
    missing = [each.name for each in ours.layers if plain(each.name) not in theirs and OUR_NAMES.fullmatch(plain(each.name))]
    unknown = {plain(each.name) for each in ours.layers}
    surplus = [layer.name for own, layer in theirs.items() if own not in unknown]
    if complete and missing:
        lacks = " and ".join(f'"{each}"' for each in missing)
        others = ", ".join(f'"{each}"' for each in surplus[:3])
        renamed = f" (it has {others}, which this diorama has not)" if surplus else ""
        raise DioramaError(f"{name} has no layer {lacks}{renamed}; give the layers their names again, or export them anew.")
    if wrong := [each for each in surplus if OUR_NAMES.fullmatch(plain(each))]:
        raise DioramaError(
            f'{name} has a layer "{wrong[0]}", which this diorama has not; it is of another build: export the layers anew, or give '
            "that one another name to add it."
        )


def _take(found: _Gathered, layer: FileLayer, differs: Difference) -> None:
    """Notes how one of our own layers was changed."""
    name = plain(layer.name)
    k, what = int(name.split()[1]) if name.startswith("hidden") else 0, []
    gone, more = (_on_grid(found.built, each, differs.box) for each in (differs.gone, differs.more))
    more &= k > 0  # all that lies round the photo is the border already
    if gone.any() or more.any():
        was = found.recuts.get(k) or Recut(k, np.zeros_like(gone), np.zeros_like(gone))
        found.recuts[k] = Recut(k, (was.erased | gone) & ~more, (was.added | more) & ~gone)
        what.append("cut anew")
    if differs.painted.any():
        is_photo = name.endswith("photo")
        found.paints.append(_painted_part(found.built, differs, "photo" if is_photo else "atlas", k))
        what.append("painted")
    if what:
        found.summary.append(f"{layer.name} {' and '.join(what)}")


def _take_added(found: _Gathered, layer: FileLayer, differs: Difference) -> None:
    """Notes how a surface that came from another file, and was written by us since, was changed."""
    name = plain(layer.name)
    was = found.added[name]
    gone, more = (_on_grid(found.built, each, differs.box) for each in (differs.gone, differs.more))
    if gone.any() or more.any():
        present = (was.present & ~gone) | more
        disparity = continue_planes(was.disparity, was.present, more & ~was.present, was.disparity)
        found.added[name] = replace(was, present=present, disparity=disparity)
    k = next(k for k, each in enumerate(found.built.image.layers) if each.number == was.number)
    if differs.painted.any():
        found.paints.append(_painted_part(found.built, differs, "atlas", k))
    found.summary.append(f"{layer.name} changed")


def _on_grid(built: Diorama, mask: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
    if not mask.any():
        return np.zeros(built.image.shape, bool)
    return mask_on_grid(built, mask, (box[0].start, box[1].start))


def _painted_part(built: Diorama, differs: Difference, role: str, k: int) -> PaintedPart:
    """What was painted on a layer, cut to its bounding rectangle; of an invented layer at the resolution of its coarser texels."""
    rows, columns = inner = bounding_box(differs.painted)
    if role != "photo" and full_canvas(built).scale.max() > 1:
        return _painted_texels(built, differs, inner, k)
    mask, colour = differs.painted[inner].copy(), differs.colour[inner]
    texels = PaintedTexels(mask, colour.astype(np.float32) / np.float32(TOP[colour.dtype]), colour.dtype == np.float32)
    top, left = differs.box[0].start, differs.box[1].start
    edges = (top + rows.start, left + columns.start, top + rows.stop, left + columns.stop)
    surface = 0 if role == "photo" else surface_number(built.image, k)
    layout = layout_of_boxes(mask.shape, [surface], [(0, 0, *mask.shape)], [edges], full_canvas(built).photo_frame, 0)
    return PaintedPart(role, texels, layout)


def _painted_texels(built: Diorama, differs: Difference, inner: tuple[slice, slice], k: int) -> PaintedPart:
    """The same at the resolution of the invented layers' texture."""
    margin = [int(np.ceil(each)) for each in full_canvas(built).scale]
    around = tuple(slice(max(0, each.start - more), each.stop + more) for each, more in zip(inner, margin, strict=True))
    corner = differs.box[0].start + around[0].start, differs.box[1].start + around[1].start
    mask, colour, (rows, columns) = texels_on_grid(built, differs.painted[around], differs.colour[around], corner)
    edges = rows.start, columns.start, rows.stop, columns.stop
    surface = surface_number(built.image, k)
    layout = layout_of_boxes(mask.shape, [surface], [(0, 0, *mask.shape)], [edges], built.image.frame, 0)
    return PaintedPart("atlas", PaintedTexels(mask, colour, differs.colour.dtype == np.float32), layout)


def _take_new(found: _Gathered, theirs: dict[str, FileLayer], unchanged: set[str], complete: bool) -> None:
    """Notes the surfaces that the file adds, or had added and has no more."""
    built, order, added = found.built, list(theirs), found.added
    photo_at = next((i for i, name in enumerate(order) if name.endswith("photo") and OUR_NAMES.fullmatch(name)), None)
    new = [name for name in order if not OUR_NAMES.fullmatch(name) and name not in unchanged and theirs[name].colour.size]
    for name in [each for each in added if added[each].origin == found.name and each not in theirs]:
        found.summary.append(f"{added.pop(name).name} taken away")
    above = np.zeros(built.image.shape, bool)
    for name in new:
        layer, was = theirs[name], added.get(name)
        if not layer.visible and was is None:
            found.summary.append(f"{layer.name} is switched off and left out")
            continue
        if was is None and len(added) >= MAX_ADDED:
            raise DioramaError(f"{found.name} adds more than {MAX_ADDED} layers; merge some of them.")
        colour, depth = _bring_to_canvas(found, layer)
        number = was.number if was else 1 + max((each.number for each in added.values()), default=0)
        named = Named(number, layer.name.strip()[:48] or "layer", found.name)
        behind, rank = photo_at is not None and order.index(name) > photo_at, len(order) - order.index(name)
        surface = make_surface(built, colour, depth, Stacking(above, rank, behind, not complete), named)
        above |= colour_on_grid(built, colour)[1]
        if surface is None:
            found.summary.append(f"{named.name} shows only what the photo shows")
            added.pop(name, None)
        else:
            if was is None or not was.equals(surface):
                found.summary.append(f"{named.name} {'new' if was is None else 'changed'}")
            added[name] = surface


def _bring_to_canvas(found: _Gathered, layer: FileLayer) -> tuple[np.ndarray, np.ndarray | None]:
    """A layer's colours, its opacity in their alpha, and its depth where it has any, on the canvas of the build."""
    shape = full_canvas(found.built).shape
    colour = on_canvas(layer, found.file, found.where, shape, layer.colour)
    if layer.opacity < 1:
        colour = colour.copy()
        colour[..., 3] = colour[..., 3] * layer.opacity
    if layer.disparity is None or found.file.white is None:
        return colour, None
    return colour, on_canvas(layer, found.file, found.where, shape, layer.disparity)
