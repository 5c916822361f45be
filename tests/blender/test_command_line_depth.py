"""`photo-diorama inspect` and `photo-diorama depth`: what is said of a photo, and depth alone against the truth."""

import json
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from command_lines import FAST, Worker, files, one_sentence
from made_photos import sphere, texture, two_planes
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

from depth_photo_files import apple_photo, gdepth_photo, photo_pixels, png  # noqa: E402

from photo_diorama.core.raster.decode import decode_pixels  # noqa: E402

pytest.importorskip("cv2", reason="needs OpenCV")


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    worker = Worker(tmp_path_factory.mktemp("home"))
    yield worker
    worker.close()


def told(worker, *arguments, cwd: Path) -> tuple[dict, str]:
    """The JSON of a command line, and its words."""
    facts = worker.run(*arguments, "--json", cwd=cwd)
    assert (facts.code, facts.err) == (0, ""), facts.err
    again = ["--overwrite"] if arguments[0] == "depth" else []
    words = worker.run(*arguments, *again, cwd=cwd)
    assert (words.code, words.err) == (0, "")
    return json.loads(facts.out), words.out


def read(path: Path) -> np.ndarray:
    import cv2

    if path.suffix == ".exr":
        return decode_pixels(path.read_bytes())
    return np.load(path) if path.suffix == ".npy" else cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_inspect_a_photo_with_depth(worker, tmp_path):
    ramp = np.tile(np.arange(64, dtype=np.uint8), (48, 1))
    photo = tmp_path / "depth.jpg"
    photo.write_bytes(gdepth_photo(png(ramp), 0.5, 8.0, photo=photo_pixels(640, 480), units="m"))
    facts, words = told(worker, "inspect", photo, cwd=tmp_path)
    assert (facts["width"], facts["height"], facts["pixels"]) == (640, 480, "8-bit sRGB")
    assert (facts["focal_px"], facts["principal_point"]) == (640, [320, 240])
    assert "53.13 degrees" in facts["focal_source"]
    assert facts["depth"]["metric"] and facts["depth"]["range"] == [0.5, 8.0]
    assert (facts["depth"]["width"], facts["depth"]["height"], facts["depth"]["known"]) == (64, 48, 1.0)
    assert facts["depth"]["matte"] is None and facts["spatial"] is None and facts["depth_beside"] is None
    assert facts["auto"] == "the depth in the photo"
    for said in ("640x480 pixels", "focal length: 640 px (53.1 degrees", "GDepth", "64x48", "range: 0.5 to 8 m"):
        assert said in words


def test_inspect_tells_calibration_and_matte(worker, tmp_path):
    matte = np.zeros((60, 80), np.uint8)
    matte[20:40, 20:60] = 255
    depth = np.tile(np.linspace(0, 255, 40).astype(np.uint8), (30, 1))
    camera = {"matrix": (900, 0, 0, 0, 900, 0, 318, 241, 1), "reference": (640, 480)}
    photo = tmp_path / "portrait.jpg"
    photo.write_bytes(apple_photo(depth, 0.5, 4.0, photo=photo_pixels(640, 480), matte=matte, **camera))
    facts, words = told(worker, "inspect", photo, cwd=tmp_path)
    assert facts["depth"]["kind"] == "disparity" and facts["depth"]["matte"] == [80, 60]
    assert facts["focal_source"] == "calibration that lies with the depth"
    assert abs(facts["focal_px"] - 900) < 1 and "900 px" in words
    assert words.count("focal length") == 1 and "portrait matte: 80x60" in words


