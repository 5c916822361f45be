"""The measures of the house: functions that fit a screen, few parameters. Files and rooms: test_arrows.py."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("core", "operators", "ui", "training", "benchmarks", "wheels")
FILES = [ROOT / "__init__.py", *(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))]
MAX_LINES, MAX_PARAMETERS = 60, 7
LONG: dict[str, str] = {}
"""Functions longer than a screen, by file and name, each with its reason."""
MANY_PARAMETERS = {
    "core/mesh/normals.py vertex_normals": "three fields of a mesh's pieces in an inner loop, read where they lie",
    "core/mesh/triangulate.py _mesh": "puts together what one call above it has found",
    "benchmarks/demo_scene/foliage.py leaves_along": "measures of how a plant of the demo grows",
    "benchmarks/demo_scene/foliage.py crown": "measures of how a plant of the demo grows",
    "benchmarks/demo_scene/foliage.py climber": "measures of how a plant of the demo grows",
}
"""Functions with more parameters, each with its reason."""


def functions(path: Path):
    """Yields name, number of lines and number of parameters, besides self and cls, of every function in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            name = f"{path.relative_to(ROOT).as_posix()} {node.name}"
            yield name, node.end_lineno - node.lineno + 1, sum(each.arg not in ("self", "cls") for each in given)


ALL = [each for path in FILES for each in functions(path)]


def test_functions_are_found():
    assert len(ALL) > 1500 and {"core/pipeline.py build_diorama", "operators/scene/emit.py emit"} <= {name for name, _, _ in ALL}


@pytest.mark.parametrize(
    ("measure", "most", "excepted"), [(1, MAX_LINES, LONG), (2, MAX_PARAMETERS, MANY_PARAMETERS)], ids=["lines", "parameters"]
)
def test_functions_are_small(measure, most, excepted):
    """An exception that is none any more is taken off the list."""
    assert {each[0]: each[measure] for each in ALL if each[measure] > most}.keys() == excepted.keys()
