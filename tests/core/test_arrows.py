"""The arrows of the house: ui -> operators -> core, never back; core knows no Blender and starts with NumPy alone."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAME = "photo_diorama"
RANK = {"core": 0, "operators": 1, "ui": 2}
CODE = [ROOT / "__init__.py", *(p for folder in RANK for p in sorted((ROOT / folder).rglob("*.py")))]
CORE = [p for p in CODE if p.is_relative_to(ROOT / "core")]
NETWORKS = ROOT / "core" / "networks"
LATE = {"torch", "torchvision", "timm", "cv2", "scipy", "PIL", "pillow_heif", "safetensors"}
MOST_LINES = 400


def imports(path: Path, top_level: bool = False):
    """Yields (line, module) of every import, or of those that run at import; relative ones by their full names."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    package = (NAME, *path.relative_to(ROOT).parts[:-1])
    inside = {n for f in ast.walk(tree) if isinstance(f, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
              for n in ast.walk(f)} if top_level else set()  # fmt: skip
    inside |= {n for f in ast.walk(tree) if isinstance(f, ast.If) and ast.unparse(f.test).endswith("TYPE_CHECKING")
               for n in ast.walk(f)} if top_level else set()  # fmt: skip
    for node in ast.walk(tree):
        if node in inside:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, node.module
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1]
            assert base, f"{path}:{node.lineno} reaches out of the package"
            for alias in node.names:
                yield node.lineno, ".".join([*base, *(node.module or alias.name).split(".")])


def broken(paths, wrong, top_level: bool = False) -> list[str]:
    """Where an import is `wrong`."""
    return [
        f"{path.relative_to(ROOT)}:{line} {module}"
        for path in paths
        for line, module in imports(path, top_level)
        if wrong(path, module)
    ]


def part_of(module: str) -> str:
    """core, operators, ui or nothing, for a full name within the package."""
    names = module.split(".")
    return names[1] if names[0] == NAME and len(names) > 1 and names[1] in RANK else ""


def test_the_code_is_found():
    assert len(CORE) > 20 and any(p.name == "emit.py" for p in CODE)


def test_no_part_imports_a_higher_one():
    def wrong(path, module):
        own = path.relative_to(ROOT).parts[0]
        return own in RANK and part_of(module) and RANK[part_of(module)] > RANK[own]

    assert not broken(CODE, wrong)


def test_nothing_imports_the_package_by_its_own_name():
    """Installed it is called bl_ext.<repository>.photo_diorama."""
    for path in CODE:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            for name in names:
                first = name.split(".")[0]
                assert first not in (NAME, "bl_ext", *RANK), f"{path}:{node.lineno} imports {name}"


def test_core_knows_no_blender():
    assert not broken(CORE, lambda path, module: module.split(".")[0] in ("bpy", "bmesh", "mathutils", "gpu", "bl_ext"))


def test_core_imports_numpy_and_the_standard_library_at_module_level():
    allowed = {"numpy", NAME, *sys.stdlib_module_names}
    files = [p for p in CORE if not p.is_relative_to(NETWORKS)]
    assert not broken(files, lambda path, module: module.split(".")[0] not in allowed, top_level=True)


def test_the_root_imports_no_blender_at_module_level():
    assert not broken(
        [ROOT / "__init__.py"], lambda path, module: module.split(".")[0] not in sys.stdlib_module_names, True
    )


def test_networks_are_imported_late():
    files = [p for p in CODE if not p.is_relative_to(NETWORKS)]
    assert not broken(files, lambda path, module: module.startswith(f"{NAME}.core.networks."), top_level=True)


@pytest.mark.parametrize("path", CODE, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_are_short_and_say_what_they_are_for(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MOST_LINES
    doc = ast.get_docstring(ast.parse(text))
    assert doc and doc.split("\n")[0].rstrip().endswith("."), "a file opens with one sentence"


START = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
import conftest
assert not {late} & (set(sys.modules) - before), "the root"
for name in sys.argv[2:]:
    importlib.import_module(name)
    found = ({late} | {{"bpy"}}) & (set(sys.modules) - before)
    assert not found, f"{{name}} imports {{sorted(found)}}"
"""


def test_importing_core_starts_nothing_heavy():
    names = [
        ".".join((NAME, *p.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        for p in CORE
        if not p.is_relative_to(NETWORKS)
    ]
    command = [sys.executable, "-c", START.format(late=LATE), str(ROOT / "tests"), *names]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-800:]