def test_inspect_a_photo_without_depth_says_so(worker, tmp_path):
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Acme\x1b[31m", "Acme\x1b[31m Photomatic\n9000"
    exif.get_ifd(0x8769)[0xA405] = 50
    Image.fromarray(texture(120, 160)).save(tmp_path / "plain.jpg", exif=exif)
    facts, words = told(worker, "inspect", "plain.jpg", cwd=tmp_path)
    assert facts["depth"] is None and "depth: none in the file" in words
    assert facts["focal_source"] == "EXIF, 50 mm equivalent"
    assert abs(facts["focal_px"] - 50 / np.hypot(36, 24) * 200) < 0.01
    assert "\x1b" not in words + facts["camera"], "a camera's name steers no terminal"
    assert "Photomatic 9000" in words
    assert facts["auto"] == "an estimate by the built-in network"


def test_inspect_tells_the_depth_beside_the_photo(worker, tmp_path):
    name = "frame-000001.{}.png"  # as 7-Scenes calls them
    Image.fromarray(texture(48, 64)).save(tmp_path / name.format("color"))
    Image.fromarray(np.tile(np.linspace(900, 1500, 64, dtype=np.uint16), (48, 1))).save(tmp_path / name.format("depth"))
    facts, words = told(worker, "inspect", name.format("color"), cwd=tmp_path)
    assert facts["depth"] is None and facts["depth_beside"]["file"].endswith(name.format("depth"))
    assert facts["depth_beside"]["metric"] and name.format("depth") in words
    assert facts["auto"] == "the depth file beside the photo"
    Image.fromarray(np.full((48, 64), 1500, np.uint16)).save(tmp_path / name.format("depth"))
    facts, words = told(worker, "inspect", name.format("color"), cwd=tmp_path)
    assert facts["depth_beside"] is None and "same depth everywhere" in facts["depth_not_used"][0] and "not used: " in words
    assert "built-in" in facts["auto"]


def test_inspect_every_real_photo(worker, tmp_path, shared):
    """HEICs without depth say that they have none."""
    pytest.importorskip("pillow_heif")
    folder = shared / "data/embedded_depth"
    names = {
        "heic/pug.heic": "disparity", "heic/heic-empty.heic": None, "heic/spatial_photo.heic": None,
        "apple_ios_depth_sampler/image-with-matte.jpg": "disparity", "google_gdepth_xmp.jpg": "disparity",
    }  # fmt: skip
    for name, kind in names.items():
        facts, words = told(worker, "inspect", folder / name, cwd=tmp_path)
        assert (facts["depth"] or {}).get("kind") == kind, name
        assert ("depth: none in the file" in words) == (kind is None), name
        assert (facts["spatial"] or {}).get("views") == (2 if "spatial" in name else None)
        assert bool((facts["depth"] or {}).get("matte")) == ("matte" in name)
    assert files(tmp_path) == set()


@pytest.mark.parametrize("ending", [".npy", ".exr", ".png"])
def test_metric_depth_is_written_as_it_is(worker, tmp_path, ending):
    """At the photo's size, from a file of that size, every pixel is the truth: to half a millimetre in 16 bits."""
    photo, depth = sphere(tmp_path)
    out, truth = tmp_path / f"out{ending}", np.load(depth)
    arguments = ["depth", photo, "--depth", depth, "--depth-kind", "metric", "--output", out.name, "--full-size"]
    facts, words = told(worker, *arguments, cwd=tmp_path)
    values = read(out)
    assert values.dtype == (np.uint16 if ending == ".png" else np.float32)
    metres = values / 1000 if ending == ".png" else values
    assert np.abs(metres - truth).max() <= (0.000501 if ending == ".png" else 1e-5)
    assert (facts["kind"], facts["unit"]) == ("metric depth", "mm" if ending == ".png" else "m")
    assert "metric depth in " + ("millimetres" if ending == ".png" else "metres") in words
    assert abs(facts["lowest"] - truth.min()) < 1e-4 and abs(facts["highest"] - truth.max()) < 1e-4
    assert files(tmp_path) == {photo.name, depth.name, out.name}


@pytest.mark.parametrize("ending", [".npy", ".exr", ".png"])
def test_relative_disparity_is_written_as_it_is(worker, tmp_path, ending):
    """Affine to the input, larger nearer, and unchanged when it is read and written once more."""
    photo, depth = sphere(tmp_path)
    disparity = 1 / np.load(depth)
    np.save(depth, (7 - 3 * disparity.min() + 3 * disparity).astype(np.float32))
    truth = (disparity - disparity.min()) / np.ptp(disparity)
    arguments = ["depth", photo, "--depth", depth, "--depth-kind", "disparity", "--full-size"]
    out, top = tmp_path / f"out{ending}", 65535 if ending == ".png" else 1
    facts, words = told(worker, *arguments, "--output", out.name, cwd=tmp_path)
    values = read(out).astype(np.float64) / top
    assert np.abs(values - truth).max() < 2e-5
    assert values.min() > 0, "0 means unknown to those who read depth maps"
    assert (facts["kind"], facts["unit"]) == ("relative disparity", "none")
    assert "relative disparity, larger is nearer" in words
    again = ["depth", photo, "--depth", out, *shlex.split(facts["read_with"]), "--full-size", "--output", "again.npy"]
    assert worker.run(*again, cwd=tmp_path).code == 0
    assert np.abs(np.load(tmp_path / "again.npy") - values).max() < 4e-5


@pytest.mark.parametrize("ending", [".npy", ".exr", ".png"])
def test_a_diorama_of_the_written_depth_is_the_same(worker, tmp_path, ending):
    pytest.importorskip("bpy", reason="needs Blender as a module: pip install bpy")
    photo, depth = two_planes(tmp_path)
    arguments = ["--depth", depth, "--depth-kind", "metric", "--full-size", "--output", f"d{ending}", "--json"]
    facts = json.loads(worker.run("depth", photo, *arguments, cwd=tmp_path).out)
    first = json.loads(worker.run(photo, "--depth", depth, *FAST, "--json", cwd=tmp_path).out)
    flags = [*FAST[:2], *shlex.split(facts["read_with"]), "--output", "b.blend"]
    second = json.loads(worker.run(photo, "--depth", f"d{ending}", *flags, "--json", cwd=tmp_path).out)
    for name in ("nearest_m", "edges", "layers", "metric"):
        assert first[name] == second[name], name
    # 16 bits round the depth, and vertices then collapse in another order
    assert abs(first["triangles"] - second["triangles"]) <= (0.1 * first["triangles"] if ending == ".png" else 0)


def test_sizes(worker, tmp_path):
    photo, depth = two_planes(tmp_path, width=320, height=240)
    for flags, shape in ((["--long-side", "100"], (75, 100)), (["--full-size"], (240, 320)), ([], (240, 320))):
        arguments = ["depth", photo, "--depth", depth, "--depth-kind", "metric", "--output", "d.npy", *flags]
        assert worker.run(*arguments, "--overwrite", cwd=tmp_path).code == 0
        values = np.load(tmp_path / "d.npy")
        assert values.shape == shape
        assert set(np.unique(np.round(values, 3))) == {2.0, 6.0}, "nothing between the surfaces is invented"


def test_what_is_unknown_is_filled(worker, tmp_path):
    photo, depth = two_planes(tmp_path)
    holed = np.load(depth)
    holed[::7] = 0
    np.save(depth, holed)
    arguments = ["depth", photo, "--depth", depth, "--depth-kind", "metric", "--output", "d.npy"]
    assert worker.run(*arguments, cwd=tmp_path).code == 0
    values = np.load(tmp_path / "d.npy")
    assert np.isfinite(values).all() and values.min() > 1.9 and values.max() < 6.1


def test_embedded_depth_comes_out_in_metres(worker, tmp_path):
    ramp = np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))
    photo = tmp_path / "depth.jpg"
    linear = {"form": "RangeLinear", "units": "m"}
    photo.write_bytes(gdepth_photo(png(ramp), 1.0, 9.0, photo=photo_pixels(64, 48), **linear))
    facts, _ = told(worker, "depth", photo, "--output", "d.npy", cwd=tmp_path)
    assert facts["kind"] == "metric depth"
    assert np.abs(np.load(tmp_path / "d.npy") - (1 + ramp / 255 * 8)).max() < 1e-3


