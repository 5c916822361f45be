"""Which downloaded networks an inpainter needs, where their files are, and which device they run on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ..errors import DioramaError, Kind
from ..models.store import checked_path, installed, weights_named

NEEDED = {"published": ("shih2020_edge", "shih2020_depth", "shih2020_color"), "lama": ("lama",)}
"""Keys of the catalogue by inpainter; the others need none."""


@dataclass(frozen=True)
class Downloaded:
    """The models folder, and the device that networks run on."""

    folder: Path | None = None
    device: str = "cpu"

    def paths(self, inpainter: str) -> tuple[Path, ...]:
        """The checked files of this inpainter, in the order of `NEEDED`; raises DioramaError that names those missing."""
        wanted = [weights_named(key) for key in NEEDED.get(inpainter, ())]
        if not wanted:
            return ()
        if self.folder is None:
            raise DioramaError(f'The inpainter "{inpainter}" needs a models folder', Kind.MISSING_NETWORK,
                               window='choose one in the preferences, or the inpainter "diffusion"',
                               command_line='pass --models-dir or choose "diffusion"')  # fmt: skip
        here = installed(self.folder, wanted)
        missing = [weights for weights in wanted if weights not in here]
        unchecked = [weights for weights in missing if (Path(self.folder) / weights.file).is_file()]
        if missing and not unchecked:
            named = ", ".join(f"{weights.key} ({weights.file}, {weights.licence})" for weights in missing)
            raise DioramaError(
                f'The inpainter "{inpainter}" lacks {named} in {self.folder}', Kind.MISSING_NETWORK,
                window='download or import in the preferences, or choose "diffusion"',
                command_line=f"download (photo-diorama models download {missing[0].key}) or import "
                f'{"it" if len(missing) == 1 else "each of them"}, or choose "diffusion"',
            )  # fmt: skip
        return tuple(checked_path(weights, self.folder) for weights in wanted)  # which says what to do with an unchecked one

    def stamp(self, inpainter: str) -> tuple:
        """A value that changes when an inpainter's results may change: device, and place, size and time of each file."""
        files = [(path, path.stat()) for path in self.paths(inpainter)]
        return (self.device, *((str(path), at.st_size, at.st_mtime_ns) for path, at in files)) if files else ()


def checked_content(key: str, path: Path) -> bytes:
    """The whole file, hashed while it is read: a file that will run as a program must be the publisher's at this moment.

    Raises DioramaError where it cannot be read or its sha256 is not the catalogue's.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DioramaError(f"{path} cannot be read ({error.strerror or error}); import {key} again.") from None
    if hashlib.sha256(content).hexdigest() != weights_named(key).sha256:
        raise DioramaError(f"{path} is not the file that was checked: remove {key} and download or import it again.")
    return content
