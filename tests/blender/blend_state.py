"""All that a .blend holds, as plain values that can be compared; and a scene of somebody's own to compare."""

import pytest

bpy = pytest.importorskip("bpy", reason="needs Blender as a module: pip install bpy")

OF_THE_WINDOW = {"all_ids", "screens", "window_managers", "workspaces", "brushes", "texts", "libraries"}
FLEETING = {
    "rna_type",
    "session_uid",
    "use_nodes",
    "users",
    "select",
    "is_evaluated",
    "original",
    "tag",
    "is_updated",
    "is_updated_data",
}
MADE_ANEW = (" vertices", " edges", " loops", " polygons", "attributes", "loop_triangles", "corner", "images", "uv_")
"""What of meshes and images a rebuild makes anew."""
PLAIN = {"BOOLEAN", "INT", "FLOAT", "STRING", "ENUM"}


def counts() -> dict[str, int]:
    """How many datablocks there are of each kind."""
    return {kind: len(block) for kind, block in _kinds()}


def names() -> dict[str, list[str]]:
    return {kind: [each.name for each in block] for kind, block in _kinds()}


def everything(of: dict[str, list[str]] | None = None) -> dict[str, dict]:
    """Every plain property of every datablock (or only of those named in `of`), those of its own parts too."""
    return {f"{kind} {each.name}": _values(each, 0) for kind, block in _kinds() for each in block if of is None or each.name in of[kind]}


def differences(before: dict[str, dict], after: dict[str, dict]) -> list[str]:
    """What is not as it was, one line each."""
    lines = [f"{gone} is gone" for gone in before if gone not in after]
    for each, values in before.items():
        for name, value in values.items():
            now = after.get(each, {}).get(name, "missing")
            if each in after and now != value:
                lines.append(f"{each}: {name} was {value}, is {now}")
    return lines


def furnish(bpy):
    """A scene of somebody's own: his camera, cube, light, resolution, colours and frames."""
    scene = bpy.context.scene
    camera = bpy.data.objects.new("my camera", bpy.data.cameras.new("my camera"))
    cube = bpy.data.objects.new("my cube", bpy.data.meshes.new("my cube"))
    cube.data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    cube.data.materials.append(bpy.data.materials.new("my material"))
    light = bpy.data.objects.new("my light", bpy.data.lights.new("my light", "SUN"))
    for ob in (camera, cube, light):
        scene.collection.objects.link(ob)
    cube.location, cube.rotation_euler = (1, 2, 3), (0.1, 0.2, 0.3)
    cube.keyframe_insert("location", frame=5)
    scene.camera, scene.world = camera, bpy.data.worlds.new("my world")
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 1234, 567, 50
    scene.view_settings.view_transform, scene.view_settings.exposure = "AgX", 0.7
    scene.frame_start, scene.frame_end, scene.render.fps = 7, 77, 30
    scene.frame_set(20)


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
        elif prop.type == "POINTER" and isinstance(value, bpy.types.ID) and value.library is None and not prop.is_readonly:
            values[name] = value.name
        elif prop.type == "POINTER" and value is not None and not isinstance(value, bpy.types.ID) and depth < 3:
            values.update({f"{name}.{key}": v for key, v in _values(value, depth + 1).items()})
        elif prop.type == "COLLECTION":
            values[f"len({name})"] = len(value)
    return values


def _flat(value) -> tuple:
    return tuple(_flat(each) if hasattr(each, "__len__") and not isinstance(each, str) else each for each in value)
