"""The node group that moves the points of a diorama along their camera rays, one frame for each step of core/scene/relief.py."""

from __future__ import annotations

import bpy

from ...core.scene.relief import FARTHEST, KNEE, MIN_RANGE, ORDER

GROUP_NAME, GROUP_KEY, GROUP_VERSION = "Photo Diorama Relief", "photo_diorama_relief_group", 1
RAY, DISPARITY, NORMAL = "ray", "disparity", "custom_normal"
"""Point attributes of every surface: the camera ray at unit depth (x/z, 1, up/z), 1/depth in 1/m; and where it has them its own
normals, under Blender's name for those."""

SLIDERS = {
    "Relief": (1.0, 0.0, 3.0, "FACTOR", "How deep the diorama is: 1 as measured, 0 a flat card at the focus distance"),
    "Near Distance": (1.0, 0.0001, 1e6, "DISTANCE", "Where the nearest surface of the photo stands"),
    "Far Distance": (100.0, 0.0001, 1e9, "DISTANCE", "Where the farthest surface of the photo stands"),
    "Focus Distance": (2.0, 0.0001, 1e9, "DISTANCE", "Measured distance of the surfaces that stay where they are"),
    "Flatten Beyond": (0.0, 0.0, 1e9, "DISTANCE", "Measured distance beyond which all becomes one card; 0 is off"),
    "Measured Near": (1.0, 0.0001, 1e6, "DISTANCE", "Distance of the nearest surface as the depth map has it"),
    "Measured Far": (100.0, 0.0001, 1e9, "DISTANCE", "Distance of the farthest surface as the depth map has it"),
}
"""Inputs of the group by name: default, least, most, kind, help."""


def relief_group() -> bpy.types.NodeTree:
    """The one group that all dioramas of a file share; made where this file has none of this version."""
    for group in bpy.data.node_groups:
        if group.get(GROUP_KEY) == GROUP_VERSION and group.library is None:
            return group
    group = bpy.data.node_groups.new(GROUP_NAME, "GeometryNodeTree")
    group[GROUP_KEY] = GROUP_VERSION
    group.is_modifier = True
    _make_interface(group)
    _make_nodes(group)
    return group


def input_keys(group: bpy.types.NodeTree) -> dict[str, str]:
    """Name of a slider -> the key under which a modifier keeps its value."""
    return {
        item.name: item.identifier
        for item in group.interface.items_tree
        if item.item_type == "SOCKET" and item.in_out == "INPUT" and item.name in SLIDERS
    }


def input_path(modifier: bpy.types.Modifier, name: str) -> str:
    """The data path of a modifier's slider from its object, for drivers."""
    key, place = input_keys(modifier.node_group)[name], f'modifiers["{bpy.utils.escape_identifier(modifier.name)}"]'
    return f"{place}.properties.inputs.{key}.value" if hasattr(modifier, "properties") else f'{place}["{key}"]'


def read_input(modifier: bpy.types.Modifier, name: str) -> float:
    """The value of a modifier's slider."""
    key = input_keys(modifier.node_group)[name]
    # Blender 5.2 gave modifiers' inputs a place of their own; before they were custom properties
    return float(getattr(modifier.properties.inputs, key).value if hasattr(modifier, "properties") else modifier[key])


def write_input(modifier: bpy.types.Modifier, name: str, value: float) -> None:
    """Sets a modifier's slider; the object has to be tagged afterwards."""
    key = input_keys(modifier.node_group)[name]
    if hasattr(modifier, "properties"):
        getattr(modifier.properties.inputs, key).value = value
    else:
        modifier[key] = value


def _make_interface(group: bpy.types.NodeTree) -> None:
    sockets = group.interface
    sockets.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    sockets.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    measured = None
    for name, (default, least, most, kind, help) in SLIDERS.items():
        if name.startswith("Measured") and measured is None:
            measured = sockets.new_panel("As Measured", default_closed=True)
        each = sockets.new_socket(name, in_out="INPUT", socket_type="NodeSocketFloat", parent=measured)
        each.subtype, each.default_value, each.min_value, each.max_value = kind, default, least, most
        each.description = help


