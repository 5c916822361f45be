"""Depth, portrait matte and calibration that Apple's cameras put into JPEG (MPF) and HEIC photos; spatial photos."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import DioramaError
from ..photo.heif_boxes import read_heif_items
from ..photo.jpeg_segments import appended_images, xmp_segments
from ..photo.xmp import XmpNode, number, parse_xmp
from ..raster.decoder_errors import in_one_line
from .depth_raster import FARTHEST, NEAREST, Intrinsics, StoredDepth, check_size, decode_grey

PIXEL_DATA = "http://ns.apple.com/pixeldatainfo/1.0/"
DEPTH_DATA = "http://ns.apple.com/depthData/1.0/"
MATTE_TYPE = b"urn:com:apple:photo:2018:aux:portraiteffectsmatte"
DEPTH_TYPES = (b"urn:mpeg:hevc:2015:auxid:2", b"urn:mpeg:mpegB:cicp:systems:auxiliary:depth")
MAX_ITEM_XMP = 4 * 1024 * 1024
_NATIVE_FORMATS = {b"hdis": "disparity", b"fdis": "disparity", b"hdep": "depth", b"fdep": "depth"}


@dataclass(frozen=True)
class SpatialPhoto:
    """A stereo pair in one HEIC; it carries no depth. Its first view is the photo."""

    views: int
    width: int  # of the first view
    height: int
    intrinsics: Intrinsics | None  # of the first view, from the file's camera matrix


def read_apple_jpeg(data: bytes, name: str) -> StoredDepth | None:
    """The auxiliary depth or disparity that MPF appends to a JPEG; None where there is none.

    Which picture is which stands in the XMP of each appended picture (apdi:AuxiliaryImageType and SubType).
    """
    depth, matte = None, None
    for begin, end in appended_images(data):
        image = data[begin:end]
        packet, _ = xmp_segments(image)
        if packet is None or PIXEL_DATA.encode() not in packet:
            continue
        xmp = parse_xmp(packet, name)
        subtype = (xmp.find(PIXEL_DATA, "AuxiliaryImageSubType") or "").lower()
        if subtype.endswith("portraiteffectsmatte"):
            if matte is None:
                matte = _matte(*decode_grey(image, name, "a portrait matte"))
        elif depth is None and not subtype and _auxiliary_kind(xmp):
            depth = _scaled(*decode_grey(image, name, "a depth image"), xmp, name, "JPEG")
    return None if depth is None else replace(depth, matte=matte)


def read_apple_heif(data: bytes, name: str) -> tuple[StoredDepth | None, tuple[int, int]]:
    """The auxiliary depth or disparity of a HEIC, turned as the photo is shown, and the photo's width and height."""
    primary, _ = _open_heif(data, name)
    depth_images = primary.info.get("depth_images") or []
    if not depth_images:
        return None, primary.size
    pixels, white = _decode_heif(depth_images[0], name, "a depth image")
    turn: int | None = 1
    items, xmp = read_heif_items(data), None
    if items is not None:
        item = next((i for i in map(items.auxiliary, DEPTH_TYPES) if i is not None), None)
        packet = items.xmp_of(data, item, MAX_ITEM_XMP) if item is not None else None
        if packet is not None and PIXEL_DATA.encode() in packet:
            xmp = parse_xmp(packet, name)
        turn = items.orientation(items.primary)
    if xmp is not None and _auxiliary_kind(xmp):
        depth = _scaled(pixels, white, xmp, name, "HEIC")
    else:
        depth = _scaled_by_sei(pixels, white, depth_images[0].info.get("metadata") or {}, name)
    camera = depth.intrinsics
    if camera is not None:  # the calibration is of the picture as stored, libheif turns what it decodes
        camera = camera.turned(turn) if turn is not None else Intrinsics(primary.size[0], primary.size[1], camera.focal_px, None, None)
    return replace(depth, matte=_heif_matte(primary, name), intrinsics=camera), primary.size


