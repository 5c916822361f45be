"""Reads NPY and NPZ files: finds the depth array by name and shape, and the focal length and mask stored beside it."""

from __future__ import annotations

import io
import math
import re
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DioramaError
from ..raster.decode import MAX_PIXELS
from .raw_depth import RawDepth

MAX_HEADER, MAX_DIRECTORY, MAX_ARRAYS = 4096, 1 << 20, 256
"""Limits: bytes of an NPY header (NumPy pads it to 64 or 128), bytes of an NPZ's table of contents (60 an entry), arrays."""
READ_SIZE = 1 << 22
"""Numbers that are read at once."""
MAX_LISTED = 12
MAX_ASPECT_ERROR = 0.02

DEPTH_ARRAYS = tuple(
    map(
        re.compile,
        (
            r"depth|depths|depth_?map|metric_?depth|z|zmap|predicted_?depth|depth_?(pred|metric|m|mm|cm|metres?|meters?)|distance",
            r"disparity|disp|inv(erse)?_?depth|inv_?z|depth_?inv(erse)?|idepth",
            r".*(depth|disparity).*",
        ),
    )
)
"""Names of depth arrays in lower case, the most certain first."""
NO_DEPTH = re.compile(r".*(conf|uncert|mask|valid|weight|var|std|sigma|normal|sky|prob|edge|rgb|colou?r|image).*")
FOCAL = re.compile(r"focal(_?length)?(_?px)?|f_?px|fx")
MATRIX = re.compile(r"k|intrinsics?|camera_?matrix|intrinsic_?matrix|cam_?k")
UNIT = re.compile(r"(depth_?)?units?(_?of_?depth)?")
MASKS = re.compile(r"(valid|mask)(_?mask|_?depth)?")


@dataclass(frozen=True)
class Header:
    """The header of one array."""

    shape: tuple[int, ...]
    columns_first: bool
    dtype: np.dtype

    @property
    def sides(self) -> list[int]:
        """Its shape without sides of one."""
        return [n for n in self.shape if n != 1]

    @property
    def is_picture(self) -> bool:
        return len(self.sides) == 2 and min(self.sides) >= 2 and self.dtype.kind in "fiu"


def read_npy(path: Path, data: bytes) -> RawDepth:
    """The array of an NPY file; raises DioramaError, or ValueError where it is damaged."""
    file = io.BytesIO(data)
    header = read_header(file)
    return _make_raw(_read_array(path, file, header), header, "NPY", "")


def read_npz(path: Path, data: bytes, shape: tuple[int, int] | None) -> RawDepth:
    """The depth array of an NPZ file; headers are checked before anything is decompressed. `shape`: the photo's height and width.

    Raises DioramaError where it is not certain which array is the depth.
    """
    end = data.rfind(b"PK\5\6")  # the end of the table of contents (APPNOTE.TXT, 4.3.16), which zipfile reads whole
    if end < 0 or int.from_bytes(data[end + 12 : end + 16], "little") > MAX_DIRECTORY or b"PK\6\7" in data[end - 20 : end]:
        raise ValueError("not as NumPy writes it")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [name for name in archive.namelist() if name.endswith(".npy")][:MAX_ARRAYS]
        if not names and any(name.endswith(".depth") for name in archive.namelist()[:MAX_ARRAYS]):
            raise DioramaError(f"{path} is a Record3D recording, whose depth is packed as LZFSE; export it there as EXR and RGB.")
        if not names:
            raise DioramaError(f"{path} holds no array; save the depth map into it.")
        headers: dict[str, Header] = {}
        for name in names:
            if archive.getinfo(name).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise DioramaError(f"{path} is packed as NumPy never does; save it with numpy.savez_compressed.")
            with archive.open(name) as file:
                headers[name] = read_header(file)
        name = _choose_array(path, headers, shape)

        def read(member: str) -> np.ndarray:
            with archive.open(member) as file:
                return _read_array(path, file, read_header(file))

        found = _make_raw(read(name), headers[name], "NPZ", name.removesuffix(".npy").rsplit("/", 1)[-1])
        return _add_other_arrays(found, name, headers, archive, read)


def _make_raw(values: np.ndarray, header: Header, format: str, name: str) -> RawDepth:
    bits = 8 * header.dtype.itemsize if header.dtype.kind in "iu" else 0
    is_named = any(pattern.fullmatch(name.lower()) for pattern in DEPTH_ARRAYS)
    return RawDepth(values, format, bits, name, is_named)


