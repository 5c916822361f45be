"""Deep photos of other colour spaces: the same sRGB as the formulas give, and as Pillow gives in 8 bits."""

import struct

import numpy as np
import pytest
from picture_files import p3_profile, srgb_of_p3
from scenes import png_bytes, png_chunk

from photo_diorama.core.photo.icc_profile import to_srgb
from photo_diorama.core.photo.photo import load_photo

ROWS, COLUMNS = np.mgrid[:40, :60]
COLOURS = np.stack([ROWS * 6, COLUMNS * 4, 255 - ROWS * 3 - COLUMNS * 2], axis=2).astype(np.uint16) * 257


def with_curve(curve: bytes) -> bytes:
    """The P3 profile with another curve at the end, which all three channels use."""
    profile = bytearray(p3_profile())
    at = len(profile)
    for i in range(struct.unpack_from(">I", profile, 128)[0]):
        if profile[132 + 12 * i : 136 + 12 * i] in (b"rTRC", b"gTRC", b"bTRC"):
            struct.pack_into(">II", profile, 136 + 12 * i, at, len(curve))
    return bytes(profile + curve)


def test_display_p3_in_16_bits():
    assert np.abs(to_srgb(COLOURS, p3_profile()) / 257 - srgb_of_p3(COLOURS / 257)).max() < 0.1


def para(kind: int, *numbers: float) -> bytes:
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + struct.pack(f">{len(numbers)}i", *(round(n * 65536) for n in numbers))


TABLE = np.rint(65535 * np.linspace(0, 1, 1024) ** 2.2).astype(">u2").tobytes()
GAMMA = {
    "one number": b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)),
    "table": b"curv\0\0\0\0" + struct.pack(">I", 1024) + TABLE,
    "para 0": para(0, 2.2), "para 1": para(1, 2.2, 1, 0), "para 2": para(2, 2.2, 1, 0, 0),
    "para 3": para(3, 2.2, 1, 0, 0, 0), "para 4": para(4, 2.2, 1, 0, 0, 0, 0, 0),
}  # fmt: skip


@pytest.mark.parametrize("kind", GAMMA)
def test_every_kind_of_curve_gives_the_same(kind):
    exact, result = to_srgb(COLOURS, with_curve(GAMMA["para 0"])), to_srgb(COLOURS, with_curve(GAMMA[kind]))
    assert np.abs(result.astype(int) - exact).max() < 300  # of 65535; one number has only 8 bits behind the point
    assert np.abs(result.astype(int) - to_srgb(COLOURS, p3_profile())).max() > 800


def test_a_linear_profile_is_encoded():
    grey = np.full((2, 2, 3), 14027, np.uint16)  # 0.21404, which sRGB writes as a half
    assert np.abs(to_srgb(grey, with_curve(b"curv\0\0\0\0" + struct.pack(">I", 0))).astype(int) - 32768).max() < 40


def test_white_and_black_stay():
    ends = np.array([[[0, 0, 0], [65535, 65535, 65535]]], np.uint16)
    assert np.abs(to_srgb(ends, p3_profile()).astype(int) - ends).max() < 40


def test_srgb_itself_is_left_alone():
    from PIL import ImageCms

    assert to_srgb(COLOURS, ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()) is None


@pytest.mark.parametrize("cut", [0, 4, 100, 130, 140, 300, 400])
def test_damaged_profiles_are_passed_over(cut):
    with pytest.raises(ValueError):  # which `load_photo` turns into a note
        to_srgb(COLOURS, p3_profile()[:cut])


def test_mutated_profiles_raise_nothing():
    rng = np.random.default_rng(0)
    for _ in range(200):
        profile = bytearray(with_curve(list(GAMMA.values())[rng.integers(len(GAMMA))]))
        for at in rng.integers(128, len(profile), 6):
            profile[at] = rng.integers(256)
        try:
            result = to_srgb(COLOURS[:2, :2], bytes(profile))
        except ValueError:
            continue
        assert result is None or (result.shape == (2, 2, 3) and result.dtype == np.uint16)


def test_a_photo_of_16_bits_is_brought_to_srgb(tmp_path):
    import zlib

    data = png_bytes(COLOURS)
    chunk = png_chunk(b"iCCP", b"P3\0\0" + zlib.compress(p3_profile()))
    (tmp_path / "deep.png").write_bytes(data[:33] + chunk + data[33:])
    photo = load_photo(tmp_path / "deep.png")
    assert photo.colour.dtype == np.uint16 and photo.file_bytes is None
    assert np.abs(photo.colour / 257 - srgb_of_p3(COLOURS / 257)).max() < 0.1


def test_each_channel_is_read_by_its_own_curve():
    """Gamma 1.0, 1.8 and 2.4 for red, green and blue: the same as bringing each channel to gamma 2.2 first."""
    gammas = dict(zip((b"rTRC", b"gTRC", b"bTRC"), (1.0, 1.8, 2.4), strict=True))
    profile = bytearray(p3_profile())
    for i in range(struct.unpack_from(">I", profile, 128)[0]):
        if (name := bytes(profile[132 + 12 * i : 136 + 12 * i])) in gammas:
            curve = para(0, gammas[name])
            struct.pack_into(">II", profile, 136 + 12 * i, len(profile), len(curve))
            profile += curve
    levelled = np.rint(65535 * (COLOURS / 65535) ** (np.array([*gammas.values()]) / 2.2)).astype(np.uint16)
    exact = to_srgb(levelled, with_curve(GAMMA["para 0"]))
    assert np.abs(to_srgb(COLOURS, bytes(profile)).astype(int) - exact).max() < 60
