"""Whole runs from photo and depth to .blend, of this checkout beside those of an earlier commit, in turn and in one run.

    python benchmarks/against.py COMMIT [--shared FOLDER] [--repeats 5] [--only moon,alone,large,wide,second] [--busy N] [-- FLAGS]

Each run is a process of its own. Medians of wall seconds, processor seconds of all threads and peak memory are printed, and how
many times less this checkout takes. `second` is moon as the second photo of a process, its own seconds. `--busy` keeps N other processes
computing meanwhile, as an artist's render does; FLAGS go to every run, as `-- --inpainter diffusion`.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from geometry import ROOT, _large_photo

THEN = "--then"
RUN = f"""
import os, sys, time
try:
    from photo_diorama.ui.cli import main
except ModuleNotFoundError:  # its name until 29 November 2026
    from photo_diorama.ui.command_line import main
photos = [[]]
for word in sys.argv[1:]:
    photos.append([]) if word == "{THEN}" else photos[-1].append(word)
for each in photos:
    wall, cpu = time.perf_counter(), time.process_time()
    code = main(each)
    if code:
        break
if len(photos) > 1:
    print(time.perf_counter() - wall, time.process_time() - cpu)
sys.stdout.flush()
os._exit(code)
"""
"""Makes one photo after the other in a process; where there are several, prints the seconds of the last."""
SPIN = "while True: sum(range(1000000))"


def main() -> None:
    given, flags = read_arguments()
    moon = given.shared / "data/rgbd/moon"
    with tempfile.TemporaryDirectory() as place:
        roots = {given.commit: unpacked(given.commit, Path(place)), "here": linked(Path(place))}
        jobs = {
            "moon": (moon / "moon.jpg", moon / "moon.npy"),
            "alone": (given.shared / "data/photos/kodak/15.png",),
            "large": _large_photo(moon, Path(place)) if "large" in given.only else (),
            "wide": (moon / "moon.jpg", moon / "moon.npy"),
            "second": (moon / "moon.jpg", moon / "moon.npy"),
        }
        other = given.shared / "data/stereo/Motorcycle2014"
        earlier = [other / "motorcycle_left.png", "--depth", other / "motorcycle_disp.npz"]
        busy = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(given.busy)]
        try:
            print(f"| to .blend{f', beside {given.busy} busy processes' * bool(busy)} | wall s | CPU s | peak MB | times less wall, CPU |")
            print("|---|---|---|---|---|")
            for name in given.only:
                side = ["--long-side", "1920"] if name == "wide" else []
                arguments = [*jobs[name][:1], *(["--depth", *jobs[name][1:]] if jobs[name][1:] else []), *side, *flags]
                compare(name, roots, [*([earlier] if name == "second" else []), arguments], given, place)
        finally:
            for each in busy:
                each.kill()


def read_arguments() -> tuple[argparse.Namespace, list[str]]:
    """What was asked, and the flags after `--`."""
    arguments = sys.argv[1:]
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", type=lambda text: text.split(","), default=["moon", "alone", "large", "wide", "second"])
    parser.add_argument("--busy", type=int, default=0)
    return parser.parse_args(arguments[:cut]), arguments[cut + 1 :]


def unpacked(commit: str, place: Path) -> Path:
    """A folder from which the extension of that commit is imported."""
    root = place / "before"
    with subprocess.Popen(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE) as archive:
        with tarfile.open(fileobj=archive.stdout, mode="r|") as packed:
            packed.extractall(root / "photo_diorama", filter="data")
    if archive.returncode:
        sys.exit(f"{commit} is no commit of {ROOT}.")
    return root


def linked(place: Path) -> Path:
    """A folder from which this checkout is imported, whatever it is called."""
    (place / "now").mkdir()
    (place / "now" / "photo_diorama").symlink_to(ROOT)
    return place / "now"


def compare(name: str, roots: dict[str, Path], photos: list[list], given: argparse.Namespace, place: str) -> None:
    """Prints a row for each checkout."""
    runs: dict[str, list[tuple[float, float, float]]] = {label: [] for label in roots}
    for _ in range(given.repeats):
        for label, root in roots.items():
            runs[label].append(measure(root, photos, place))
    medians = {label: [statistics.median(column) for column in zip(*found, strict=True)] for label, found in runs.items()}
    first = next(iter(medians.values()))
    for label, (wall, cpu, peak) in medians.items():
        print(f"| {name}, {label} | {wall:.1f} | {cpu:.1f} | {peak:.0f} | {first[0] / wall:.2f}, {first[1] / cpu:.2f} |", flush=True)


def measure(root: Path, photos: list[list], place: str) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and peak MB of one run; of several photos in one process the seconds of the last."""
    ends = ["--output", f"{place}/out.blend", "--overwrite", "--quiet"]
    lists = [[*map(str, arguments), *ends] for arguments in photos]
    command = [sys.executable, "-c", RUN, *lists[0], *(part for each in lists[1:] for part in (THEN, *each))]
    # compiled modules are kept, as where it is installed
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPATH": str(root), "PYTHONPYCACHEPREFIX": f"{place}/compiled"}
    started = time.perf_counter()
    with subprocess.Popen(command, env=environment, cwd=place, stdout=subprocess.PIPE, text=True) as child:
        said = child.stdout.read().splitlines()  # type: ignore[union-attr]
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    if child.returncode:
        sys.exit(f"{' '.join(command[3:])} failed.")
    wall, cpu = map(float, said[-1].split()) if len(photos) > 1 else (wall, used.ru_utime + used.ru_stime)
    return wall, cpu, used.ru_maxrss / 1024


if __name__ == "__main__":
    main()
