"""Depth carried by photo files made here, byte by byte: exact values, orientation, crops, calibration."""

import io
import sys

import numpy as np
import pytest
from depth_photo_files import (
    XMP,
    apple_photo,
    apple_xmp,
    dynamic_depth_photo,
    gdepth_photo,
    imaging_model,
    jpeg,
    matte_xmp,
    photo_pixels,
    png,
    samsung_photo,
    segment,
    with_mpf,
    with_segments,
)  # fmt: skip
from PIL import Image, ImageOps

from photo_diorama.core.depth import apple_depth
from photo_diorama.core.depth.depth_in_photo import (
    decode_embedded_depth,
    describe,
    read_embedded_depth,
    read_embedded_original,
    upright,
)  # fmt: skip
from photo_diorama.core.depth.depth_raster import Intrinsics
from photo_diorama.core.errors import DioramaError

RAMP = np.arange(256, dtype=np.uint8).reshape(8, 32)[:, ::-1]
WIDE = photo_pixels(128, 32)


def half_disc(width=60, height=40):
    y, x = np.mgrid[:height, :width]
    return np.where((x - 20) ** 2 + (y - 12) ** 2 < 90, 230, 30 + x).astype(np.uint8)


def test_range_inverse_is_exact_in_8_and_16_bits():
    near, far = 1.5, 12.0
    for pixels in (RAMP, (np.arange(256).reshape(8, 32) * 257).astype(np.uint16)):
        found = decode_embedded_depth(gdepth_photo(png(pixels), near, far, photo=WIDE, units="m"), "a.jpg")
        fraction = pixels / np.iinfo(pixels.dtype).max
        z = far * near / (far - fraction * (far - near))  # the specification's own formula
        np.testing.assert_allclose(1 / found.values, z, rtol=3e-6)
        assert (found.kind, found.metric_scale, found.shift_known) == ("disparity", True, True)
        assert found.range == (near, far)
        assert found.values.dtype == np.float32 and found.valid.all()


@pytest.mark.parametrize("units, kind, scale", [("m", "metric", 1), ("mm", "metric", 0.001), (None, "disparity", 1)])
def test_range_linear_is_exact_and_metric_only_with_a_unit(units, kind, scale):
    found = decode_embedded_depth(gdepth_photo(png(RAMP), 400.0, 5000.0, photo=WIDE, form="RangeLinear", units=units), "a.jpg")
    z = (400.0 + RAMP / 255 * 4600.0) * scale
    assert found.kind == kind and found.metric_scale == (units is not None)
    np.testing.assert_allclose(found.values if kind == "metric" else 1 / found.values, z, rtol=3e-6)


def test_a_linear_scale_from_zero_leaves_zero_unknown():
    found = decode_embedded_depth(gdepth_photo(png(RAMP), 0.0, 5.1, photo=WIDE, form="RangeLinear", units="m"), "a.jpg")
    assert np.array_equal(found.valid, RAMP > 0)


def test_lens_blur_without_unit_is_not_metric():
    found = decode_embedded_depth(gdepth_photo(png(RAMP), 18.8, 633.3, photo=WIDE), "a.jpg")
    assert not found.metric_scale and found.shift_known and "unknown" in found.unit


def test_extended_xmp_in_many_segments_in_any_order():
    pixels = np.random.default_rng(5).integers(0, 65536, (160, 240), dtype=np.uint16)
    data = gdepth_photo(png(pixels), 1.0, 9.0, units="m", chunk=20000)
    assert data.count(b"http://ns.adobe.com/xmp/extension/\0") >= 5
    straight = decode_embedded_depth(data, "a.jpg").values
    first = data.index(b"\xff\xe1", data.index(b"GImage:Mime"))
    n = int.from_bytes(data[first + 2 : first + 4], "big") + 2
    swapped = data[:first] + data[first + n : first + 2 * n] + data[first : first + n] + data[first + 2 * n :]
    assert swapped != data and np.array_equal(decode_embedded_depth(swapped, "a.jpg").values, straight)
    np.testing.assert_allclose(straight, 1 + pixels / 65535 * (1 / 9 - 1), rtol=1e-6)


