"""Seconds that an artist waits in Blender after a change of depth or a split: from the operator's call to the new layers.

    python benchmarks/depth_edit.py [--shared FOLDER] [--long-side 960] [--repeats N]

The photo is imported first, so that what an edit does not change is kept, as in an artist's session. Every repeat makes another
edit; of the best run wall time and processor time of all threads are printed, as other work on the machine adds to the first.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))


def main() -> None:
    given, moon = moon_in_blender(__doc__, 3)
    import bpy

    calls = bpy.ops.photo_diorama
    started = now()
    calls.import_photo(filepath=str(moon / "moon.jpg"), depth=str(moon / "moon.npy"), long_side=given.long_side)
    root = bpy.context.view_layer.objects.active
    rows = [("import, for comparison", since(started))]
    jobs = {
        "open the depth as an image": lambda n: calls.edit_depth(),
        "rebuild after painting": lambda n: (paint(root["photo_diorama_depth"], n), calls.rebuild()),
        "nearer by a mask": lambda n: calls.move_depth(amount=0.02 + 0.01 * n),
        "one plane by a mask": lambda n: (calls.restore_depth(build=False), calls.depth_to_plane(feather=0.01 * n)),
        "push behind by a mask": lambda n: (calls.restore_depth(build=False), calls.push_depth(gap=0.03 + 0.01 * n)),
        "restore the original": lambda n: (paint(root["photo_diorama_depth"], n), calls.restore_depth()),
        "split by a mask": lambda n: calls.split_layer(),
        "rebuild with nothing changed": lambda n: calls.rebuild(),
        "tint what was invented": lambda n: calls.tint_invented(),
        "save the .blend": lambda n: bpy.ops.wm.save_as_mainfile(filepath=f"{tempfile.gettempdir()}/depth_edit.blend"),
    }
    calls.paint_mask()
    mask(root["photo_diorama_mask"])
    for name, job in jobs.items():
        seconds = []
        for n in range(given.repeats):
            started = now()
            job(n)
            seconds.append(since(started))
        rows.append((name, min(seconds, key=lambda run: run[1])))
    size = json.loads(root["photo_diorama_source"])["working_size"]
    print(f"\n| moon at {size[0]}x{size[1]} | wall s | CPU s |\n|---|---|---|")
    for name, (wall, cpu) in rows:
        print(f"| {name} | {wall:.2f} | {cpu:.2f} |")
    sys.stdout.flush()
    os._exit(0)  # Blender as a module can hang or crash in its own clean-up


def moon_in_blender(about: str, repeats: int) -> tuple[argparse.Namespace, Path]:
    """What was asked for and the folder of the photo, with the extension registered in an empty Blender."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--long-side", type=int, default=960)
    parser.add_argument("--repeats", type=int, default=repeats)
    given = parser.parse_args()
    moon = given.shared / "data/rgbd/moon"
    if not moon.is_dir():
        sys.exit(f"{moon} is not there: this benchmark needs the reference data beside the checkout (--shared FOLDER).")

    import bpy
    import conftest  # noqa: F401  makes the checkout importable

    import photo_diorama

    photo_diorama.register()
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    return given, moon


def now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def since(started: tuple[float, float]) -> tuple[float, float]:
    wall, cpu = now()
    return wall - started[0], cpu - started[1]


def picture_of(image) -> np.ndarray:
    read = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(read)
    return read.reshape(image.size[1], image.size[0], 4)[::-1]


def paint(image, n: int) -> None:
    """A stroke as a brush makes it: a disc that is nearer."""
    picture = picture_of(image)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]] / max(picture.shape)
    disc = np.hypot(rows - 0.3, columns - 0.3 - 0.05 * n) < 0.08
    picture[disc, :3] += 0.1
    image.pixels.foreach_set(np.ascontiguousarray(picture[::-1]).ravel())
    image.update()


def mask(image) -> None:
    """A region of a ninth of the photo."""
    picture = picture_of(image)
    h, w = picture.shape[:2]
    picture[h // 3 : 2 * h // 3, w // 3 : 2 * w // 3, :3] = 1
    image.pixels.foreach_set(np.ascontiguousarray(picture[::-1]).ravel())
    image.update()


if __name__ == "__main__":
    main()
