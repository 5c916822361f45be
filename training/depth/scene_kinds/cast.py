"""The stage with a cast: dressed people, animals and thin things beside the furniture models, drawn anew each process."""

import math
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

from scene_kinds import tubes
from scene_kinds.animals import bird, fish, quadruped, skin
from scene_kinds.catalogue import noise_texture
from scene_kinds.people import PARTS
from scene_kinds.stage import Stage

SKIN = np.array([(0.78, 0.52, 0.4), (0.68, 0.42, 0.3), (0.5, 0.28, 0.17), (0.3, 0.16, 0.1), (0.12, 0.06, 0.04)])
HAIR = np.array([(0.01, 0.008, 0.006), (0.05, 0.025, 0.012), (0.16, 0.08, 0.03), (0.45, 0.28, 0.1), (0.5, 0.48, 0.45)])
FUR = np.array(
    [
        (0.25, 0.14, 0.06),
        (0.45, 0.3, 0.15),
        (0.6, 0.55, 0.45),
        (0.03, 0.028, 0.026),
        (0.75, 0.72, 0.68),
        (0.3, 0.29, 0.28),
        (0.5, 0.2, 0.06),
    ]
)
SHAPES = {"bare_tree": 7, "bicycle": 5, "lamp": 6, "boat": 5, "tuft": 10, "fern": 6, "flowers": 12, "seat": 8, "hoop": 4, "cables": 3}


