"""Depth that Android cameras put into JPEG photos: GDepth in XMP, and Dynamic Depth appended behind the photo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import DioramaError
from ..photo.jpeg_segments import end_of_image
from ..photo.xmp import XmpNode, decode_base64, find_in, number, read_jpeg_xmp
from .depth_raster import FARTHEST, NEAREST, Intrinsics, StoredDepth, decode_grey, range_inverse, range_linear

GDEPTH = "http://ns.google.com/photos/1.0/depthmap/"
GIMAGE = "http://ns.google.com/photos/1.0/image/"
DEPTH_MAP = "http://ns.google.com/photos/dd/1.0/depthmap/"
IMAGING_MODEL = "http://ns.google.com/photos/dd/1.0/imagingmodel/"
IMAGE = "http://ns.google.com/photos/dd/1.0/image/"
ITEM_NAMESPACES = ("http://ns.google.com/photos/dd/1.0/item/", "http://ns.google.com/photos/1.0/container/item/")
MAX_ITEMS = 64
_MAGIC = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"RIFF": "image/webp"}


@dataclass(frozen=True)
class _Encoding:
    """How integers stand for distances; the same in both formats."""

    inverse: bool
    near: float
    far: float
    metres: float | None  # per unit; None where the file names no unit
    along_ray: bool


@dataclass(frozen=True)
class _Item:
    """One entry of Dynamic Depth's container directory."""

    uri: str
    length: int
    padding: int


def read_google(data: bytes, name: str) -> StoredDepth | None:
    """The depth of a JPEG that carries Dynamic Depth or GDepth; None where it carries neither.

    GDepth: developers.google.com/depthmap-metadata. Dynamic Depth 1.0: developer.android.com, 2019-03-20.
    """
    trees = read_jpeg_xmp(data, name, (GDEPTH, DEPTH_MAP))
    return _read_dynamic_depth(data, name, trees) or _read_gdepth(name, trees)


def read_google_original(data: bytes, name: str) -> bytes | None:
    """The bytes of the original picture that the depth belongs to, where the file shows another one; None without one."""
    trees = read_jpeg_xmp(data, name, (GIMAGE, IMAGE))
    text = find_in(trees, GIMAGE, "Data")
    original: bytes | None
    if text is not None:
        original = decode_base64(text, name, "an original image")
    else:
        uri = _original_uri(trees)
        original = _item(data, trees, uri, name) if uri is not None else None
    if original is not None and picture_type(original) is None:
        raise DioramaError(f"{name} holds an original image that is neither JPEG, PNG nor WebP; copy the photo again.")
    return original


def picture_type(data: bytes) -> str | None:
    """The MIME type by the first bytes; None where they are no picture's."""
    return next((mime for magic, mime in _MAGIC.items() if data.startswith(magic)), None)


def _read_gdepth(name: str, trees: list[XmpNode]) -> StoredDepth | None:
    text = find_in(trees, GDEPTH, "Data")
    if text is None:
        return None  # some programs strip the extended XMP and leave the rest: then there is no depth

    def get(local: str) -> str | None:
        return find_in(trees, GDEPTH, local)

    unit = {"m": 1.0, "mm": 0.001}.get((get("Units") or "").lower())
    # the specification's default is metres, but Lens Blur, which scales its scene freely, writes no unit at all
    encoding = _encoding(name, get("Format"), get("Near"), get("Far"), unit, get("MeasureType"))
    image = decode_base64(text, name, "a depth image")
    confidence = get("Confidence")
    of_confidence = decode_base64(confidence, name, "a confidence image") if confidence else None
    original = None
    if find_in(trees, GIMAGE, "Data") is not None:
        original = find_in(trees, GIMAGE, "Mime") or "a picture"
    return _decode(name, image, of_confidence, encoding, "Google GDepth", None, original)


