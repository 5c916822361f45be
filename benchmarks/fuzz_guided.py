"""Looks for inputs that a reader answers with anything but a result or a sentence, led by the code that inputs reach.

    python benchmarks/fuzz_guided.py --minutes 8 [--targets exr npy] [--corpus tests/fuzz_corpus] [--new FOLDER]

Every target starts from the small sound and hostile files in its folder of the corpus; inputs that reach new lines of ours join
FOLDER (default: build/fuzz, for `make fuzz` to go on from). Two mutants of three are made of a sound file by the rules of its format
(tests/core/structured_mutations.py), so that they get past the header; the others are libFuzzer's or those of tests/core/mutations.py,
with right checksums. "In the body" counts inputs whose header was taken: pixels or numbers were decoded, or an answer given. A finding
ends its target with the input's name.
Needs atheris (requirements-dev.txt), on Linux. Decoders in C are watched for time and memory, but do not lead the search.
"""

import argparse
import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT / "tests" / "fuzz_corpus"
MEMORY_MB, SECONDS, LONGEST = 3000, 30, 65536
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "core")]


def targets() -> dict:
    """What reads the bytes of each kind, and the name under which it gets them."""
    from photo_diorama.core.batch.manifest import Manifest, find_tasks
    from photo_diorama.core.depth.depth_in_photo import decode_embedded_depth
    from photo_diorama.core.depth.depth_map import read_depth
    from photo_diorama.core.depth.depth_sidecar import find_sidecar_depth, known_sidecar_meaning, read_sidecar_depth
    from photo_diorama.core.photo.heif_boxes import read_heif_items
    from photo_diorama.core.photo.photo import load_photo
    from photo_diorama.core.photo.xmp import parse_xmp
    from photo_diorama.core.raster.exr_header import check_exr
    from photo_diorama.core.raster.exr_read import read_depth_channel, read_pixels
    from photo_diorama.core.settings import DepthSettings

    def photo(path: Path, data: bytes) -> bool:
        load_photo(path)
        return True

    def depth(path: Path, data: bytes) -> bool:
        read_depth(path, DepthSettings())
        return True

    def exr(path: Path, data: bytes) -> bool:
        check_exr(data, str(path), 10**6)
        found = read_depth_channel(data, str(path), 10**6)
        return found is not None or read_pixels(data) is not None

    def heif(path: Path, data: bytes) -> bool:
        found = read_heif_items(data)
        decode_embedded_depth(data, str(path))
        return found is not None

    def sidecar(path: Path, data: bytes) -> bool:
        path.with_name("cam.json").write_bytes(data)
        picture = path.with_name("arkit_depth.png")
        unit, found = known_sidecar_meaning(picture), find_sidecar_depth(path.with_name("image.jpg"))
        if found is not None:
            read_sidecar_depth(found, path.with_name("image.jpg"))
        find_tasks(path.parent, path.parent / "out")
        return unit is not None

    def manifest(path: Path, data: bytes) -> bool:
        return bool(Manifest(path).read())

    return {
        "photo": ("a.png", photo), "depth": ("d.png", depth),
        "carried": ("a.jpg", lambda p, d: decode_embedded_depth(d, str(p)) is not None),
        "npy": ("d.npz", depth), "exr": ("d.exr", exr), "heif": ("a.heic", heif), "sidecar": ("x.bin", sidecar),
        "xmp": ("a.xmp", lambda p, d: parse_xmp(d, str(p)) is not None), "manifest": ("batch.jsonl", manifest),
    }  # fmt: skip


def mended(data: bytes) -> bytes:
    """The bytes with right checksums, where they are a PNG or a ZIP of one stored or deflated file."""
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        out, at = bytearray(data), 8
        while at + 12 <= len(out):
            length = struct.unpack_from(">I", out, at)[0]
            if at + 12 + length > len(out):
                break
            struct.pack_into(">I", out, at + 8 + length, zlib.crc32(out[at + 4 : at + 8 + length]))
            at += 12 + length
        return bytes(out)
    if data[:2] == b"PK":
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                entry = archive.infolist()[0]
                head = entry.header_offset + 26
                start = head + 4 + sum(struct.unpack_from("<HH", data, head))
                packed = data[start : start + entry.compress_size]
                plain = zlib.decompressobj(-15).decompress(packed, LONGEST) if entry.compress_type == 8 else packed
            old, new = struct.pack("<I", entry.CRC), struct.pack("<I", zlib.crc32(plain))
            return data.replace(old, new)
        except Exception:  # noqa: BLE001 - a mutant that is no ZIP any more stays as it is
            return data
    return data


