"""Shaders: what the camera sees of each, what they light, and that the photo's camera sees the photo, in Cycles."""

import io
import json
from types import SimpleNamespace

import made_photos
import numpy as np
import pytest
from PIL import Image

CLOSEST = dict(texture_filter="closest", set_up_scene=True)


@pytest.fixture
def view(blender, tmp_path):
    """Renders the scene's camera by Cycles, every sample through the middle of its pixel; (h, w, 3) float, 0 to 255."""

    def render(samples=1, bounces=0):
        scene = blender.context.scene
        scene.render.engine, scene.render.dither_intensity = "CYCLES", 0
        scene.cycles.samples, scene.cycles.use_adaptive_sampling, scene.cycles.use_denoising = samples, False, False
        scene.cycles.max_bounces, scene.cycles.device = bounces, "CPU"
        scene.cycles.pixel_filter_type, scene.cycles.filter_width = "BLACKMAN_HARRIS", 0.01
        scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGB"
        scene.render.filepath = str(tmp_path / "view.png")
        blender.ops.render.render(write_still=True)
        return np.asarray(Image.open(tmp_path / "view.png").convert("RGB")).astype(float)

    return render


def light_the_scene(bpy, strength=2.0):
    """A white world and a sun: what is lit can be told from what is shown as it is."""
    world = bpy.data.worlds.new("sky")
    if bpy.app.version < (5, 0, 0):
        world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Strength"].default_value = strength
    bpy.context.scene.world = world
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy = 3.0
    bpy.context.scene.collection.objects.link(sun)


@pytest.mark.parametrize("shader", ["shadeless", "emission"])
def test_the_photos_camera_sees_the_photo_whatever_the_light(blender, street, import_photo, view, shader):
    import_photo(*street, shader=shader, **CLOSEST)
    light_the_scene(blender)
    assert np.abs(view(bounces=2) - np.asarray(Image.open(street[0]))).max() <= 1


def light_on_a_card(bpy, view, root):
    """Mean brightness of a white card of the scene that faces the diorama and that the photo's camera sees edge-on, so that
    a second camera looks at it."""
    mesh = bpy.data.meshes.new("card")
    mesh.from_pydata([(-3, -1, -3), (3, -1, -3), (3, -1, 3), (-3, -1, 3)], [], [(0, 1, 2, 3)])
    card = bpy.data.objects.new("card", mesh)
    bpy.context.scene.collection.objects.link(card)
    camera = bpy.data.objects.new("second", bpy.data.cameras.new("second"))
    camera.location, camera.rotation_euler = (0, 1, 0), (np.pi / 2, 0, np.pi)
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    bpy.context.scene.render.resolution_x = bpy.context.scene.render.resolution_y = 24
    return view(samples=32, bounces=2).mean()


@pytest.mark.parametrize("shader, options, lights", [
    ("shadeless", {}, False), ("principled", {}, False), ("emission", {}, True), ("emission", {"emission_strength": 0.0}, False),
])  # fmt: skip
def test_emission_alone_lights_others(blender, street, import_photo, view, shader, options, lights):
    root = import_photo(*street, shader=shader, **options, **CLOSEST)
    assert (light_on_a_card(blender, view, root) > 20) == lights


def test_a_mirror_shows_shadeless(blender, street, import_photo, view):
    root = import_photo(*street, shader="shadeless", **CLOSEST)
    material = blender.data.materials.new("mirror")
    if blender.app.version < (5, 0, 0):
        material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Metallic"].default_value, shader.inputs["Roughness"].default_value = 1.0, 0.0
    dark = light_on_a_card(blender, view, root)
    blender.data.objects["card"].data.materials.append(material)
    assert dark < 2 and view(samples=8, bounces=2).mean() > 30