def test_16_bits_that_do_not_reach_are_told(worker, tmp_path):
    photo, depth = two_planes(tmp_path)
    np.save(depth, np.load(depth) * 20)  # 40 m and 120 m
    arguments = ["depth", photo, "--depth", depth, "--depth-kind", "metric", "--output", "d.png"]
    done = worker.run(*arguments, cwd=tmp_path)
    assert done.code == 0
    assert "65.535 m" in one_sentence(done.err)
    assert set(np.unique(read(tmp_path / "d.png"))) == {40000, 65535}


def test_an_estimate(worker, tmp_path):
    pytest.importorskip("torch", reason="needs PyTorch")
    photo, _ = two_planes(tmp_path)
    facts, words = told(worker, "depth", photo, "--estimator", "built-in", "--output", "d.npy", cwd=tmp_path)
    values = np.load(tmp_path / "d.npy")
    assert values.shape == (120, 160) and 0 < values.min() < 0.9 and 0.9 < values.max() <= 1
    assert "built-in network" in facts["source"] and "relative disparity" in words
    for name, top in (("again.npy", 1), ("again.png", 65535)):  # the shift comes back too
        told(worker, "depth", photo, "--depth", "d.npy", *shlex.split(facts["read_with"]), "--output", name, cwd=tmp_path)
        again = np.load(tmp_path / name) if top == 1 else read(tmp_path / name)
        assert again.max() == top  # relative: its scale is the reader's
        assert np.abs(again / again.max() - values / values.max()).max() < 1e-3


