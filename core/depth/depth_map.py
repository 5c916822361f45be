"""DepthMap: disparity for every pixel of the photo's working grid, read from any common depth file."""

from __future__ import annotations

import io
import math
import tokenize
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DioramaError, reading_a_file
from ..photo.photo import Photo
from ..raster.decode import MAX_PIXELS, decode_pixels, exr_size, read_file
from ..raster.decoder_errors import DECODER_ERRORS, damaged
from ..raster.exr_depth import check_exr, read_depth_channel
from ..raster.open_picture import DEPTH_KINDS, open_picture
from ..raster.picture_bounds import bytes_a_pixel, channels_of, check_memory
from ..settings import DepthSettings
from .resample_depth import fill_unknown, resample

FARTHEST_OF_RELATIVE = 60.0
"""Relative depth spans 1 to 60 nearest distances: the floor 0.05 of 3 in the code of Shih et al. 2020."""
FARTHEST_OF_METRIC = 2000.0
MAX_ASPECT_ERROR = 0.02
MIN_KNOWN = 1e-3
MOST_HEADER, MOST_DIRECTORY = 4096, 1 << 20
"""Bytes of an NPY header and of an NPZ's table of contents; NumPy pads the first to 64 or 128, an entry takes about 60."""
PIECE = 1 << 22
"""Numbers of an array that are read at once."""
LARGEST = 1e18
"""No distance in any unit; squares of what is smaller are still floats."""


@dataclass(frozen=True)
class DepthMap:
    """Disparity = 1 / z for every pixel of the working grid; z runs along the optical axis."""

    disparity: np.ndarray  # (h, w) float32, 1/m, finite and positive everywhere
    known: np.ndarray  # (h, w) bool, False where the source knew nothing and it was filled
    metric: bool  # True: metres are real; False: the nearest point was put at a chosen distance
    source: str  # one sentence: where it comes from and what it was taken for
    steps: np.ndarray | None = None  # (2, h, w) bool: links right and down where soft depth was made a step; None: not soft
    boundary: np.ndarray | None = None  # (h, w) float32 0..1: probability of an occlusion boundary, where an estimator tells it

    @property
    def span(self) -> float:
        """Range of disparity without the outermost half per mille of pixels; thresholds are parts of it."""
        low, high = np.percentile(self.disparity[::2, ::2].astype(float), (0.05, 99.95)).tolist()
        return float(max(high - low, 1e-3 * high))

    @property
    def nearest(self) -> float:
        """Distance of the nearest surface in metres, single stray pixels left out."""
        return float(1.0 / np.percentile(self.disparity[::2, ::2], 99.95))


@dataclass(frozen=True)
class DepthValues:
    """Numbers as a depth source stores them, at their own size."""

    values: np.ndarray  # (h, w) float32
    known: np.ndarray  # (h, w) bool
    metric: bool  # True: distance along the axis in metres; False: inverse depth, larger is nearer
    shift_known: bool  # disparity only: whether 0 means infinitely far, so that no shift is unknown
    source: str
    stretched: bool = False  # whether the values cover the photo whatever their aspect, as a network's do
    boundary: np.ndarray | None = None  # of any size, 0..1: probability of an occlusion boundary, where an estimator tells it


def working_size(photo: Photo, long_side: int) -> tuple[int, int]:
    """Height and width of the working grid: the photo's aspect, never more pixels than the photo has."""
    height, width = photo.colour.shape[:2]
    scale = min(1.0, long_side / max(height, width))
    return max(8, round(height * scale)), max(8, round(width * scale))


@reading_a_file()
def read_depth(path: str | Path, settings: DepthSettings) -> DepthValues:
    """A depth file's numbers and what they mean; raises DioramaError where it holds no usable depth.

    8- and 16-bit PNG or TIFF, OpenEXR, NPY, NPZ (its first array) and PFM; 0, NaN, infinity and what is
    beyond `LARGEST` are unknown. Of an EXR with several channels the one that is called depth or Z is taken.
    """
    path = Path(path)
    values, origin = _read_values(path)
    usable = np.abs(values) < LARGEST  # neither NaN nor infinite
    known = usable & (values != 0)
    _check_known(known, str(path))
    kind, scale, why = _meaning(values, known, origin, settings)
    if kind == "metric" and (values[known] < 0).any():
        raise DioramaError(f"{path} has negative distances", window="if it is inverse depth, set Depth Kind to Disparity",
                           command_line="if it is inverse depth, pass --depth-kind disparity")  # fmt: skip
    if kind == "disparity" and not _zeros_are_holes(values, known, origin):
        known = usable  # zero is the farthest value of a relative map, not a hole
    _check_relief(values, known, str(path))
    scaled = np.where(known, values, 0) * np.float32(scale)
    return DepthValues(scaled, known, kind == "metric", False, f"{path.name}, {why}")


