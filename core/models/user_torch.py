"""The user's own PyTorch, such as a CUDA build in a folder of site-packages: checked, preferred, conflicts reported."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

from ..errors import DioramaError

FROM_THE_FOLDER = (
    "torch",
    "torchgen",
    "functorch",
    "torchvision",
    "triton",
    "nvidia",
    "cuda",
    "intel_extension_for_pytorch",
)
"""Taken from the folder even where another copy is installed: they are built for each other."""
BESIDE = (
    "typing_extensions", "sympy", "mpmath", "networkx", "filelock", "jinja2", "markupsafe", "fsspec", "tqdm",
    "timm", "safetensors",
)  # fmt: skip
"""Taken from it only where they are not installed elsewhere. NumPy never is: Blender brings it, and two in one process do not mix."""
MIN_TORCH = (2, 0)
"""The first torch with the attention that the transformer networks call."""
MAX_BYTES = 65536


@dataclass(frozen=True)
class TorchBuild:
    """What a folder's torch says of itself; `gpu` is "CUDA 13.0", "ROCm 6.2" or "" for a CPU build."""

    folder: Path
    version: str
    gpu: str


class _Preferred:
    """An import finder before all others: only torch and its companion packages come from the folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def find_spec(self, name: str, path=None, target=None):
        if path is None and name in FROM_THE_FOLDER:
            return PathFinder.find_spec(name, [str(self.folder)])
        return None

    def invalidate_caches(self) -> None:
        """Asked for by importlib of every finder."""


class _Last(_Preferred):
    """An import finder after all others: what torch needs and no other place provides."""

    def find_spec(self, name: str, path=None, target=None):
        if path is None and name in BESIDE:
            return PathFinder.find_spec(name, [str(self.folder)])
        return None


def read_build(folder: Path) -> TorchBuild:
    """Which torch lies in a folder of site-packages, without importing it.

    Raises DioramaError where there is none, or one for another Python or another operating system.
    """
    version = folder / "torch" / "version.py"
    try:
        with open(version, encoding="utf-8", errors="replace") as file:
            text = file.read(MAX_BYTES)
        compiled = sorted(path.name for path in (folder / "torch").glob("_C.*"))
    except OSError:
        raise DioramaError(
            f"{folder} has no torch in it; choose the site-packages folder into which `pip install --target` put one."
        ) from None
    found = _said(text, "__version__")
    if not found or _number(found) < MIN_TORCH:
        raise DioramaError(
            f"The torch {found or 'of unknown version'} in {folder} is too old; install {'.'.join(map(str, MIN_TORCH))} or newer there."
        )
    if not any(_fits(name) for name in compiled):
        made_for = ", ".join(name.removeprefix("_C.").rpartition(".")[0] for name in compiled) or "no Python"
        raise DioramaError(
            f"The torch in {folder} is built for {made_for}, but this Blender runs Python {sys.version_info[0]}."
            f"{sys.version_info[1]} on {sys.platform}; install it with that Python."
        )
    cuda, hip = _said(text, "cuda"), _said(text, "hip")
    return TorchBuild(folder, found, f"CUDA {cuda}" if cuda else f"ROCm {hip}" if hip else "")


def prefer(folder: Path | None) -> None:
    """From now on torch is imported from this folder, from the usual places when None; imports nothing itself.

    A torch that is loaded already stays: see `conflict`.
    """
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ not in ("_Preferred", "_Last")]
    if folder is not None:
        sys.meta_path.insert(0, _Preferred(folder))
        sys.meta_path.append(_Last(folder))


def preferred() -> Path | None:
    """The folder that `prefer` was given last."""
    return next((getattr(finder, "folder", None) for finder in sys.meta_path if type(finder).__name__ == "_Preferred"), None)


def conflict() -> str | None:
    """One sentence about another add-on's torch or NumPy that is loaded in this process; None where there is none."""
    torch, folder = sys.modules.get("torch"), preferred()
    numpy = sys.modules.get("numpy")
    if torch is not None and getattr(torch, "__file__", None):
        place = Path(str(torch.__file__)).resolve().parent.parent
        version = str(getattr(torch, "__version__", "unknown"))
        if folder is not None and place != folder.resolve():
            return (
                f"torch {version} from {place} is loaded already, not the one in {folder}; restart Blender, and if it "
                "stays so, disable the add-on that loads it first."
            )
        if _number(version) < MIN_TORCH:
            return (
                f"torch {version} from {place}, which another add-on has loaded, is too old for the networks here; "
                "disable that add-on and restart Blender."
            )
        if numpy is not None and not _share_arrays(torch, numpy):
            return (
                f"torch {version} from {place} was built for another NumPy than the {numpy.__version__} loaded from "
                f"{Path(str(numpy.__file__)).parent.parent}; disable the add-on that brings the one or the other and restart Blender."
            )
    return None


def check() -> None:
    """Raises DioramaError where the torch to be used is not the right one, or something else is in its way."""
    folder = preferred()
    if folder is not None and "torch" not in sys.modules:
        read_build(folder)
    problem = conflict()
    if problem:
        raise DioramaError(problem)


def _share_arrays(torch, numpy) -> bool:
    """Whether torch can exchange arrays with the loaded NumPy, by trying it."""
    try:
        return torch.from_numpy(numpy.ones(2, numpy.float32)).numpy()[1] == 1
    except (RuntimeError, TypeError):
        return False
    except AttributeError:  # half imported, as while another thread does
        return True


def _said(text: str, name: str) -> str:
    found = re.search(rf"^{name}\s*(?::[^=\n]*)?=\s*['\"]([^'\"\n]{{1,40}})['\"]", text, re.MULTILINE)
    return found[1] if found else ""


def _number(version: str) -> tuple[int, ...]:
    found = re.match(r"(\d{1,4})\.(\d{1,4})", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _fits(name: str) -> bool:
    """Whether torch's compiled part is for this Python and system."""
    from importlib.machinery import EXTENSION_SUFFIXES

    return name.removeprefix("_C") in EXTENSION_SUFFIXES
