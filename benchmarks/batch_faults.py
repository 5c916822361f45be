"""Runs a batch over 1,000 small photos into which faults are thrown at random: kills, crashes, a full disk, hostile files, little memory.

    python benchmarks/batch_faults.py --place /tmp/faults [--count 1000] [--seed 1]

Counts what came out: every photo must have one record that counts and, where it is sound, one whole .blend; nothing may be lost or made
twice but for what a kill struck between its record and its place. Prints what docs/hardening.md says. Linux; a disk that is full is a
tmpfs, which needs the rights to mount one, else that fault is left out, with a note.
"""

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
from batch import PROGRAM, ROOT, children
from PIL import Image

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "core"), str(ROOT / "tests" / "core" / "raster")]
import conftest  # noqa: E402, F401 - makes photo_diorama importable

BALLAST = "ballast"
LARGEST_PHOTOS = 4
"""Honest pictures of 240 million pixels, which need more than the batch may take."""
LITTLE = 20_000_000
"""Bytes that a worker may still take after the strike of that name."""


def make_photos(place: Path, count: int, rng: random.Random) -> set[str]:
    """`count` photos and their depth maps; returns the names of those that are sound. One in ten is hostile or damaged."""
    from depth_photo_files import photo_pixels
    from test_bounds import DEPTHS, PHOTOS

    hostile = [*((name, make(), "photos") for name, make in PHOTOS.items()), *((n, m(), "depths") for n, m in DEPTHS.items())]
    pixels = Image.fromarray(photo_pixels(96, 72).astype(np.uint8))
    (place / "photos").mkdir(parents=True)
    (place / "depths").mkdir()
    sound = set()
    for number in range(count):
        name = f"{number:04}"
        photo, depth = place / "photos" / f"{name}.png", place / "depths" / f"{name}.npy"
        metres = np.full((72, 96), 6, np.float32)
        x, y = rng.randrange(10, 60), rng.randrange(10, 40)
        metres[y : y + 20, x : x + 25] = rng.uniform(1, 4)
        pixels.save(photo)
        np.save(depth, metres)
        if number % 10 != 9:
            sound.add(photo.name)
            continue
        kind = rng.choice(["cut", "hostile", "hostile", "folder"])
        if number // 10 % (count // 10 // LARGEST_PHOTOS or 1) == 1:
            Image.new("L", (16000, 15000)).save(photo)
        elif kind == "cut":
            photo.write_bytes(photo.read_bytes()[: rng.randrange(1, 2000)])
        elif kind == "folder":  # in the place of its result
            (place / "disk" / "out" / f"{name}.blend").mkdir(parents=True)
        else:
            file, data, of = rng.choice(hostile)
            old = photo if of == "photos" else depth
            old.unlink()
            (place / of / f"{name}{Path(file).suffix}").write_bytes(data)
    return sound


def records(manifest: Path) -> list[dict]:
    found = []
    for line in manifest.read_bytes().splitlines() if manifest.exists() else ():
        try:
            found.append(json.loads(line))
        except ValueError:  # what a kill cut short
            continue
    return found


def strike(process: subprocess.Popen, what: str, disk: Path) -> None:
    if what == "kill -9 of the batch":
        process.kill()
    elif what == "SIGTERM":
        process.terminate()
    elif what == "full disk":
        with open(disk / BALLAST, "wb") as file:
            try:
                while True:
                    file.write(bytes(1 << 20))
            except OSError:
                pass
    elif what == "little memory for a worker":
        for worker in children(process.pid)[:1]:
            with suppress(OSError):  # it has ended meanwhile
                have = int(Path(f"/proc/{worker}/statm").read_text().split()[0]) * resource.getpagesize()
                resource.prlimit(worker, resource.RLIMIT_AS, (have + LITTLE, resource.RLIM_INFINITY))
    else:
        number = signal.SIGSEGV if what == "crash of a worker" else signal.SIGKILL
        for worker in children(process.pid)[:1]:
            os.kill(worker, number)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--place", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--strikes", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng, disk = random.Random(given.seed), given.place / "disk"
    disk.mkdir(parents=True)
    size = f"size={given.count * 1500 + 60_000}k"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(disk)], capture_output=True).returncode == 0
    sound = make_photos(given.place, given.count, rng)
    manifest = disk / "out" / "batch.jsonl"
    command = [
        sys.executable, "-c", PROGRAM, "batch", str(given.place / "photos"), "--depth", str(given.place / "depths"),
        "--output", str(disk / "out"), "--long-side", "64", "--depth-kind", "metric", "--inpainter", "diffusion",
        "--memory", "1500", "--recycle", "200",
    ]  # fmt: skip
    faults = ["kill -9 of the batch", "crash of a worker", "kill -9 of a worker", "SIGTERM", "little memory for a worker"] + (
        ["full disk"] if mounted else []
    )
    strikes, runs, begun, lines = Counter(), [], time.monotonic(), 0
    try:
        while True:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            next_strike = len(records(manifest)) + rng.randrange(10, max(11, given.count // 12))
            while process.poll() is None:
                lines = len(records(manifest))
                if lines >= next_strike and strikes.total() < given.strikes:
                    what = faults[strikes.total() % len(faults)]
                    strike(process, what, disk)
                    strikes[what] += 1
                    next_strike = lines + rng.randrange(10, max(11, given.count // 12))
                time.sleep(0.2)
            (disk / BALLAST).unlink(missing_ok=True)
            runs.append(process.returncode)
            traceback = "Traceback" in process.stderr.read()
            print(f"run {len(runs)}: exit code {process.returncode}, {lines} records{', A TRACEBACK' if traceback else ''}", flush=True)
            if process.returncode in (0, 1) and (disk / "out").is_dir():
                break
        tell(records(manifest), disk / "out", sound, given.count)
        print(json.dumps({"strikes": strikes, "runs": len(runs), "seconds": round(time.monotonic() - begun)}))
    finally:
        if mounted:
            subprocess.run(["umount", str(disk)])


def tell(found: list[dict], output: Path, sound: set[str], count: int) -> None:
    last = {record["photo"]: record for record in found}
    done = Counter(record["photo"] for record in found if record["result"] == "done")
    whole = {p.stem for p in output.glob("*.blend") if p.is_file()}
    print(json.dumps({
        "photos": count, "with_a_record": len(last), "results": Counter(r["result"] for r in last.values()), "sound": len(sound),
        "sound_and_done": sum(last.get(name, {}).get("result") == "done" for name in sound),
        "lost": sorted(name for name in sound if Path(name).stem not in whole),
        "made_twice": sorted(name for name, times in done.items() if times > 1),
        "recorded_size_differs": [n for r in last.values() for n, size in r["files"].items() if (output / n).stat().st_size != size],
        "stray": sorted(p.name for p in output.rglob(".*")),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