def test_principled_takes_light_and_its_roughness(blender, street, import_photo, view):
    root = import_photo(*street, shader="principled", roughness=0.3, **CLOSEST)
    assert view().max() == 0
    light_the_scene(blender)
    assert view().mean() > 20
    part = next(ob for ob in root.children if ob.get("photo_diorama_role") == "photo")
    shader = next(n for n in part.active_material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    assert shader.inputs["Roughness"].default_value == pytest.approx(0.3)
    assert shader.inputs["Specular IOR Level"].default_value == 0.5
    root = import_photo(*street, shader="principled")
    part = next(ob for ob in root.children if ob.get("photo_diorama_role") == "photo")
    shader = next(n for n in part.active_material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    assert (shader.inputs["Roughness"].default_value, shader.inputs["Specular IOR Level"].default_value) == (1.0, 0.0)


def test_a_scene_of_before_keeps_its_shader(blender, street, import_photo):
    """What is called Emission now was the shadeless of earlier versions; nothing is swapped under the artist."""
    root = import_photo(*street, shader="emission")
    kept = json.loads(root["photo_diorama_settings"]) | {"shader": "shadeless"}
    for name in ("emission_strength", "roughness"):
        kept.pop(name)
    root["photo_diorama_settings"] = json.dumps(kept)
    before = {m.name: [n.type for n in m.node_tree.nodes] for m in blender.data.materials}
    assert blender.ops.photo_diorama.rebuild() == {"FINISHED"}
    assert before == {m.name: [n.type for n in m.node_tree.nodes] for m in blender.data.materials}
    blender.ops.photo_diorama.rebuild(shader="emission", emission_strength=2.5)
    shaders = [n for m in blender.data.materials for n in m.node_tree.nodes if n.type == "EMISSION"]
    assert len(shaders) == 2 and all(n.inputs["Strength"].default_value == 2.5 for n in shaders)


SOFT = dict(soft_edge=0.03)


@pytest.fixture
def grass(tmp_path):
    """A photo of blades thinner than a pixel before a wall, and the depth of the patch that they grow in."""
    from made_photos import blades

    return blades(tmp_path)


@pytest.mark.parametrize("shader", ["shadeless", "emission"])
@pytest.mark.parametrize("filtered", ["closest", "linear"])
def test_soft_silhouettes_show_the_photo_from_its_camera(blender, grass, import_photo, view, shader, filtered):
    root = import_photo(*grass, **CLOSEST | dict(shader=shader, texture_filter=filtered), **SOFT)
    roles = {ob["photo_diorama_role"]: ob for ob in root.children if ob.type == "MESH"}
    assert {"soft", "cleaned"} < roles.keys()
    off = np.abs(view() - np.asarray(Image.open(grass[0])))
    assert off.max() <= 1, (off.max(), (off > 1).sum())
    roles["cleaned"].hide_render = roles["photo"].hide_render = True
    assert np.abs(view() - np.asarray(Image.open(grass[0]))).max() > 30, "it has not been the photo's own surface"


def test_soft_silhouettes_come_and_go_in_a_rebuild(blender, grass, import_photo):
    root = import_photo(*grass)
    assert len(blender.data.materials) == len(blender.data.images) == 2
    blender.ops.photo_diorama.rebuild(**SOFT)
    roles = {ob["photo_diorama_role"]: ob for ob in root.children if ob.type == "MESH"}
    assert (len(blender.data.materials), len(blender.data.images)) == (4, 3)
    shown = {role: next(n.image for n in ob.active_material.node_tree.nodes if n.type == "TEX_IMAGE") for role, ob in roles.items()}
    assert shown["soft"] == shown["cleaned"] and len(set(shown.values())) == 3
    assert roles["soft"].active_material.surface_render_method == "BLENDED"
    assert roles["photo"].active_material.surface_render_method == "DITHERED", "what is opaque stays fast"
    blender.ops.photo_diorama.rebuild(soft_edge=0.02)
    assert (len(blender.data.materials), len(blender.data.images)) == (4, 3)
    blender.ops.photo_diorama.rebuild(soft_edge=0.0)
    assert len(blender.data.materials) == len(blender.data.images) == 2
    assert "soft" not in {ob["photo_diorama_role"] for ob in root.children if ob.type == "MESH"}


def test_solid_view_shows_the_photo_on_soft_silhouettes(blender, ball, import_photo):
    """It cuts by alpha and would show the colours of the thin parts, which are noise; shaders go on by the first UV map."""
    root = import_photo(*ball, **SOFT)
    roles = {ob["photo_diorama_role"]: ob for ob in root.children_recursive if "photo_diorama_role" in ob}
    mesh, camera = roles["soft"].data, roles["camera"].data
    active = roles["soft"].active_material.node_tree.nodes.active
    assert active.image["photo_diorama_role"] == "photo" and not active.outputs[0].is_linked
    assert mesh.uv_layers[0].active_render and mesh.uv_layers.active.name == "Photo"
    corner, places, uvs = np.empty(len(mesh.loops), np.int32), np.empty(3 * len(mesh.vertices)), np.empty(2 * len(mesh.loops))
    mesh.loops.foreach_get("vertex_index", corner)
    mesh.vertices.foreach_get("co", places)
    mesh.uv_layers["Photo"].uv.foreach_get("vector", uvs)
    x, y, z = places.reshape(-1, 3)[corner].T
    focal, (wide, high) = camera.lens / camera.sensor_width, json.loads(root["photo_diorama_source"])["photo_size"]
    assert np.allclose(uvs.reshape(-1, 2), np.stack([0.5 + focal * x / y, 0.5 + focal * z / y * wide / high], axis=1), atol=1e-5)
    assert all(len(ob.data.uv_layers) == 1 for role, ob in roles.items() if ob.type == "MESH" and role != "soft")


def test_surfaces_carry_the_normals_of_the_depth(blender, ball, import_photo):
    """On the sphere of 1 m at 3 m the normals Blender shades with are the sphere's, also where triangles are large."""
    root = import_photo(*ball, shader="principled")
    blender.context.view_layer.update()
    ob = next(ob for ob in root.children if ob["photo_diorama_role"] == "photo")
    mesh = ob.evaluated_get(blender.context.evaluated_depsgraph_get()).data
    assert mesh.has_custom_normals
    places, normals = np.empty((2, 3 * len(mesh.vertices)), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", places)
    mesh.vertex_normals.foreach_get("vector", normals)
    out = places.reshape(-1, 3) - np.array([0, 3, 0])
    on = (np.abs(np.linalg.norm(out, axis=1) - 1) < 0.01) & (out[:, 1] < -0.75)
    off = np.degrees(np.arccos(np.clip((normals.reshape(-1, 3) * out / np.linalg.norm(out, axis=1)[:, None]).sum(1), -1, 1)))
    assert on.sum() > 100 and np.median(off[on]) < 2.5, np.percentile(off[on], (25, 50, 75))


def test_what_a_network_sees_becomes_camera_normals_and_a_far_sky(blender, import_photo, tmp_path, monkeypatch):
    """A stand-in for MoGe's network, with the sphere's depth in waves, its normals, the focal length and a sky above it."""
    pytest.importorskip("torch")
    from photo_diorama.core.depth import find_depth
    from photo_diorama.core.networks.depth.estimate import FAR, Prediction

    height, width = 120, 160
    photo, _ = made_photos.sphere(tmp_path, width=width, height=height)
    focal = 200.0  # where the file tells none and 53 degrees would be 160
    y, x = (np.mgrid[:height, :width] + 0.5 - np.array([height / 2, width / 2])[:, None, None]) / focal
    length = x * x + y * y + 1
    inside = 9.0 - length * 8.0 > 0
    z = np.where(inside, (3.0 - np.sqrt(np.maximum(9.0 - length * 8.0, 0))) / length, 6.0)
    normals = np.where(inside[..., None], np.stack([x * z, y * z, z - 3], axis=-1), [0, 0, -1.0]).astype(np.float32)
    rows, columns = np.mgrid[:height, :width]
    z *= 1 + 0.004 * np.sin(rows / 3) * np.sin(columns / 3)
    z[:20], normals[:20] = FAR, 0
    said = Prediction(z.astype(np.float32), "metric", focal_px=focal, normals=normals)
    network = SimpleNamespace(predict=lambda picture, focal_px: said)
    monkeypatch.setattr(find_depth, "_load_network", lambda *_: network)
    monkeypatch.setattr(find_depth, "checked_path", lambda weights, models: models / weights.file)

    root = import_photo(photo, "", shader="principled", estimator="moge2_small", depth_kind="auto", long_side=width, delight=0.0)
    camera = next(ob for ob in root.children_recursive if ob.type == "CAMERA").data
    assert camera.lens / camera.sensor_width == pytest.approx(focal / width)
    ob = next(ob for ob in root.children if ob["photo_diorama_role"] == "photo")
    places = np.array([v.co for v in ob.data.vertices])
    above = places[:, 2] / places[:, 1] > 0.24  # the sky: 40 px above the middle
    assert above.any() and places[above, 1].min() > 100 * places[~above, 1].min()
    found = np.array([n.vector for n in ob.data.vertex_normals])
    out = places - np.array([0, 3, 0])
    on = (np.abs(np.linalg.norm(out, axis=1) - 1) < 0.03) & (out[:, 1] < -0.6)
    off = np.degrees(np.arccos(np.clip((found * out / np.linalg.norm(out, axis=1)[:, None]).sum(1), -1, 1)))
    assert on.sum() > 100 and np.percentile(off[on], 90) < 2.5, np.percentile(off[on], (25, 50, 90))


def test_delight_mixes_in_packed_albedo_for_principled_alone(blender, ball, import_photo):
    def albedos():
        return sorted(image["photo_diorama_role"] for image in blender.data.images if "albedo" in image["photo_diorama_role"])

    root = import_photo(*ball, delight=0.6)
    assert not albedos(), "Shadeless shows the photo"
    blender.ops.photo_diorama.rebuild(shader="principled", **SOFT)
    assert albedos() == ["atlas albedo", "photo albedo", "soft albedo"]
    assert all(image.packed_file for image in blender.data.images)
    for ob in root.children:
        if ob.type == "MESH":
            nodes = ob.active_material.node_tree.nodes
            shown = [n.image["photo_diorama_role"] for n in nodes if n.type == "TEX_IMAGE" and n.outputs[0].is_linked]
            assert len(shown) == 2 and sum("albedo" in role for role in shown) == 1, "the original is kept beside it"
            assert next(n for n in nodes if n.type == "MIX").inputs[0].default_value == pytest.approx(0.6)
    pixels = {}
    for image in blender.data.images:
        pixels[image["photo_diorama_role"]] = np.empty(4 * image.size[0] * image.size[1], np.float32)
        image.pixels.foreach_get(pixels[image["photo_diorama_role"]])
    for texture in ("photo", "atlas", "soft"):
        assert len(pixels[texture]) == len(pixels[f"{texture} albedo"])
    assert np.abs(pixels["photo"] - pixels["photo albedo"]).max() > 0.01
    blender.ops.photo_diorama.rebuild(delight=0.0)
    assert not albedos() and len(blender.data.images) == 3


def with_a_wrong_bit(png: bytes, chunk: bytes) -> bytes:
    """The file with one bit of the chunk's checksum turned over."""
    at = png.index(chunk)
    end = at + 4 + int.from_bytes(png[at - 4 : at], "big")
    return png[:end] + bytes([png[end] ^ 1]) + png[end + 1 :]


@pytest.mark.parametrize("alpha", [False, True])
def test_a_file_that_blender_does_not_decode_as_we_do_is_shown_all_the_same(blender, street, import_photo, view, alpha):
    """A PNG with one wrong bit in a checksum was read by us, refused by Blender, and shown all magenta."""
    photo = street[0]
    if alpha:
        Image.open(photo).convert("RGBA").save(photo)
    wanted = np.asarray(Image.open(photo).convert("RGB"))
    photo.write_bytes(with_a_wrong_bit(photo.read_bytes(), b"IDAT"))
    import_photo(*street, shader="shadeless", **CLOSEST)
    image = next(i for i in blender.data.images if i.get("photo_diorama_role") == "photo")
    assert tuple(image.size) == wanted.shape[1::-1]
    assert np.abs(view(bounces=2) - wanted).max() <= 1


def test_a_sound_file_is_packed_as_it_is(blender, street, import_photo):
    import_photo(*street, **CLOSEST)
    image = next(i for i in blender.data.images if i.get("photo_diorama_role") == "photo")
    assert bytes(image.packed_file.data) == street[0].read_bytes()


@pytest.mark.parametrize("size", [(60, 40), (61, 40)])
def test_pixels_are_compared_to_the_last_one(blender, size):
    from photo_diorama.operators.scene.materials import packed_image, shows

    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST).save(out, "PNG")
    image = packed_image("a", (out.getvalue(), "sRGB"), "photo")
    assert shows(image, pixels) == (size == (60, 40))
    pixels[-1, -1, -1] ^= 1
    assert not shows(image, pixels)


def test_an_image_of_ours_that_blender_cannot_read_is_no_success(blender, street, import_photo, monkeypatch):
    from photo_diorama.operators.scene import materials

    monkeypatch.setattr(materials, "encode_texture", lambda pixels, dtype: (b"no picture", "sRGB"))
    with pytest.raises(RuntimeError, match="Blender cannot read the image"):
        import_photo(*street, **CLOSEST)
    assert not blender.data.images and not blender.data.objects


def graded(root, photo, part=slice(None)) -> np.ndarray:
    """As an artist grades the photo's texture: grey and darker in some rows; (h, w, 3) of what is to be seen, 0 to 255."""
    image = next(each for each in bpy_images(root) if each["photo_diorama_role"] == "photo")
    wanted = np.asarray(Image.open(photo).convert("RGB")).astype(np.float32)
    wanted[part] = np.rint(wanted[part].mean(axis=2, keepdims=True) * 0.7)
    image.pixels.foreach_set(np.ascontiguousarray(np.dstack([wanted / 255, np.ones(wanted.shape[:2])])[::-1], np.float32).ravel())
    image.update()
    return wanted


def bpy_images(root) -> list:
    materials = {slot.material for ob in root.children_recursive for slot in getattr(ob, "material_slots", ())}
    return [node.image for material in materials for node in material.node_tree.nodes if node.type == "TEX_IMAGE"]


def soft_pixels(root) -> np.ndarray:
    image = next(each for each in bpy_images(root) if each["photo_diorama_role"] == "soft")
    pixels = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(image.size[1], image.size[0], 4)


@pytest.mark.parametrize("part", [slice(None), slice(50, 75)], ids=["all", "a band"])
def test_soft_silhouettes_take_what_was_painted_on_the_photo(blender, ball, import_photo, view, part):
    """Their texture was made of the photo and kept its old colours as a rim round everything."""
    root = import_photo(*ball, **SOFT, **CLOSEST)
    clean, name = soft_pixels(root), root.name
    wanted = graded(root, ball[0], part)
    blender.context.view_layer.objects.active = root
    blender.ops.photo_diorama.rebuild()
    assert np.abs(view() - wanted).max() <= 2
    first = soft_pixels(root)
    assert np.array_equal(first[..., 3], clean[..., 3])
    if part == slice(None):
        seen = first[..., 3] > 0.02
        assert np.ptp(first[seen][:, :3], axis=1).max() <= 4 / 255, "nothing of the old colours is left in the rim"
    blender.ops.photo_diorama.rebuild()
    assert np.array_equal(soft_pixels(root), first)
    assert sorted(image["photo_diorama_role"] for image in blender.data.images if "photo_diorama_role" in image) == [
        "atlas",
        "photo",
        "soft",
    ]
    blender.ops.photo_diorama.rebuild(soft_edge=0.02)
    assert np.abs(view() - wanted).max() <= 2
    blender.ops.photo_diorama.rebuild(**SOFT)
    assert blender.ops.photo_diorama.restore_textures(what="PHOTO") == {"FINISHED"}
    assert np.array_equal(soft_pixels(blender.data.objects[name]), clean)
    assert np.abs(view() - np.asarray(Image.open(ball[0]).convert("RGB"))).max() <= 2
    assert blender.ops.photo_diorama.restore_textures() == {"CANCELLED"}


@pytest.mark.parametrize("kind", ["16 bits", "linear"])
def test_soft_silhouettes_of_deep_photos_take_it_too_and_keep_their_own_paint(blender, ball, import_photo, tmp_path, kind):
    import cv2

    from photo_diorama.core.raster.exr_encode import encode_exr

    colour = np.asarray(Image.open(ball[0]).convert("RGB"))
    photo = tmp_path / ("deep.png" if kind == "16 bits" else "deep.exr")
    if kind == "16 bits":
        cv2.imwrite(str(photo), colour[..., ::-1].astype(np.uint16) * 257)
    else:
        photo.write_bytes(encode_exr((colour / np.float32(255)) ** 2.2))
    root = import_photo(photo, ball[1], **SOFT)
    image = next(each for each in bpy_images(root) if each["photo_diorama_role"] == "photo")
    pixels = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(pixels)
    pixels = pixels.reshape(-1, 4)
    pixels[:, :3] = pixels[:, :3].mean(axis=1, keepdims=True) * 0.5
    image.pixels.foreach_set(pixels.ravel())
    image.update()
    blender.context.view_layer.objects.active = root
    blender.ops.photo_diorama.rebuild()
    rim = soft_pixels(root)
    assert np.ptp(rim[rim[..., 3] > 0.02][:, :3], axis=1).max() <= 2e-3
    image = next(each for each in bpy_images(root) if each["photo_diorama_role"] == "soft")
    row, column = np.argwhere((rim[..., 3] > 0.3) & (rim[..., 3] < 0.7))[0]
    mine = rim.copy()
    mine[row, column, :3] = 1, 0, 1
    image.pixels.foreach_set(mine.ravel())
    image.update()
    blender.ops.photo_diorama.rebuild()
    assert np.abs(soft_pixels(root) - mine).max() <= 2e-3