def test_confidence_zero_is_unknown():
    confidence = np.full(RAMP.shape, 255, np.uint8)
    confidence[2, 5:9] = 0
    found = decode_embedded_depth(gdepth_photo(png(RAMP), 1.0, 9.0, photo=WIDE, confidence=png(confidence)), "a.jpg")
    assert np.array_equal(found.valid, confidence > 0)


def test_embedded_original_comes_out_byte_for_byte(tmp_path):
    original = jpeg(photo_pixels(64, 16))
    path = tmp_path / "blurred.jpg"
    path.write_bytes(gdepth_photo(png(RAMP), 1.0, 9.0, photo=WIDE, original=original))
    assert read_embedded_original(path) == original
    assert read_embedded_depth(path).original == "image/jpeg"
    path.write_bytes(gdepth_photo(png(RAMP), 1.0, 9.0, photo=WIDE))
    assert read_embedded_original(path) is None and read_embedded_depth(path).original is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_depth_is_turned_as_pillow_turns_the_photo(orientation):
    depth = half_disc()
    data = gdepth_photo(png(depth), 1.0, 2.0, orientation=orientation, units="m")
    found = decode_embedded_depth(data, "a.jpg")
    tagged = Image.fromarray(depth)
    tagged.getexif()[0x0112] = orientation
    truth = np.asarray(ImageOps.exif_transpose(tagged)) / 255
    np.testing.assert_allclose(found.values, 1 - truth / 2, rtol=1e-6)
    assert found.orientation_applied == orientation
    assert (found.photo_width, found.photo_height) == ImageOps.exif_transpose(Image.open(io.BytesIO(data))).size


@pytest.mark.parametrize("orientation", range(1, 9))
def test_principal_point_turns_with_the_pixels(orientation):
    camera = Intrinsics(60, 40, 50.0, 20.5, 12.5).turned(orientation)
    dot = np.zeros((40, 60))
    dot[12, 20] = 1  # its centre is the principal point
    turned = upright(dot, orientation)
    row, column = np.argwhere(turned == 1)[0]
    assert (camera.cx, camera.cy) == (column + 0.5, row + 0.5)
    assert (camera.width, camera.height) == turned.shape[::-1]


@pytest.mark.parametrize("order", [">", "<"])
def test_apple_disparity_by_its_float_range(order):
    depth = half_disc()
    found = decode_embedded_depth(apple_photo(depth, 0.5, 4.0, order=order), "a.jpg")
    stored = np.asarray(Image.open(io.BytesIO(jpeg(depth))))  # JPEG is lossy: what its decoder makes of it
    np.testing.assert_allclose(found.values, 0.5 + stored / 255 * 3.5, rtol=1e-6)
    assert found.kind == "disparity" and not found.metric_scale and found.shift_known and found.range == (0.25, 2.0)
    assert "nominal" in found.unit and found.matte is None and found.focal_px is None
    assert decode_embedded_depth(apple_photo(depth, 0.5, 4.0, accuracy="absolute"), "a.jpg").metric_scale


def test_apple_depth_in_metres_is_metric_only_when_absolute():
    depth = half_disc()
    stored = np.asarray(Image.open(io.BytesIO(jpeg(depth))))
    metric = decode_embedded_depth(apple_photo(depth, 0.5, 4.0, kind="depth", accuracy="absolute"), "a.jpg")
    assert metric.kind == "metric" and metric.unit == "m"
    np.testing.assert_allclose(metric.values, 0.5 + stored / 255 * 3.5, rtol=1e-6)
    nominal = decode_embedded_depth(apple_photo(depth, 0.5, 4.0, kind="depth"), "a.jpg")
    assert nominal.kind == "disparity" and not nominal.metric_scale
    np.testing.assert_allclose(nominal.values, 1 / metric.values, rtol=1e-5)
    np.testing.assert_allclose(nominal.inverse_depth(), metric.inverse_depth(), rtol=1e-5)