def test_what_cannot_be_is_told(worker, tmp_path):
    photo, depth = two_planes(tmp_path)
    before = files(tmp_path)
    for flags, said in (
        (["--output", "d.jpg"], "d.jpg"),
        (["--output", "street.png", "--overwrite"], "street.png"),
        (["--output", "depth_of.npy", "--depth", depth, "--overwrite"], "depth_of.npy"),
        (["--output", "depth_of.npy"], "--overwrite"),
        (["--output", "street.png/d.npy"], "street.png"),
        (["--output", "d.npy", "--estimator", "midas_v21_small"], "models download midas_v21_small"),
        (["--output", "d.npy", "--long-side", "1"], "--long-side"),
    ):
        done = worker.run("depth", photo, *flags, cwd=tmp_path)
        assert done.code == 2 and said in one_sentence(done.err), flags
    assert worker.run("depth", photo, cwd=tmp_path).code == 2, "an output is needed"
    assert files(tmp_path) == before


def test_a_disk_error_leaves_what_was_there(worker, tmp_path):
    photo, depth = two_planes(tmp_path)
    (tmp_path / "d.npy").write_bytes(b"old")
    before = files(tmp_path)
    arguments = ["depth", photo, "--depth", depth, "--output", "d.npy", "--overwrite"]
    done = worker.run(*arguments, cwd=tmp_path, broken="photo_diorama.ui.cli.output_paths.os.replace")
    assert done.code == 1 and (tmp_path / "d.npy").read_bytes() == b"old"
    assert files(tmp_path) == before


def test_inspect_tells_of_the_depth_file_that_a_diorama_takes(tmp_path, capfd):
    """One that is called like the photo, as well as one whose unit is known."""

    from photo_diorama.ui.cli.command_line import main

    Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(tmp_path / "a.jpg")
    assert main(["inspect", str(tmp_path / "a.jpg"), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["depth_beside"] is None
    np.save(tmp_path / "a_depth.npy", np.linspace(1, 4, 2400, dtype=np.float32).reshape(40, 60))
    assert main(["inspect", str(tmp_path / "a.jpg"), "--json"]) == 0
    facts = json.loads(capfd.readouterr().out)
    assert facts["depth_beside"]["file"].endswith("a_depth.npy") and facts["auto"] == "the depth file beside the photo"