def _check_known(known: np.ndarray, name: str) -> None:
    if known.mean() < MIN_KNOWN or known.sum() < 16:
        raise DioramaError(
            f"{name} knows the depth of {int(known.sum())} of {known.size} pixels; 0, NaN and infinity count as "
            f"unknown, so use a depth map with values."
        )


def _check_relief(values: np.ndarray, known: np.ndarray, name: str) -> None:
    low, high = values[known].min(), values[known].max()
    if high - low <= 1e-6 * max(abs(high), abs(low)):
        raise DioramaError(f"{name} has the same depth everywhere ({high:g}); a diorama needs relief, so use another depth map.")


def depth_on_photo(found: DepthValues, photo: Photo, settings: DepthSettings, long_side: int, name: str) -> DepthMap:
    """Brings depth values onto the photo's working grid: units, unknown pixels, size. `name` is for messages.

    Raises DioramaError where their aspect is not the photo's, or no pixel is known.
    """
    _check_known(found.known, name)
    _check_relief(found.values, found.known, name)
    (h, w), (height, width) = found.values.shape, photo.colour.shape[:2]
    if not found.stretched and abs((w / h) / (width / height) - 1) > MAX_ASPECT_ERROR:
        raise DioramaError(
            f"{name} has {w}x{h} pixels and does not fit the photo {photo.path} of {width}x{height}: the aspects "
            f"differ by more than {MAX_ASPECT_ERROR:.0%}, so crop or rotate one of them."
        )
    disparity = _disparity(found, settings)
    rows, columns = working_size(photo, long_side)
    if max(h, w) > 2 * max(rows, columns):  # the rest is work for nothing
        disparity, known = resample(disparity, found.known, None, rows, columns)
    else:
        known = found.known
    if not known.all():
        disparity = fill_unknown(disparity, known, photo.working_colour(*disparity.shape))
    if disparity.shape != (rows, columns):
        disparity, known = resample(disparity, known, photo.working_colour(rows, columns), rows, columns)
    return DepthMap(disparity, known, found.metric, found.source, boundary=_resized(found.boundary, rows, columns))


def _resized(picture: np.ndarray | None, rows: int, columns: int) -> np.ndarray | None:
    import cv2

    return None if picture is None else cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_LINEAR)


def _disparity(found: DepthValues, settings: DepthSettings) -> np.ndarray:
    """(h, w) float32 in 1/m, bounded to a range of distances that a scene can hold; unknown pixels hold 0."""
    values, known = found.values, found.known
    if found.metric:
        with np.errstate(divide="ignore"):
            disparity = np.where(known, 1.0 / np.maximum(values, 1e-9), 0.0)
        floor = float(np.percentile(disparity[known].astype(float), 99.9)) / FARTHEST_OF_METRIC
    else:
        # relative inverse depth has an unknown shift: the farthest value is put at the far end (Shih et al. 2020)
        low, high = (0.0, values[known].max()) if found.shift_known else (values[known].min(), values[known].max())
        disparity = np.where(known, (values - low) / (high - low), 0.0) / settings.near_distance
        floor = 1.0 / (FARTHEST_OF_RELATIVE * settings.near_distance)
    return np.where(known, np.maximum(disparity, floor), 0.0).astype(np.float32)


