"""Time and memory of the geometry, from loaded photo and depth to LayeredMesh, and of whole runs to a saved .blend.

    python benchmarks/geometry.py [--shared FOLDER] [--repeats N]

The geometry is measured without the network for hidden depth, and at 960 px once more with it. Every run is a
process of its own; the best of the repeats is printed, since other work on the machine only adds. Peak memory
is of the whole process, with Blender's own 250 MB in the runs to a .blend only.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = {480: 57, 960: 179, 1440: 352}
"""CPU seconds of the reference implementation's own code, networks left out, on two cores (released code, its photo `moon`)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    moon, moto = given.shared / "data/rgbd/moon", given.shared / "data/stereo/Motorcycle2014"
    if not moon.is_dir():
        sys.exit(f"{moon} is not there: this benchmark needs the reference data beside the checkout (--shared FOLDER).")
    jobs = [(f"moon {side}", moon / "moon.jpg", moon / "moon.npy", side) for side in (480, 960, 1440, 1920)]
    jobs.append(("Motorcycle 741", moto / "motorcycle_left.png", moto / "motorcycle_disp.npz", 960))
    jobs.append(("moon 960, default options", moon / "moon.jpg", moon / "moon.npy", 960))
    print("| geometry | wall s | CPU s | peak MB | triangles | edges | layers |\n|---|---|---|---|---|---|---|")
    seconds = {}
    for name, photo, depth, side in jobs:
        best = min(
            (_measure("default" if "default" in name else "geometry", photo, depth, side) for _ in range(given.repeats)),
            key=lambda run: run["cpu"],
        )
        seconds[name] = best["cpu"]
        print(f"| {name} | {best['wall']:.2f} | {best['cpu']:.2f} | {best['peak_mb']:.0f} | {best['triangles']:,} "
              f"| {best['edges']} | {best['layers']} |", flush=True)  # fmt: skip
    sizes = (480, 960, 1440, 1920)
    slope = np.polyfit(np.log([side**2 for side in sizes]), np.log([seconds[f"moon {side}"] for side in sizes]), 1)[0]
    print(f"cost from 480 to 1920 px grows as pixels^{slope:.2f}")
    print(
        f"reference implementation at 960: {REFERENCE[960]} CPU s without networks, {REFERENCE[960] / seconds['moon 960']:.0f} times ours"
    )
    with tempfile.TemporaryDirectory() as place:
        photo, depth = _large_photo(moon, Path(place))
        print("\n| photo to .blend | wall s | CPU s | peak MB |\n|---|---|---|---|")
        for name, p, d in (("moon, 4.4 MP", moon / "moon.jpg", moon / "moon.npy"), ("moon enlarged, 24 MP", photo, depth)):
            best = min((_measure("blend", p, d, 960) for _ in range(given.repeats)), key=lambda run: run["cpu"])
            print(f"| {name} | {best['wall']:.1f} | {best['cpu']:.1f} | {best['peak_mb']:.0f} |", flush=True)


def _large_photo(moon: Path, place: Path) -> tuple[Path, Path]:
    """The photo at 24 megapixels with fine noise, so that it compresses like a real one, and its depth at that size."""
    import cv2

    side = 4900
    picture = cv2.resize(cv2.imread(str(moon / "moon.jpg")), (side, side), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    noise = np.random.default_rng(0).integers(-4, 5, picture.shape, np.int16)
    cv2.imwrite(str(place / "large.jpg"), np.clip(picture + noise, 0, 255).astype(np.uint8))
    np.save(place / "large.npy", cv2.resize(np.load(moon / "moon.npy"), (side, side)))
    return place / "large.jpg", place / "large.npy"


def _measure(what: str, photo: Path, depth: Path, side: int) -> dict:
    command = [sys.executable, __file__, "--one", what, str(photo), str(depth), str(side)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr[-4000:])
    return json.loads(done.stdout.splitlines()[-1])


def one(what: str, photo: str, depth: str, side: str) -> None:
    """One measured run; prints a JSON object."""
    import resource
    import time

    sys.path.insert(0, str(ROOT / "tests"))
    import conftest  # noqa: F401  makes the checkout importable

    from photo_diorama.core.depth import sharpen_depth
    from photo_diorama.core.depth.depth_map import depth_on_photo, read_depth
    from photo_diorama.core.inpaint import inpaint
    from photo_diorama.core.layers.first_layer import make_first_layer
    from photo_diorama.core.mesh import triangulate
    from photo_diorama.core.photo.photo import load_photo
    from photo_diorama.core.settings import Settings

    plain = {"hidden_depth": "nearest", "inpainter": "diffusion"} if what == "geometry" else {}
    settings = Settings().with_values({"long_side": int(side), **plain})
    import cv2  # noqa: F401  libraries are loaded before the clock starts
    import scipy.ndimage  # noqa: F401
    import scipy.sparse.csgraph  # noqa: F401
    import scipy.sparse.linalg  # noqa: F401

    if what == "blend":
        import bpy

        from photo_diorama.ui.cli.command_line import main as command_line

        with tempfile.TemporaryDirectory() as place:
            wall, cpu = time.perf_counter(), time.process_time()
            code = command_line([photo, "--depth", depth, "--output", f"{place}/x.blend", "--long-side", side, "--quiet"])
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        result = {"code": code, "blender": bpy.app.version_string}
    else:
        picture = load_photo(photo, settings.photo)
        found = depth_on_photo(read_depth(depth, settings.depth), picture, settings.depth, int(side), depth)
        picture.working_colour(8, 8)
        wall, cpu = time.perf_counter(), time.process_time()
        colour = picture.working_colour(*found.disparity.shape)
        sharp = sharpen_depth.sharpen(found, colour, settings.layers)
        torn = make_first_layer(picture, sharp, settings.layers)
        image, edges = inpaint.inpaint(torn, settings.layers, settings.inpaint)
        made = triangulate.triangulate(image, picture, found.metric, settings.mesh)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        result = {"triangles": made.triangle_count, "edges": sum(edges), "layers": len(image.layers)}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(result | {"wall": wall, "cpu": cpu, "peak_mb": peak}))


if __name__ == "__main__":
    one(*sys.argv[2:]) if sys.argv[1:2] == ["--one"] else main()