def run_one(name: str, given: argparse.Namespace) -> None:
    """One target, in a process of its own that libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=["photo_diorama"]):
        import conftest  # noqa: F401 - makes photo_diorama importable

        file, read = targets()[name]
    import mutations
    import numpy as np
    from structured_mutations import structured

    from photo_diorama.core.errors import DioramaError

    place = Path(tempfile.mkdtemp(prefix="photo-diorama-fuzz-"))
    if name == "sidecar":
        _recording(place)
    counts, log, entered = Counter(), Path(given.new) / f"{name}.json", _watched_bodies()
    sound = [path.read_bytes() for path in sorted((given.corpus / name).iterdir()) if not path.name.startswith("hostile")]

    def one(data: bytes) -> None:
        path = place / file
        path.write_bytes(data)
        entered.clear()
        try:
            found = read(path, data)
            counts["read" if found else "nothing in it"] += 1
            counts["in the body"] += bool(found or entered)
        except DioramaError as error:
            counts["in the body"] += bool(entered)
            text = str(error)
            assert text.endswith(".") and "\n" not in text and "pickle" not in text, text
            counts["a sentence"] += 1
        runs = sum(counts.values()) - counts["in the body"]
        if runs % 100 == 0:
            log.write_text(json.dumps(counts))
        if given.runs and runs >= given.runs:
            log.write_text(json.dumps(counts))
            os._exit(0)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        rng = np.random.default_rng(seed)
        if rng.random() < 2 / 3:
            new = structured(sound[int(rng.integers(len(sound)))] if rng.random() < 0.7 else data, rng)
            return (structured(new, rng) if rng.random() < 0.3 else new)[:most]
        new = atheris.Mutate(data, most) if rng.random() < 0.5 or len(data) < 8 else mutations.mutated(data, rng)
        return mended(new[:most])

    folder = Path(given.new) / name
    folder.mkdir(parents=True, exist_ok=True)
    atheris.Setup([
        sys.argv[0], str(folder), str(given.corpus / name), f"-max_total_time={given.seconds}", f"-max_len={LONGEST}",
        f"-rss_limit_mb={MEMORY_MB + 500}", f"-timeout={SECONDS}", f"-artifact_prefix={given.new}/{name}-", "-print_final_stats=1",
        "-verbosity=0",
    ], one, custom_mutator=mutate)  # fmt: skip
    atheris.Fuzz()


def _watched_bodies() -> set[str]:
    """A set that is filled where a reader goes on behind a file's header: to pixels, to numbers, to channels."""
    import cv2
    from PIL import ImageFile
    from pillow_heif import HeifImageFile

    from photo_diorama.core.depth_file import numpy_file
    from photo_diorama.core.raster import exr_read

    entered: set[str] = set()
    places = [
        (ImageFile.ImageFile, "load"),
        (HeifImageFile, "load"),
        (cv2, "imdecode"),
        (numpy_file, "_read_array"),
        (exr_read, "_read"),
    ]
    for owner, name in places:
        before = getattr(owner, name)

        def watched(*given, before=before, name=name, **more):
            entered.add(name)
            return before(*given, **more)

        setattr(owner, name, watched)
    return entered


def _recording(place: Path) -> None:
    """A photo and its depth, about whose camera a JSON file tells."""
    import numpy as np
    from PIL import Image

    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(place / "image.jpg")
    values = np.full((48, 64), 1500, np.uint16)
    values[10:20, 10:30] = 900
    Image.fromarray(values).save(place / "arkit_depth.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=9.0, help="for all targets together")
    parser.add_argument("--runs", type=int, default=0, help="inputs of each target after which it ends, if not for time; 0: all it can")
    parser.add_argument("--targets", nargs="*")
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--new", type=Path, default=ROOT / "build" / "fuzz")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.new.mkdir(parents=True, exist_ok=True)
    if given.one:
        run_one(given.one, given)
        return
    names = given.targets or sorted(p.name for p in given.corpus.iterdir() if p.is_dir())
    seconds, bad = max(5, int(given.minutes * 60 / len(names))), []
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENCV_LOG_LEVEL": "SILENT"}
    for name in names:
        command = [
            sys.executable,
            __file__,
            "--one",
            name,
            "--seconds",
            str(seconds),
            "--corpus",
            str(given.corpus),
            "--new",
            str(given.new),
            "--runs",
            str(given.runs),
        ]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace")
        log = given.new / f"{name}.json"
        counts = json.loads(log.read_text()) if log.exists() else {}
        reached = next((line.split()[-1] for line in done.stderr.splitlines() if "new_units_added" in line), "?")
        body = counts.pop("in the body", 0)
        runs = sum(counts.values())
        print(f"{name:9} {runs:8,} runs {counts}, in the body {body:,} ({body / max(runs, 1):.0%}), {reached} inputs that reached more",
              flush=True)  # fmt: skip
        if done.returncode:
            bad.append(name)
            print(done.stderr[-3000:], flush=True)
    sys.exit(f"found something in {', '.join(bad)}: the inputs lie in {given.new}" if bad else 0)


if __name__ == "__main__":
    main()
