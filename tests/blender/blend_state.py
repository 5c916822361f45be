"""All that a .blend holds, as plain values that can be compared."""

import pytest

bpy = pytest.importorskip("bpy", reason="needs Blender as a module: pip install bpy")

OF_THE_WINDOW = {"screens", "window_managers", "workspaces", "brushes", "texts", "libraries"}
FLEETING = {
    "rna_type",
    "session_uid",
    "users",
    "select",
    "is_evaluated",
    "original",
    "tag",
    "is_updated",
    "is_updated_data",
}
PLAIN = {"BOOLEAN", "INT", "FLOAT", "STRING", "ENUM"}


def counts() -> dict[str, int]:
    """How many datablocks there are of each kind."""
    return {kind: len(block) for kind, block in _kinds()}


def names() -> dict[str, list[str]]:
    return {kind: [each.name for each in block] for kind, block in _kinds()}


def everything(of: dict[str, list[str]] | None = None) -> dict[str, dict]:
    """Every plain property of every datablock (or only of those named in `of`), those of its own parts too."""
    return {
        f"{kind} {each.name}": _values(each, 0)
        for kind, block in _kinds()
        for each in block
        if of is None or each.name in of[kind]
    }


def differences(before: dict[str, dict], after: dict[str, dict]) -> list[str]:
    """What is not as it was, one line each."""
    lines = [f"{gone} is gone" for gone in before if gone not in after]
    for each, values in before.items():
        for name, value in values.items():
            now = after.get(each, {}).get(name, "missing")
            if each in after and now != value:
                lines.append(f"{each}: {name} was {value}, is {now}")
    return lines


def _kinds():
    for prop in bpy.data.bl_rna.properties:
        if prop.type == "COLLECTION" and prop.identifier not in OF_THE_WINDOW:
            yield prop.identifier, getattr(bpy.data, prop.identifier)


def _values(struct, depth: int) -> dict:
    values = {}
    for prop in struct.bl_rna.properties:
        name = prop.identifier
        if name in FLEETING:
            continue
        value = getattr(struct, name)
        if prop.type in PLAIN:
            values[name] = value if isinstance(value, (bool, int, float, str, set)) else _flat(value)
        elif (
            prop.type == "POINTER"
            and isinstance(value, bpy.types.ID)
            and value.library is None
            and not prop.is_readonly
        ):
            values[name] = value.name
        elif prop.type == "POINTER" and value is not None and not isinstance(value, bpy.types.ID) and depth < 3:
            values.update({f"{name}.{key}": v for key, v in _values(value, depth + 1).items()})
        elif prop.type == "COLLECTION":
            values[f"len({name})"] = len(value)
    return values


def _flat(value) -> tuple:
    return tuple(_flat(each) if hasattr(each, "__len__") and not isinstance(each, str) else each for each in value)