def test_apple_matte_is_kept_and_turned_and_is_not_taken_for_depth():
    matte = np.zeros((80, 120), np.uint8)
    matte[:40, :60] = 255  # top left as stored: top right once turned by orientation 6
    found = decode_embedded_depth(apple_photo(half_disc(), 0.5, 4.0, matte=matte, orientation=6), "a.jpg")
    assert found.matte.shape == (120, 80) and found.matte.dtype == np.float32
    assert found.matte[10:50, 50:70].min() > 0.95 and found.matte[10:50, 5:30].max() < 0.05
    assert found.values.shape == (60, 40)


def test_apple_mattes_of_other_kinds_are_neither_depth_nor_foreground():
    skin = with_segments(jpeg(half_disc()), segment(0xE1, XMP + matte_xmp("semanticskinmatte")))
    depth = with_segments(jpeg(half_disc(30, 20)), segment(0xE1, XMP + apple_xmp(0.5, 4.0)))
    found = decode_embedded_depth(with_mpf(jpeg(photo_pixels()), [skin, depth]), "a.jpg")
    assert found.values.shape == (20, 30) and found.matte is None
    assert decode_embedded_depth(with_mpf(jpeg(photo_pixels()), [skin]), "a.jpg") is None


def test_apple_calibration_is_scaled_to_the_photo_and_turned():
    options = {"matrix": (3000, 0, 0, 0, 3000, 0, 2100, 1400, 1), "reference": (4032, 2688)}
    found = decode_embedded_depth(apple_photo(half_disc(), 1, 2, **options), "a.jpg")  # the photo has 120x80: a 33.6th
    assert (found.focal_px, found.cx, found.cy) == pytest.approx((3000 / 33.6, 2100 / 33.6, 1400 / 33.6))
    turned = decode_embedded_depth(apple_photo(half_disc(), 1, 2, orientation=6, **options), "a.jpg")
    assert (turned.focal_px, turned.cx, turned.cy) == pytest.approx((3000 / 33.6, 80 - 1400 / 33.6, 2100 / 33.6))
    wild = decode_embedded_depth(apple_photo(half_disc(), 1, 2, matrix=(1e9,) * 9, reference=(4032, 2688)), "a.jpg")
    assert wild.focal_px is None and wild.cx is None


def test_calibration_of_a_higher_picture_keeps_the_centre():
    camera = Intrinsics(4032, 3024, 3000, 2016, 1512).for_raster(1920, 1080)  # 4:3 cut to 16:9
    assert (camera.focal_px, camera.cx, camera.cy) == pytest.approx((3000 * 1920 / 4032, 960, 540))
    across = Intrinsics(4032, 3024, 3000, 2016, 1512).for_raster(1512, 2016)
    assert across.focal_px == pytest.approx(1500) and across.cx is None


def test_apple_depth_of_a_higher_aspect_is_cut_in_its_middle():
    depth = np.repeat(np.arange(0, 240, 4, dtype=np.uint8)[:, None], 80, axis=1)  # 80x60, the photo 120x80
    found = decode_embedded_depth(apple_photo(depth, 0.0, 255.0), "a.jpg")
    assert found.values.shape == (53, 80) and any("cut" in note for note in found.notes)
    np.testing.assert_allclose(found.values[:, 40], depth[3:56, 40], atol=2)


def test_google_depth_of_another_aspect_is_stretched_as_its_format_wants():
    found = decode_embedded_depth(gdepth_photo(png(half_disc(60, 60)), 1.0, 2.0), "a.jpg")
    assert found.values.shape == (60, 60) and any("stretched" in note for note in found.notes)


