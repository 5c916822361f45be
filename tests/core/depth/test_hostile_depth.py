"""Photos made to hurt: entity bombs, lying lengths, huge rasters, mutated files; only DioramaError may come out."""

import base64
import hashlib
import struct
import time
import zlib

import numpy as np
import pytest
from depth_photo_files import (
    GDEPTH,
    XMP,
    apple_photo,
    apple_xmp,
    dynamic_depth_photo,
    extension_segments,
    gdepth_packets,
    gdepth_photo,
    jpeg,
    photo_pixels,
    png,
    rdf,
    samsung_photo,
    segment,
    with_mpf,
    with_segments,
)  # fmt: skip

from photo_diorama.core.depth.depth_in_photo import decode_embedded_depth
from photo_diorama.core.errors import DioramaError
from photo_diorama.core.photo.jpeg_segments import MAX_SEGMENTS, segments
from photo_diorama.core.photo.xmp import MAX_XMP_BYTES, parse_xmp

SLOWEST = 60.0  # seconds, on any machine: what takes longer hangs
DEPTH = np.arange(2400, dtype=np.uint16).reshape(40, 60) * 27
GREY = (DEPTH >> 8).astype(np.uint8)


def refused(data: bytes, about: str = "") -> str:
    """Raises unless the bytes are refused at once with one sentence that names the file."""
    begin = time.perf_counter()
    with pytest.raises(DioramaError, match=about) as caught:
        decode_embedded_depth(data, "bad.jpg")
    assert time.perf_counter() - begin < SLOWEST
    text = str(caught.value)
    assert "bad.jpg" in text and text.endswith(".") and "\n" not in text and len(text) < 400
    return text


def photo_with(main: bytes, *more: bytes) -> bytes:
    return with_segments(jpeg(photo_pixels()), segment(0xE1, XMP + main), *more)


def bomb(declaration: str) -> bytes:
    return declaration.encode() + rdf(f'xmlns:GDepth="{GDEPTH}" GDepth:Near="&c;" GDepth:Data="AAAA"')


LAUGHS = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
REMOTE = '<!DOCTYPE x [<!ENTITY c SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("declaration", [LAUGHS, REMOTE, "<!doctype x>", "<! DOCTYPE x>", LAUGHS.replace("OC", "oc")])
def test_dtd_and_entities_are_refused(declaration):
    refused(photo_with(bomb(declaration)), "DTD|malformed")
    main, _, _ = gdepth_packets(png(DEPTH), 1, 2)
    evil = bomb(declaration)
    guid = hashlib.md5(evil).hexdigest().upper()
    old = main[main.index(b"HasExtendedXMP") + 16 :][:32]
    refused(photo_with(main.replace(old, guid.encode()), *extension_segments(evil, guid)), "DTD|malformed")


def test_a_dtd_in_another_encoding_is_no_way_round():
    packet = bomb(LAUGHS).decode()
    for encoding in ("utf-16", "utf-32", "utf-7"):
        data = photo_with(packet.encode(encoding) + f" {GDEPTH}".encode())
        refused(data, "malformed|DTD")
    with pytest.raises(DioramaError):
        parse_xmp(b'<?xml version="1.0" encoding="utf-16"?>' + packet.encode("utf-16"), "bad.jpg")


def test_deep_and_wide_trees_are_refused():
    with pytest.raises(DioramaError, match="levels"):
        parse_xmp(b"<a>" * 5000, "bad.jpg")
    with pytest.raises(DioramaError, match="nodes"):
        parse_xmp(b"<a>" + b"<b/>" * 200_000 + b"</a>", "bad.jpg")
    with pytest.raises(DioramaError, match="64 MB"):
        parse_xmp(b"<a>" + b" " * MAX_XMP_BYTES + b"</a>", "bad.jpg")


def test_broken_xmp_that_speaks_of_no_depth_stops_nobody():
    for packet in (b"<x:xmpmeta><broken", LAUGHS.encode() + rdf("", "&c;"), b"\0\xff\xfe" * 99):
        assert decode_embedded_depth(photo_with(packet), "a.jpg") is None


