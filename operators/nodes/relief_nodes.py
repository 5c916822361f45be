"""The node group that moves the points of a diorama along their camera rays, one frame for each step of core/scene/relief.py."""

from __future__ import annotations

from typing import NamedTuple

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
        self.placed = 2  # the input node is two nodes high
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


class _Range(NamedTuple):
    """Disparity in the new range of distances: measured * scale + shift, `least` at least."""

    scale: bpy.types.NodeSocket
    shift: bpy.types.NodeSocket
    least: bpy.types.NodeSocket


class _Bend(NamedTuple):
    """Where the relief is flattened: what lies beyond the wall bends onto it, by log(1 + exp(-|x|))."""

    wall: bpy.types.NodeSocket  # disparity; 0 where it is off
    is_on: bpy.types.NodeSocket
    exponential: bpy.types.NodeSocket  # exp(-|x|), where x is the difference from the wall in widths of the bend
    disparity: bpy.types.NodeSocket  # after the bend


class _Relief(NamedTuple):
    """Disparity with the relief about the focus distance."""

    amount: bpy.types.NodeSocket
    focus: bpy.types.NodeSocket  # measured disparity of the focus
    pivot: bpy.types.NodeSocket  # the same in the new range
    straight: bpy.types.NodeSocket  # planes stay planes
    beyond: bpy.types.NodeSocket  # beyond the focus, stretched with the relief
    disparity: bpy.types.NodeSocket  # the greater of both


def _make_nodes(group: bpy.types.NodeTree) -> None:
    steps = _Steps(group)

    steps.open("1  Camera ray and disparity of each point")
    ray, disparity = steps.attribute(RAY, "FLOAT_VECTOR"), steps.attribute(DISPARITY, "FLOAT")

    given = steps.open("2  Near and far: planes stay planes")
    spread = _spread(steps, given)
    measured = steps.math("disparity * scale + shift", "MULTIPLY_ADD", disparity, spread.scale, spread.shift)
    measured = steps.math("never behind the camera", "MAXIMUM", measured, spread.least)

    bend = _flatten_beyond(steps, measured, spread)
    relief = _relief_about_focus(steps, bend, spread)
    slope, formed = _keep_order(steps, disparity, relief, spread)
    mover = _back_onto_ray(steps, ray, disparity, formed)

    steps.open("7  Normals of its own turn with the surface")
    gradient = _slope_of_all(steps, measured, bend, relief, slope, spread.scale)
    gradient = steps.math("of what was", "MULTIPLY", gradient, disparity)
    lean = steps.math("how much it leans", "DIVIDE", formed, gradient)
    result = _turn_normals(steps, mover, ray, lean)
    end = steps.node("NodeGroupOutput")
    steps.give(end.inputs["Geometry"], result)
    steps.tidy()


def _flatten_beyond(steps: _Steps, measured, spread: _Range) -> _Bend:
    given = steps.open("3  Flatten beyond a distance, with a soft bend")
    wall = steps.math("its disparity", "DIVIDE", 1.0, given["Flatten Beyond"])
    wall = steps.math("in the new range", "MULTIPLY_ADD", wall, spread.scale, spread.shift)
    wall = steps.math("or none", "MAXIMUM", wall, 0.0)
    is_on = steps.math("is on", "GREATER_THAN", given["Flatten Beyond"], 0.0)
    wall = steps.math("off at 0", "MULTIPLY", wall, is_on)
    width = steps.math("width of the bend", "MULTIPLY", wall, KNEE)
    away = steps.math("from the bend", "SUBTRACT", measured, wall)
    away = steps.math("either side", "ABSOLUTE", away)
    away = steps.math("in widths", "DIVIDE", away, width)
    away = steps.math("turned round", "MULTIPLY", away, -1.0)
    exponential = steps.math("e to that", "EXPONENT", away)
    away = steps.math("plus 1", "ADD", exponential, 1.0)
    away = steps.math("its logarithm", "LOGARITHM", away, 2.718281828459045)
    flat = steps.math("nearer than the card", "MAXIMUM", measured, wall)
    return _Bend(wall, is_on, exponential, steps.math("bent", "MULTIPLY_ADD", away, width, flat))


def _relief_about_focus(steps: _Steps, bend: _Bend, spread: _Range) -> _Relief:
    given = steps.open("4  Relief about the focus distance")
    amount = steps.math("relief", "MAXIMUM", given["Relief"], 0.0)
    focus_disparity = steps.math("disparity of the focus", "DIVIDE", 1.0, given["Focus Distance"])
    pivot = steps.math("in the new range", "MULTIPLY_ADD", focus_disparity, spread.scale, spread.shift)
    pivot = steps.math("never behind the camera", "MAXIMUM", pivot, spread.least)
    rest = steps.math("1 - relief", "SUBTRACT", 1.0, amount)
    rest = steps.math("of the focus", "MULTIPLY", rest, pivot)
    straight = steps.math("planes stay planes", "MULTIPLY_ADD", bend.disparity, amount, rest)
    focus = steps.math("focus distance", "DIVIDE", 1.0, pivot)
    beyond = steps.math("distance", "DIVIDE", 1.0, bend.disparity)
    beyond = steps.math("beyond the focus", "SUBTRACT", beyond, focus)
    beyond = steps.math("not before it", "MAXIMUM", beyond, 0.0)
    beyond = steps.math("grows with relief", "MULTIPLY_ADD", beyond, amount, focus)
    beyond = steps.math("as disparity", "DIVIDE", 1.0, beyond)
    formed = steps.math("above 1 nothing passes infinity", "MAXIMUM", straight, beyond)
    return _Relief(amount, focus_disparity, pivot, straight, beyond, formed)