def test_depth_across_the_photo_is_refused_and_upright_depth_of_a_turned_photo_kept():
    depth = half_disc().T.copy()
    with pytest.raises(DioramaError, match="across"):
        decode_embedded_depth(gdepth_photo(png(depth), 1.0, 2.0), "a.jpg")
    found = decode_embedded_depth(gdepth_photo(png(depth), 1.0, 2.0, orientation=6), "a.jpg")
    np.testing.assert_allclose(found.values, 1 - depth / 255 / 2, rtol=1e-6)
    assert found.orientation_applied == 1 and (found.photo_width, found.photo_height) == (80, 120)


@pytest.mark.parametrize("padding", [0, 37])
def test_dynamic_depth_from_the_appended_items(padding):
    depth, confidence = half_disc(), np.full((40, 60), 255, np.uint8)
    confidence[:5] = 0
    data = dynamic_depth_photo(png(depth), 0.5, 5.6, confidence=png(confidence), padding=padding)
    found = decode_embedded_depth(data, "a.jpg")
    assert found.kind == "metric" and found.source == "Google Dynamic Depth RangeLinear"
    np.testing.assert_allclose(found.values, 0.5 + depth / 255 * 5.1, rtol=1e-6)
    assert np.array_equal(found.valid, confidence > 0)


def test_dynamic_depth_skips_gain_maps_segmentation_and_bytes_behind_the_last_item():
    depth, other = half_disc(), png(np.zeros((4, 4), np.uint8))
    first = (f'<rdf:li rdf:parseType="Resource"><Container:Item Item:Mime="image/png" Item:Length="{len(other)}" '
             f'Item:DataURI="gainmap"/></rdf:li>')  # fmt: skip
    data = dynamic_depth_photo(other + png(depth), 1, 2, first=first, length=len(png(depth)))
    np.testing.assert_allclose(decode_embedded_depth(data + b"video" * 99, "a.jpg").values, 1 + depth / 255, rtol=1e-6)
    assert decode_embedded_depth(dynamic_depth_photo(png(depth), 1, 2, semantic="Segmentation"), "a.jpg") is None


