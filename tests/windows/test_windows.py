"""What a Windows user does first: a photo alone, a batch, OpenEXR, a film. On Windows, or under Wine by `run.sh`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

if sys.platform != "win32":
    pytest.skip("Windows alone", allow_module_level=True)
pytest.importorskip("bpy")

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--long-side", "160"]
PROGRAM = """
import sys
sys.path.insert(0, "tests")
import conftest
from photo_diorama.ui.cli.command_line import main
sys.exit(main(sys.argv[1:]))
"""


def diorama(*arguments) -> dict:
    """The facts that the command line tells; standard input is a pipe that nobody writes to, as in a batch."""
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments), "--json"]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.PIPE, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-2000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def photo(path: Path, seed: int = 0) -> Path:
    """A square before a wall, with a little grain."""
    import cv2

    pixels = np.random.default_rng(seed).integers(90, 110, (120, 160, 3), dtype=np.uint8)
    pixels[80:] += 60
    pixels[40:100, 60:100] = 200, 80, 40
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    return path


def test_this_is_the_runtime_that_blender_brings():
    import ctypes

    size = ctypes.create_unicode_buffer(260)
    kernel = ctypes.WinDLL("kernel32")
    kernel.GetModuleHandleW.restype = ctypes.c_void_p
    handle = kernel.GetModuleHandleW("msvcp140.dll")
    assert handle and kernel.GetModuleFileNameW(ctypes.c_void_p(handle), size, 260)
    print(size.value)


def test_a_photo_alone_becomes_a_scene_without_pytorch(tmp_path):
    facts = diorama(photo(tmp_path / "Bilder ä 図" / "a b.png"), *SMALL, "--output", tmp_path / "a.blend")
    assert facts["depth_source"].startswith("estimated by the built-in network") and facts["layers"] > 1
    assert (tmp_path / "a.blend").stat().st_size > 10000


def test_a_batch_comes_to_its_end(tmp_path):
    """It hung at the first photo, as long as a thread waited on standard input."""
    for number in range(int(os.environ.get("DIORAMA_BATCH", 4))):
        photo(tmp_path / "photos" / f"{number}.png", number)
    facts = diorama("batch", tmp_path / "photos", "--output", tmp_path / "out", *SMALL)
    assert facts["failed"] == 0 and facts["done"] == len(list((tmp_path / "photos").iterdir()))


@pytest.mark.parametrize("told", ["0", "1"])
def test_openexr_is_read_and_written_whoever_loaded_opencv_first(tmp_path, told):
    """OpenCV has a C library of its own here, which sees the variable only if it is set before."""
    code = """
import os, sys
os.environ["OPENCV_IO_ENABLE_OPENEXR"] = sys.argv[2]
import cv2, numpy as np
sys.path.insert(0, "tests")
import conftest
from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.raster.exr_encode import encode_exr
pixels = np.random.default_rng(0).random((40, 50, 3), dtype=np.float32)
open(sys.argv[1], "wb").write(encode_exr(pixels))
assert np.array_equal(load_photo(sys.argv[1]).colour, pixels)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.exr"), told], cwd=ROOT, check=True, stdin=subprocess.PIPE)


def test_depth_of_an_exr_pass_and_an_estimate_to_a_file(tmp_path):
    from photo_diorama.core.raster.exr_encode import encode_exr

    picture = photo(tmp_path / "a.png")
    (tmp_path / "z.exr").write_bytes(encode_exr(np.linspace(2, 9, 120 * 160).reshape(120, 160)))
    facts = diorama(picture, "--depth", tmp_path / "z.exr", "--depth-kind", "metric", *SMALL, "--output", tmp_path / "b.blend")
    assert "metric depth" in facts["depth_source"]
    diorama("depth", picture, "--output", tmp_path / "out.exr")
    assert (tmp_path / "out.exr").stat().st_size > 1000


@pytest.mark.parametrize("streams", ["NUL", "none", "closed"])
def test_a_run_that_nobody_listens_to(tmp_path, streams):
    """Sent to NUL; without streams, as pythonw has none; and with none that could be opened."""
    before = {"NUL": "", "none": "sys.stdin = sys.stdout = sys.stderr = None", "closed": "import os; [os.close(n) for n in (0, 1, 2)]"}
    arguments = ["depth", str(photo(tmp_path / "図 ä.png")), "--output", str(tmp_path / "out.npy")]
    code = PROGRAM.replace("sys.exit(main", before[streams] + "\nsys.exit(main")
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        timeout=900,
    )  # fmt: skip
    assert done.returncode == 0 and np.load(tmp_path / "out.npy").shape == (120, 160)


def test_a_name_in_any_script_is_told_where_the_encoding_is_a_narrow_one(tmp_path):
    """A pipe takes UTF-8, whatever the system's code page is; what Python itself writes never fails for a character."""
    environment = {**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1252"}
    for name, code, told in (("図 ä.png", 0, "160x120"), ("図 none.png", 2, "図 none.png")):
        if code == 0:
            photo(tmp_path / name)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "inspect", str(tmp_path / name)], cwd=ROOT, stdin=subprocess.PIPE, capture_output=True,
            timeout=300, env=environment,
        )  # fmt: skip
        said = (done.stdout + done.stderr).decode("utf-8")
        assert done.returncode == code and told in said and "Traceback" not in said, said


def under_wine() -> bool:
    import ctypes

    return hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")


def test_a_console_shows_every_character(tmp_path):
    """Read back from the console's own screen."""
    if under_wine():
        pytest.skip("Wine opens no console where there is no display")
    code = r"""
import ctypes, os, sys
sys.path.insert(0, "tests")
import conftest
from photo_diorama.ui.cli.session import write_to
kernel = ctypes.WinDLL("kernel32")
kernel.FreeConsole()
assert kernel.AllocConsole()
number = os.open("CONOUT$", os.O_RDWR)
assert os.isatty(number)
assert write_to(number, "\u56f3 \xe4\n") is None
import msvcrt
shown, count = ctypes.create_unicode_buffer(80), ctypes.c_ulong()
kernel.ReadConsoleOutputCharacterW(ctypes.c_void_p(msvcrt.get_osfhandle(number)), shown, 80, 0, ctypes.byref(count))
open(sys.argv[1], "w", encoding="utf-8").write(shown[:])
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "shown.txt")], cwd=ROOT, check=True, stdin=subprocess.PIPE, timeout=300)
    shown = (tmp_path / "shown.txt").read_text(encoding="utf-8")
    assert "\u56f3" in shown and "\xe4" in shown, repr(shown)


def test_a_film(tmp_path):
    facts = diorama(
        photo(tmp_path / "a.png"), *SMALL, "--output", tmp_path / "a.blend", "--render", tmp_path / "a.mp4", "--frames", "3",
        "--samples", "1", "--render-side", "96", "--engine", "cycles",
    )  # fmt: skip
    assert facts and (tmp_path / "a.mp4").stat().st_size > 1000