class _Steps:
    """Adds nodes from left to right, two above each other, each step in a frame below the one before."""

    WIDTH, HEIGHT, STEP = 190, 190, 520

    def __init__(self, tree: bpy.types.NodeTree):
        self.tree, self.frame, self.given, self.number, self.placed = tree, None, None, -1, 0

    def open(self, label: str) -> bpy.types.bpy_prop_collection:
        """The next nodes are one step, in a frame of this name; returns the sliders for it."""
        self.frame = self.tree.nodes.new("NodeFrame")
        self.frame.label, self.frame.label_size = label, 24
        self.number, self.placed = self.number + 1, 0
        self.given = self.node("NodeGroupInput")
        self.placed = 2  # it is tall
        return self.given.outputs

    def node(self, kind: str, label: str = "", **settings) -> bpy.types.Node:
        node = self.tree.nodes.new(kind)
        node.label, node.parent = label, self.frame
        column, row = divmod(self.placed, 2)
        node.location = (self.WIDTH * column, -self.STEP * self.number - self.HEIGHT * row)
        for name, value in settings.items():
            setattr(node, name, value)
        self.placed += 1
        return node

    def tidy(self) -> None:
        """Hides the unused sockets of the input nodes: beside each step only the sliders that it uses are shown."""
        for node in [node for node in self.tree.nodes if node.type == "GROUP_INPUT"]:
            if not any(socket.is_linked for socket in node.outputs):
                self.tree.nodes.remove(node)
                continue
            for socket in node.outputs:
                socket.hide = not socket.is_linked

    def give(self, socket: bpy.types.NodeSocket, value) -> None:
        """Links a socket to an output, or sets it to a number."""
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        else:
            socket.default_value = value

    def math(self, label: str, operation: str, *values) -> bpy.types.NodeSocket:
        """One calculation with numbers; dividing by 0 gives 0 in Blender."""
        node = self.node("ShaderNodeMath", label, operation=operation)
        for socket, value in zip(node.inputs, values, strict=False):
            self.give(socket, value)
        return node.outputs[0]

    def scaled(self, label: str, vector, scale) -> bpy.types.NodeSocket:
        node = self.node("ShaderNodeVectorMath", label, operation="SCALE")
        self.give(node.inputs["Vector"], vector)
        self.give(node.inputs["Scale"], scale)
        return node.outputs["Vector"]

    def both(self, label: str, operation: str, one, other, result: str = "Vector") -> bpy.types.NodeSocket:
        node = self.node("ShaderNodeVectorMath", label, operation=operation)
        self.give(node.inputs[0], one)
        self.give(node.inputs[1], other)
        return node.outputs[result]

    def mixed(self, label: str, which, at_0, at_1) -> bpy.types.NodeSocket:
        """One of two numbers: `which` is 0 or 1."""
        node = self.node("ShaderNodeMix", label, data_type="FLOAT")
        for name, value in (("Factor", which), ("A", at_0), ("B", at_1)):
            self.give(next(socket for socket in node.inputs if socket.name == name and socket.enabled), value)
        return next(socket for socket in node.outputs if socket.enabled)

    def attribute(self, name: str, kind: str) -> bpy.types.NodeSocket:
        """A named attribute of the points. It reads 0 on a mesh that is no diorama, which then keeps its shape."""
        node = self.node("GeometryNodeInputNamedAttribute", data_type=kind)
        node.inputs["Name"].default_value = name
        return node.outputs["Attribute"]