def test_extension_that_lies_or_is_torn():
    main, extended, guid = gdepth_packets(png(DEPTH), 1, 2)
    whole = extension_segments(extended, guid, 120)
    assert len(whole) > 4 and decode_embedded_depth(photo_with(main, *whole), "a.jpg") is not None
    refused(photo_with(main, *whole[:-1]), "of .* bytes")
    refused(photo_with(main, *whole[:2], *whole[3:]), "gap")
    refused(photo_with(main, *whole, whole[1]), "gap")
    refused(photo_with(main, *extension_segments(extended, guid, 120, total=2**32 - 1)), "64 MB")
    refused(photo_with(main, *extension_segments(extended, guid, 120, total=len(extended) - 1)), "of .* bytes")
    refused(photo_with(main, *whole[:-1], *extension_segments(extended, guid, 120, total=5)[-1:]), "differing")
    refused(photo_with(main, *extension_segments(extended, guid, 120, offsets=[0] * 99)), "gap")
    refused(photo_with(main, *extension_segments(extended, "0" * 32, 1000)), "missing")
    spoilt = extended.replace(b"GDepth:Data", b"GDepth:Dat4")
    refused(photo_with(main, *extension_segments(spoilt, guid, 120)), "MD5")
    assert decode_embedded_depth(photo_with(main), "a.jpg") is None  # a program stripped the extension: no depth is left
    torn = photo_with(main, *whole)
    refused(torn[: torn.index(whole[-1]) + 20], "of .* bytes")


@pytest.mark.parametrize("text", ["AAA", "AA=A", "A" * 20 + "!", "AAAA=AAAA", "&#233;AAA"])
def test_base64_is_strict(text):
    packet = rdf(f'xmlns:GDepth="{GDEPTH}" GDepth:Near="1" GDepth:Far="2" GDepth:Data="{text}"')
    refused(photo_with(packet), "base64")


@pytest.mark.parametrize("near, far, form", [
    (0, 2, "RangeInverse"), (-1, 2, "RangeInverse"), (2, 2, "RangeLinear"), ("nan", 2, "RangeInverse"),
    ("inf", 2, "RangeInverse"), (1, "inf", "RangeLinear"), (1, "-inf", "RangeInverse"), (1, "", "RangeLinear"),
    ("1e-300", 2, "RangeInverse"), (1, "1e300", "RangeLinear"), (1, 2, "RangeCubic"), ("1" * 5000, 2, "RangeInverse"),
])  # fmt: skip
def test_impossible_ranges(near, far, form):
    refused(gdepth_photo(png(DEPTH), near, far, form=form), "impossible|unknown format")


def test_infinitely_far_is_possible_in_inverse_depth():
    found = decode_embedded_depth(gdepth_photo(png(DEPTH), 0.5, "inf"), "a.jpg")
    np.testing.assert_allclose(found.values, 2 * (1 - DEPTH / 65535), atol=1e-6)


def huge_png(width, height) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(c)) + t + c + struct.pack(">I", zlib.crc32(t + c)) for t, c in chunks)


def huge_jpeg(width, height) -> bytes:
    data = bytearray(jpeg(GREY))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


HUGE = [huge_png(60000, 60000), huge_png(10001, 10000), huge_png(2**31 - 1, 2), huge_jpeg(65535, 65535)]


@pytest.mark.parametrize("raster", [*HUGE, huge_png(1, 9), huge_png(0, 0)])
def test_huge_rasters_are_refused_before_they_are_decoded(raster):
    refused(gdepth_photo(raster, 1, 2), "pixels|decode|neither")
    if raster[:2] == b"\xff\xd8":
        appended = with_segments(raster, segment(0xE1, XMP + apple_xmp(1, 2)))
        refused(with_mpf(jpeg(photo_pixels()), [appended]), "pixels|decode")


def test_rasters_that_are_torn_or_none():
    whole = png(np.random.default_rng(1).integers(0, 65536, (40, 60), dtype=np.uint16))
    refused(gdepth_photo(whole[:2000], 1, 2), "decode")
    refused(gdepth_photo(b"GIF89a" + bytes(99), 1, 2), "neither")
    refused(gdepth_photo(b"", 1, 2), "neither")


