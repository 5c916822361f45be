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
    nodes, links = group.nodes, group.links

    def node(kind: str, place: tuple[int, int], **settings):
        made = nodes.new(kind)
        made.location = place
        for name, value in settings.items():
            setattr(made, name, value)
        return made

    given, result = node("NodeGroupInput", (-1100, 0)), node("NodeGroupOutput", (700, 0))
    turned = node("ShaderNodeVectorTransform", (-850, -250))
    turned.vector_type, turned.convert_from, turned.convert_to = "NORMAL", "OBJECT", "WORLD"
    links.new(given.outputs["Ground Normal"], turned.inputs[0])
    normal = turned.outputs[0]
    evened = node("ShaderNodeVectorMath", (-600, 100), operation="DIVIDE")
    links.new(given.outputs["Color"], evened.inputs[0])
    links.new(given.outputs["Light"], evened.inputs[1])
    lit = node("ShaderNodeBsdfDiffuse", (-350, 100))
    links.new(evened.outputs[0], lit.inputs["Color"])
    links.new(normal, lit.inputs["Normal"])
    mirror = node("ShaderNodeBsdfGlossy", (-350, -100))
    links.new(given.outputs["Roughness"], mirror.inputs["Roughness"])
    links.new(normal, mirror.inputs["Normal"])
    fresnel, share = node("ShaderNodeFresnel", (-600, -100)), node("ShaderNodeMath", (-350, -300), operation="MULTIPLY")
    links.new(normal, fresnel.inputs["Normal"])
    links.new(fresnel.outputs[0], share.inputs[0])
    links.new(given.outputs["Reflection"], share.inputs[1])
    polished = node("ShaderNodeMixShader", (-100, 50))
    links.new(share.outputs[0], polished.inputs[0])
    links.new(lit.outputs[0], polished.inputs[1])
    links.new(mirror.outputs[0], polished.inputs[2])
    # only what lies as the ground does: light comes to a wall in another way
    shape = node("ShaderNodeNewGeometry", (-850, -550))
    facing = node("ShaderNodeVectorMath", (-600, -500), operation="DOT_PRODUCT")
    links.new(shape.outputs["True Normal"], facing.inputs[0])
    links.new(normal, facing.inputs[1])
    flat = node("ShaderNodeMapRange", (-350, -500), interpolation_type="SMOOTHSTEP", clamp=True)
    flat.inputs["From Min"].default_value, flat.inputs["From Max"].default_value = FACING
    links.new(facing.outputs["Value"], flat.inputs["Value"])
    caught = node("ShaderNodeMath", (-100, -300), operation="MULTIPLY")
    links.new(flat.outputs[0], caught.inputs[0])
    links.new(given.outputs["Strength"], caught.inputs[1])
    mix = node("ShaderNodeMixShader", (400, 0))
    links.new(caught.outputs[0], mix.inputs[0])
    links.new(given.outputs["Shader"], mix.inputs[1])
    links.new(polished.outputs[0], mix.inputs[2])
    links.new(mix.outputs[0], result.inputs["Shader"])
    return group


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

    One more each time: the ground's first, then one for each wall, each for what faces as it does.
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
