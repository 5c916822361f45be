"""A torch of the user's own: read without importing it, preferred over all others, its conflicts told in a sentence."""

import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from photo_diorama.core.errors import DioramaError
from photo_diorama.core.models import user_torch

ROOT = Path(__file__).resolve().parents[3]
CUDA = "from typing import Optional\n__version__ = '{}'\ncuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n"
CPU = "__version__ = '{}'\ncuda: Optional[str] = None\nhip: Optional[str] = None\n"


def fake_torch(folder: Path, version: str = "2.13.0", text: str = CUDA, suffix: str = EXTENSION_SUFFIXES[0]) -> Path:
    """A site-packages folder with what is read of a torch, and a NumPy and a sympy that tell where they are from."""
    torch = folder / "torch"
    torch.mkdir(parents=True)
    (torch / "version.py").write_text(text.format(version))
    (torch / f"_C{suffix}").write_bytes(b"")
    (torch / "__init__.py").write_text(f"__version__ = {version!r}\ndef from_numpy(array): raise RuntimeError('no')\n")
    for name in ("numpy", "sympy", "stranger"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("where = 'the folder'\n")
    return folder


def said_by(script: str) -> str:
    """What a fresh Python says, in which the package is importable and torch is not loaded."""
    start = f"import sys; sys.path.insert(0, {str(ROOT / 'tests')!r}); import conftest\n"
    done = subprocess.run([sys.executable, "-c", start + script], capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("version", "text", "gpu"),
    [
        ("2.13.0+cu130", CUDA, "CUDA 13.0"),
        ("2.4.1", CPU, ""),
        ("2.6.0", CPU.replace("hip: Optional[str] = None", "hip = '6.2'"), "ROCm 6.2"),
    ],
)
def test_what_a_build_says_of_itself(tmp_path, version, text, gpu):
    build = user_torch.read_build(fake_torch(tmp_path, version, text))
    assert (build.version, build.gpu, build.folder) == (version, gpu, tmp_path)


def test_the_real_torch_is_read_as_it_says_itself():
    torch = pytest.importorskip("torch")
    build = user_torch.read_build(Path(torch.__file__).parents[1])
    assert build.version == torch.__version__ and bool(build.gpu) == bool(torch.version.cuda or torch.version.hip)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (dict(version="1.13.1"), "too old"),
        (dict(text="nothing of the kind"), "unknown version"),
        (dict(suffix=".cpython-27-sparc-solaris.so"), "built for cpython-27-sparc-solaris"),
    ],
)
def test_a_build_that_cannot_run_here(tmp_path, wrong, what):
    with pytest.raises(DioramaError, match=what) as told:
        user_torch.read_build(fake_torch(tmp_path, **wrong))
    assert str(tmp_path) in str(told.value) and str(told.value).count(". ") == 0


def test_a_folder_without_torch(tmp_path):
    with pytest.raises(DioramaError, match="has no torch in it"):
        user_torch.read_build(tmp_path / "not there")


def test_torch_comes_from_the_folder_numpy_and_strangers_never(tmp_path):
    fake_torch(tmp_path)
    said = said_by(f"""
from pathlib import Path
from photo_diorama.core.models import user_torch
user_torch.prefer(Path({str(tmp_path)!r}))
import torch, numpy
print(torch.__file__.startswith({str(tmp_path)!r}), hasattr(numpy, "where") and numpy.where != "the folder")
try:
    import stranger
except ImportError:
    print("no stranger")
user_torch.prefer(None)
print(user_torch.preferred(), len([f for f in sys.meta_path if "photo_diorama" in type(f).__module__]))
""")
    assert said.split() == ["True", "True", "no", "stranger", "None", "0"]


def test_sympy_comes_from_the_folder_only_where_there_is_none(tmp_path):
    fake_torch(tmp_path / "own")
    other = tmp_path / "other" / "sympy"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("where = 'elsewhere'\n")
    script = f"""
from pathlib import Path
from photo_diorama.core.models import user_torch
user_torch.prefer(Path({str(tmp_path / "own")!r}))
sys.path = [p for p in sys.path if "site-packages" not in p] + ELSE
import sympy
print(sympy.where)
"""
    assert said_by(script.replace("ELSE", "[]")) == "the folder\n"
    assert said_by(script.replace("ELSE", repr([str(other.parent)]))) == "elsewhere\n"


def test_another_torch_that_is_loaded_already_is_told(tmp_path):
    """As another add-on does that loads its own first; the networks then refuse in one sentence instead of mixing both."""
    fake_torch(tmp_path / "mine")
    fake_torch(tmp_path / "theirs", "2.9.0")
    said = said_by(f"""
from pathlib import Path
from photo_diorama.core.models import user_torch
from photo_diorama.core.errors import DioramaError
sys.path.insert(0, {str(tmp_path / "theirs")!r})
import torch
sys.path.pop(0)
user_torch.prefer(Path({str(tmp_path / "mine")!r}))
try:
    import photo_diorama.core.networks
except DioramaError as error:
    print(error)
""")
    assert said.startswith(f"torch 2.9.0 from {tmp_path / 'theirs'} is loaded already, not the one in {tmp_path / 'mine'}")
    assert said.count("\n") == 1


def test_a_torch_for_another_numpy_is_told(tmp_path):
    """The fake one cannot speak with NumPy, as a real one built for NumPy 1 cannot with NumPy 2."""
    fake_torch(tmp_path)
    said = said_by(f"""
from pathlib import Path
import numpy
from photo_diorama.core.models import user_torch
user_torch.prefer(Path({str(tmp_path)!r}))
import torch
print(user_torch.conflict())
""")
    assert "built for another NumPy than the" in said and said.count("\n") == 1


def test_a_torch_whose_own_libraries_are_missing_is_an_import_error(tmp_path):
    """find_depth turns ImportError into its sentence; an OSError would reach the user as a traceback."""
    fake_torch(tmp_path)
    (tmp_path / "torch" / "__init__.py").write_text("raise OSError('libcudart.so.13: cannot open\\nmore')\n")
    said = said_by(f"""
from pathlib import Path
from photo_diorama.core.models import user_torch
user_torch.prefer(Path({str(tmp_path)!r}))
try:
    import photo_diorama.core.networks
except ImportError as error:
    print(error)
""")
    assert said == "libcudart.so.13: cannot open\n"


def test_no_conflict_with_what_is_installed():
    pytest.importorskip("torch")
    assert said_by("from photo_diorama.core.models import user_torch\nimport torch, numpy\nprint(user_torch.conflict())") == "None\n"