def _meaning(values, known, origin: str, settings: DepthSettings) -> tuple[str, float, str]:
    """Kind, metres per unit, and a sentence for the user: how the file was understood, and why."""
    kind, scale = settings.depth_kind, settings.depth_scale
    if kind == "disparity":
        return "disparity", 1.0, "inverse depth of unknown scale, as told"
    integers = origin in ("8-bit", "16-bit")
    if kind == "metric" or scale > 0:
        scale = scale or (0.001 if integers else 1.0)
        return "metric", scale, f"metric depth, {scale:g} m a unit, as told"
    if origin == "8-bit":
        return "disparity", 1.0, "taken for inverse depth (8 bits)"
    if origin == "16-bit":
        stretched = values.max() >= 60000  # what networks write fills the range
        camera = values.max() <= 20000 and np.median(values[known]) >= 200 and values[known].min() >= 50
        if camera or not (stretched or _grows_downwards(values, known)):
            return "metric", 0.001, "taken for millimetres (16 bits, values of a depth camera)"
        return "disparity", 1.0, "taken for inverse depth (16 bits, values stretched or growing towards the bottom)"
    if origin == "EXR":
        return "metric", 1.0, "taken for metres (OpenEXR)"
    if origin == "PFM":
        return "disparity", 1.0, "taken for inverse depth (PFM)"
    if (values[known] < 0).any():
        return "disparity", 1.0, "taken for inverse depth (it has negative values)"
    if _grows_downwards(values, known):
        return "disparity", 1.0, "taken for inverse depth (values grow towards the bottom of the photo)"
    return "metric", 1.0, "taken for metres (values grow towards the top of the photo)"