def test_mpf_that_lies():
    appended = with_segments(jpeg(GREY), segment(0xE1, XMP + apple_xmp(1, 2)))
    image = jpeg(photo_pixels())
    assert decode_embedded_depth(with_mpf(image, [appended]), "a.jpg").values.shape == (40, 60)
    for shift in (10**6, 1, 2**31):
        assert decode_embedded_depth(with_mpf(image, [appended], shift=shift), "a.jpg") is None
    assert decode_embedded_depth(with_mpf(image, [appended], lengths=[2**32 - 1]), "a.jpg").values.shape == (40, 60)
    refused(with_mpf(image, [appended], lengths=[len(appended) - 300]), "decode")
    refused(with_mpf(image, [appended])[:-300], "decode")
    for count in (0xFFFFFFFF, 0xFFFF):
        data = bytearray(with_mpf(image, [appended]))
        at = data.index(struct.pack(">HHI", 0xB002, 7, 32)) + 4
        data[at : at + 4] = struct.pack(">I", count)
        assert decode_embedded_depth(bytes(data), "a.jpg") is None


def test_apple_numbers_that_lie():
    for low, high in ((2, 1), ("nan", 1), ("1e300", "2e300"), ("x", "y")):
        found = decode_embedded_depth(apple_photo(GREY, low, high), "a.jpg")
        assert found.range is None and not found.shift_known and 0 <= found.values.min() < found.values.max() <= 1
        refused(apple_photo(GREY, low, high, kind="depth"), "float range")
    refused(apple_photo(GREY, -5, -1), "at most")
    assert decode_embedded_depth(apple_photo(GREY, -1, 4), "a.jpg").range == (0.25, np.inf)