def _keep_order(steps: _Steps, disparity, relief: _Relief, spread: _Range) -> tuple:
    """The slope of the full relief, and the disparity mixed with a little of that relief, which keeps the order."""
    steps.open("5  Keep the order: what lies behind stays behind")
    slope = steps.math("as measured, scaled", "DIVIDE", relief.pivot, relief.focus)
    slope = steps.math("or the new range", "MAXIMUM", slope, spread.scale)
    deep = steps.math("from the focus", "SUBTRACT", disparity, relief.focus)
    deep = steps.math("full relief", "MULTIPLY_ADD", deep, slope, relief.pivot)
    deep = steps.math("never behind the camera", "MAXIMUM", deep, spread.least)
    formed = steps.math("almost all", "MULTIPLY", relief.disparity, 1.0 - ORDER)
    return slope, steps.math("and a little of that", "MULTIPLY_ADD", deep, ORDER, formed)


def _back_onto_ray(steps: _Steps, ray, disparity, formed) -> bpy.types.NodeSocket:
    """The geometry whose points have moved along their rays."""
    given = steps.open("6  Back onto the ray; what is moved by hand stays")
    place = steps.node("GeometryNodeInputPosition").outputs["Position"]
    was = steps.scaled("place measured", ray, steps.math("depth measured", "DIVIDE", 1.0, disparity))
    by_hand = steps.both("moved by hand", "SUBTRACT", place, was)
    now = steps.scaled("place now", ray, steps.math("depth now", "DIVIDE", 1.0, formed))
    place = steps.both("both", "ADD", by_hand, now)
    mover = steps.node("GeometryNodeSetPosition")
    steps.give(mover.inputs["Geometry"], given["Geometry"])
    steps.give(mover.inputs["Position"], place)
    return mover.outputs["Geometry"]


def _slope_of_all(steps: _Steps, measured, bend: _Bend, relief: _Relief, slope, scale) -> bpy.types.NodeSocket:
    """The derivative of the final disparity by the measured one."""
    near_e = steps.math("off at 0", "MULTIPLY", bend.exponential, bend.is_on)
    share = steps.math("plus 1", "ADD", near_e, 1.0)
    before = steps.math("before the bend", "DIVIDE", 1.0, share)
    behind = steps.math("behind it", "DIVIDE", near_e, share)
    is_before = steps.math("which", "GREATER_THAN", measured, bend.wall)
    bent_slope = steps.mixed("slope of the bend", is_before, behind, before)
    ratio = steps.math("stretched / flat", "DIVIDE", relief.beyond, bend.disparity)
    ratio = steps.math("squared", "MULTIPLY", ratio, ratio)
    is_stretched = steps.math("which", "GREATER_THAN", relief.beyond, relief.straight)
    ratio = steps.mixed("where it is stretched", is_stretched, 1.0, ratio)
    gradient = steps.math("times relief", "MULTIPLY", ratio, relief.amount)
    gradient = steps.math("times bend", "MULTIPLY", gradient, bent_slope)
    gradient = steps.math("times range", "MULTIPLY", gradient, scale)
    gradient = steps.math("almost all", "MULTIPLY", gradient, 1.0 - ORDER)
    return steps.math("and the order's", "MULTIPLY_ADD", slope, ORDER, gradient)


def _turn_normals(steps: _Steps, geometry, ray, lean) -> bpy.types.NodeSocket:
    """The geometry with its own normals turned, where it has any."""
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
    steps.give(keeper.inputs["Geometry"], geometry)
    steps.give(keeper.inputs["Value"], turned)
    counter = steps.node("GeometryNodeAttributeStatistic", "has it any", domain="POINT", data_type="FLOAT")
    steps.give(counter.inputs["Geometry"], geometry)
    attribute = [socket for socket in counter.inputs if socket.name == "Attribute" and socket.enabled][0]
    steps.give(attribute, normal.outputs["Exists"])
    largest = [socket for socket in counter.outputs if socket.name == "Max" and socket.enabled][0]
    chooser = steps.node("GeometryNodeSwitch", "only then", input_type="GEOMETRY")
    steps.give(chooser.inputs["Switch"], largest)
    steps.give(chooser.inputs["False"], geometry)
    steps.give(chooser.inputs["True"], keeper.outputs["Geometry"])
    return chooser.outputs["Output"]


def _spread(steps: _Steps, given) -> _Range:
    """As `range_mapping` of core/scene/relief.py."""
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
    return _Range(scale, shift, steps.math("farthest of all", "DIVIDE", far, FARTHEST))