def _choose_array(path: Path, headers: dict[str, Header], shape: tuple[int, int] | None) -> str:
    """Name of the array called depth or disparity, else of the only one whose shape may be depth."""
    short = {name: name.removesuffix(".npy").rsplit("/", 1)[-1].lower() for name in headers}
    pictures = [name for name in headers if headers[name].is_picture and not NO_DEPTH.fullmatch(short[name])]
    pictures = [name for name in pictures if max(headers[name].sides) > 4] or pictures  # a camera matrix is no picture
    for pattern in DEPTH_ARRAYS:
        named = [name for name in headers if pattern.fullmatch(short[name]) and not NO_DEPTH.fullmatch(short[name])]
        for name in named:
            if name in pictures:
                return name
        if named and not pictures:
            return named[0]  # its shape is reported as the error
    fitting = [name for name in pictures if shape is None or _fits(headers[name].sides, shape)]
    if len(fitting) == 1:
        return fitting[0]
    if len(headers) == 1:
        return next(iter(headers))
    listed = [f"{short[name]} {headers[name].shape}" for name in headers][:MAX_LISTED]
    raise DioramaError(
        f"{path} holds {len(headers)} arrays and none of them is surely the depth ({', '.join(listed)}); call the right one depth."
    )


def _fits(sides: list[int], shape: tuple[int, int]) -> bool:
    return abs(sides[1] / sides[0] * shape[0] / shape[1] - 1) <= MAX_ASPECT_ERROR + 1 / min(sides)


def _add_other_arrays(found: RawDepth, taken: str, headers: dict[str, Header], archive, read) -> RawDepth:
    """Adds focal length and valid mask, where other arrays of the file have such names."""
    from dataclasses import replace

    height, width = found.values.shape
    focal, unknown, unit = None, None, ""
    for member, header in headers.items():
        name = member.removesuffix(".npy").rsplit("/", 1)[-1].lower()
        count = math.prod(header.shape)
        if UNIT.fullmatch(name) and header.dtype.kind in "US" and count == 1 and header.dtype.itemsize <= 256:
            with archive.open(member) as file:
                read_header(file)
                unit = str(np.frombuffer(file.read(header.dtype.itemsize), header.dtype)[0].astype(str))[:32]
        if member == taken or header.dtype.kind not in "fiub" or count > MAX_PIXELS:
            continue
        if MASKS.fullmatch(name) and header.sides == [height, width]:
            with archive.open(member) as file:
                read_header(file)
                plain = file.read(count * header.dtype.itemsize)
            mask = np.frombuffer(plain, header.dtype).reshape((height, width), order="F" if header.columns_first else "C")
            unknown = mask == 0 if 0 < np.count_nonzero(mask) else None
        elif FOCAL.fullmatch(name) and 1 <= count <= 2 or MATRIX.fullmatch(name) and header.sides == [3, 3]:
            with archive.open(member) as file:
                read_header(file)
                plain = file.read(count * header.dtype.itemsize)
            numbers = np.frombuffer(plain, header.dtype).astype(float)
            said = float(numbers[0])
            if count == 9:
                centre = float(numbers[2] if not header.columns_first else numbers[6])
                whole = 2 * centre if centre > 0 else width  # the matrix may be of the photo's size, or of a width of 1 as MoGe's
                said *= width / whole if 0.25 < whole / width < 16 or 0.5 < whole < 2 else 1.0
            focal = said if math.isfinite(said) and 0.2 < said / max(width, height) < 60 else focal
    return replace(found, focal_px=focal, unknown=unknown, unit=unit)


def _read_array(path: Path, file, header: Header) -> np.ndarray:
    """(h, w) float32 of the bytes that follow `header`."""
    sides, dtype = header.sides, header.dtype
    if not header.is_picture:
        what = "objects" if dtype.hasobject else str(dtype)
        raise DioramaError(f"{path} holds an array of shape {header.shape}, {what}; a depth map is one of (height, width) numbers.")
    if math.prod(sides) > MAX_PIXELS:
        raise DioramaError(f"{path} has {sides[1]}x{sides[0]} pixels, more than {MAX_PIXELS // 10**6} million; scale it down first.")
    values, done = np.empty(math.prod(sides), np.float32), 0
    with np.errstate(over="ignore", invalid="ignore"):  # what is beyond float32 becomes infinite
        while done < len(values):  # piece by piece, as the file may hold doubles
            wanted = min(READ_SIZE, len(values) - done) * dtype.itemsize
            piece = file.read(wanted)
            if len(piece) < wanted:
                raise ValueError(f"{done * dtype.itemsize + len(piece)} of {len(values) * dtype.itemsize} bytes")
            values[done : done + READ_SIZE] = np.frombuffer(piece, dtype)
            done += READ_SIZE
    return values.reshape(sides, order="F" if header.columns_first else "C")


def read_header(file) -> Header:
    """Reads shape, order and dtype from an NPY header (NEP 1), whose declared length is checked first.

    NumPy would read as many bytes as declared, and advise the user to trust the file.
    """
    start = file.read(8)
    width = {b"\1\0": 2, b"\2\0": 4}.get(start[6:])
    if start[:6] != b"\x93NUMPY" or width is None:
        raise ValueError("an array of a kind that is not read")
    length = file.read(width)
    if int.from_bytes(length, "little") > MAX_HEADER:
        raise ValueError("a header of more than a depth map needs")
    header = io.BytesIO(length + file.read(int.from_bytes(length, "little")))
    read = np.lib.format.read_array_header_1_0 if width == 2 else np.lib.format.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Header(*read(header, max_header_size=MAX_HEADER))  # type: ignore[call-arg, unused-ignore]  # NumPy's stubs lack it
