"""An unknown sky of metric depth is far, an unknown hole of a room is filled: by place, photo and the built-in network's order."""

import cv2
import numpy as np
import pytest
from yard_depth import CASES, SKY, Z, in_metres, read

from photo_diorama.core.depth.depth_map import depth_on_photo
from photo_diorama.core.depth.find_depth import find_depth
from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.settings import DepthSettings


def test_the_sky_of_a_depth_camera_is_far(tmp_path):
    cv2.imwrite(str(tmp_path / "z_mm.png"), np.where(Z > 70, 0, Z * 1000).astype(np.uint16))
    z, depth, _ = read(tmp_path / "z_mm.png")
    in_metres(z)
    assert z[SKY] > 1000 and depth.sky == "far" and "is put far away" in depth.source
    filled, depth, _ = read(tmp_path / "z_mm.png", depth_sky="unknown")
    assert filled[SKY] < 100 and not depth.known[SKY] and depth.sky == ""


@pytest.mark.parametrize("name", ["c04_depth.png", "c10_depth.npy", "c10b_depth.tif", "c13_depth.npy"])
def test_the_sky_of_the_cases_is_far_and_still_counts_as_unknown(name):
    z, depth, _ = read(name)
    in_metres(z, unknown_sky=True)
    assert z[SKY] > 1000 and not depth.known[SKY] and depth.sky == "far"


@pytest.mark.parametrize("number", [np.nan, 0, -1, -9999])
def test_the_sky_of_floats_is_far_and_its_holes_are_not(tmp_path, number):
    metres = np.where(Z > 70, np.float32(number), Z)
    metres[180:200, 40:80] = number
    np.save(tmp_path / "z.npy", metres)
    z, depth, _ = read(tmp_path / "z.npy")
    assert z[SKY] > 1000 and not depth.known[190, 60] and z[190, 60] < 20


@pytest.mark.parametrize("number", [0, np.nan])
def test_the_sky_behind_a_hedge(tmp_path, number):
    """Only hedge and ground are known, none of them farther than 2.8 m."""
    inverse = cv2.imread(str(CASES / "c01_depth.png"), cv2.IMREAD_GRAYSCALE)
    np.save(tmp_path / "z.npy", np.where(inverse > 0, np.float32(255) / np.maximum(inverse, 1), np.float32(number)))
    z, depth, _ = read(tmp_path / "z.npy", "c01.jpg", depth_kind="metric")
    assert depth.sky == "far" and z[8, 240] > 100 and z[180, 10] == pytest.approx(2.79, rel=0.02)


HOLES = {"at the top": np.s_[:90, 100:200], "in a corner": np.s_[:60, :120], "of the far wall": np.s_[:120, 200:260]}


@pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES)
def test_what_a_sensor_did_not_see_of_a_room_is_unknown(tmp_path, hole):
    z, depth, _ = _with_hole(tmp_path, hole)
    assert depth.sky != "far" and z.max() < 100 and not depth.known[hole].all()


def test_where_a_sky_may_be_and_nothing_shows_it_the_question_is_asked(tmp_path):
    _, depth, _ = _with_hole(tmp_path, np.s_[:90, 60:260])
    assert depth.sky == "filled" and "where a sky may be" in depth.source
    assert "--depth-sky farthest" in depth.guess.questions(window=False)[0]
    assert "Infinite Depth Is" in depth.guess.questions(window=True)[0]
    z, depth, _ = _with_hole(tmp_path, np.s_[:90, 60:260], depth_sky="farthest")
    assert z[40, 160] > 1000 and depth.sky == ""


