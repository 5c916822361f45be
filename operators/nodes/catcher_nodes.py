"""The node group that lets the photo take shadow, light and reflections of other objects, in Cycles and EEVEE alike."""

from __future__ import annotations

import bpy
from mathutils import Vector

GROUP = "Photo Diorama Shadow Catcher"
GROUP_KEY, VERSION = "photo_diorama_catcher", 1
FACING = (0.3, 0.7)
"""Cosines of the angle to the ground's normal between which catching fades out."""


def catcher_group() -> bpy.types.NodeTree:
    """The group, made once a file: Shader (the photo as it is) and Color in, Shader out.

    The photo is a diffuse surface whose light is divided by `Light`, what falls on open ground: there it looks as it is,
    and where something stands in the light it is darker. The surface is lit as if it lay flat on the ground, since the
    photo has the light on its own shapes in it already.
    """
    for group in bpy.data.node_groups:
        if group.get(GROUP_KEY) == VERSION:
            return group
    group = bpy.data.node_groups.new(GROUP, "ShaderNodeTree")
    group[GROUP_KEY] = VERSION
    _sockets(group)
    nodes = _Nodes(group)
    given, result = nodes.add("NodeGroupInput", (-1100, 0)), nodes.add("NodeGroupOutput", (700, 0))
    turned = nodes.add("ShaderNodeVectorTransform", (-850, -250))
    turned.vector_type, turned.convert_from, turned.convert_to = "NORMAL", "OBJECT", "WORLD"
    nodes.link(given.outputs["Ground Normal"], turned.inputs[0])
    normal = turned.outputs[0]
    polished = _ground(nodes, given, normal)
    flat = _likeness_to_ground(nodes, normal)
    caught = nodes.add("ShaderNodeMath", (-100, -300), operation="MULTIPLY")
    nodes.link(flat, caught.inputs[0])
    nodes.link(given.outputs["Strength"], caught.inputs[1])
    mix = nodes.add("ShaderNodeMixShader", (400, 0))
    nodes.link(caught.outputs[0], mix.inputs[0])
    nodes.link(given.outputs["Shader"], mix.inputs[1])
    nodes.link(polished, mix.inputs[2])
    nodes.link(mix.outputs[0], result.inputs["Shader"])
    return group


class _Nodes:
    """Adds nodes and links to a tree."""

    def __init__(self, tree: bpy.types.NodeTree):
        self.tree, self.link = tree, tree.links.new

    def add(self, kind: str, place: tuple[int, int], **settings) -> bpy.types.Node:
        made = self.tree.nodes.new(kind)
        made.location = place
        for name, value in settings.items():
            setattr(made, name, value)
        return made


def _ground(nodes: _Nodes, given: bpy.types.Node, normal: bpy.types.NodeSocket) -> bpy.types.NodeSocket:
    """The shader of the ground that takes light, and reflects as much as it should."""
    evened = nodes.add("ShaderNodeVectorMath", (-600, 100), operation="DIVIDE")
    nodes.link(given.outputs["Color"], evened.inputs[0])
    nodes.link(given.outputs["Light"], evened.inputs[1])
    lit = nodes.add("ShaderNodeBsdfDiffuse", (-350, 100))
    nodes.link(evened.outputs[0], lit.inputs["Color"])
    nodes.link(normal, lit.inputs["Normal"])
    mirror = nodes.add("ShaderNodeBsdfGlossy", (-350, -100))
    nodes.link(given.outputs["Roughness"], mirror.inputs["Roughness"])
    nodes.link(normal, mirror.inputs["Normal"])
    fresnel, share = nodes.add("ShaderNodeFresnel", (-600, -100)), nodes.add("ShaderNodeMath", (-350, -300), operation="MULTIPLY")
    nodes.link(normal, fresnel.inputs["Normal"])
    nodes.link(fresnel.outputs[0], share.inputs[0])
    nodes.link(given.outputs["Reflection"], share.inputs[1])
    polished = nodes.add("ShaderNodeMixShader", (-100, 50))
    nodes.link(share.outputs[0], polished.inputs[0])
    nodes.link(lit.outputs[0], polished.inputs[1])
    nodes.link(mirror.outputs[0], polished.inputs[2])
    return polished.outputs[0]


