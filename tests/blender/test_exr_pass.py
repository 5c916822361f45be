"""A depth pass that Blender itself rendered into a multilayer EXR is read as depth, exactly."""

import numpy as np
import pytest

from photo_diorama.core.depth.depth_map import read_depth
from photo_diorama.core.settings import DepthSettings


@pytest.mark.parametrize("codec", ["ZIP", "RLE", "NONE"])
def test_blenders_own_depth_pass(blender, tmp_path, codec):
    """Two planes across the view at 4 and 6 m: depth runs along the axis, so it is 4 and 6 in each pixel."""
    scene = blender.context.scene
    camera = blender.data.objects.new("camera", blender.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    for z, x in ((-4.0, -10.0), (-6.0, 0.0)):
        mesh = blender.data.meshes.new("plane")
        mesh.from_pydata([(x, -9, z), (x + 10, -9, z), (x + 10, 9, z), (x, 9, z)], [], [(0, 1, 2, 3)])
        scene.collection.objects.link(blender.data.objects.new("plane", mesh))
    scene.view_layers[0].use_pass_z = scene.view_layers[0].use_pass_normal = True
    render, image = scene.render, scene.render.image_settings
    render.engine, render.use_compositing = "CYCLES", False
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    render.resolution_x, render.resolution_y, render.resolution_percentage = 40, 24, 100
    if hasattr(image, "media_type"):
        image.media_type = "MULTI_LAYER_IMAGE"
    image.file_format, image.exr_codec = "OPEN_EXR_MULTILAYER", codec
    render.filepath = str(tmp_path / "pass.exr")
    blender.ops.render.render(write_still=True)
    found = read_depth(tmp_path / "pass.exr", DepthSettings())
    assert found.metric and found.values.shape == (24, 40) and found.known.all()
    left, right = found.values[:, :19], found.values[:, 21:]
    assert np.allclose(left, 4, atol=1e-4) and np.allclose(right, 6, atol=1e-4)