@pytest.mark.parametrize("padding", [0, 37])
def test_dynamic_depth_is_found_behind_a_photo_with_a_thumbnail_and_before_a_video(padding):
    depth = half_disc()
    data = dynamic_depth_photo(png(depth), 1, 2, padding=padding) + b"video" * 99
    thumbnail = jpeg(photo_pixels(16, 12))  # its end of image is not the photo's
    data = with_segments(data, segment(0xE1, b"Exif\0\0" + thumbnail + png(depth // 2)))
    np.testing.assert_allclose(decode_embedded_depth(data, "a.jpg").values, 1 + depth / 255, rtol=1e-6)


def test_dynamic_depth_camera_and_rays():
    flat = np.full((40, 60), 255, np.uint8)
    model = imaging_model(1200, 800, 1000, 590, 410)
    found = decode_embedded_depth(dynamic_depth_photo(png(flat), 1, 2, camera=model, measure="OpticRay"), "a.jpg")
    assert (found.focal_px, found.cx, found.cy) == pytest.approx((100, 59, 41))
    y, x = np.mgrid[:40, :60] + 0.5
    length = np.sqrt(1 + ((x * 20 - 590) / 1000) ** 2 + ((y * 20 - 410) / 1000) ** 2) * found.values
    np.testing.assert_allclose(length, 2, rtol=1e-6)  # a sphere again
    half = decode_embedded_depth(dynamic_depth_photo(png(flat), 1, 2, camera=imaging_model(1200, 800, 1000, 0.5, 0.5)), "a.jpg")
    assert (half.cx, half.cy) == pytest.approx((60, 40)) and np.all(half.values == 2)


def test_dynamic_depth_in_dioptres():
    found = decode_embedded_depth(dynamic_depth_photo(png(half_disc()), 4, 0.5, form="RangeInverse", units="Diopters"), "a.jpg")
    assert found.range == (0.25, 2.0) and found.metric_scale
    np.testing.assert_allclose(found.values, 4 - half_disc() / 255 * 3.5, rtol=1e-6)


def test_dioptres_with_near_and_far_exchanged_are_ordered_by_value():
    """As a phone writes them: the greater dioptre is nearer whatever it is called, and the scale is nobody's."""
    found = decode_embedded_depth(dynamic_depth_photo(png(half_disc()), 0.5, 4, form="RangeInverse", units="Diopters"), "a.jpg")
    assert found.range == (0.25, 2.0) and not found.metric_scale and found.shift_known
    np.testing.assert_allclose(found.values, 0.5 + half_disc() / 255 * 3.5, rtol=1e-6)


def test_samsung_trailer():
    depth = half_disc()
    found = decode_embedded_depth(samsung_photo(depth, orientation=6), "a.jpg")
    np.testing.assert_allclose(found.values, upright(depth, 6) / 255, rtol=1e-6)
    assert (found.kind, found.metric_scale, found.shift_known, found.range) == ("disparity", False, False, None)
    with pytest.raises(DioramaError, match="bytes of depth"):
        decode_embedded_depth(samsung_photo(depth, size=(61, 40)), "a.jpg")


def test_depth_representation_of_hevc():
    cases = {
        0: ({"z_near": 0.5, "z_far": 4.0}, 0.25 + RAMP / 255 * 1.75, (0.5, 4.0)),
        1: ({"d_min": 0.5, "d_max": 4.0}, 0.5 + RAMP / 255 * 3.5, (0.25, 2.0)),
        2: ({"z_near": 0.5, "z_far": 4.0}, 1 / (0.5 + RAMP / 255 * 3.5), (0.5, 4.0)),
    }
    for kind, (sei, truth, span) in cases.items():
        found = apple_depth._scaled_by_sei(RAMP, 255, {"representation_type": kind, **sei}, "a.heic")
        np.testing.assert_allclose(found.values, truth, rtol=1e-6)
        assert found.range == span and not found.metric_scale
    with pytest.raises(DioramaError, match="non-linear"):
        apple_depth._scaled_by_sei(RAMP, 255, {"representation_type": 3}, "a.heic")


def test_files_without_depth(tmp_path):
    for data in (jpeg(photo_pixels()), png(RAMP), b"text", b"\xff\xd8", b"\xff\xd8\xff\xe1\xff", b"RIFF"):
        assert decode_embedded_depth(data, "a.jpg") is None
    path = tmp_path / "empty.jpg"
    path.write_bytes(b"")
    for bad in (path, tmp_path / "missing.jpg", tmp_path):
        with pytest.raises(DioramaError):
            read_embedded_depth(bad)


def test_heic_without_pillow_heif_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(DioramaError, match="pillow-heif"):
        decode_embedded_depth(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a.heic")


def test_describe_says_what_was_found():
    camera = {"matrix": (3000, 0, 0, 0, 3000, 0, 2016, 1344, 1), "reference": (4032, 2688)}
    photo = apple_photo(half_disc(), 0.5, 4.0, matte=half_disc(120, 80), orientation=6, **camera)
    text = "\n".join(describe(decode_embedded_depth(photo, "a.jpg")))
    for part in ("Apple JPEG disparity, 40x60", "larger is nearer", "1/m, nominal", "0.25 to 2 m, nominal", "89.3 px",
                 "portrait matte: 80x120", "EXIF 6"):  # fmt: skip
        assert part in text
    assert "known:" not in text
    text = "\n".join(describe(decode_embedded_depth(gdepth_photo(png(RAMP), 1.0, 3.0, photo=WIDE, original=jpeg(WIDE)), "a.jpg")))
    assert "unknown unit" in text and "sharp picture" in text
