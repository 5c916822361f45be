"""CPU seconds of inpainting in whole default runs, of this checkout and of a commit in turn, with their ratio.

    python benchmarks/fill_seconds.py [--against COMMIT] [--repeats N] [--shared FOLDER] [PHOTO ... [--depth FILE]]

Each run is a process of its own, from the photo to the invented layers; the median of each is printed. Without photos: `moon` with its
depth, and three photos with the built-in one.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PHOTOS = ("photos/kodak/15.png", "photos/cc0_2048/mr_lee.jpg", "photos/cc0_2048/desk_plants.jpg")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="*", type=Path, metavar="PHOTO")
    parser.add_argument("--depth", type=Path, help="depth file of the first photo")
    parser.add_argument("--against", default="ed58e01", metavar="COMMIT")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    given = parser.parse_args()
    data = given.shared / "data"
    jobs = [(photo, None) for photo in given.photos] or [(data / photo, None) for photo in PHOTOS]
    if given.photos:
        jobs[0] = (jobs[0][0], given.depth)
    else:
        jobs.insert(0, (data / "rgbd/moon/moon.jpg", data / "rgbd/moon/moon.npy"))
    missing = [str(photo) for photo, _ in jobs if not photo.is_file()]
    if missing:
        sys.exit(f"{missing[0]} is not there: this benchmark needs photos, or the reference data beside the checkout (--shared FOLDER).")
    with tempfile.TemporaryDirectory() as place:
        packed = subprocess.run(["git", "-C", str(ROOT), "archive", given.against], capture_output=True, check=True).stdout
        with tarfile.open(fileobj=BytesIO(packed)) as archive:
            archive.extractall(place, filter="data")
        print(f"| photo | inpainting, CPU s | at {given.against} | ratio |\n|---|---|---|---|")
        for photo, depth in jobs:
            seconds: dict[Path, list[float]] = {ROOT: [], Path(place): []}
            for _ in range(given.repeats):
                for tree, found in seconds.items():
                    found.append(_measure(tree, photo, depth))
            own, other = (statistics.median(found) for found in seconds.values())
            print(f"| {photo.stem} | {own:.2f} | {other:.2f} | {own / other:.2f} |", flush=True)


def _measure(tree: Path, photo: Path, depth: Path | None) -> float:
    command = [sys.executable, __file__, "--one", str(tree), str(photo), str(depth or "")]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr[-4000:])
    return json.loads(done.stdout.splitlines()[-1])


def one(tree: str, photo: str, depth: str) -> None:
    """One measured run of the checkout in that folder; prints the CPU seconds."""
    sys.path.insert(0, str(Path(tree) / "tests"))
    import time

    import conftest  # noqa: F401  makes the checkout importable

    from photo_diorama.core import pipeline
    from photo_diorama.core.settings import Settings

    class Done(Exception):
        pass

    def timed(*parts):
        started = time.process_time()
        inpaint(*parts)
        print(time.process_time() - started)
        raise Done

    inpaint, pipeline.inpaint = pipeline.inpaint, timed
    try:
        pipeline.build_diorama(photo, depth or None, Settings())
    except Done:
        pass


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(*sys.argv[2:])
    else:
        main()
