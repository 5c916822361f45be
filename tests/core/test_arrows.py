"""The arrows of the house: ui -> operators -> core, never back; rooms in one order; core knows no Blender and starts with NumPy
alone."""

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAME = "photo_diorama"
RANK = {"core": 0, "operators": 1, "ui": 2}
CODE = [ROOT / "__init__.py", *(p for folder in RANK for p in sorted((ROOT / folder).rglob("*.py")))]
CORE = [p for p in CODE if p.is_relative_to(ROOT / "core")]
NETWORKS = ROOT / "core" / "networks"
LATE = {"torch", "torchvision", "timm", "cv2", "scipy", "PIL", "pillow_heif", "OpenEXR", "safetensors"}
MAX_LINES, MAX_FILES = 400, 12
ORDER = """
core: errors fault_report | camera | models job | settings shown_options | threads | raster | built_in memory photo scene viewer |
      layer_files networks | networks/depth networks/inpaint silhouettes depth_file | depth |
      layers batch depth_thumbnail | hidden_depth mesh | inpaint layer_edits | pipeline |
      edit_and_rebuild layer_pictures | split_and_rebuild layer_changes
operators: nodes | scene | on_diorama | repaint | light | staging | building | depth camera | layers | output
ui: cli drop menus panels | blender_command preferences
"""
"""Rooms, and files that lie beside rooms, from the ground up: each imports from those before a bar that it comes after, from no
other. `docs/architecture.md` says what each is for."""


@cache
def imports(path: Path, top_level: bool = False) -> list[tuple[int, str]]:
    """(line, module) of every import, or of those that run at import; relative ones by their full names."""
    return list(_imports(path, top_level))


def _imports(path: Path, top_level: bool):
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
            module = [*base, *(node.module.split(".") if node.module else [])]
            for alias in node.names:
                file = ROOT.joinpath(*module[1:], f"{alias.name}.py")
                yield node.lineno, ".".join([*module, alias.name] if file.exists() else module)


def broken(paths, wrong, top_level: bool = False) -> list[str]:
    """Where an import is `wrong`."""
    return [
        f"{path.relative_to(ROOT)}:{line} {module}" for path in paths for line, module in imports(path, top_level) if wrong(path, module)
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


def rooms_in_order() -> dict[str, int]:
    """Each room by its path, and its height."""
    heights = {}
    for storey in re.split(r"\n(?=\w)", ORDER.strip()):
        name, _, rest = storey.partition(":")
        heights |= {f"{name}/{room}": at for at, rooms in enumerate(rest.split("|")) for room in rooms.split()}
    return heights


def room_of(path: Path) -> str:
    """The room that a file lies in; the file's own name where it lies beside rooms."""
    relative = path.relative_to(ROOT)
    return relative.parent.as_posix() if len(relative.parts) > 2 else relative.with_suffix("").as_posix()


def test_the_drawn_house_stands_in_this_order():
    """The tree in the documents, read from its top down, never comes to a higher room, and shows every room."""
    drawn, storey = [], ""
    for line in (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").splitlines():
        storey = found.group(1) if (found := re.match(r"(core|operators|ui)/  ", line)) else storey if line else ""
        if storey and (found := re.match(r"[├└]── ([\w/]+(?:, \w+)*)", line)):
            drawn += [f"{storey}/{name.strip('/')}" for name in found.group(1).split(", ")]
    heights = {room: height for room, height in rooms_in_order().items() if room.count("/") == 1}
    assert set(drawn) == set(heights) and len(drawn) == len(heights)
    for one, next_one in zip(drawn, drawn[1:], strict=False):
        assert one.split("/")[0] != next_one.split("/")[0] or heights[one] >= heights[next_one], (one, next_one)


def test_rooms_import_in_one_order():
    heights = rooms_in_order()
    files = [p for p in CODE if len(p.relative_to(ROOT).parts) > 1 and p != ROOT / p.relative_to(ROOT).parts[0] / "__init__.py"]
    assert {room_of(p) for p in files} == set(heights), "every room has its place in the order, and no other is there"

    def wrong(path, module):
        names = module.split(".")
        if names[0] != NAME or len(names) < 3 or part_of(module) != path.relative_to(ROOT).parts[0]:
            return False
        their = max((room for room in heights if "/".join(names[1:]).startswith(room)), key=len)
        own = room_of(path)
        return their != own and heights[their] >= heights[own]

    assert not broken(files, wrong)


def test_files_import_each_other_in_no_circle():
    """Late imports count too: what depends on each other is one thing and belongs into one file."""
    names = {".".join((NAME, *p.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): p for p in CODE}
    left = {p: {names[m] for _, m in imports(p) if m in names and names[m] != p} for p in CODE}
    while any(not needs & left.keys() for needs in left.values()):
        left = {p: needs for p, needs in left.items() if needs & left.keys()}
    assert not left, f"among these is a circle: {sorted(str(p.relative_to(ROOT)) for p in left)}"


@pytest.mark.parametrize("room", sorted({p.parent for p in CODE}), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_rooms_are_small(room):
    files = [p.name for p in room.glob("*.py") if p.name != "__init__.py"]
    assert len(files) <= MAX_FILES, f"{len(files)} files; split the room"


def test_the_package_lists_every_room():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    assert listed == sorted(".".join((NAME, *p.parent.relative_to(ROOT).parts)) for p in CODE if p.name == "__init__.py")


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
    assert not broken([ROOT / "__init__.py"], lambda path, module: module.split(".")[0] not in sys.stdlib_module_names, True)


def test_networks_are_imported_late():
    files = [p for p in CODE if not p.is_relative_to(NETWORKS)]
    assert not broken(files, lambda path, module: module.startswith(f"{NAME}.core.networks."), top_level=True)


@pytest.mark.parametrize("path", CODE, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_are_short_and_say_what_they_are_for(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MAX_LINES
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


def test_only_the_command_line_knows_its_parser():
    """Below it a Request is handed on, and nobody looks into argparse's own attributes."""
    for path in CODE:
        text = path.read_text(encoding="utf-8")
        assert "argparse" not in text or path.is_relative_to(ROOT / "ui"), f"{path} knows argparse"
        assert "._actions" not in text, f"{path} looks into a parser"


def names_in(module: Path) -> set[str]:
    """What a file defines or imports at its top, also under conditions."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return found


def test_scripts_import_what_there_is():
    """Benchmarks and training import late, where no other test looks: a name that has moved would show in use only."""
    missing = []
    for path in [p for folder in ("benchmarks", "training", "wheels") for p in (ROOT / folder).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith(f"{NAME}."):
                continue
            place = ROOT.joinpath(*node.module.split(".")[1:])
            module = place.with_suffix(".py") if place.with_suffix(".py").is_file() else place / "__init__.py"
            known = (names_in(module) if module.is_file() else set()) | {p.stem for p in place.glob("*") if place.is_dir()}
            lacking = sorted({alias.name for alias in node.names} - known)
            missing += [f"{path.relative_to(ROOT)}:{node.lineno} {node.module} {name}" for name in lacking]
    assert not missing
