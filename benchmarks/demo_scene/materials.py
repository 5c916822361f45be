"""Procedural Cycles materials of the demo scene: weathered wood, stone, plaster, clay, iron, leaves, fruit."""

from __future__ import annotations

import bpy
import numpy as np

from photo_diorama.core.raster.colour_curves import linear_from_srgb


def colour(text: str) -> tuple[float, float, float, float]:
    """'#rrggbb' (sRGB) to linear RGBA."""
    srgb = np.array([int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return (*linear_from_srgb(srgb).tolist(), 1.0)


class Shader:
    """Short hand for one material's node tree; every value is a number, a colour string or a socket."""

    def __init__(self, name: str) -> None:
        self.material = bpy.data.materials.new(name)
        if bpy.app.version < (5, 0, 0):
            self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.tree.nodes.clear()
        self.loc = self.node("ShaderNodeAttribute", attribute_name="loc").outputs["Vector"]
        self.tint = self.node("ShaderNodeAttribute", attribute_name="tint").outputs["Fac"]
        self.wear = self.node("ShaderNodeAttribute", attribute_name="wear").outputs["Fac"]

    def node(self, kind: str, **settings):
        made = self.tree.nodes.new(kind)
        for key, value in settings.items():
            setattr(made, key, value)
        return made

    def put(self, socket, value) -> None:
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        elif isinstance(value, str):
            socket.default_value = colour(value)
        elif isinstance(value, (int, float)) and socket.type == "RGBA":
            socket.default_value = (value, value, value, 1)
        elif isinstance(value, (int, float)) and socket.type == "VECTOR":
            socket.default_value = (value, value, value)
        else:
            socket.default_value = value

    def stretch(self, scale, offset=(0, 0, 0), coords=None):
        """Coordinates scaled per axis."""
        n = self.node("ShaderNodeMapping")
        self.put(n.inputs["Vector"], self.loc if coords is None else coords)
        self.put(n.inputs["Scale"], scale)
        self.put(n.inputs["Location"], offset)
        return n.outputs["Vector"]

    def noise(self, scale, detail=4.0, rough=0.55, coords=None, distort=0.0):
        detail = min(detail, 5.0)
        n = self.node("ShaderNodeTexNoise")
        self.put(n.inputs["Vector"], self.loc if coords is None else coords)
        for key, value in (("Scale", scale), ("Detail", detail), ("Roughness", rough), ("Distortion", distort)):
            self.put(n.inputs[key], value)
        return n.outputs["Fac"]

    def voronoi(self, scale, coords=None, feature="F1", out="Distance"):
        n = self.node("ShaderNodeTexVoronoi", feature=feature)
        self.put(n.inputs["Vector"], self.loc if coords is None else coords)
        self.put(n.inputs["Scale"], scale)
        return n.outputs[out]

    def ramp(self, value, stops):
        """Colour (or grey) ramp; stops are (position, colour string or number)."""
        n = self.node("ShaderNodeValToRGB")
        elements = n.color_ramp.elements
        while len(elements) < len(stops):
            elements.new(0.5)
        for element, (position, c) in zip(elements, stops, strict=True):
            element.position = position
            element.color = colour(c) if isinstance(c, str) else (c, c, c, 1)
        self.put(n.inputs["Fac"], value)
        return n.outputs["Color"]

    def mix(self, a, b, factor, mode="MIX"):
        n = self.node("ShaderNodeMix", data_type="RGBA", blend_type=mode)
        self.put(n.inputs["Factor"], factor)
        self.put(n.inputs[6], a)
        self.put(n.inputs[7], b)
        return n.outputs[2]

    def math(self, operation, a, b=0.0, clamp=False):
        n = self.node("ShaderNodeMath", operation=operation, use_clamp=clamp)
        self.put(n.inputs[0], a)
        self.put(n.inputs[1], b)
        return n.outputs[0]

    def bump(self, height, distance=0.002, strength=1.0, normal=None):
        n = self.node("ShaderNodeBump")
        self.put(n.inputs["Height"], height)
        self.put(n.inputs["Distance"], distance)
        self.put(n.inputs["Strength"], strength)
        if normal is not None:
            self.put(n.inputs["Normal"], normal)
        return n.outputs["Normal"]

    def finish(self, base, roughness=0.7, normal=None, leaf=None, mean="#8a7a66", **inputs):
        """Close with a Principled surface; `leaf` is a (colour, share) of light let through.

        What only bounces light on (neither seen nor mirrored) is a plain diffuse `mean` colour, which saves time.
        """
        p = self.node("ShaderNodeBsdfPrincipled")
        self.put(p.inputs["Base Color"], base)
        self.put(p.inputs["Roughness"], roughness)
        if normal is not None:
            self.put(p.inputs["Normal"], normal)
        for key, value in inputs.items():
            self.put(p.inputs[key.replace("_", " ")], value)
        surface = p.outputs["BSDF"]
        if leaf is not None:
            t = self.node("ShaderNodeBsdfTranslucent")
            self.put(t.inputs["Color"], leaf[0])
            m = self.node("ShaderNodeMixShader")
            self.put(m.inputs[0], leaf[1])
            self.tree.links.new(surface, m.inputs[1])
            self.tree.links.new(t.outputs[0], m.inputs[2])
            surface = m.outputs[0]
        path, simple, choice = (
            self.node("ShaderNodeLightPath"),
            self.node("ShaderNodeBsdfDiffuse"),
            self.node("ShaderNodeMixShader"),
        )
        self.put(simple.inputs["Color"], base if isinstance(base, str) else mean)
        seen = self.math("MAXIMUM", path.outputs["Is Camera Ray"], path.outputs["Is Glossy Ray"])
        for socket, value in zip(choice.inputs, (seen, simple.outputs[0], surface), strict=True):
            self.tree.links.new(value, socket)
        out = self.node("ShaderNodeOutputMaterial")
        self.tree.links.new(choice.outputs[0], out.inputs["Surface"])
        return self.material


def weathered_wood(name, dark, mid, light, paint=None, paint_cover=0.5):
    """Planks with their grain along x of `loc`; with `paint`, what is left of an old coat."""
    s = Shader(name)
    warp = s.noise(2.2, 3, coords=s.stretch((0.6, 3, 3)))
    grain = s.noise(9, 8, 0.66, s.stretch((0.8, 9, 9)), 0.9)
    fibre = s.noise(42, 6, 0.75, s.stretch((0.5, 11, 11)))
    base = s.ramp(grain, ((0.25, dark), (0.5, mid), (0.72, light)))
    base = s.mix(base, s.ramp(fibre, ((0.36, 0.18), (0.56, 1.0))), 0.65, "MULTIPLY")
    crack = s.noise(20, 3, 0.6, s.stretch((0.16, 5, 5)), 0.4)
    split = s.ramp(s.math("ABSOLUTE", s.math("SUBTRACT", crack, 0.5)), ((0.0, 1.0), (0.012, 0.0)))
    split = s.math("MULTIPLY", split, s.ramp(s.noise(3, 2), ((0.5, 0.0), (0.6, 1.0))))
    base = s.mix(base, "#1a130d", s.math("MULTIPLY", split, 0.85))
    base = s.mix(base, s.ramp(s.tint, ((0, "#7d756a"), (0.3, "#c9b8a0"), (0.6, "#a8a198"), (1, "#fff0dc"))), 0.85, "MULTIPLY")
    base = s.mix(base, "#241a12", s.math("MULTIPLY", s.wear, 0.8))
    base = s.mix(base, "#4a4038", s.ramp(warp, ((0.52, 0.0), (0.75, 0.55))), "MIX")
    height = s.math("SUBTRACT", s.mix(grain, fibre, 0.6), s.math("MULTIPLY", split, 0.6))
    rough = s.ramp(fibre, ((0.3, 0.85), (0.7, 0.55)))
    if paint:
        chips = s.noise(14, 9, 0.68, s.stretch((0.45, 1.6, 1.6)))
        cover = s.ramp(chips, ((paint_cover - 0.015, 1.0), (paint_cover + 0.015, 0.0)))
        shade = s.mix(paint, "#b9b9a8", s.ramp(s.noise(5, 5), ((0.4, 0.0), (0.75, 0.4))))
        shade = s.mix(shade, s.ramp(s.tint, ((0, 0.75), (1, 1.0))), 0.8, "MULTIPLY")
        shade = s.mix(shade, 0.35, s.ramp(fibre, ((0.28, 0.5), (0.4, 0.0))), "MIX")
        base = s.mix(base, shade, cover)
        height = s.mix(height, s.math("ADD", s.math("MULTIPLY", fibre, 0.35), 0.65), cover)
        rough = s.mix(rough, 0.5, cover)
    return s.finish(base, rough, s.bump(height, 0.0022, 0.9), mean=paint or mid)


def terracotta():
    s = Shader("terracotta")
    blotch = s.noise(5, 6, 0.6)
    grit = s.noise(160, 4, 0.7)
    base = s.ramp(blotch, ((0.3, "#8a4a2e"), (0.5, "#b0663f"), (0.7, "#c98a62")))
    base = s.mix(base, s.ramp(s.tint, ((0, "#c9b8a8"), (1, "#ffffff"))), 0.7, "MULTIPLY")
    base = s.mix(base, "#d8cdbb", s.ramp(s.noise(9, 8, 0.7, s.stretch((1, 1, 0.6))), ((0.52, 0.0), (0.68, 0.75))))
    base = s.mix(base, "#5d5a3a", s.ramp(s.noise(4, 7, 0.65, s.stretch((1, 1, 0.8), (5, 3, 1))), ((0.58, 0.0), (0.72, 0.6))))
    base = s.mix(base, s.ramp(grit, ((0.3, 0.6), (0.6, 1.0))), 0.5, "MULTIPLY")
    return s.finish(base, s.ramp(grit, ((0.2, 0.65), (0.8, 0.95))), s.bump(s.mix(grit, blotch, 0.5), 0.002, 0.7), mean="#b0704c")


def brick():
    s = Shader("brick")
    grit = s.noise(130, 5, 0.7)
    blotch = s.noise(14, 6, 0.65)
    base = s.ramp(s.tint, ((0, "#6b3527"), (0.25, "#93492f"), (0.5, "#a9603f"), (0.75, "#b97c55"), (1, "#7d5a48")))
    base = s.mix(base, s.ramp(blotch, ((0.3, "#7a6a60"), (0.6, "#ffffff"))), 0.7, "MULTIPLY")
    base = s.mix(base, "#cbbda6", s.ramp(s.noise(20, 8, 0.72), ((0.56, 0.0), (0.7, 0.75))))
    return s.finish(base, 0.9, s.bump(s.mix(grit, blotch, 0.55), 0.006, 0.8), mean="#995c40")


def plaster(name, light, mid, stain, mortar="#9d917f"):
    """Old render; wear 1 = plaster, 0 = the mortar between bare bricks. `loc` is the wall's own plane, z up."""
    s = Shader(name)
    cloud = s.noise(1.3, 7, 0.6)
    fine = s.noise(70, 6, 0.7)
    trowel = s.noise(12, 5, 0.6, s.stretch((1, 1, 1.5)))
    streak = s.noise(3.2, 6, 0.65, s.stretch((2.6, 2.6, 0.35)))
    base = s.ramp(cloud, ((0.3, mid), (0.62, light)))
    base = s.mix(base, s.ramp(trowel, ((0.25, "#b8aa98"), (0.65, "#ffffff"))), 0.6, "MULTIPLY")
    base = s.mix(base, stain, s.ramp(streak, ((0.52, 0.0), (0.78, 0.55))))
    z = s.node("ShaderNodeSeparateXYZ")
    s.put(z.inputs[0], s.loc)
    damp = s.math("ADD", z.outputs["Z"], s.math("MULTIPLY", s.math("SUBTRACT", s.noise(2.5, 7, 0.65), 0.5), 1.6))
    base = s.mix(base, "#6f6a55", s.ramp(damp, ((0.05, 0.75), (0.55, 0.0))))
    base = s.mix(base, s.ramp(fine, ((0.35, 0.5), (0.58, 1.0))), 0.6, "MULTIPLY")
    joint = s.mix(mortar, "#6d6558", s.ramp(s.noise(30, 6, 0.7), ((0.4, 0.0), (0.7, 0.8))))
    base = s.mix(joint, base, s.wear)
    crack = s.voronoi(1.1, s.stretch((1, 1, 0.7)), "DISTANCE_TO_EDGE")
    gap = s.ramp(s.math("ADD", crack, s.math("MULTIPLY", s.noise(9, 5), 0.02)), ((0.008, 1.0), (0.014, 0.0)))
    gap = s.math("MULTIPLY", gap, s.ramp(s.noise(0.9, 2, coords=s.stretch((1, 1, 1), (9, 2, 4))), ((0.48, 0.0), (0.58, 0.7))))
    base = s.mix(base, "#4c4336", gap)
    height = s.math("SUBTRACT", s.mix(s.mix(trowel, fine, 0.4), cloud, 0.3), s.math("MULTIPLY", gap, 0.3))
    return s.finish(base, 0.92, s.bump(height, 0.011, 0.9), mean=light)


def stone(name, dark, mid, light, moss=0.0, joint="#4b4436", scale=1.0):
    """Hewn stone; wear 1 = the joint (earth and moss)."""
    s = Shader(name)
    cloud = s.noise(5 * scale, 7, 0.62)
    grit = s.noise(90 * scale, 6, 0.72)
    pits = s.voronoi(60 * scale, s.stretch((1, 1, 1)))
    base = s.ramp(cloud, ((0.28, dark), (0.5, mid), (0.72, light)))
    base = s.mix(base, s.ramp(s.tint, ((0, "#9a8f84"), (0.35, "#cfc4b6"), (0.7, "#f3e6d2"), (1, "#c9c9c4"))), 0.85, "MULTIPLY")
    base = s.mix(base, s.ramp(grit, ((0.36, 0.4), (0.58, 1.0))), 0.6, "MULTIPLY")
    base = s.mix(base, "#a39a86", s.ramp(s.noise(16 * scale, 7, 0.7, s.stretch((1, 1, 1), (3, 3, 3))), ((0.6, 0.0), (0.7, 0.6))))
    if moss:
        base = s.mix(base, "#56592f", s.math("MULTIPLY", s.ramp(s.noise(3, 8, 0.7), ((0.5, 0.0), (0.66, 1.0))), moss))
    earth = s.mix(joint, s.ramp(s.noise(25, 7, 0.7), ((0.35, "#3a3427"), (0.55, "#5a5a30"), (0.7, "#85775c"))), 0.8)
    base = s.mix(base, earth, s.wear)
    height = s.math("ADD", s.mix(cloud, grit, 0.45), s.math("MULTIPLY", s.ramp(pits, ((0.08, 0.0), (0.25, 1.0))), 0.12))
    rough = s.mix(s.ramp(cloud, ((0.3, 0.55), (0.7, 0.85))), 0.95, s.wear)
    return s.finish(base, rough, s.bump(height, 0.005, 0.75), mean=mid)


def iron(name="iron", paint="#1c1d1c", rust=0.5, roughness=0.45):
    """Wrought iron, painted long ago."""
    s = Shader(name)
    spots = s.noise(22, 8, 0.7)
    fine = s.noise(190, 4, 0.6)
    cover = s.ramp(spots, ((rust - 0.03, 0.0), (rust + 0.06, 1.0)))
    red = s.ramp(s.noise(60, 6, 0.7), ((0.3, "#3a1d10"), (0.55, "#7a3c1a"), (0.75, "#a8622c")))
    base = s.mix(paint, red, cover)
    rough = s.mix(s.ramp(fine, ((0.3, roughness - 0.1), (0.7, roughness + 0.12))), 0.9, cover)
    return s.finish(
        base,
        rough,
        s.bump(s.mix(s.mix(fine, spots, 0.6), cover, 0.3), 0.0012, 0.6),
        Specular_IOR_Level=0.6,
        mean="#2a2624",
    )


def zinc():
    s = Shader("zinc")
    spangle = s.voronoi(45, s.stretch((1, 1, 1)), "F1", "Color")
    dull = s.noise(12, 7, 0.65)
    base = s.mix(s.ramp(dull, ((0.3, "#6f7478"), (0.7, "#a9adae"))), spangle, 0.05)
    base = s.mix(base, "#77664f", s.ramp(s.noise(7, 8, 0.7), ((0.55, 0.0), (0.72, 0.6))))
    rough = s.ramp(dull, ((0.3, 0.35), (0.7, 0.6)))
    return s.finish(base, rough, s.bump(dull, 0.002, 0.5), Metallic=0.85, mean="#85888a")


def leaf(name, stops, back="#8a9a70", through="#9fb83a", share=0.32, roughness=0.42, bump=0.0015):
    """Foliage: colour by leaf, paler below, a midrib, light coming through."""
    s = Shader(name)
    base = s.ramp(s.tint, stops)
    patch = s.noise(3, 5, 0.6)
    base = s.mix(base, s.ramp(patch, ((0.3, 0.6), (0.65, 1.0))), 0.5, "MULTIPLY")
    sep = s.node("ShaderNodeSeparateXYZ")
    s.put(sep.inputs[0], s.loc)
    rib = s.ramp(s.math("ABSOLUTE", sep.outputs["Y"]), ((0.0, 1.0), (0.03, 0.0)))
    base = s.mix(base, s.mix(base, "#c8cf9a", 0.5), s.math("MULTIPLY", rib, 0.6))
    behind = s.node("ShaderNodeNewGeometry").outputs["Backfacing"]
    base = s.mix(base, s.mix(base, back, 0.75), behind)
    veins = s.noise(9, 4, 0.6)
    glow = s.mix(s.mix(base, through, 0.6), through, 0.3)
    return s.finish(
        base,
        s.ramp(patch, ((0.3, roughness), (0.7, roughness + 0.2))),
        s.bump(veins, bump, 0.6),
        leaf=(glow, share),
        Specular_IOR_Level=0.4,
        mean=stops[1][1],
    )


def lemon():
    s = Shader("lemon")
    pores = s.voronoi(260)
    cloud = s.noise(16, 4)
    sep = s.node("ShaderNodeSeparateXYZ")
    s.put(sep.inputs[0], s.loc)
    base = s.ramp(
        s.math("ADD", s.math("MULTIPLY", cloud, 0.55), s.math("MULTIPLY", s.tint, 0.5)),
        ((0.2, "#d6ae00"), (0.5, "#e8cc0a"), (0.85, "#e6d42e")),
    )
    base = s.mix(base, "#9aa32c", s.math("MULTIPLY", s.wear, 0.75))
    base = s.mix(base, "#8a6a2a", s.ramp(s.noise(42, 6, 0.7), ((0.64, 0.0), (0.72, 0.5))))
    return s.finish(
        base,
        0.36,
        s.bump(s.mix(s.ramp(pores, ((0.0, 0.0), (0.45, 1.0))), cloud, 0.35), 0.0016, 0.8),
        Subsurface_Weight=0.18,
        Subsurface_Radius=(0.012, 0.007, 0.002),
        Subsurface_Scale=0.5,
        mean="#e4c808",
    )


def glaze(name, light, dark, bare="#a87f5c"):
    """Hand-thrown stoneware; wear 1 = bare clay, 0.5 = the painted band."""
    s = Shader(name)
    speck = s.noise(150, 3, 0.6)
    cloud = s.noise(9, 6, 0.6)
    base = s.ramp(cloud, ((0.3, dark), (0.65, light)))
    base = s.mix(base, "#5a4632", s.ramp(speck, ((0.66, 0.0), (0.7, 0.85))))
    wobble = s.math("ADD", s.wear, s.math("MULTIPLY", s.math("SUBTRACT", s.noise(30, 4), 0.5), 0.25))
    band = s.math("SUBTRACT", s.ramp(wobble, ((0.27, 0.0), (0.31, 1.0))), s.ramp(wobble, ((0.68, 0.0), (0.72, 1.0))), True)
    base = s.mix(base, s.ramp(s.noise(24, 5), ((0.35, "#1d3f74"), (0.7, "#4f7cab"))), s.math("MULTIPLY", band, 0.92))
    clay = s.ramp(wobble, ((0.7, 0.0), (0.74, 1.0)))
    base = s.mix(base, s.mix(bare, "#7a5a40", cloud), clay)
    rough = s.mix(s.ramp(cloud, ((0.3, 0.16), (0.7, 0.32))), 0.85, clay)
    return s.finish(base, rough, s.bump(s.mix(cloud, speck, 0.3), 0.0025, 0.5), Coat_Weight=0.25, mean=light)


def linen(stripe="#3c5f86"):
    """Woven cloth, `loc` x and y in metres of the cloth; stripes near its ends."""
    s = Shader("linen")
    sep = s.node("ShaderNodeSeparateXYZ")
    s.put(sep.inputs[0], s.loc)
    warp = s.math("SINE", s.math("MULTIPLY", sep.outputs["X"], 3200.0))
    weft = s.math("SINE", s.math("MULTIPLY", sep.outputs["Y"], 3200.0))
    slub = s.noise(40, 5, 0.7, s.stretch((1, 12, 1)))
    base = s.ramp(slub, ((0.3, "#a8977a"), (0.65, "#c9baa0")))
    base = s.mix(base, stripe, s.math("MULTIPLY", s.wear, 0.85))
    base = s.mix(base, s.ramp(s.noise(600, 2), ((0.3, 0.75), (0.7, 1.0))), 0.5, "MULTIPLY")
    height = s.math("ADD", s.math("MULTIPLY", s.math("ADD", warp, weft), 0.12), slub)
    return s.finish(base, 0.95, s.bump(height, 0.0009, 0.5), leaf=("#e6d8bc", 0.12), Sheen_Weight=0.25, mean="#bfb096")


def plain(name, base, roughness=0.6, **inputs):
    s = Shader(name)
    shade = s.mix(base, 0.3, s.ramp(s.noise(40, 6), ((0.4, 0.0), (0.8, 0.25))), "MIX")
    return s.finish(shade, roughness, s.bump(s.noise(70, 4), 0.001, 0.4), **inputs, mean=base)


def glow(name, base, strength):
    """A shining surface with a vertical gradient by tint."""
    s = Shader(name)
    e = s.node("ShaderNodeEmission")
    s.put(e.inputs["Color"], s.ramp(s.tint, base) if isinstance(base, tuple) else base)
    s.put(e.inputs["Strength"], strength)
    out = s.node("ShaderNodeOutputMaterial")
    s.tree.links.new(e.outputs[0], out.inputs["Surface"])
    s.material.cycles.emission_sampling = "NONE"
    return s.material
