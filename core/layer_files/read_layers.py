"""Reads a file of layers, whatever its format, which its content tells."""

from __future__ import annotations

import io
from pathlib import Path

from ..errors import DioramaError, reading_a_file
from ..raster.decode import read_file
from ..raster.exr_header import MAGIC
from .exr_layers import read_layered_exr
from .layer_file import LayerFile
from .open_raster import read_open_raster
from .png_folder import INDEX, read_folder, single_picture
from .psd_read import read_psd

READ = "a folder of PNGs, PSD, OpenRaster (.ora) or OpenEXR"


def read_layer_file(path: Path) -> LayerFile:
    """The layers of a folder of PNGs, of its layers.json, of a file of layers, or of one picture.

    Raises DioramaError for what cannot be read, is damaged or claims more than it may; memory and time are bounded.
    """
    with reading_a_file():
        if path.is_dir():
            return read_folder(path)
        if path.name == INDEX:
            return read_folder(path.parent)
        data = read_file(path, "file of layers")
        if data.startswith(b"8BPS"):
            return read_psd(data, str(path))
        if data.startswith(b"PK"):
            return read_open_raster(io.BytesIO(data), str(path))
        if data.startswith(MAGIC):
            return read_layered_exr(data, str(path))
        if data.startswith((b"\x89PNG", b"RIFF")):
            return single_picture(path)
        raise DioramaError(f"{path} is no file of layers; use {READ}.")