def _likeness_to_ground(nodes: _Nodes, normal: bpy.types.NodeSocket) -> bpy.types.NodeSocket:
    """1 where a surface lies as the ground does, and only there catches: light comes to a wall in another way."""
    shape = nodes.add("ShaderNodeNewGeometry", (-850, -550))
    facing = nodes.add("ShaderNodeVectorMath", (-600, -500), operation="DOT_PRODUCT")
    nodes.link(shape.outputs["True Normal"], facing.inputs[0])
    nodes.link(normal, facing.inputs[1])
    flat = nodes.add("ShaderNodeMapRange", (-350, -500), interpolation_type="SMOOTHSTEP", clamp=True)
    flat.inputs["From Min"].default_value, flat.inputs["From Max"].default_value = FACING
    nodes.link(facing.outputs["Value"], flat.inputs["Value"])
    return flat.outputs[0]


def _sockets(group: bpy.types.NodeTree) -> None:
    add = group.interface.new_socket
    add("Shader", in_out="OUTPUT", socket_type="NodeSocketShader")
    add("Shader", in_out="INPUT", socket_type="NodeSocketShader", description="The photo as it is")
    add("Color", in_out="INPUT", socket_type="NodeSocketColor", description="The photo's colour")
    sockets = {
        "Light": ("NodeSocketVector", "Light on open ground, or an open wall: what the photo's red, green and blue are divided by"),
        "Ground Normal": ("NodeSocketVector", "The ground's normal in the diorama's axes, or a wall's"),
        "Strength": ("NodeSocketFloat", "How dark shadows are: 0 leaves the photo as it is"),
        "Reflection": ("NodeSocketFloat", "How much the ground reflects, like polished or wet ground"),
        "Roughness": ("NodeSocketFloat", "How blurred the reflection is"),
    }
    for name, (kind, help) in sockets.items():
        socket = add(name, in_out="INPUT", socket_type=kind, description=help)
        if kind == "NodeSocketFloat":
            socket.min_value, socket.max_value = 0.0, 1.0


def catcher_nodes(material: bpy.types.Material) -> list[bpy.types.Node]:
    """The group's nodes in a material."""
    nodes = material.node_tree.nodes if material and material.node_tree else ()
    return [n for n in nodes if n.type == "GROUP" and n.node_tree and n.node_tree.get(GROUP_KEY) == VERSION]


def insert(material: bpy.types.Material) -> bpy.types.Node | None:
    """Puts the group behind the shader that shows the photo, before its alpha; None where no picture is shown.

    Each call adds one: first the ground's, then one for each wall, each for the surfaces that face the same way.
    """
    tree = material.node_tree
    output = tree.get_output_node("ALL") if tree else None
    into = output.inputs["Surface"] if output else None
    picture = next((n for n in tree.nodes if n.type == "TEX_IMAGE" and n.image), None) if tree else None
    if into is None or not into.links or picture is None:
        return None
    mixing = into.links[0].from_node
    if mixing.type == "MIX_SHADER" and _is_clear(mixing.inputs[1]) and mixing.inputs[2].links:
        into = mixing.inputs[2]
    before = into.links[0].from_socket
    node = tree.nodes.new("ShaderNodeGroup")
    node.node_tree, node.name, node.label = catcher_group(), GROUP, "Shadow Catcher"
    node.location = before.node.location + Vector((60, -320))
    tree.links.new(before, node.inputs["Shader"])
    tree.links.new(picture.outputs["Color"], node.inputs["Color"])
    tree.links.new(node.outputs["Shader"], into)
    return node


def _is_clear(socket) -> bool:
    return bool(socket.links) and socket.links[0].from_node.type == "BSDF_TRANSPARENT"


def remove(material: bpy.types.Material) -> None:
    """Takes the group out again: the shader goes where it went before."""
    tree = material.node_tree
    for node in catcher_nodes(material):
        source = node.inputs["Shader"].links
        for link in list(node.outputs["Shader"].links) if source else ():
            tree.links.new(source[0].from_socket, link.to_socket)
        tree.nodes.remove(node)
