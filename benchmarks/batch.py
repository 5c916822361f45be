"""Runs a batch over 200 mixed photos with faults of every kind: broken files, a crash, kill -9 in the middle, a resume.

    python benchmarks/batch.py PHOTOS_FOLDER --place /tmp/batch --jobs 2

PHOTOS_FOLDER holds ordinary photos, of which crops, sizes and formats are made. Prints what docs/batch.md says. Linux.
"""

import argparse
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = f"""
import sys
sys.path.insert(0, {str(ROOT / "tests")!r})
import conftest
from photo_diorama.ui.cli.command_line import main
sys.exit(main(sys.argv[1:]))
"""
"""This checkout's command line, whatever is installed."""
COUNT, BROKEN = 200, 16
WORDS = ["harbour", "ELK", "Größe", "two words", "写真", "x{y}", "stairs", "Market #7", "dusk", "o'clock"]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(999))) + chunk(b"IEND", b"")


def make_good(sources: list[Path], place: Path, number: int, rng: random.Random) -> None:
    picture = Image.open(rng.choice(sources)).convert("RGB")
    scale = rng.uniform(260, 700) / max(picture.size)
    width, height = (max(200, round(side * scale)) for side in picture.size)
    picture = picture.resize((width, height))
    if rng.random() < 0.5:
        left, top = rng.randrange(width // 4 + 1), rng.randrange(height // 4 + 1)
        picture = picture.crop((left, top, width - left // 2, height - top // 2))
    ending = rng.choice([".jpg", ".JPG", ".png", ".webp", ".tif", ".heic", "-16.png", "-alpha.png", "-cmyk.jpg"])
    folder = place / rng.choice(["", "", "trip", "trip/day 2", "älter"])
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{number:03} {rng.choice(WORDS)}{ending}"
    if ending == "-16.png":
        import cv2

        cv2.imencode(".png", np.asarray(picture)[..., ::-1].astype(np.uint16) * 257)[1].tofile(file)
        return
    if ending == "-alpha.png":
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    if ending == "-cmyk.jpg":
        picture = picture.convert("CMYK")
    if ending == ".heic":
        from pillow_heif import register_heif_opener

        register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = rng.choice([1, 1, 3, 6, 8])
    picture.save(file, **({"exif": exif} if ending in (".jpg", ".JPG", ".webp") else {}))


def make_broken(place: Path) -> None:
    good = sorted(p for p in place.rglob("*") if p.suffix in (".jpg", ".png", ".tif", ".heic", ".webp"))
    by_ending = {p.suffix: p.read_bytes() for p in good}
    for ending, data in by_ending.items():
        (place / f"cut{ending}").write_bytes(data[: len(data) // 2])
        (place / f"noise{ending}").write_bytes(data[:40] + random.Random(1).randbytes(5000))
    broken = {
        "empty.jpg": b"", "letter.jpg": b"Dear photo, " * 99, "page.png": b"<html>404</html>", "wall.png": huge_png(60000, 60000),
        "bomb.png": huge_png(15000, 16000), "dots.png": huge_png(0, 0),
    }  # fmt: skip
    for name, data in broken.items():
        (place / name).write_bytes(data)
    assert len(by_ending) * 2 + len(broken) == BROKEN, len(by_ending)


def make_set(sources: list[Path], place: Path) -> None:
    rng = random.Random(7)
    for number in range(COUNT - BROKEN - 1):
        make_good(sources, place, number, rng)
    Image.effect_noise((11000, 11000), 90).convert("RGB").save(place / "giant.jpg", quality=60)  # more than --memory
    make_broken(place)


def children(pid: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(status.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(status.parent.name))
        except (OSError, ValueError, IndexError):
            continue
    return found


def resident_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, ValueError, IndexError):
        return 0.0


def watch(command: list[str], until, act) -> dict:
    """Runs the batch; once `until(lines)` of its manifest is true, `act(process)` is called once. Tells peaks of memory."""
    process = subprocess.Popen(command)
    begun, parent, workers, acted = time.monotonic(), 0.0, 0.0, False
    while process.poll() is None:
        parent = max(parent, resident_mb(process.pid))
        workers = max(workers, sum(map(resident_mb, children(process.pid))))
        if not acted and until():
            act(process)
            acted = True
        time.sleep(0.5)
    return {"code": process.returncode, "seconds": round(time.monotonic() - begun, 1), "parent_mb": round(parent),
            "workers_mb": round(workers)}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--place", type=Path, required=True)
    parser.add_argument("--jobs", default="2")
    given = parser.parse_args()
    photos, output = given.place / "photos", given.place / "dioramas"
    sources = sorted(p for p in given.photos.rglob("*") if p.suffix in (".jpg", ".png"))
    shutil.rmtree(given.place, ignore_errors=True)
    photos.mkdir(parents=True)
    make_set(sources, photos)
    command = [sys.executable, "-c", PROGRAM, "batch", str(photos), "--output", str(output), "--jobs", given.jobs, "--long-side", "256",
               "--memory", "1000"]  # fmt: skip
    manifest = output / "batch.jsonl"

    def lines() -> int:
        return manifest.read_bytes().count(b"\n") if manifest.exists() else 0

    def kill(process) -> None:
        process.send_signal(signal.SIGKILL)

    def crash(process) -> None:
        os.kill(children(process.pid)[0], signal.SIGSEGV)

    print(json.dumps({"photos": sum(1 for p in photos.rglob("*") if p.is_file()),
                      "kinds": Counter(p.suffix.lower() for p in photos.rglob("*") if p.is_file())}))  # fmt: skip
    print("killed", json.dumps(watch(command, lambda: lines() >= 80, kill)), flush=True)
    at_kill, left = lines(), sorted(str(p.relative_to(output)) for p in output.rglob("*") if ".photo-diorama" in str(p))
    time.sleep(2)
    orphans = [p for p in Path("/proc").glob("[0-9]*") if _is_worker(p, output)]
    print("at the kill", json.dumps({"lines": at_kill, "staged": len(left), "orphans": len(orphans)}), flush=True)
    with open(manifest, "ab") as file:
        file.write(b'{"photo": "harbour.jpg", "result": "do')  # as a power cut leaves it
    print("resumed", json.dumps(watch(command, lambda: lines() >= 120, crash)), flush=True)
    print("again", json.dumps(watch(command, lambda: False, crash)), flush=True)
    records = {}
    for line in manifest.read_text().splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        records[record["photo"]] = record
    results = Counter(r["result"] for r in records.values())
    seconds = sorted(r["seconds"] for r in records.values() if r["result"] == "done")
    peaks = [r["peak_memory_mb"] for r in records.values() if r["result"] == "done"]
    blends = [p for p in output.rglob("*.blend")]
    print(json.dumps({"results": results, "seconds_a_photo_median": seconds[len(seconds) // 2], "most": seconds[-1],
                      "peak_mb": max(peaks), "blends": len(blends), "gigabytes": sum(p.stat().st_size for p in blends) / 1e9,
                      "stray": [str(p) for p in output.rglob(".*")]}))  # fmt: skip
    for record in records.values():
        if record["result"] != "done":
            print(f"  {record['photo']}: {record['result']}: {record['error']}")


def _is_worker(process: Path, output: Path) -> bool:
    try:
        return b"batch-worker" in (process / "cmdline").read_bytes()
    except OSError:
        return False


if __name__ == "__main__":
    main()
