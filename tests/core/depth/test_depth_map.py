"""Depth files: each format and meaning gives the same disparity on the grid; bad ones are told in a sentence."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest
from picture_files import exr_bytes, forbid_decoding, pfm_bytes
from scenes import HEIGHT, WIDTH, png_bytes, png_chunk, png_header, slanted_ground, two_planes

from photo_diorama.core.depth.depth_map import DepthMap, DepthValues, depth_on_photo, read_depth, working_size
from photo_diorama.core.errors import DioramaError
from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.settings import DepthSettings

METRIC, DISPARITY = DepthSettings(depth_kind="metric"), DepthSettings(depth_kind="disparity")
PHOTO = two_planes().photo()
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]
METRES = np.float32(4 - ROWS / 60 + 0.3 * np.sin(COLUMNS / 9))
"""Smooth relief between 1.7 and 4.3 m, nearer at the bottom."""


def load_depth(path, photo, settings, long_side) -> DepthMap:
    return depth_on_photo(read_depth(path, settings), photo, settings, long_side, str(path))


def load(path, settings=METRIC, photo=PHOTO, long_side=WIDTH) -> DepthMap:
    depth = load_depth(path, photo, settings, long_side)
    assert depth.disparity.dtype == np.float32 and np.isfinite(depth.disparity).all() and (depth.disparity > 0).all()
    assert depth.known.shape == depth.disparity.shape
    return depth


def written(folder, name: str, data) -> str:
    path = folder / name
    if isinstance(data, bytes):
        path.write_bytes(data)
    elif name.endswith("npz"):
        np.savez_compressed(path, depth=data)
    elif name.endswith("npy"):
        np.save(path, data)
    else:
        import cv2

        assert cv2.imwrite(str(path), data)
    return path


MILLIMETRES = np.rint(METRES * 1000).astype(np.uint16)
AS_METRES = {
    "f4.npy": METRES, "f8.npy": METRES.astype(np.float64), "big endian.npy": METRES.astype(">f4"),
    "columns first.npy": np.asfortranarray(METRES), "1hw.npy": METRES[None], "a.npz": METRES, "float.tif": METRES,
    "little.pfm": pfm_bytes(METRES, "<"), "big.pfm": pfm_bytes(METRES, ">"),
    "three.pfm": pfm_bytes(np.repeat(METRES[..., None], 3, axis=2)),
    "y.exr": exr_bytes({"Y": METRES}), "rgb.exr": exr_bytes({c: METRES for c in "RGB"}),
    "r first.exr": exr_bytes({"R": METRES, "G": METRES * 0, "B": METRES * 0 + 1}),
}  # fmt: skip


@pytest.mark.parametrize("name", AS_METRES)
def test_metres_in_every_float_format(tmp_path, name):
    depth = load(written(tmp_path, name, AS_METRES[name]))
    assert depth.metric and depth.known.all() and name in depth.source
    assert np.allclose(1 / depth.disparity, METRES, rtol=1e-6)


@pytest.mark.parametrize("name", ["mm.png", "mm.tif", "mm.npy"])
@pytest.mark.parametrize("settings", [DepthSettings(depth_scale=0.001), DepthSettings(depth_kind="metric", depth_scale=0.001)])
def test_millimetres_with_a_scale(tmp_path, name, settings):
    depth = load(written(tmp_path, name, MILLIMETRES), settings)
    assert depth.metric and np.allclose(1 / depth.disparity, MILLIMETRES / 1000, rtol=1e-5)


def test_scale_is_metres_a_unit(tmp_path):
    path = written(tmp_path, "feet.npy", METRES)
    assert np.allclose(1 / load(path, DepthSettings(depth_scale=0.3048)).disparity, METRES * 0.3048, rtol=1e-5)


def test_auto_takes_a_depth_cameras_png_for_millimetres(tmp_path):
    depth = load(written(tmp_path, "kinect.png", MILLIMETRES), DepthSettings())
    assert depth.metric and "millimetres" in depth.source and np.allclose(1 / depth.disparity, METRES, atol=1e-3)


def test_auto_takes_stretched_integers_for_inverse_depth(tmp_path):
    stretched = (1 / METRES - (1 / METRES).min()) / np.ptp(1 / METRES)
    for name, top, dtype in (("8.png", 255, np.uint8), ("16.png", 65535, np.uint16)):
        depth = load(written(tmp_path, name, np.rint(stretched * top).astype(dtype)), DepthSettings())
        assert not depth.metric and "inverse depth" in depth.source


def test_auto_tells_floats_by_which_way_they_grow(tmp_path):
    metres = load(written(tmp_path, "z.npy", METRES), DepthSettings())
    assert metres.metric and "metres" in metres.source
    inverse = load(written(tmp_path, "d.npy", 1 / METRES), DepthSettings())
    assert not inverse.metric and "inverse depth" in inverse.source
    assert np.corrcoef(metres.disparity.ravel(), inverse.disparity.ravel())[0, 1] > 0.999


@pytest.mark.parametrize(
    ("name", "bits"),
    [("8.png", 8), ("16.png", 16), ("8.tif", 8), ("16.tif", 16), ("f.npy", 0), ("f.pfm", 0), ("f.exr", 0)],
)
def test_disparity_of_unknown_scale(tmp_path, name, bits):
    """The farthest goes to the far end of a fixed range, the nearest to the chosen distance; linear in between."""
    fraction = (1 / METRES - (1 / METRES).min()) / np.ptp(1 / METRES)
    if bits:
        values = np.rint(fraction * (2**bits - 1)).astype(f"uint{bits}")
        fraction = values / (2**bits - 1)
    else:
        values = np.float32(fraction * 37 + 5)
        values = {"pfm": pfm_bytes, "exr": lambda v: exr_bytes({"Y": v})}.get(name[-3:], lambda v: v)(values)
    for near in (1.0, 5.0):
        depth = load(written(tmp_path, name, values), DepthSettings(depth_kind="disparity", near_distance=near))
        assert not depth.metric and depth.known.all()
        half_a_level = 0.5 / 255 if bits == 8 else 0  # by which terraces are smoothed
        assert np.allclose(depth.disparity * near, np.maximum(fraction, 1 / 60), atol=1e-5 + half_a_level)
        assert depth.nearest == pytest.approx(near, rel=0.03)


@pytest.mark.parametrize("size", [(30, 40), (60, 80), (77, 103), (150, 200), (240, 320), (600, 800)])
def test_any_size_lands_on_the_working_grid(tmp_path, size):
    v, u = ((np.mgrid[: size[0], : size[1]].T + 0.5) / size).T  # of the whole picture, 0..1
    depth = load(written(tmp_path, "z.npy", np.float32(1 / (0.3 + 0.4 * v + 0.2 * u))))
    v, u = (ROWS + 0.5) / HEIGHT, (COLUMNS + 0.5) / WIDTH
    inner = np.s_[6:-6, 6:-6]  # the outermost samples of a small map end inside the picture
    assert depth.disparity.shape == (HEIGHT, WIDTH)
    assert np.allclose(depth.disparity[inner], (0.3 + 0.4 * v + 0.2 * u)[inner], atol=2e-3)


@pytest.mark.parametrize("size", [(120, 162), (119, 161), (40, 54)])
def test_aspects_within_two_percent_are_taken(tmp_path, size):
    assert load(written(tmp_path, "z.npy", np.resize(METRES, size))).disparity.shape == (HEIGHT, WIDTH)


@pytest.mark.parametrize("size", [(160, 120), (120, 164), (120, 120)])
def test_other_aspects_are_refused_with_both_sizes(tmp_path, size):
    text = told(written(tmp_path, "z.npy", np.resize(METRES, size)))
    assert f"{size[1]}x{size[0]}" in text and f"{WIDTH}x{HEIGHT}" in text and "aspect" in text


def test_working_size_keeps_the_aspect_and_invents_no_pixels():
    assert working_size(PHOTO, 80) == (60, 80) and working_size(PHOTO, 4000) == (HEIGHT, WIDTH)
    assert working_size(two_planes().photo(4), 300) == (225, 300)


@pytest.mark.parametrize("hole", [0, np.nan, np.inf, -np.inf])
def test_unknown_pixels_are_filled_from_their_own_surface(tmp_path, hole):
    """A hole astride the silhouette: each of its pixels gets the depth of the surface whose colour it has."""
    scene = two_planes()
    metres = 1 / scene.disparity
    metres[45:75, 95:125] = hole  # the rectangle ends at column 110
    depth = load(written(tmp_path, "z.npy", metres))
    assert np.array_equal(~depth.known, ~np.isfinite(metres) | (metres == 0))
    wrong = np.abs(depth.disparity - scene.disparity) > 1e-4
    assert not wrong[:, :109].any() and not wrong[:, 111:].any()


def test_a_hole_inside_one_surface_continues_it(tmp_path):
    """A plane goes on through a large gap as that plane: a membrane in disparity, in which planes are linear."""
    disparity = np.float32(0.2 + 0.003 * ROWS + 0.001 * COLUMNS)
    metres = 1 / disparity
    metres[30:80, 40:100] = 0
    depth = load(written(tmp_path, "z.npy", metres), photo=slanted_ground().photo())
    assert np.allclose(depth.disparity, disparity, atol=1e-4)


def test_a_wide_hole_on_a_wall_behind_something_makes_no_new_silhouette(tmp_path):
    scene = two_planes((30, 50, 90, 80))
    disparity = np.where(scene.surface == 1, scene.disparity, np.float32(0.2 + 0.001 * ROWS))
    metres = 1 / disparity
    metres[20:110, 60:140] = 0
    filled = load(written(tmp_path, "z.npy", metres), photo=scene.photo()).disparity
    assert np.allclose(filled[:, 82:], disparity[:, 82:], atol=5e-3)  # under half of what tears


def test_zeros_of_a_relative_map_are_its_farthest_values(tmp_path):
    fraction = (1 / METRES - (1 / METRES).min()) / np.ptp(1 / METRES)
    values = np.rint(np.maximum(fraction - 0.3, 0) * 255).astype(np.uint8)
    assert (values == 0).mean() > 0.2
    assert load(written(tmp_path, "net.png", values), DISPARITY).known.all()


def test_span_and_nearest_are_robust(tmp_path):
    metres = METRES.copy()
    plain = load(written(tmp_path, "z.npy", metres))
    metres[60, 80] = 0.01
    stray = load(written(tmp_path, "stray.npy", metres))
    assert stray.span == pytest.approx(plain.span, rel=0.05) and stray.nearest == pytest.approx(plain.nearest, rel=0.05)


@pytest.mark.parametrize("name", ["two words.npy", "Tiefe 深度 глубина.npy", "n" * 246 + ".npy"])
def test_any_name(tmp_path, name):
    assert load(written(tmp_path, name, METRES)).metric


def told(path, settings=METRIC) -> str:
    """The one sentence with which a depth is refused; it names the file."""
    with pytest.raises(DioramaError) as caught:
        load_depth(path, PHOTO, settings, WIDTH)
    text = str(caught.value)
    assert str(path) in text and text.endswith(".") and "\n" not in text
    return text.replace(str(path), "")


ONE = np.zeros((HEIGHT, WIDTH), np.float32)
ONE[60, 80] = 2
EQUAL = np.full((HEIGHT, WIDTH), 2, np.float32)
UNUSABLE = {
    "zeros.npy": (EQUAL * 0, "0 of 19200"), "zeros.png": (np.zeros((HEIGHT, WIDTH), np.uint8), "0 of 19200"),
    "nan.npy": (EQUAL * np.nan, "0 of 19200"), "inf.npy": (EQUAL * np.inf, "0 of 19200"),
    "equal.npy": (EQUAL, "same depth everywhere"),
    "equal.png": (EQUAL.astype(np.uint16) * 900, "same depth everywhere"),
    "negative.npy": (METRES - 3, "negative"), "one.npy": (ONE, "1 of 19200"),
    "complex.npy": (METRES * 1j, "complex"), "bool.npy": (METRES > 2, "bool"),
    "hw3.npy": (np.dstack([METRES] * 3), "shape"),
    "text.npy": (np.full((HEIGHT, WIDTH), "far"), "<U3"), "empty.npy": (np.zeros((0, 4), np.float32), "shape"),
    "scalar.npy": (np.float32(3), "shape"),
}  # fmt: skip


def test_distances_along_negative_z_are_distances(tmp_path):
    """Two metric files, one the other's negative, are one depth."""
    one, two = (load_depth(written(tmp_path, f"{k}.npy", z), PHOTO, METRIC, WIDTH) for k, z in enumerate((METRES, -METRES)))
    assert np.array_equal(one.disparity, two.disparity) and "-z" in two.source


