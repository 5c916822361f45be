"""Whether Windows libraries run on the C++ runtime that a Blender has loaded before them.

A process has one msvcp140.dll, that of whoever came first: Blender. What was linked by Visual Studio 2022 17.10 or newer (14.40)
against a runtime of before fails to load or crashes in its first mutex, whose constructor moved into the library's user
(Microsoft, STL pull request 3824).
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from read_lock import BuildError, Target

LIBRARY, CHANGED = "msvcp140.dll", (14, 40)


def check_runtime(target: Target, wheels: list[Path]) -> None:
    """Raises BuildError naming the first library that needs a newer C++ runtime than the target's Blenders bring."""
    if not target.runtime or version(target.runtime) >= CHANGED:
        return
    for wheel in wheels:
        for name, linker in too_new(wheel):
            raise BuildError(
                f"{name} in {wheel.name} was linked by {linker[0]}.{linker[1]} and uses {LIBRARY}, of which the Blenders of "
                f"{target.name} bring {target.runtime}; lock an older version for that target."
            )


def too_new(wheel: Path):
    """Yields (name, linker version) of the libraries in a wheel that want the runtime after the change from whoever loaded it."""
    with zipfile.ZipFile(wheel) as packed:
        for name in packed.namelist():
            if name.lower().endswith((".dll", ".pyd")):
                linker, imported = facts_of(packed.read(name))
                if LIBRARY in imported and linker >= CHANGED:
                    yield name, linker


def facts_of(data: bytes) -> tuple[tuple[int, int], set[str]]:
    """The linker's version and the names, in small letters, of the libraries that a Windows library imports at its start."""
    import pefile

    with pefile.PE(data=data, fast_load=True) as image:
        image.parse_data_directories([pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_IMPORT"]], import_dllnames_only=True)
        header = image.OPTIONAL_HEADER
        imported = {entry.dll.decode().lower() for entry in getattr(image, "DIRECTORY_ENTRY_IMPORT", ())}
        return (header.MajorLinkerVersion, header.MinorLinkerVersion), imported


def version(text: str) -> tuple[int, int]:
    return tuple(int(part) for part in text.split(".")[:2])