class Cast(Stage):
    """A `Stage` that knows people, animals and thin things as well."""

    def __init__(self, rng, photos, models, people: Path | None, figures: int = 20):
        super().__init__(rng, photos, models)
        shade = lambda colours: colours[rng.integers(len(colours))] * rng.uniform(0.75, 1.25) * rng.uniform(0.95, 1.05, 3)
        self.materials |= {
            "skin": [self._tinted(shade(SKIN), 0.5, 0.06) for _ in range(14)],
            "hair": [self._tinted(shade(HAIR), 0.5, 0.5) for _ in range(12)],
            "fur": [self._tinted(shade(FUR), 0.9, 0.6, patches=rng.random() < 0.4) for _ in range(24)],
            "bark": [self._tinted(shade(FUR) * 0.6, 0.9, 0.5) for _ in range(10)],
            "metal": [self._coated(np.full(3, rng.uniform(0.3, 0.8)), 0.25, metal=True) for _ in range(4)],
            "dark": [self._coated(rng.uniform(0.005, 0.08, 3), 0.4) for _ in range(6)],
            "light": [self._glow(rng.uniform(1, 12)) for _ in range(4)],
            "cloth": [self._coated(rng.uniform(0.02, 0.9, 3) ** 1.3, 0.9) for _ in range(30)],
            "eyes": [self._coated(np.full(3, 0.25), 0.3)],
        }
        self.people = self._read_people(people, figures) if people else []
        self.animals = [skin(*quadruped(rng)) for _ in range(12)]
        self.birds = [skin(*bird(rng), cell=0.018) for _ in range(5)]
        self.swimmers = [skin(*fish(rng)) for _ in range(3)]
        self.shapes = {}
        for name, count in SHAPES.items():
            made = [getattr(tubes, name)(rng) for _ in range(count)]
            self.shapes[name] = [(self._shape(shape), shape.materials, float(shape.points[:, 2].max())) for shape in made]
        for mesh in [
            *self.people,
            *self.animals,
            *self.birds,
            *self.swimmers,
            *(entry[0] for pool in self.shapes.values() for entry in pool),
        ]:
            mesh.use_fake_user = True

    # -- materials ---------------------------------------------------------------------------------------------------
    def _coated(self, colour, roughness: float, metal: bool = False) -> bpy.types.Material:
        material = bpy.data.materials.new("made")
        material.use_nodes = True
        shader = material.node_tree.nodes["Principled BSDF"]
        shader.inputs["Base Color"].default_value = (*map(float, np.clip(colour, 0, 1)), 1.0)
        shader.inputs["Roughness"].default_value = roughness
        shader.inputs["Metallic"].default_value = float(metal)
        return material

    def _glow(self, strength: float) -> bpy.types.Material:
        material = self._coated(np.ones(3), 0.5)
        shader = material.node_tree.nodes["Principled BSDF"]
        shader.inputs["Emission Color"].default_value = (1, self.rng.uniform(0.7, 1), self.rng.uniform(0.4, 0.9), 1)
        shader.inputs["Emission Strength"].default_value = float(strength)
        return material

    def _tinted(self, colour, roughness: float, contrast: float, patches: bool = False) -> bpy.types.Material:
        """A colour under noise of its own brightness; `patches` adds a second colour in blots."""
        from scene_kinds.catalogue import noise

        fine = noise(self.rng, 128, 16, 0.9)[..., None] - 0.5
        image = np.asarray(colour)[None, None] * (1 + 2 * contrast * fine)
        if patches:
            other = FUR[self.rng.integers(len(FUR))]
            blot = np.clip((noise(self.rng, 128, 2, 0.5)[..., None] - self.rng.uniform(0.4, 0.65)) * 12, 0, 1)
            image = image * (1 - blot) + other * (1 + contrast * fine) * blot
        pixels = (np.clip(image, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)
        material = self._material(pixels)
        material.node_tree.nodes["Principled BSDF"].inputs["Roughness"].default_value = roughness
        return material

    # -- meshes ------------------------------------------------------------------------------------------------------
    def _shape(self, shape: tubes.Shape) -> bpy.types.Mesh:
        faces = [[c for c in face if c >= 0] for face in shape.faces.tolist()]
        corners = np.concatenate([np.asarray(face) for face in faces])
        mesh = bpy.data.meshes.new("shape")
        mesh.from_pydata(shape.points.tolist(), [], faces)
        mesh.uv_layers.new().data.foreach_set("uv", shape.uv[corners].ravel())
        for _ in shape.materials:
            mesh.materials.append(None)
        mesh.polygons.foreach_set("material_index", shape.parts)
        mesh.update()
        return mesh

    def _read_people(self, folder: Path, count: int) -> list[bpy.types.Mesh]:
        with np.load(folder / "topology.npz") as stored:
            faces, uv = stored["faces"], stored["uv"]
        meshes = []
        paths = sorted(folder.glob("person_*.npz"))
        for k in self.rng.permutation(len(paths))[:count]:
            with np.load(paths[k]) as stored:
                points, part = stored["points"], stored["part"]
            mesh = bpy.data.meshes.new("person")
            mesh.vertices.add(len(points))
            mesh.vertices.foreach_set("co", points.ravel())
            mesh.loops.add(faces.size)
            mesh.loops.foreach_set("vertex_index", faces.ravel())
            mesh.polygons.add(len(faces))
            mesh.polygons.foreach_set("loop_start", np.arange(0, faces.size, 3, dtype=np.int32))
            for _ in PARTS:
                mesh.materials.append(None)
            mesh.polygons.foreach_set("material_index", part.astype(np.int32))
            mesh.uv_layers.new().data.foreach_set("uv", (uv * 3).ravel())
            mesh.update(calc_edges=True)
            mesh.validate()
            mesh.shade_smooth()
            meshes.append(mesh)
        return meshes

    # -- placing -----------------------------------------------------------------------------------------------------
    def dress(self, thing: bpy.types.Object, materials) -> bpy.types.Object:
        for slot, material in zip(thing.material_slots, materials, strict=False):
            slot.link, slot.material = "OBJECT", material
        return thing

    def person(self, at, turn: float = 0.0, scale: float = 1.0) -> tuple[bpy.types.Object, float] | None:
        """A person of this process's cast in new clothes, or a furniture model's; (object, height in metres)."""
        if not self.people or (self.models.get("person") and self.rng.random() < 0.2):
            placed = self.model("person", at, turn)
            return (placed[0], placed[0].scale[2] * placed[1].size[2]) if placed else None
        mesh = self.people[self.rng.integers(len(self.people))]
        thing = self.add(mesh, at, turn, scale)
        clothes = lambda: self.material("cloth", "cloth", "plain", "noise", "photo")
        self.dress(
            thing,
            [
                self.material("skin"),
                self.material("eyes"),
                clothes(),
                clothes(),
                self.material("dark", "cloth", "plain"),
                self.material("hair"),
            ],
        )
        return thing, scale * max(corner[2] for corner in thing.bound_box)

    def animal(self, at, turn: float | None = None, scale: float = 1.0, kind: str | None = None):
        """(object, height in metres) of an animal, sometimes a furniture model's."""
        rng = self.rng
        turn = rng.uniform(0, 2 * math.pi) if turn is None else turn
        if kind is None and self.models.get("animal") and rng.random() < 0.2:
            thing, model = self.model("animal", at, turn)
            return thing, thing.scale[2] * model.size[2]
        pool = {"bird": self.birds, "fish": self.swimmers}.get(kind) or (self.animals if rng.random() < 0.8 else self.birds)
        mesh = pool[rng.integers(len(pool))]
        thing = self.add(mesh, at, turn, scale * rng.uniform(0.8, 1.25), self.material("fur", "fur", "noise"))
        return thing, thing.scale[2] * max(corner[2] for corner in thing.bound_box)

    def thin(self, name: str, at, turn: float | None = None, height: float | None = None) -> bpy.types.Object:
        """One of the tube shapes; `height` stretches it alike in all directions."""
        pool = self.shapes[name]
        mesh, materials, tall = pool[self.rng.integers(len(pool))]
        turn = self.rng.uniform(0, 2 * math.pi) if turn is None else turn
        thing = self.add(mesh, at, turn, height / tall if height else 1.0)
        return self.dress(thing, [self.material(kind) for kind in materials])

    def fence(self, at, turn: float, length: float, height: float) -> bpy.types.Object:
        shape = tubes.railing(self.rng, length, height)
        return self.dress(self.add(self._shape(shape), at, turn), [self.material(kind) for kind in shape.materials])

    def plant(self, at, height: float) -> None:
        choice = self.rng.random()
        if choice < 0.25 and self.models.get("plant"):
            self.model("plant", at, height=height)
        else:
            self.thin(str(self.rng.choice(["tuft", "fern", "flowers", "flowers"])), at, None, height)

    def table(self, at: tuple[float, float], size: tuple[float, float, float], inset: float, top) -> None:
        """A board on four legs, each `inset` from two of its sides; `size` is width, depth, height."""
        wide, deep, high = size
        self.box((*at, high - 0.04), (wide, deep, 0.04), 0, top, tile=deep)
        for s in (-1, 1):
            for t in (-1, 1):
                foot = (at[0] + s * (wide / 2 - inset), at[1] + t * (deep / 2 - inset), 0)
                self.box(foot, (0.05, 0.05, high - 0.04), 0, self.material("bark", "metal"))

    def wall(self, start, end, low: float, high: float, material=None, repeat=(2.0, 1.0)) -> bpy.types.Object:
        """An upright rectangle between two points of the plan."""
        return self.quad(
            [(*start, low), (*end, low), (*end, high), (*start, high)], material or self.material("noise", "plain", "photo"), repeat
        )

    def backlight(self) -> None:
        """A low sun that the camera (which looks along +y) has before it."""
        light = bpy.data.lights.new("sun", "SUN")
        light.energy, light.angle = float(self.rng.uniform(2, 6)), 0.05
        light.color = (1, self.rng.uniform(0.6, 0.95), self.rng.uniform(0.35, 0.8))
        thing = bpy.data.objects.new("sun", light)
        thing.rotation_euler = (-self.rng.uniform(0.8, 1.4), 0, self.rng.normal(scale=0.6))
        self.scene.collection.objects.link(thing)

    def ground_texture(self) -> bpy.types.Material:
        return self._material(noise_texture(self.photo(), self.rng, ground=True))

    @staticmethod
    def toward(eye, turn: float, pitch: float, reach: float = 5.0) -> Vector:
        """The point that a camera at `eye` sees in its middle, turned from +y and raised by radians."""
        return Vector(eye) + Vector((math.sin(turn) * math.cos(pitch), math.cos(turn) * math.cos(pitch), math.sin(pitch))) * reach
