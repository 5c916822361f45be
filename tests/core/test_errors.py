"""The two exceptions: what the user is told, and the user's own stop, which no handler of bad input may catch."""

import ast
import doctest
import errno
from pathlib import Path

import pytest

from photo_diorama.core import errors
from photo_diorama.core.errors import Cancelled, DioramaError, Kind, reading_a_file, to_user_error

ROOT = Path(__file__).resolve().parents[2]


def test_bad_input_is_a_value_error_and_cancelling_is_not():
    assert issubclass(DioramaError, ValueError)
    assert not issubclass(Cancelled, ValueError) and not issubclass(Cancelled, OSError)
    assert str(DioramaError("a.png is empty; export it again.")) == "a.png is empty; export it again."


def test_the_examples_are_true():
    assert doctest.testmod(errors).attempted and not doctest.testmod(errors).failed


def test_what_is_refused_while_a_file_is_read_is_that_files_fault_unless_it_is_something_elses():
    with pytest.raises(DioramaError) as bad, reading_a_file():
        raise DioramaError("a.png is empty.")
    with pytest.raises(DioramaError) as full, reading_a_file():
        raise DioramaError("The disk is full.", Kind.DISK)
    assert (bad.value.kind, full.value.kind) == (Kind.UNUSABLE_FILE, Kind.DISK)


@pytest.mark.parametrize(("error", "kind"), [
    (MemoryError(), Kind.MEMORY), (ModuleNotFoundError("no", name="scipy"), Kind.MISSING_PACKAGE),
    (OSError(errno.ENOSPC, "No space left", "/out/a.blend"), Kind.DISK), (DioramaError("x", Kind.DISK), Kind.DISK),
])  # fmt: skip
def test_what_python_raises_is_told_in_a_sentence(error, kind):
    told = to_user_error(error)
    assert told.kind is kind and (told is error or (str(told).endswith(".") and "--" not in told.in_window))


def test_our_own_faults_are_no_sentence():
    for error in (KeyError("x"), ModuleNotFoundError("no", name="photo_diorama.core.gone"), OSError(errno.EBADF, "bad"), ValueError("x")):
        assert to_user_error(error) is None


def sentences():
    """(place, words) of every DioramaError raised in core and operators, without what `command_line` says."""
    for path in sorted([*ROOT.glob("core/**/*.py"), *ROOT.glob("operators/**/*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("DioramaError"):
                said = [*node.args, *(k.value for k in node.keywords if k.arg != "command_line")]
                words = [n.value for part in said for n in ast.walk(part) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
                yield f"{path.relative_to(ROOT)}:{node.lineno}", " ".join(words)


def test_no_sentence_shows_flags_in_the_window():
    found = list(sentences())
    assert len(found) > 100
    assert not [
        place for place, words in found if " --" in f" {words}" and "pip install --target" not in words or "photo-diorama " in words
    ]


def test_nobody_looks_into_a_sentence_to_know_what_happened():
    """Code asks an error for its kind."""
    asks = ("str(error).startswith", "in str(error)")
    allowed = {
        "operators/output/check_complete.py",
        "operators/depth/pick_depth.py",
        "core/errors.py",
    }  # errors of Blender and libraries have no kind
    code = [p for room in ("core", "operators", "ui") for p in (ROOT / room).rglob("*.py")]
    assert not [p for p in code if p.relative_to(ROOT).as_posix() not in allowed and any(a in p.read_text(encoding="utf-8") for a in asks)]