def _read_dynamic_depth(data: bytes, name: str, trees: list[XmpNode]) -> StoredDepth | None:
    holders = [node for tree in trees for node in tree.holders(DEPTH_MAP, "DepthURI")]
    holders = [n for n in holders if (n.get(DEPTH_MAP, "ItemSemantic") or "depth").lower() == "depth"]
    if not holders:
        return None
    node = holders[0]

    def get(local: str) -> str | None:
        return node.get(DEPTH_MAP, local)

    units, near, far = (get("Units") or "").lower(), get("Near"), get("Far")
    unit = 1.0 if units in ("meters", "diopters") else None
    if units == "diopters":
        near, far, in_order = _dioptre_range(name, near, far)
        unit = unit if in_order else None
    encoding = _encoding(name, get("Format"), near, far, unit, get("MeasureType"))
    image = _item(data, trees, get("DepthURI") or "", name)
    confidence = get("ConfidenceURI")
    of_confidence = _item(data, trees, confidence, name) if confidence else None
    original = "a picture" if _original_uri(trees) is not None else None
    return _decode(name, image, of_confidence, encoding, "Google Dynamic Depth", _imaging_model(node), original)


def _encoding(name: str, form, near, far, metres: float | None, measure) -> _Encoding:
    form = (form or "RangeInverse").lower()
    if form not in ("rangeinverse", "rangelinear"):
        raise DioramaError(f"{name} holds depth of the unknown format {form[:40]!r}; use another depth source.")
    near, far = number(near), number(far)
    inverse = form == "rangeinverse"
    if inverse and far is not None and np.isinf(far):
        far = FARTHEST if far > 0 else None
    least = NEAREST if inverse else 0.0  # a linear scale may begin at the camera; what lies there is unknown
    if near is None or far is None or near == far or not (least <= near <= FARTHEST and NEAREST <= far <= FARTHEST):
        raise DioramaError(f"{name} holds depth between impossible distances, {near} and {far}; use another source.")
    return _Encoding(inverse, near, far, metres, (measure or "").lower() == "opticray")


def _dioptre_range(name: str, near: str | None, far: str | None) -> tuple[str, str, bool]:
    """Distances, and whether near and far are in order: some phones exchange them, and then mean no metres either."""
    strong, weak = number(near), number(far)
    if strong is None or weak is None or strong == weak or not min(strong, weak) >= 0:
        raise DioramaError(f"{name} holds depth between impossible dioptres, {strong} and {weak}; use another source.")
    near, far = (str(1 / each if each > 0 else FARTHEST) for each in (strong, weak))
    return near, far, strong > weak


def _decode(name, image, confidence, encoding: _Encoding, format_name, camera, original) -> StoredDepth:
    """Metres, 1/m or 1/(an unnamed unit); linear depth of unknown unit is inverted, so that metric means metres."""
    pixels, white = decode_grey(image, name, "a depth image")
    fraction = pixels.astype(np.float64) / white
    scale = encoding.metres or 1.0
    near, far = encoding.near * scale, encoding.far * scale
    notes = []
    metric = encoding.metres is not None
    if encoding.inverse:
        values = range_inverse(fraction, near, far)
        valid, kind, unit = np.ones(values.shape, bool), "disparity", "1/m" if metric else "1 / unit unknown"
    else:
        z = range_linear(fraction, near, far)
        valid = z > 0
        kind, unit = ("metric", "m") if metric else ("disparity", "1 / unit unknown")
        values = z if metric else np.where(valid, 1 / np.maximum(z, 1e-9), 0.0)
    if encoding.along_ray:
        values, note = _distances_along_axis(values, kind, camera)
        notes.append(note)
    if confidence is not None:
        certain, certain_white = decode_grey(confidence, name, "a confidence image")
        if certain.shape == valid.shape:
            # JPEG leaves some grey where the camera wrote none
            valid = valid & (certain > certain_white / 64)
            notes.append(f"confidence known, {np.mean(~valid):.1%} of the pixels have none")
        else:
            notes.append("confidence of another size left out")
    return StoredDepth(
        values.astype(np.float32), valid, kind, metric_scale=metric, shift_known=True,
        range=(min(near, far), max(near, far)), unit=unit,
        source=f"{format_name} {'RangeInverse' if encoding.inverse else 'RangeLinear'}",
        stretch=True, intrinsics=camera, original=original, notes=tuple(notes),
    )  # fmt: skip