def _make_nodes(group: bpy.types.NodeTree) -> None:
    steps = _Steps(group)

    steps.open("1  Camera ray and disparity of each point")
    ray, disparity = steps.attribute(RAY, "FLOAT_VECTOR"), steps.attribute(DISPARITY, "FLOAT")

    given = steps.open("2  Near and far: planes stay planes")
    scale, shift, least = _spread(steps, given)
    measured = steps.math("disparity * scale + shift", "MULTIPLY_ADD", disparity, scale, shift)
    measured = steps.math("never behind the camera", "MAXIMUM", measured, least)

    given = steps.open("3  Flatten beyond a distance, with a soft bend")
    wall = steps.math("its disparity", "DIVIDE", 1.0, given["Flatten Beyond"])
    wall = steps.math("in the new range", "MULTIPLY_ADD", wall, scale, shift)
    wall = steps.math("or none", "MAXIMUM", wall, 0.0)
    is_on = steps.math("is on", "GREATER_THAN", given["Flatten Beyond"], 0.0)
    wall = steps.math("off at 0", "MULTIPLY", wall, is_on)
    bend = steps.math("width of the bend", "MULTIPLY", wall, KNEE)
    away = steps.math("from the bend", "SUBTRACT", measured, wall)
    away = steps.math("either side", "ABSOLUTE", away)
    away = steps.math("in widths", "DIVIDE", away, bend)
    away = steps.math("turned round", "MULTIPLY", away, -1.0)
    bent_e = steps.math("e to that", "EXPONENT", away)
    away = steps.math("plus 1", "ADD", bent_e, 1.0)
    away = steps.math("its logarithm", "LOGARITHM", away, 2.718281828459045)
    flat = steps.math("nearer than the card", "MAXIMUM", measured, wall)
    flat = steps.math("bent", "MULTIPLY_ADD", away, bend, flat)

    given = steps.open("4  Relief about the focus distance")
    amount = steps.math("relief", "MAXIMUM", given["Relief"], 0.0)
    focus_disparity = steps.math("disparity of the focus", "DIVIDE", 1.0, given["Focus Distance"])
    pivot = steps.math("in the new range", "MULTIPLY_ADD", focus_disparity, scale, shift)
    pivot = steps.math("never behind the camera", "MAXIMUM", pivot, least)
    rest = steps.math("1 - relief", "SUBTRACT", 1.0, amount)
    rest = steps.math("of the focus", "MULTIPLY", rest, pivot)
    straight = steps.math("planes stay planes", "MULTIPLY_ADD", flat, amount, rest)
    focus = steps.math("focus distance", "DIVIDE", 1.0, pivot)
    beyond = steps.math("distance", "DIVIDE", 1.0, flat)
    beyond = steps.math("beyond the focus", "SUBTRACT", beyond, focus)
    beyond = steps.math("not before it", "MAXIMUM", beyond, 0.0)
    beyond = steps.math("grows with relief", "MULTIPLY_ADD", beyond, amount, focus)
    beyond = steps.math("as disparity", "DIVIDE", 1.0, beyond)
    formed = steps.math("above 1 nothing passes infinity", "MAXIMUM", straight, beyond)

    steps.open("5  Keep the order: what lies behind stays behind")
    slope = steps.math("as measured, scaled", "DIVIDE", pivot, focus_disparity)
    slope = steps.math("or the new range", "MAXIMUM", slope, scale)
    deep = steps.math("from the focus", "SUBTRACT", disparity, focus_disparity)
    deep = steps.math("full relief", "MULTIPLY_ADD", deep, slope, pivot)
    deep = steps.math("never behind the camera", "MAXIMUM", deep, least)
    formed = steps.math("almost all", "MULTIPLY", formed, 1.0 - ORDER)
    formed = steps.math("and a little of that", "MULTIPLY_ADD", deep, ORDER, formed)

    given = steps.open("6  Back onto the ray; what is moved by hand stays")
    place = steps.node("GeometryNodeInputPosition").outputs["Position"]
    was = steps.scaled("place measured", ray, steps.math("depth measured", "DIVIDE", 1.0, disparity))
    by_hand = steps.both("moved by hand", "SUBTRACT", place, was)
    now = steps.scaled("place now", ray, steps.math("depth now", "DIVIDE", 1.0, formed))
    place = steps.both("both", "ADD", by_hand, now)
    mover = steps.node("GeometryNodeSetPosition")
    steps.give(mover.inputs["Geometry"], given["Geometry"])
    steps.give(mover.inputs["Position"], place)

    steps.open("7  Normals of its own turn with the surface")
    near_e = steps.math("off at 0", "MULTIPLY", bent_e, is_on)
    share = steps.math("plus 1", "ADD", near_e, 1.0)
    before = steps.math("before the bend", "DIVIDE", 1.0, share)
    behind = steps.math("behind it", "DIVIDE", near_e, share)
    is_before = steps.math("which", "GREATER_THAN", measured, wall)
    bent_slope = steps.mixed("slope of the bend", is_before, behind, before)
    ratio = steps.math("stretched / flat", "DIVIDE", beyond, flat)
    ratio = steps.math("squared", "MULTIPLY", ratio, ratio)
    ratio = steps.mixed("where it is stretched", steps.math("which", "GREATER_THAN", beyond, straight), 1.0, ratio)
    gradient = steps.math("times relief", "MULTIPLY", ratio, amount)
    gradient = steps.math("times bend", "MULTIPLY", gradient, bent_slope)
    gradient = steps.math("times range", "MULTIPLY", gradient, scale)
    gradient = steps.math("almost all", "MULTIPLY", gradient, 1.0 - ORDER)
    gradient = steps.math("and the order's", "MULTIPLY_ADD", slope, ORDER, gradient)
    gradient = steps.math("of what was", "MULTIPLY", gradient, disparity)
    lean = steps.math("how much it leans", "DIVIDE", formed, gradient)
    lean = steps.math("against before", "SUBTRACT", 1.0, lean)
    normal = steps.node("GeometryNodeInputNamedAttribute", data_type="FLOAT_VECTOR")
    normal.inputs["Name"].default_value = NORMAL
    facing = steps.both("to the ray", "DOT_PRODUCT", ray, normal.outputs["Attribute"], "Value")
    lean = steps.math("forwards", "MULTIPLY", lean, facing)
    forward = steps.node("ShaderNodeCombineXYZ", "along the view")
    steps.give(forward.inputs["Y"], lean)
    turned = steps.both("turned", "SUBTRACT", normal.outputs["Attribute"], forward.outputs[0])
    turned = steps.both("of length 1", "NORMALIZE", turned, (0.0, 0.0, 0.0))
    keeper = steps.node("GeometryNodeStoreNamedAttribute", data_type="FLOAT_VECTOR", domain="POINT")
    keeper.inputs["Name"].default_value = NORMAL
    steps.give(keeper.inputs["Geometry"], mover.outputs["Geometry"])
    steps.give(keeper.inputs["Value"], turned)
    counter = steps.node("GeometryNodeAttributeStatistic", "has it any", domain="POINT", data_type="FLOAT")
    steps.give(counter.inputs["Geometry"], mover.outputs["Geometry"])
    attribute = [socket for socket in counter.inputs if socket.name == "Attribute" and socket.enabled][0]
    steps.give(attribute, normal.outputs["Exists"])
    largest = [socket for socket in counter.outputs if socket.name == "Max" and socket.enabled][0]
    chooser = steps.node("GeometryNodeSwitch", "only then", input_type="GEOMETRY")
    steps.give(chooser.inputs["Switch"], largest)
    steps.give(chooser.inputs["False"], mover.outputs["Geometry"])
    steps.give(chooser.inputs["True"], keeper.outputs["Geometry"])
    result = steps.node("NodeGroupOutput")
    steps.give(result.inputs["Geometry"], chooser.outputs["Output"])
    steps.tidy()


def _spread(steps: _Steps, given) -> tuple:
    """Factor, summand and least disparity, as core.relief.spread."""
    ends = []
    for which in ("Measured ", ""):
        near, far = (given[f"{which}{end}" if which else f"{end} Distance"] for end in ("Near", "Far"))
        far_disparity = steps.math(f"{which}far", "DIVIDE", 1.0, far)
        near_disparity = steps.math(f"{which}near", "DIVIDE", 1.0, near)
        least_range = steps.math("never inside out", "MULTIPLY", far_disparity, MIN_RANGE)
        near_disparity = steps.math(f"{which}near", "MAXIMUM", near_disparity, least_range)
        ends.append((near_disparity, far_disparity))
    (near_was, far_was), (near, far) = ends
    scale = steps.math("new range", "SUBTRACT", near, far)
    scale = steps.math("scale", "DIVIDE", scale, steps.math("measured range", "SUBTRACT", near_was, far_was))
    shift = steps.math("far * scale", "MULTIPLY", far_was, scale)
    shift = steps.math("shift", "SUBTRACT", far, shift)
    return scale, shift, steps.math("farthest of all", "DIVIDE", far, FARTHEST)
