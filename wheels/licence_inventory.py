"""What lies inside the wheels: the compiled libraries of others, each with its licence, and the files with the licences' texts.

python wheels/licence_inventory.py WHEELS...   the libraries inside and their licences, as docs/third_party.md says
"""

from __future__ import annotations

import re
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

from read_lock import BuildError
from slim_wheel import ALWAYS

LIBRARY = re.compile(r"(\.libs|\.dylibs|/lib)/[^/]+\.(so|dylib)(\.|$)|\.dll$", re.IGNORECASE)
"""Files in a wheel that are libraries, and no modules of Python."""

BY_LICENCE = {
    "LGPL-2.1-or-later; on macOS, built with x264 and x265, GPL-3.0-or-later": "avcodec avformat avutil swresample swscale "
    "opencv_videoio_ffmpeg",
    "GPL-2.0-or-later": "x264 x265",
    "LGPL-3.0-or-later": "aribb24 de265 heif nettle hogweed gmp idn2 unistring",
    "LGPL-2.1-or-later": "bluray gnutls tasn1 intl ssh soxr mp3lame quadmath",
    "GPL-3.0-or-later WITH GCC-exception-3.1": "gfortran gcc_s gcc_s_seh stdc++ gomp",
    "OpenSSL AND SSLeay (1.1), Apache-2.0 (3)": "crypto ssl",
    "BSD-3-Clause": "openblas scipy_openblas vpx webp webpdemux webpmux sharpyuv snappy p11-kit jxl jxl_cms jxl_threads opus speex "
    "theoradec theoraenc vorbis vorbisenc ogg zstd shm torch torch_cpu torch_python torch_global_deps torchbind_test jitbackend_test "
    "aoti_custom_ops backend_with_compiler c10 caffe2 fbgemm",
    "BSD-2-Clause": "SvtAv1Enc aom dav1d rav1e avif openjp2 rist",
    "BSD-2-Clause-Patent": "vmaf",
    "MPL-2.0": "srt zmq",
    "MIT": "brotlicommon brotlidec brotlienc cjson fontconfig harfbuzz lcms2 X11 Xau Xdmcp xcb uv winpthread",
    "ISC": "sodium",
    "0BSD": "lzma",
    "Zlib": "z asmjit",
    "Apache-2.0": "mbedcrypto hwy opencore-amrnb opencore-amrwb",
    "FTL (FreeType)": "freetype",
    "libpng-2.0": "png16 png",
    "IJG AND BSD-3-Clause AND Zlib": "jpeg",
    "libtiff": "tiff",
    "LicenseRef-Microsoft, redistributable": "msvcp140 vcruntime140 concrt140",
    "Apache-2.0 WITH LLVM-exception": "iomp5md iompstubs5md omp",
}
LICENCES = {name.lower(): licence for licence, names in BY_LICENCE.items() for name in names.split()}
"""Licence of a library by its name without `lib` and version, in lower case."""


def libraries(wheel: Path) -> dict[str, str]:
    """Libraries in a wheel and their licences, by name.

    Raises BuildError for one whose licence nobody named yet, and for a wheel without a file that holds its licence.
    """
    with zipfile.ZipFile(wheel) as read:
        names = read.namelist()
    if not licence_files(wheel):
        raise BuildError(f"{wheel.name} has no file with its licence; ask its makers for one, or leave the package out.")
    found = {}
    for file in (name.rsplit("/", 1)[-1] for name in names if LIBRARY.search(name)):
        name = name_of(file)
        if name is None:
            raise BuildError(
                f"{wheel.name} brings {file}, whose licence nobody named; find it out and add it in wheels/licence_inventory.py."
            )
        found[name] = LICENCES[name]
    return dict(sorted(found.items()))


def name_of(file: str) -> str | None:
    """The library of a file, None if it is not known.

    >>> name_of("libavcodec-76c43bf0.so.59.37.100"), name_of("libz.1.3.1.zlib-ng.dylib"), name_of("odd.dll")
    ('avcodec', 'z', None)
    """
    plain = file.lower().removeprefix("lib")
    known = [name for name in LICENCES if plain.startswith(name) and not re.match(r"[a-z_]", plain[len(name) :])]
    return max(known, key=len, default=None)


def licence_files(wheel: Path) -> list[str]:
    """The files of a wheel that hold licences."""
    with zipfile.ZipFile(wheel) as read:
        return [n for n in read.namelist() if n.rsplit("/", 1)[-1].lower().startswith((*ALWAYS, "third"))]


def table(wheels: Iterable[Path]) -> str:
    """Rows of Markdown: a package, the libraries inside its wheels by licence, and how many files hold licences."""
    inside: dict[str, dict[str, str]] = {}
    texts: dict[str, int] = {}
    for wheel in wheels:
        package = wheel.name.split("-")[0]
        inside.setdefault(package, {}).update(libraries(wheel))
        texts[package] = max(texts.get(package, 0), len(licence_files(wheel)))
    rows = []
    for package, found in sorted(inside.items()):
        by_licence: dict[str, list[str]] = {}
        for name, licence in sorted(found.items()):
            by_licence.setdefault(licence, []).append(name)
        licences = "; ".join(f"{', '.join(names)}: {licence}" for licence, names in by_licence.items())
        rows.append(f"| {package} | {licences or 'none'} | {texts[package]} |")
    return "\n".join(rows)


if __name__ == "__main__":
    try:
        print(table(map(Path, sys.argv[1:])))
    except BuildError as error:
        sys.exit(f"error: {error}")