def read_spatial_photo(data: bytes, name: str) -> SpatialPhoto | None:
    """What a HEIC says of its stereo pair (an entity group of type "ster"); None where it is no spatial photo."""
    primary, heif = _open_heif(data, name)
    groups = primary.info.get("entity_groups") or []
    views = max((len(g.get("entities", ())) for g in groups if g.get("type") == "ster"), default=0)
    if views < 2 or len(heif) < 2:
        return None
    matrix = (primary.info.get("heif") or {}).get("camera_intrinsic_matrix")
    camera = None
    if matrix:
        focal = (matrix["focal_length_x"] + matrix["focal_length_y"]) / 2
        camera = Intrinsics(primary.size[0], primary.size[1], focal, matrix["principal_point_x"], matrix["principal_point_y"])
        camera = camera.with_plausible_centre() if camera.is_plausible() else None
    return SpatialPhoto(views, primary.size[0], primary.size[1], camera)


def _auxiliary_kind(xmp: XmpNode) -> str | None:
    """ "disparity", "depth" or None: the name in the XMP, else the pixel format in which the camera had it."""
    kind = (xmp.find(PIXEL_DATA, "AuxiliaryImageType") or "").lower()
    if kind in ("disparity", "depth"):
        return kind
    native = number(xmp.find(PIXEL_DATA, "NativeFormat"))
    if native is None or not 0 <= native < 2**32:
        return None
    return _NATIVE_FORMATS.get(int(native).to_bytes(4, "big"))


def _scaled(pixels: np.ndarray, white: int, xmp: XmpNode, name: str, container: str) -> StoredDepth:
    """Integers brought to the camera's floats; apdi says which floats the least and the greatest integer mean.

    Disparity is 1/m. Where depthData:Accuracy is not "absolute" the scale is nominal: Apple promises then only
    that the order of distances is right, so it is not called metric (AVDepthData.Accuracy).
    """
    kind = _auxiliary_kind(xmp)
    low, high = (number(xmp.find(PIXEL_DATA, f"Float{end}Value")) for end in ("Min", "Max"))
    black, bright = (number(xmp.find(PIXEL_DATA, f"Int{end}Value")) for end in ("Min", "Max"))
    if black is None or bright is None or not 0 <= black < bright <= white:
        black, bright = 0, white
    fraction = (pixels.astype(np.float64) - black) / (bright - black)
    accuracy = (xmp.find(DEPTH_DATA, "Accuracy") or "").lower()
    quality = (xmp.find(DEPTH_DATA, "Quality") or "").lower()
    notes = (f"quality {quality}",) if quality in ("high", "low") else ()
    source = f"Apple {container} {kind}"
    about = {"source": source, "intrinsics": _intrinsics(xmp), "notes": notes}
    if low is None or high is None or not -FARTHEST < low < high < FARTHEST:
        if kind == "depth":
            raise DioramaError(f"{name} holds Apple depth without a float range; use another depth source.")
        return _relative(fraction, "0 to 1, no float range in the file", **about)
    if high <= NEAREST:
        raise DioramaError(f"{name} holds Apple {kind} of at most {high:g}; use another depth source.")
    values, absolute = low + fraction * (high - low), accuracy == "absolute"
    unit = "1/m" if absolute else "1/m, nominal (the file calls its accuracy relative)"
    if kind == "disparity":
        near, far = 1 / high, 1 / low if low > 0 else np.inf
        return _stored(values, np.ones(values.shape, bool), kind, (near, far), unit, metric_scale=absolute, **about)
    span, valid = (max(low, 0.0), high), values > 0
    if absolute:
        return _stored(values, valid, "metric", span, "m", metric_scale=True, **about)
    values = np.where(valid, 1 / np.maximum(values, 1e-6), 0.0)
    return _stored(values, valid, "disparity", span, unit, **about | {"source": f"{source}, inverted"})


