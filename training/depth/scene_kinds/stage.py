"""Blender objects for the training scenes: models, materials, primitives, plants, houses, light and camera."""

import math

import bpy
import numpy as np
from mathutils import Euler, Vector

from scene_kinds.catalogue import Model, facade, noise, noise_texture, palette, sky


def without_missing_textures(material: bpy.types.Material) -> None:
    """Takes out pictures that the model's archive lacks: they would be rendered in magenta."""
    for node in [node for node in material.node_tree.nodes if node.type == "TEX_IMAGE" and not (node.image and node.image.size[0])]:
        material.node_tree.nodes.remove(node)


class Stage:
    """One Blender scene that is emptied and filled again; textures and models are loaded once per process."""

    def __init__(self, rng: np.random.Generator, photos: list[np.ndarray], models: list[Model]):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.rng, self.photos = rng, photos
        self.scene = bpy.context.scene
        self.models: dict[str, list[tuple[bpy.types.Mesh, Model]]] = {}
        for model in models:
            self._load(model)
        self.materials = {
            "noise": [self._material(noise_texture(self.photo(), rng)) for _ in range(60)],
            "ground": [self._material(noise_texture(self.photo(), rng, ground=True)) for _ in range(30)],
            "photo": [self._material(self.crop()) for _ in range(70)],
            "leaf": [self._material(self._leaf()) for _ in range(14)],
            "facade": [self._material(facade(rng, self.photo())) for _ in range(24)],
            "plain": [self._material(None) for _ in range(40)],
        }
        self.bushes = [self._leaf_cloud() for _ in range(8)]
        for mesh in self.bushes:
            mesh.use_fake_user = True  # clear() frees what nothing uses.
        self.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
        self.kept = {self.camera}

    # -- picking -----------------------------------------------------------------------------------------------------
    def photo(self) -> np.ndarray:
        return self.photos[self.rng.integers(len(self.photos))]

    def crop(self, side: int = 256) -> np.ndarray:
        photo = self.photo()
        y = self.rng.integers(max(photo.shape[0] - side, 0) + 1)
        x = self.rng.integers(max(photo.shape[1] - side, 0) + 1)
        return photo[y : y + side, x : x + side]

    def material(self, *kinds: str) -> bpy.types.Material:
        kind = kinds[self.rng.integers(len(kinds))]
        return self.materials[kind][self.rng.integers(len(self.materials[kind]))]

    def _leaf(self) -> np.ndarray:
        green = np.array([self.rng.uniform(30, 110), self.rng.uniform(60, 150), self.rng.uniform(15, 60)])
        if self.rng.random() < 0.2:
            green = np.array([self.rng.uniform(120, 220), self.rng.uniform(60, 150), self.rng.uniform(10, 60)])
        tone = noise(self.rng, 64, 8, 0.9)[..., None]
        return np.clip(green * (0.4 + 1.1 * tone), 0, 255).astype(np.uint8)

    # -- making ------------------------------------------------------------------------------------------------------
    def _image(self, pixels: np.ndarray, linear: bool = False) -> bpy.types.Image:
        height, width = pixels.shape[:2]
        image = bpy.data.images.new("texture", width, height, float_buffer=linear)
        rgba = np.ones((height, width, 4), np.float32)
        rgba[..., :3] = pixels[::-1] if linear else pixels[::-1].astype(np.float32) / 255
        image.pixels.foreach_set(rgba.ravel())
        image.pack()
        return image

    def _material(self, pixels: np.ndarray | None) -> bpy.types.Material:
        material = bpy.data.materials.new("made")
        material.use_nodes = True
        shader = material.node_tree.nodes["Principled BSDF"]
        shader.inputs["Roughness"].default_value = float(self.rng.uniform(0.35, 1.0))
        shader.inputs["Specular IOR Level"].default_value = float(self.rng.uniform(0.0, 0.5))
        if pixels is None:
            colour = palette(self.photo(), self.rng, 1)[0] ** 2.2
            if self.rng.random() < 0.35:
                colour = np.full(3, self.rng.uniform(0.4, 0.85)) * self.rng.uniform(0.92, 1.0, 3)
            shader.inputs["Base Color"].default_value = (*map(float, colour), 1.0)
            return material
        node = material.node_tree.nodes.new("ShaderNodeTexImage")
        node.image = self._image(pixels)
        material.node_tree.links.new(node.outputs["Color"], shader.inputs["Base Color"])
        return material

    def _load(self, model: Model) -> None:
        before = set(bpy.data.objects)
        bpy.ops.wm.obj_import(filepath=str(model.path))
        fresh = [thing for thing in set(bpy.data.objects) - before if thing.type == "MESH" and len(thing.data.vertices)]
        if not fresh:
            return
        for material in {slot.material for thing in fresh for slot in thing.material_slots if slot.material}:
            without_missing_textures(material)
        with bpy.context.temp_override(active_object=fresh[0], selected_editable_objects=fresh):
            bpy.ops.object.join()
        mesh = fresh[0].data
        mesh.transform(fresh[0].matrix_world)
        points = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", points)
        points = points.reshape(-1, 3)
        low, high = points.min(0), points.max(0)
        scale = np.asarray(model.size) / np.maximum(high - low, 1e-4)
        middle = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
        mesh.vertices.foreach_set("co", ((points - middle) * scale).astype(np.float32).ravel())
        mesh.update()
        mesh.use_fake_user = True
        bpy.data.objects.remove(fresh[0])
        self.models.setdefault(model.kind, []).append((mesh, model))

    def _leaf_cloud(self, count: int = 700) -> bpy.types.Mesh:
        """A unit ball of leaves as small quads, denser at its shell and in clumps."""
        clumps = self.rng.normal(size=(12, 3))
        clumps *= (self.rng.uniform(0.3, 0.8, 12) / np.linalg.norm(clumps, axis=1))[:, None]
        centre = clumps[self.rng.integers(12, size=count)] + self.rng.normal(scale=0.22, size=(count, 3))
        first = self.rng.normal(size=(count, 3))
        second = np.cross(first, self.rng.normal(size=(count, 3)))
        first *= (self.rng.uniform(0.04, 0.14, count) / np.linalg.norm(first, axis=1))[:, None]
        second *= (self.rng.uniform(0.04, 0.10, count) / np.linalg.norm(second, axis=1))[:, None]
        corners = np.stack([centre - first, centre - second, centre + first, centre + second], 1).reshape(-1, 3)
        faces = np.arange(4 * count).reshape(-1, 4)
        return self._mesh(corners, faces, np.tile([[0, 0], [1, 0], [1, 1], [0, 1]], (count, 1)) * 0.4)

    def _mesh(self, corners, faces, uv=None) -> bpy.types.Mesh:
        mesh = bpy.data.meshes.new("made")
        mesh.from_pydata(np.asarray(corners).tolist(), [], np.asarray(faces).tolist())
        if uv is not None:
            mesh.uv_layers.new().data.foreach_set("uv", np.asarray(uv, np.float32).ravel())
        return mesh

    def add(self, mesh: bpy.types.Mesh, at, turn: float = 0.0, scale=1.0, material=None) -> bpy.types.Object:
        thing = bpy.data.objects.new("thing", mesh)
        thing.location, thing.rotation_euler = at, (0, 0, turn)
        thing.scale = (scale,) * 3 if np.isscalar(scale) else scale
        if material is not None:
            if not mesh.materials:
                mesh.materials.append(None)
            for slot in thing.material_slots:
                slot.link, slot.material = "OBJECT", material
        self.scene.collection.objects.link(thing)
        return thing

    def model(self, kinds, at, turn=None, scale: float | None = None, height: float | None = None):
        """Place a random model of one of the kinds, its foot at `at`; returns (object, model) or None."""
        kinds = [kind for kind in ([kinds] if isinstance(kinds, str) else kinds) if self.models.get(kind)]
        if not kinds:
            return None
        pool = self.models[kinds[self.rng.integers(len(kinds))]]
        mesh, model = pool[self.rng.integers(len(pool))]
        factor = (scale or 1.0) * self.rng.uniform(0.85, 1.15)
        if height:  # A flat thing is not blown up until it is that high.
            factor = min(height / model.size[2], 2.5 * height / max(model.size))
        paint = self.material("plain", "noise") if self.rng.random() < 0.12 and model.kind != "person" else None
        turn = self.rng.uniform(0, 2 * math.pi) if turn is None else turn
        return self.add(mesh, at, turn, factor, paint), model

    def quad(self, corners, material, repeat=(1.0, 1.0)) -> bpy.types.Object:
        u, v = repeat
        return self.add(self._mesh(corners, [[0, 1, 2, 3]], [[0, 0], [u, 0], [u, v], [0, v]]), (0, 0, 0), material=material)

    def box(self, at, size, turn=0.0, material=None, tile: float = 1.0) -> bpy.types.Object:
        """A box with its foot at `at`; each side carries the texture, repeated every `tile` metres."""
        w, d, h = size
        x, y = w / 2, d / 2
        corners = [(-x, -y, 0), (x, -y, 0), (x, y, 0), (-x, y, 0), (-x, -y, h), (x, -y, h), (x, y, h), (-x, y, h)]
        faces = [(0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7), (4, 5, 6, 7), (3, 2, 1, 0)]
        uv = [[(0, 0), (a, 0), (a, b), (0, b)] for a, b in ((w, h), (d, h), (w, h), (d, h), (w, d), (w, d))]
        return self.add(
            self._mesh(corners, faces, np.array(uv).reshape(-1, 2) / tile),
            at,
            turn,
            material=material or self.material("noise", "photo", "plain"),
        )

    def round(self, at, radius, height, material=None, top: float | None = None, sides: int = 14):
        """A cylinder or (top = 0..radius) a cone."""
        angle = np.linspace(0, 2 * math.pi, sides, endpoint=False)
        ring = np.stack([np.cos(angle), np.sin(angle)], 1)
        top = radius if top is None else top
        corners = np.vstack([np.c_[ring * radius, np.zeros(sides)], np.c_[ring * top, np.full(sides, height)]])
        faces = [[k, (k + 1) % sides, sides + (k + 1) % sides, sides + k] for k in range(sides)]
        uv = [[(k / sides, 0), ((k + 1) / sides, 0), ((k + 1) / sides, 1), (k / sides, 1)] for k in range(sides)]
        mesh = self._mesh(corners, faces, np.array(uv).reshape(-1, 2))
        return self.add(mesh, at, material=material or self.material("noise", "photo", "plain"))

    def ball(self, at, radius, material=None, squash=1.0):
        if not hasattr(self, "_ball"):
            bpy.ops.mesh.primitive_uv_sphere_add(segments=24, ring_count=12, radius=1)
            source = bpy.context.object
            self._ball = source.data
            self._ball.use_fake_user = True
            self._ball.shade_smooth()
            bpy.data.objects.remove(source)
        return self.add(
            self._ball, at, self.rng.uniform(0, 6), (radius, radius, radius * squash), material or self.material("noise", "photo", "plain")
        )

    def tree(self, at, height: float) -> None:
        at = Vector(at)
        if self.models.get("tree") and self.rng.random() < 0.25:
            self.model("tree", at, height=height)
            return
        leaf, trunk = self.material("leaf"), height * self.rng.uniform(0.15, 0.5)
        self.round(at, height * self.rng.uniform(0.012, 0.035), trunk + 0.3 * height, self.material("noise"), height * 0.012, 8)
        if self.rng.random() < 0.3:  # A conifer: balls that shrink upwards.
            for k in range(5):
                radius = height * 0.22 * (1 - k / 5.5)
                self.add(
                    self.bushes[k],
                    at + Vector((0, 0, trunk * 0.5 + k * (height - trunk) / 5)),
                    self.rng.uniform(0, 6),
                    (radius, radius, radius * 0.9),
                    leaf,
                )
            return
        for _ in range(self.rng.integers(2, 6)):
            radius = height * self.rng.uniform(0.16, 0.3)
            offset = Vector((*self.rng.normal(scale=height * 0.13, size=2), self.rng.uniform(trunk, height - radius)))
            self.add(self.bushes[self.rng.integers(8)], at + offset, self.rng.uniform(0, 6), radius, leaf)

    def bush(self, at, radius: float) -> None:
        self.add(
            self.bushes[self.rng.integers(8)],
            Vector(at) + Vector((0, 0, radius * 0.5)),
            self.rng.uniform(0, 6),
            (radius, radius, radius * self.rng.uniform(0.6, 1.2)),
            self.material("leaf"),
        )

    def house(self, at, size, turn=0.0) -> None:
        """A building with window bays; low ones get a gable roof."""
        w, d, h = size
        self.box(at, size, turn, self.material("facade", "facade", "noise"), tile=float(self.rng.uniform(2.6, 3.6)))
        if h < 9 and self.rng.random() < 0.8:
            rise, x, y = self.rng.uniform(0.25, 0.6) * d, w / 2 + 0.3, d / 2 + 0.3
            corners = [(-x, -y, 0), (x, -y, 0), (x, y, 0), (-x, y, 0), (-x, 0, rise), (x, 0, rise)]
            roof = self._mesh(corners, [(0, 1, 5, 4), (2, 3, 4, 5)], [[0, 0], [3, 0], [3, 2], [0, 2]] * 2)
            self.add(roof, Vector(at) + Vector((0, 0, h)), turn, material=self.material("noise", "plain"))
            gable = self._mesh(corners, [(3, 0, 4), (1, 2, 5)], [[0, 0], [1, 0], [0.5, 1]] * 2)
            self.add(gable, Vector(at) + Vector((0, 0, h)), turn, material=self.material("noise"))

    def terrain(self, size: float, bump: float, material, cells: int = 40, repeat: float = 20.0, at=(0, 0, 0)):
        """Ground of side 2*size, raised by noise of `bump` metres but flat near the middle."""
        height = noise(self.rng, 64, 2, 0.45)
        grid = np.linspace(-1, 1, cells)
        x, y = np.meshgrid(grid, grid)
        pick = ((grid + 1) / 2 * 63).astype(int)
        flat = np.clip(np.hypot(x, y) * 2.5 - 0.1, 0, 1)
        z = (height[np.ix_(pick, pick)] - 0.4) * bump * flat
        corners = np.stack([x * size, y * size, z], -1).reshape(-1, 3)
        index = np.arange(cells * cells).reshape(cells, cells)
        faces = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], -1).reshape(-1, 4)
        uv = (np.stack([x, y], -1).reshape(-1, 2) * repeat)[faces.ravel()]
        mesh = self._mesh(corners, faces, uv)
        mesh.shade_smooth()
        return self.add(mesh, at, material=material)

    def water(self, level: float, size: float) -> None:
        material = bpy.data.materials.new("water")
        material.use_nodes = True
        nodes, links = material.node_tree.nodes, material.node_tree.links
        shader = nodes["Principled BSDF"]
        shader.inputs["Base Color"].default_value = (*self.rng.uniform(0.0, 0.08, 2), self.rng.uniform(0.03, 0.15), 1)
        shader.inputs["Roughness"].default_value = float(self.rng.uniform(0.02, 0.25))
        waves, bump = nodes.new("ShaderNodeTexNoise"), nodes.new("ShaderNodeBump")
        waves.inputs["Scale"].default_value = float(self.rng.uniform(20, 300))
        bump.inputs["Strength"].default_value = float(self.rng.uniform(0.05, 0.5))
        place = nodes.new("ShaderNodeTexCoord")
        links.new(place.outputs["Generated"], waves.inputs["Vector"])
        links.new(waves.outputs["Fac"], bump.inputs["Height"])
        links.new(bump.outputs["Normal"], shader.inputs["Normal"])
        s = size
        self.quad([(-s, -s, level), (s, -s, level), (s, s, level), (-s, s, level)], material)

    # -- light and camera --------------------------------------------------------------------------------------------
    def clear(self) -> None:
        for thing in list(self.scene.objects):
            data = thing.data
            bpy.data.objects.remove(thing)
            if thing not in self.kept and isinstance(data, bpy.types.Light):
                bpy.data.lights.remove(data)
        for mesh in [mesh for mesh in bpy.data.meshes if mesh.users == 0]:
            bpy.data.meshes.remove(mesh)
        for material in [material for material in bpy.data.materials if material.name.startswith("water")]:
            bpy.data.materials.remove(material)
        self.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
        self.scene.collection.objects.link(self.camera)
        self.scene.camera = self.camera

    def ambient(self, strength: float) -> None:
        world = bpy.data.worlds.get("plain") or bpy.data.worlds.new("plain")
        world.use_nodes = True
        shade = world.node_tree.nodes["Background"]
        shade.inputs["Color"].default_value = (*(self.rng.uniform(0.8, 1.0, 3)), 1)
        shade.inputs["Strength"].default_value = strength
        self.scene.world = world

    def daylight(self) -> None:
        world = bpy.data.worlds.get("sky")
        if world is None:
            world = bpy.data.worlds.new("sky")
            world.use_nodes = True
            node = world.node_tree.nodes.new("ShaderNodeTexEnvironment")
            world.node_tree.links.new(node.outputs["Color"], world.node_tree.nodes["Background"].inputs["Color"])
            node.name = "sky"
        node = world.node_tree.nodes["sky"]
        if node.image:
            bpy.data.images.remove(node.image)
        node.image = self._image(sky(self.rng), linear=True)
        self.scene.world = world
        if self.rng.random() < 0.7:
            self.sun()

    def sun(self) -> None:
        light = bpy.data.lights.new("sun", "SUN")
        light.energy, light.angle = float(self.rng.uniform(1, 5)), float(self.rng.uniform(0.01, 0.2))
        light.color = (1, self.rng.uniform(0.8, 1), self.rng.uniform(0.6, 1))
        thing = bpy.data.objects.new("sun", light)
        thing.rotation_euler = (self.rng.uniform(-1.2, 1.2), self.rng.uniform(-1.2, 1.2), self.rng.uniform(0, 6))
        self.scene.collection.objects.link(thing)

    def lamp(self, at, energy: float, size: float = 0.6) -> None:
        light = bpy.data.lights.new("lamp", "AREA")
        light.energy, light.size = energy, size
        light.color = (1, self.rng.uniform(0.75, 1), self.rng.uniform(0.5, 1))
        thing = bpy.data.objects.new("lamp", light)
        thing.location = at
        thing.rotation_euler = Euler((self.rng.normal(scale=0.4), self.rng.normal(scale=0.4), 0))
        self.scene.collection.objects.link(thing)

    def look(self, eye, target, hfov_deg: float, roll_deg: float = 0.0) -> None:
        eye, target = Vector(eye), Vector(target)
        turn = (target - eye).to_track_quat("-Z", "Y").to_euler()
        self.camera.location, self.camera.rotation_euler = eye, turn
        self.camera.rotation_euler.rotate_axis("Z", math.radians(roll_deg))
        self.camera.data.angle = math.radians(hfov_deg)
        self.camera.data.clip_start, self.camera.data.clip_end = 0.02, 20000
