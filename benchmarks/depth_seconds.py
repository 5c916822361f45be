"""Seconds and memory that a photo's depth and its one step a silhouette take: the built-in network, and `sharpen`.

    python benchmarks/depth_seconds.py NAME|PHOTO ... [--checkout FOLDER] [--threads 2] [--runs 5] [--work FOLDER]

NAME is one of tests/heroes/heroes.json or by_eye.json. Each photo has a process of its own, which reads the photo, then finds its depth,
brings it onto the working grid and sharpens it, once with all that is loaded for it (OpenCV, SciPy, the networks) and then `--runs` times.
Printed are CPU seconds (user and system, all threads) and seconds by the clock of the quickest run, of the first one, and the process's
largest resident memory. Seconds by the clock mean something on a quiet machine alone.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from silhouettes import ROOT, alone, find_photo, heroes, unseen

WORKER = """
import resource, sys, time
checkout, photo, threads, runs = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
from photo_diorama.core.depth.depth_map import depth_on_photo
from photo_diorama.core.depth.find_depth import find_depth
from photo_diorama.core.depth.sharpen_depth import sharpen
from photo_diorama.core.photo.photo import load_photo
from photo_diorama.core.settings import Settings
from photo_diorama.core.threads import use_threads
use_threads(threads)
settings, read = Settings(), load_photo(photo, Settings().photo)
clocks = lambda: (time.process_time(), time.perf_counter())
said = []
for _ in range(runs + 1):
    start = clocks()
    found = find_depth(read, None, settings.depth, None)
    depth = depth_on_photo(found.values, read, settings.depth, settings.layers.long_side, photo)
    middle = clocks()
    sharpen(depth, read.working_colour(*depth.disparity.shape), settings.layers)
    end = clocks()
    said.append([m - s for s, m in zip(start, middle)] + [e - m for m, e in zip(middle, end)])
first, *others = said
least = [min(each) for each in zip(*others)]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
size = "x".join(map(str, depth.disparity.shape[::-1]))
both = min(r[0] + r[2] for r in others), min(r[1] + r[3] for r in others), first[0] + first[2], first[1] + first[3]
print(size, *(f"{value:.2f}" for value in (*least, *both)), f"{peak:.0f}", sep=" | ")
"""
"""Runs in a checkout's own Python."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+")
    parser.add_argument("--checkout", type=Path, default=ROOT)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--work", type=Path, default=ROOT / "out" / "silhouettes")
    given = parser.parse_args()
    named = {hero["name"]: hero for hero in [*heroes(), *unseen()]}
    print(
        "| photo | grid | depth, CPU s | clock s | sharpening, CPU s | clock s | both, CPU s | clock s | first time, CPU s | clock s | MB |"
    )
    print("|" + "---|" * 11)
    for text in given.photos:
        name, found = (text, find_photo(named[text])) if text in named else (Path(text).stem, Path(text))
        if found is None:
            print(f"| {name} | not on this machine |")
            continue
        photo = alone(found, name, given.work, named.get(name, {}).get("carries_depth", False)).resolve()
        arguments = [
            str(given.checkout / ".venv/bin/python"),
            "-c",
            WORKER,
            str(given.checkout),
            str(photo),
            str(given.threads),
            str(given.runs),
        ]
        print(f"| {name} | {subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()} |", flush=True)


if __name__ == "__main__":
    main()