def _scaled_by_sei(pixels: np.ndarray, white: int, sei: dict, name: str) -> StoredDepth:
    """HEVC's depth representation information (ITU-T H.265, G.14.3.3), which names no unit of length."""
    fraction = pixels.astype(np.float64) / white
    kind = sei.get("representation_type")
    z_near, z_far, d_min, d_max = (sei.get(key) for key in ("z_near", "z_far", "d_min", "d_max"))
    if kind == 3:
        raise DioramaError(f"{name} holds non-linear disparity (HEVC type 3), not read here; use another source.")
    source, unit = "HEIC auxiliary depth", "inverse depth of unknown scale"
    if kind in (0, 2) and z_near and z_far and NEAREST < z_near < z_far < FARTHEST:
        if kind == 0:
            values = 1 / z_far + fraction * (1 / z_near - 1 / z_far)
        else:
            values = 1 / (z_near + fraction * (z_far - z_near))
        return _stored(values, np.ones(values.shape, bool), "disparity", (z_near, z_far), unit, source=source)
    if kind == 1 and d_min is not None and d_max is not None and -FARTHEST < d_min < d_max < FARTHEST and d_max > 0:
        values = d_min + fraction * (d_max - d_min)
        span = (1 / d_max, 1 / d_min if d_min > 0 else np.inf)
        return _stored(values, np.ones(values.shape, bool), "disparity", span, unit, source=source)
    return _relative(fraction, "0 to 1, no range in the file", source=source)


def _stored(values, valid, kind, span, unit, metric_scale=False, **about) -> StoredDepth:
    return StoredDepth(
        values.astype(np.float32), valid, kind, metric_scale=metric_scale, shift_known=True, range=span, unit=unit,
        stretch=False, **about,
    )  # fmt: skip


def _relative(fraction, unit, **about) -> StoredDepth:
    return StoredDepth(
        fraction.astype(np.float32), np.ones(fraction.shape, bool), "disparity", metric_scale=False,
        shift_known=False, range=None, unit=unit, stretch=False, **about,
    )  # fmt: skip


def _intrinsics(xmp: XmpNode) -> Intrinsics | None:
    """depthData:IntrinsicMatrix, column by column, for a picture of the reference size; origin at the outer corner."""
    texts = xmp.sequence(DEPTH_DATA, "IntrinsicMatrix")
    matrix = [value for text in texts if (value := number(text)) is not None]
    width, height = (number(xmp.find(DEPTH_DATA, f"IntrinsicMatrixReference{side}")) for side in ("Width", "Height"))
    if len(matrix) != 9 or len(texts) != 9 or not width or not height:
        return None
    camera = Intrinsics(width, height, (matrix[0] + matrix[4]) / 2, matrix[6], matrix[7])
    return camera.with_plausible_centre() if camera.is_plausible() else None


def _matte(pixels: np.ndarray, white: int) -> np.ndarray:
    return pixels.astype(np.float32) / np.float32(white)


def _open_heif(data: bytes, name: str):
    """The primary picture and the whole file as pillow-heif opens them; nothing is decoded yet."""
    try:
        import pillow_heif
    except ImportError:
        raise DioramaError(f"{name} is HEIC, which needs pillow-heif here; install it or export a JPEG.") from None
    try:
        heif = pillow_heif.open_heif(data, convert_hdr_to_8bit=False)
        return heif[heif.primary_index], heif
    except HEIF_ERRORS as error:
        raise DioramaError(f"{name} is damaged or cut short ({in_one_line(error)}); copy or export it again.") from None


# what pillow-heif raises on damaged files, by its own documentation and by trying
HEIF_ERRORS = (ValueError, EOFError, SyntaxError, RuntimeError, OSError, MemoryError, IndexError, KeyError, TypeError)


def _decode_heif(image, name: str, what: str) -> tuple[np.ndarray, int]:
    """(h, w) pixels of an auxiliary picture and the value of white; the size is checked before decoding."""
    width, height = image.size
    check_size(width, height, name, what)
    try:
        pixels = np.array(image)
    except HEIF_ERRORS as error:
        raise DioramaError(f"{name} holds {what} that does not decode ({in_one_line(error)}); copy it again.") from None
    if pixels.ndim == 3:
        pixels = pixels[..., 0]
    check_size(pixels.shape[1], pixels.shape[0], name, what)
    return pixels, 65535 if pixels.dtype == np.uint16 else 255


def _heif_matte(primary, name: str) -> np.ndarray | None:
    identifiers = (primary.info.get("aux") or {}).get(MATTE_TYPE.decode()) or []
    if not identifiers:
        return None
    try:
        image = primary.get_aux_image(identifiers[0])
    except HEIF_ERRORS as error:
        raise DioramaError(f"{name} has a matte that does not decode ({in_one_line(error)}); copy it again.") from None
    return _matte(*_decode_heif(image, name, "a portrait matte"))
