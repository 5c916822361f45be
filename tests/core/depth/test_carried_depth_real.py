"""Depth carried by real photos: sizes and ranges read out of the bytes by hand, near and far looked at as pictures."""

import io

import numpy as np
import pytest
from PIL import Image

from photo_diorama.core.depth.depth_in_photo import (
    decode_embedded_depth,
    inspect_depth,
    read_embedded_depth,
    read_embedded_original,
    read_spatial_intrinsics,
    upright,
)  # fmt: skip
from photo_diorama.core.depth.depth_raster import Intrinsics


@pytest.fixture(scope="module")
def real(shared):
    folder = shared / "data" / "embedded_depth"
    if not folder.is_dir():
        pytest.skip(f"photos with depth not found in {folder}")
    return folder


def test_apple_jpegs(real):
    vase = read_embedded_depth(real / "apple_ios_depth_sampler" / "image-with-depth.jpg")
    assert vase.values.shape == (768, 576) and (vase.photo_width, vase.photo_height) == (3024, 4032)
    assert (vase.values.min(), vase.values.max()) == pytest.approx((0.650879, 2.509766))
    assert (vase.focal_px, vase.cx, vase.cy) == pytest.approx((6112.78125, 1524.8357, 2027.0890), rel=1e-6)
    assert not vase.metric_scale and vase.matte is None and vase.source == "Apple JPEG disparity"
    table_edge, body, wall = vase.values[650, 200], vase.values[400, 280], vase.values[100, 280]
    assert table_edge > body > 1.8 and wall < 1.1
    man = read_embedded_depth(real / "apple_ios_depth_sampler" / "image-with-matte.jpg")
    assert man.range == pytest.approx((1 / 1.366211, 1 / 0.864746)) and man.matte.shape == (2016, 1512)
    depth = np.asarray(Image.fromarray(man.values).resize((1512, 2016)))
    inside, outside = man.matte > 0.9, man.matte < 0.1
    assert 0.15 < inside.mean() < 0.35
    assert (np.percentile(depth[inside], 5) > np.median(depth[outside])) and np.median(depth[inside]) > 1.15


def test_lens_blur_photo(real):
    path = real / "google_gdepth_xmp.jpg"
    found = read_embedded_depth(path)
    assert found.values.shape == (2048, 1536) and found.range == (18.849538803100586, 633.323486328125)
    assert found.kind == "disparity" and not found.metric_scale and found.source == "Google GDepth RangeInverse"
    near, far = found.range
    steps = (1 / near - found.values.astype(np.float64)) / (1 / near - 1 / far) * 255
    assert abs(steps - steps.round()).max() < 1e-3 and steps.round().min() == 63
    front_flower, back_flower, soil = found.values[1140, 490], found.values[960, 1140], found.values[60, 800]
    assert front_flower > back_flower > soil
    sharp, shown = Image.open(io.BytesIO(read_embedded_original(path))), Image.open(path)
    assert sharp.size == shown.size == (1536, 2048)
    top = [np.asarray(im.convert("L").crop((300, 100, 1200, 500)), float) for im in (sharp, shown)]
    assert np.diff(top[0], axis=1).var() > 3 * np.diff(top[1], axis=1).var()  # the shown background is blurred


def test_apple_heic(real):
    pytest.importorskip("pillow_heif")
    pug = read_embedded_depth(real / "heic" / "pug.heic")
    assert pug.values.shape == (576, 768) and (pug.photo_width, pug.photo_height) == (4032, 3024)
    assert (pug.values.min(), pug.values.max()) == pytest.approx((1.498047, 4.382812), rel=1e-6)
    assert (pug.focal_px, pug.cx, pug.cy) == pytest.approx((3032.59424, 1988.45093, 1512.30713), rel=1e-6)
    assert not pug.metric_scale and "nominal" in pug.unit and pug.source == "Apple HEIC disparity"
    basket, head, wall = pug.values[540, 740], pug.values[330, 440], pug.values[100, 400]
    assert basket > head > wall


@pytest.mark.parametrize("quarter, orientation", [(1, 8), (2, 3), (3, 6)])
def test_heic_turned_by_its_container(real, quarter, orientation):
    pytest.importorskip("pillow_heif")
    data = bytearray((real / "heic" / "pug.heic").read_bytes())
    straight = decode_embedded_depth(bytes(data), "pug.heic")
    data[data.index(b"irot") + 4] = quarter
    turned = decode_embedded_depth(bytes(data), "pug.heic")
    assert np.array_equal(turned.values, upright(straight.values, orientation))
    assert (turned.photo_width, turned.photo_height) == ((4032, 3024) if quarter == 2 else (3024, 4032))
    camera = Intrinsics(4032, 3024, straight.focal_px, straight.cx, straight.cy).turned(orientation)
    assert (turned.focal_px, turned.cx, turned.cy) == pytest.approx((camera.focal_px, camera.cx, camera.cy))


def test_heics_without_depth_say_so(real):
    pytest.importorskip("pillow_heif")
    for name in ("heic-empty.heic", "heic-maybebroken.HEIC", "spatial_photo.heic"):
        assert read_embedded_depth(real / "heic" / name) is None
        assert inspect_depth(real / "heic" / name)[0] == "depth: none in the file"
    lines = inspect_depth(real / "heic" / "spatial_photo.heic")
    assert "2 views of 2560x2560, the first is used" in lines[1]
    camera = read_spatial_intrinsics(real / "heic" / "spatial_photo.heic")
    assert (camera.focal_px, camera.cx, camera.cy) == pytest.approx((1525.4446, 1280, 1280))
    assert read_spatial_intrinsics(real / "heic" / "pug.heic") is None