def test_dynamic_depth_that_lies():
    image = png(GREY)
    for length in (2**31, len(image) * 3, -1, "x", 10**30):
        refused(dynamic_depth_photo(image, 1, 2, length=length), "appended")
    refused(dynamic_depth_photo(image, 1, 2, length=0), "does not list")
    refused(dynamic_depth_photo(b"not a picture" * 9, 1, 2), "not there")
    refused(dynamic_depth_photo(image, 4, 4, units="Diopters"), "dioptres")
    refused(dynamic_depth_photo(image, 4, -1, units="Diopters"), "dioptres")
    refused(dynamic_depth_photo(image, 1, 2)[: -len(image) // 2], "not there|decode")
    many = '<rdf:li rdf:parseType="Resource"><Container:Item Item:Mime="image/png" Item:Length="1"/></rdf:li>' * 200
    refused(dynamic_depth_photo(image, 1, 2, first=many), "more than")


def test_samsung_trailer_that_lies():
    good = samsung_photo(GREY)
    assert decode_embedded_depth(good, "a.jpg") is not None
    start = good.rindex(b"SEFH")
    for at in range(start, len(good) - 4, 4):
        for value in (0, 1, 0xFFFF, 0xFFFFFFFF):
            data = good[:at] + struct.pack("<I", value) + good[at + 4 :]
            survives(data, "a.jpg")
    refused(samsung_photo(GREY, size=(2**31, 2**31)), "pixels")


def test_many_tiny_segments_and_markers_end_soon():
    begin = time.perf_counter()
    assert sum(1 for _ in segments(b"\xff\xd8" + b"\xff\xe0\0\x02" * 99_999)) == MAX_SEGMENTS
    assert decode_embedded_depth(b"\xff\xd8" + b"\xff\xe0\0\x02" * 2_000_000, "a.jpg") is None
    assert decode_embedded_depth(b"\xff\xd8" + b"\xff" * 5_000_000, "a.jpg") is None
    data = dynamic_depth_photo(png(GREY), 1, 2)
    head = data[: data.index(b"\xff\xda")]
    refused(head + b"\xff\xda\0\x02" * 1_000_000, "not there|cut|damaged")
    assert time.perf_counter() - begin < SLOWEST


def survives(data: bytes, name: str) -> bool:
    """Whether hostile bytes gave a sound result or None; False for DioramaError; anything else raises."""
    begin = time.perf_counter()
    try:
        found = decode_embedded_depth(data, name)
    except DioramaError as error:
        assert str(error).endswith(".") and "\n" not in str(error)
        return False
    finally:
        assert time.perf_counter() - begin < SLOWEST
    if found is not None:
        assert found.values.dtype == np.float32 and found.values.shape == found.valid.shape and found.valid.any()
        assert np.isfinite(found.values).all()
        assert found.range is None or 0 <= found.range[0] < found.range[1]
        assert found.focal_px is None or 0 < found.focal_px < np.inf
        assert found.cx is None or 0 < found.cx < found.photo_width and 0 < found.cy < found.photo_height
        assert found.matte is None or (0 <= found.matte.min() and found.matte.max() <= 1)
    return True


MARKS = (
    b"http://ns", b"MPF\0", b"meta", b"iloc", b"ipma", b"iref", b"auxC", b"ispe", b"irot", b"hvcC", b"IntrinsicMatrix",
    b"Float", b"GDepth", b"GImage", b"Item:", b"DepthMap:", b"SEFH", b"DualShot", b"\xff\xc0", b"IHDR",
)  # fmt: skip


def mutated(data: bytes, seed: int) -> bytes:
    """Bytes changed, blown up, cut out or doubled, mostly near structures that are read."""
    rng = np.random.default_rng(seed)
    out = bytearray(data)
    places = [i for mark in MARKS for i in (data.find(mark), data.rfind(mark)) if i >= 0]
    for _ in range(rng.integers(1, 9)):
        at = int(rng.choice(places) + rng.integers(-40, 200)) if rng.random() < 0.8 else int(rng.integers(len(out)))
        at = min(max(at, 2 if rng.random() < 0.9 else 0), len(out) - 9)
        kind = rng.integers(6)
        if kind == 0:
            out[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            out[at : at + 4] = rng.bytes(4)
        elif kind == 2:
            out[at : at + 4] = struct.pack(">I", int(rng.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, len(out)])))
        elif kind == 3:
            del out[at : at + int(rng.integers(1, 60))]
        elif kind == 4:
            out[at:at] = out[at : at + int(rng.integers(1, 60))]
        else:
            out[at : at + 1] = b"9" * int(rng.integers(1, 9))
    return bytes(out[: int(rng.integers(len(out) // 3, len(out)))] if rng.random() < 0.15 else out)


@pytest.mark.parametrize("which", ["gdepth", "apple", "dynamic", "samsung", "plain"])
def test_mutations_of_made_files(which):
    camera = {"matrix": (90, 0, 0, 0, 90, 0, 60, 40, 1), "reference": (120, 80)}
    data = {
        "gdepth": lambda: gdepth_photo(png(DEPTH), 1, 9, orientation=6, chunk=1000, original=jpeg(photo_pixels())),
        "apple": lambda: apple_photo(GREY, 0.5, 4, matte=GREY, orientation=8, **camera),
        "dynamic": lambda: dynamic_depth_photo(png(GREY), 1, 9, confidence=png(GREY + 9), padding=5),
        "samsung": lambda: samsung_photo(GREY),
        "plain": lambda: photo_with(rdf(f'xmlns:GDepth="{GDEPTH}" GDepth:Near="1" GDepth:Far="2" '
                                        f'GDepth:Data="{base64.b64encode(png(GREY)).decode()}"')),
    }[which]()  # fmt: skip
    sound = sum(survives(mutated(data, seed), "a.jpg") for seed in range(200))
    assert 0 < sound < 200 or which == "samsung"


def test_mutations_of_real_files(shared):
    folder = shared / "data" / "embedded_depth"
    if not folder.is_dir():
        pytest.skip(f"photos with depth not found in {folder}")
    files = ["heic/pug.heic", "apple_ios_depth_sampler/image-with-matte.jpg", "google_gdepth_xmp.jpg", "heic/pug.heic",
             "apple_ios_depth_sampler/image-with-depth.jpg", "heic/spatial_photo.heic",
             "heic/heic-maybebroken.HEIC"]  # fmt: skip
    data = {name: (folder / name).read_bytes() for name in files}
    sound = sum(survives(mutated(data[files[seed % 7]], seed), files[seed % 7]) for seed in range(70))
    assert 7 < sound < 70