def _grows_downwards(values, known) -> bool:
    """Whether larger values lie lower in the photo, as nearness does in most pictures."""
    third = max(1, values.shape[0] // 3)
    top, bottom = (values[part][known[part]] for part in (np.s_[:third], np.s_[-third:]))
    return bool(len(top) and len(bottom) and np.median(bottom) > np.median(top))


def _zeros_are_holes(values, known, origin: str) -> bool:
    """Whether zeros of an inverse-depth file are holes: there are few of them, and a gap between 0 and the next value.

    Stereo disparity has such holes; maps that networks write use zero for the farthest point.
    """
    if origin in ("NPY", "PFM", "EXR"):
        return bool((values == 0).mean() < 0.35)
    positive = values[known]
    return bool((values == 0).mean() < 0.35 and positive.min() > 0.02 * positive.max())


def _read_values(path: Path) -> tuple[np.ndarray, str]:
    """(h, w) float32 and the kind of file: 8-bit, 16-bit, EXR, NPY or PFM."""
    values: np.ndarray | None
    data = read_file(path, "depth map")
    try:
        if data[:6] == b"\x93NUMPY" or data[:2] == b"PK":
            values, origin = _read_numpy(path, data), "NPY"
        elif data[:2] in (b"Pf", b"PF"):
            values, origin = _read_pfm(data), "PFM"
        elif data[:4] == b"\x76\x2f\x31\x01":
            check_exr(data, str(path), MAX_PIXELS)
            check_memory(*(exr_size(data) or (0, 0)), bytes_a_pixel("EXR", 3, 32), str(path))
            named = read_depth_channel(data, str(path), MAX_PIXELS)
            origin = "EXR"
            values = named if named is not None else decode_pixels(data)
        else:
            values, origin = _read_integers(path, data)
    except DioramaError:
        raise
    except (*DECODER_ERRORS, zipfile.BadZipFile, tokenize.TokenError) as error:
        # of NumPy's reader of headers the last, where one is cut short
        raise damaged(path, error, "write the depth map again") from None
    if values is None or values.ndim not in (2, 3) or min(values.shape[:2]) < 2:
        raise DioramaError(f"{path} is no depth map that can be read; use PNG, TIFF, EXR, NPY or PFM.")
    if values.ndim == 3:
        values = _single_channel(path, values)
    with np.errstate(over="ignore", invalid="ignore"):  # what is beyond float32 becomes infinite, so unknown
        return values.astype(np.float32), origin


def _single_channel(path: Path, values: np.ndarray) -> np.ndarray:
    if values.shape[2] in (1, 2):
        return values[..., 0]
    if not (np.array_equal(values[..., 0], values[..., 1]) and np.array_equal(values[..., 1], values[..., 2])):
        if values.dtype != np.float32:
            raise DioramaError(f"{path} is a colour picture, not a depth map; a depth map is grey, so save it without colours.")
        return values[..., 2]  # OpenCV's order is B G R; a depth pass sits in the first channel
    return values[..., 0]


def _read_numpy(path: Path, data: bytes) -> np.ndarray:
    """The array of an NPY file or the first of an NPZ; its header is checked before anything is unpacked."""
    if data[:2] != b"PK":
        return _read_array(path, io.BytesIO(data))
    end = data.rfind(b"PK\5\6")  # the end of the table of contents (APPNOTE.TXT, 4.3.16), which zipfile reads whole
    if end < 0 or int.from_bytes(data[end + 12 : end + 16], "little") > MOST_DIRECTORY or b"PK\6\7" in data[end - 20 : end]:
        raise ValueError("not as NumPy writes it")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [name for name in archive.namelist() if name.endswith(".npy")]
        if not names:
            raise DioramaError(f"{path} holds no array; save the depth map into it.")
        if archive.getinfo(names[0]).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DioramaError(f"{path} is packed as NumPy never does; save it with numpy.savez_compressed.")
        with archive.open(names[0]) as file:
            return _read_array(path, file)


def _read_array(path: Path, file) -> np.ndarray:
    shape, columns_first, dtype = _read_array_header(file)
    sides = [n for n in shape if n != 1]
    if len(sides) != 2 or min(sides) < 2 or dtype.kind not in "fiu":
        what = "objects" if dtype.hasobject else str(dtype)
        raise DioramaError(f"{path} holds an array of shape {shape}, {what}; a depth map is one of (height, width) numbers.")
    _check_count(path, sides[1], sides[0])
    values, done = np.empty(math.prod(sides), np.float32), 0
    with np.errstate(over="ignore", invalid="ignore"):  # what is beyond float32 becomes infinite, so unknown
        while done < len(values):  # piece by piece, as the file may hold doubles
            wanted = min(PIECE, len(values) - done) * dtype.itemsize
            piece = file.read(wanted)
            if len(piece) < wanted:
                raise ValueError(f"{done * dtype.itemsize + len(piece)} of {len(values) * dtype.itemsize} bytes")
            values[done : done + PIECE] = np.frombuffer(piece, dtype)
            done += PIECE
    return values.reshape(sides, order="F" if columns_first else "C")


def _read_array_header(file) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and kind of an NPY file (NEP 1); the header's claimed length, of up to four bytes, is checked first.

    NumPy would read as much as the header claims, and then tell the user to trust the file.
    """
    start = file.read(8)
    width = {b"\1\0": 2, b"\2\0": 4}.get(start[6:])
    if start[:6] != b"\x93NUMPY" or width is None:
        raise ValueError("an array of a kind that is not read")
    length = file.read(width)
    if int.from_bytes(length, "little") > MOST_HEADER:
        raise ValueError("a header of more than a depth map needs")
    header = io.BytesIO(length + file.read(int.from_bytes(length, "little")))
    read = np.lib.format.read_array_header_1_0 if width == 2 else np.lib.format.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read(header, max_header_size=MOST_HEADER)  # type: ignore[call-arg, unused-ignore]  # NumPy's stubs lack it


def _check_count(path: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise DioramaError(f"{path} has {width}x{height} pixels, more than {MAX_PIXELS // 10**6} million; scale it down first.")


def _read_pfm(data: bytes) -> np.ndarray:
    """Portable float map: rows from the bottom, the sign of the scale gives the byte order."""
    head = data[:256].split(b"\n")
    if len(head) < 4:
        raise ValueError("PFM header")
    width, height = (int(x) for x in head[1].split())
    channels = 3 if head[0].strip() == b"PF" else 1
    if not (0 < width * height <= MAX_PIXELS):
        raise ValueError("PFM size")
    order = "<" if float(head[2]) < 0 else ">"
    start = sum(len(line) + 1 for line in head[:3])
    values = np.frombuffer(data, order + "f4", width * height * channels, start).reshape(height, width, channels)
    return values[::-1, :, 0].astype(np.float32)


def _read_integers(path: Path, data: bytes) -> tuple[np.ndarray, str]:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = open_picture(data, str(path), DEPTH_KINDS)  # only the header, before anything is decoded
            _check_count(path, *image.size)
            channels, bits = channels_of(image, data)
            check_memory(image.size[0], image.size[1], bytes_a_pixel(image.format, channels, bits), str(path))
    except Image.DecompressionBombError:  # of WebP Pillow asks its own limit
        raise DioramaError(f"{path} has more pixels than Pillow decodes of its kind; scale it down first.") from None
    except UnidentifiedImageError:
        raise DioramaError(f"{path} is no depth map that can be read; use PNG, TIFF, EXR, NPY or PFM.") from None
    values = decode_pixels(data)
    if values is None:
        raise DioramaError(f"{path} is damaged or cut short; write the depth map again.")
    return values, {"uint8": "8-bit", "uint16": "16-bit"}.get(values.dtype.name, "NPY")