def _distances_along_axis(values: np.ndarray, kind: str, camera: Intrinsics | None) -> tuple[np.ndarray, str]:
    """Distances along the rays brought to the optical axis: z = r / sqrt(1 + x^2 + y^2) at normalised x, y."""
    if camera is None:
        return values, "distances run along the rays and are left so, since the file holds no focal length"
    height, width = values.shape
    cx = camera.width / 2 if camera.cx is None else camera.cx
    cy = camera.height / 2 if camera.cy is None else camera.cy
    x = ((np.arange(width) + 0.5) / width * camera.width - cx) / camera.focal_px
    y = ((np.arange(height) + 0.5) / height * camera.height - cy) / camera.focal_px
    stretch = np.sqrt(1 + x[None, :] ** 2 + y[:, None] ** 2)
    return values / stretch if kind == "metric" else values * stretch, "distances along the rays brought to the axis"


def _imaging_model(depth_map: XmpNode) -> Intrinsics | None:
    """The imaging model nearest to the depth map in the tree: that of the same camera."""
    node: XmpNode | None = depth_map
    while node is not None:
        found = node.holders(IMAGING_MODEL, "FocalLengthX")
        if found:
            return _intrinsics(found[0])
        node = node.parent
    return None


def _intrinsics(model: XmpNode) -> Intrinsics | None:
    keys = ("ImageWidth", "ImageHeight", "FocalLengthX", "FocalLengthY", "PrincipalPointX", "PrincipalPointY")
    width, height, fx, fy, cx, cy = (number(model.get(IMAGING_MODEL, key)) for key in keys)
    if not width or not height or not fx:
        return None
    if cx is None or cy is None:
        cx = cy = None
    elif cx <= 1 and cy <= 1:  # the default 0.5, 0.5 is a part of the picture, what cameras write are pixels
        cx, cy = cx * width, cy * height
    camera = Intrinsics(width, height, (fx + (fy or fx)) / 2, cx, cy)
    return camera.with_plausible_centre() if camera.is_plausible() else None


def _original_uri(trees: list[XmpNode]) -> str | None:
    for tree in trees:
        for node in tree.holders(IMAGE, "ItemURI"):
            if (node.get(IMAGE, "ItemSemantic") or "").lower() == "original":
                return node.get(IMAGE, "ItemURI")
    return None


def _items(trees: list[XmpNode], name: str) -> list[_Item]:
    """The container's directory in its order; the first entry is the photo itself."""
    items = []
    for tree in trees:
        for node in tree.walk():
            space = next((s for s in ITEM_NAMESPACES if node.get(s, "Mime") is not None), None)
            if space is None:
                continue
            length, padding = (number(node.get(space, key) or "0") for key in ("Length", "Padding"))
            if length is None or padding is None or not 0 <= length < 2**32 or not 0 <= padding < 2**32:
                raise DioramaError(f"{name} lists an appended image of impossible length; copy the photo again.")
            items.append(_Item(node.get(space, "DataURI") or "", int(length), int(padding)))
            if len(items) > MAX_ITEMS:
                raise DioramaError(f"{name} lists more than {MAX_ITEMS} appended images; copy the photo again.")
    return items


def _item(data: bytes, trees: list[XmpNode], uri: str, name: str) -> bytes:
    """The bytes of the appended item of that URI.

    Items follow the photo in the directory's order. Writers differ in whether padding counts, and some append
    more behind the last item, so the place is reckoned from the photo's end, with and without padding, then
    from the file's, and taken where a picture begins.
    """
    items = _items(trees, name)
    index = next((i for i, item in enumerate(items) if item.uri == uri), None)
    if not index or items[index].length == 0:
        raise DioramaError(f"{name} names an appended image that it does not list; copy the photo again.")
    length = items[index].length
    before, behind = items[:index], items[index:]
    begins = [len(data) - sum(i.length for i in behind), len(data) - sum(i.length + i.padding for i in behind)]
    end = end_of_image(data)
    if end is not None:
        skipped = sum(i.length for i in before[1:])
        begins = [end + skipped, end + skipped + sum(i.padding for i in before), *begins]
    for begin in begins:
        if 0 < begin and begin + length <= len(data) and picture_type(data[begin : begin + 16]):
            return data[begin : begin + length]
    raise DioramaError(f"{name} lists an appended image that is not there; copy the photo again.")