@pytest.mark.parametrize("name", UNUSABLE)
@pytest.mark.parametrize("settings", [METRIC, DepthSettings()])
def test_values_without_relief_are_refused(tmp_path, name, settings):
    values, about = UNUSABLE[name]
    if "negative" in name and settings is not METRIC:
        pytest.skip("negative values are taken for inverse depth unless they are said to be metric")
    assert about in told(written(tmp_path, name, values), settings)


def test_a_constant_disparity_is_refused_too(tmp_path):
    assert "same depth everywhere" in told(written(tmp_path, "equal.npy", EQUAL), DISPARITY)
    assert "same depth everywhere" in told(written(tmp_path, "zeros.npy", np.maximum(EQUAL * 0, ONE * 0 + 5)), DISPARITY)


@pytest.mark.parametrize("metric", [False, True])
def test_what_a_network_or_a_photo_brings_is_checked_too(metric):
    for values, known, about in ((EQUAL, EQUAL > 0, "same depth"), (METRES, EQUAL < 0, "0 of 19200")):
        found = DepthValues(values, known, metric, False, "made", stretched=True)
        with pytest.raises(DioramaError, match=f"my photo.*{about}"):
            depth_on_photo(found, PHOTO, METRIC, WIDTH, "my photo.jpg")


@pytest.mark.parametrize("times", [1, 2, 4])
def test_told_normals_come_along_at_any_size_and_unknown_ones_stay_unknown(times):
    """Of a network's size, smaller or larger than the grid."""
    normals = np.zeros((HEIGHT * times // 2, WIDTH * times // 2, 3), np.float32)
    normals[:, WIDTH * times // 4 :] = 0.6, 0, -0.8
    found = DepthValues(METRES, METRES > 0, True, False, "made", stretched=True, normals=normals)
    placed = depth_on_photo(found, PHOTO, METRIC, WIDTH, "my photo.jpg").normals
    assert placed.shape == (HEIGHT, WIDTH, 3) and placed.dtype == np.float32
    assert (placed[:, : WIDTH // 2 - 1] == 0).all() and np.allclose(placed[:, WIDTH // 2 + 1 :], [0.6, 0, -0.8], atol=1e-6)


def npz_bytes(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name + ".npy", data)
    return file.getvalue()


def npy_head(shape: str, kind: str = "<f4") -> bytes:
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head


def npy_bytes(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


DAMAGED = {
    "text.png": (b"no depth at all\n" * 9, "no depth map"),
    "cut.png": (png_bytes(MILLIMETRES)[:-300], "damaged"),
    "cut8.png": (png_bytes((MILLIMETRES >> 8).astype(np.uint8))[:-200], "damaged"),
    "cut.npy": (npy_bytes(METRES)[:-400], "damaged"),
    "head.npy": (b"\x93NUMPY\x01\x00\xff\xff", "damaged"),
    "objects.npy": (npy_bytes(np.array([[{}, []], [1, 2]], dtype=object)), "objects"),
    "objects.npz": (npz_bytes(depth=npy_bytes(np.array([[{}, []], [1, 2]], dtype=object))), "objects"),
    "evil.npy": (npy_head("(__import__('os').abort(),)"), "damaged"),
    "nothing.npz": (npz_bytes(), "no array"),
    "other.npz": (npz_bytes(depth=b"not an array"), "damaged"),
    "version.npy": (b"\x93NUMPY\x09\x00" + bytes(99), "damaged"),
    "cut.npz": (npz_bytes(depth=npy_bytes(METRES))[:-40], "damaged"),
    "large.pfm": (pfm_bytes(METRES, claimed=(WIDTH, HEIGHT + 1)), "damaged"),
    "lying.pfm": (pfm_bytes(METRES, claimed=(10**6, 10**6)), "damaged"),
    "negative.pfm": (pfm_bytes(METRES, claimed=(-WIDTH, -HEIGHT)), "damaged"),
    "words.pfm": (b"Pf\nwide tall\n-1.0\n" + bytes(400), "damaged"),
    "head.pfm": (b"Pf\n4 4", "damaged"),
    "cut.exr": (exr_bytes({"Y": METRES})[:-4000], "damaged|no depth map"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files_are_refused(tmp_path, name):
    data, about = DAMAGED[name]
    text = told(written(tmp_path, name, data))
    assert any(words in text for words in about.split("|")), text


HUGE = {
    "header.png": png_header(40000, 40000, 16, 0) + png_chunk(b"IDAT", b"x\x9c" + bytes(99)),
    "header.exr": exr_bytes({"Y": METRES}, claimed=(30000, 30000)),
    "header.npy": npy_head("(40000, 40000)") + bytes(999),
    "bomb.npz": npz_bytes(depth=npy_head("(16000, 16000)") + bytes(20_000_000)),
    "digits.npy": npy_head("(999999999999, 999999999999)") + bytes(999),
    "header.pfm": pfm_bytes(METRES, claimed=(40000, 40000)),
}


@pytest.mark.parametrize("name", HUGE)
def test_huge_claims_are_refused_before_decoding(tmp_path, name, monkeypatch):
    from PIL import Image

    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 89478485)  # Pillow's own, which a photo loaded before may have lifted
    path = written(tmp_path, name, HUGE[name])
    forbid_decoding(monkeypatch)
    tracemalloc.start()
    told(path)
    assert tracemalloc.get_traced_memory()[1] < 2**26  # the file itself has 20 MB
    tracemalloc.stop()


def test_no_file_folder_and_empty(tmp_path):
    assert "cannot be read" in told(tmp_path / "missing.png")
    assert "folder" in told(tmp_path) and "depth map" in told(tmp_path)
    assert "0 bytes" in told(written(tmp_path, "empty.png", b""))


@pytest.mark.parametrize("name", ["colour.png", "colour.jpg", "colour.tif"])
def test_a_colour_picture_is_no_depth(tmp_path, name):
    path = written(tmp_path, name, two_planes().colour)
    load_photo(path)
    assert "colour picture" in told(path)


@pytest.mark.parametrize("channels", [3, 4])
def test_a_grey_picture_saved_with_colours_is_one(tmp_path, channels):
    grey = (255 / METRES / (1 / METRES).max()).astype(np.uint8)
    pixels = np.dstack([grey] * 3 + [np.full_like(grey, 255)] * (channels - 3))
    assert not load(written(tmp_path, "grey.png", png_bytes(pixels)), DISPARITY).metric


@pytest.mark.parametrize(("part", "top", "holes"), [(0.3, True, False), (0.01, True, False), (0.9, True, False), (0.1, False, True)])
def test_zeros_of_disparity_are_far_where_they_are_a_sky_and_else_holes(tmp_path, part, top, holes):
    """Stereo leaves small holes, scattered and along one side; one large region at the top is the sky."""
    values = np.linspace(5, 9, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH)
    if top:
        values[: round(part * HEIGHT)] = 0
    else:
        values[:, : round(part * WIDTH)] = 0
    known = read_depth(written(tmp_path, "a.npy", values), DISPARITY).known
    assert known.mean() == (pytest.approx(1 - part, abs=0.01) if holes else 1)