def _with_hole(tmp_path, hole, **options):
    """A room seen from one end: floor, ceiling, side walls and a far wall at 5 m, all with a texture; `hole` is 0."""
    rows, columns = np.mgrid[:240, :320]
    x, y = (columns - 159.5) / 260, (rows - 119.5) / 260
    metres = np.minimum.reduce([np.full_like(x, 5.0), 1.2 / np.maximum(np.abs(y), 1e-6), 1.6 / np.maximum(np.abs(x), 1e-6)])
    shade = np.choose(
        (metres < 5) * (1 + (np.abs(y) / 1.2 > np.abs(x) / 1.6) + (y > 0) * (np.abs(y) / 1.2 > np.abs(x) / 1.6)), [190, 150, 215, 95]
    )
    colour = np.clip(shade + 12 * np.random.default_rng(0).standard_normal((240, 320)) * (1 + 0.2 * (y > 0)), 0, 255)
    cv2.imwrite(str(tmp_path / "room.png"), np.dstack([colour * 0.9, colour * 0.97, colour]).astype(np.uint8))
    millimetres = (metres * 1000).astype(np.uint16)
    millimetres[hole] = 0
    cv2.imwrite(str(tmp_path / "room_mm.png"), millimetres)
    return read(tmp_path / "room_mm.png", tmp_path / "room.png", **options)


@pytest.mark.parametrize("ending", ["npy", "pfm"])
def test_infinite_disparity_is_the_sky_where_it_is_as_large_and_else_unknown(tmp_path, ending):
    """As stereo sets write what they know nothing of."""
    disparity = np.where(Z > 70, np.inf, 384 / Z).astype(np.float32)
    disparity[180:200, 40:80] = np.inf
    if ending == "npy":
        np.save(tmp_path / "disp0.npy", disparity)
    else:
        (tmp_path / "disp0.pfm").write_bytes(b"Pf\n320 240\n-1.0\n" + disparity[::-1].astype("<f4").tobytes())
    z, depth, _ = read(tmp_path / f"disp0.{ending}")
    assert z[SKY] > 50 and z[120, 223] == pytest.approx(4, rel=0.02) and not depth.known[190, 60] and z[190, 60] < 10
    z, depth, _ = read(tmp_path / f"disp0.{ending}", depth_sky="unknown")
    assert not depth.known[SKY] and "infinite is unknown" in depth.source


def test_infinity_where_the_photo_shows_something_near_is_a_hole(tmp_path):
    """1 / 0 of a disparity that was not found, in a corner of a room."""
    _with_hole(tmp_path, np.s_[:60, :120])
    metres = cv2.imread(str(tmp_path / "room_mm.png"), cv2.IMREAD_UNCHANGED) / np.float32(1000)
    np.save(tmp_path / "z.npy", np.where(metres == 0, np.inf, metres))
    z, depth, _ = read(tmp_path / "z.npy", tmp_path / "room.png")
    assert z.max() < 100 and not depth.known[30, 60] and "nothing far there" in depth.source


def test_the_sky_of_a_recording_that_lies_beside_the_photo_is_far(tmp_path):
    """Its unit is known by its name, so that no number was weighed."""
    (tmp_path / "image.jpg").write_bytes((CASES / "yard.jpg").read_bytes())
    cv2.imwrite(str(tmp_path / "arkit_depth.png"), np.where(Z > 70, 0, Z * 1000).astype(np.uint16))
    photo = load_photo(tmp_path / "image.jpg")
    for sky in ("auto", "farthest", "unknown"):
        settings = DepthSettings(depth_sky=sky)
        depth = depth_on_photo(find_depth(photo, None, settings, None).values, photo, settings, 960, "arkit")
        assert (1 / depth.disparity[SKY] > 1000) == (sky != "unknown") and not depth.known[SKY]
        assert depth.sky == ("far" if sky == "auto" else "") and depth.metric


def test_a_sliver_of_sky_between_two_poles_is_far(tmp_path):
    metres = np.where(Z > 70, np.float32(0), Z)
    metres[:100, 250:254] = metres[:100, 262:266] = 4
    np.save(tmp_path / "z.npy", metres)
    z, depth, _ = read(tmp_path / "z.npy")
    assert z[10, 258] > 1000 and z[10, 252] < 10 and depth.sky == "far"
