"""Makes the gallery: a short loop of each photo's diorama as an animated WebP, and a page that shows them.

    python benchmarks/gallery.py LIST.json [--output docs/gallery] [--width 360] [--frames 20] [--samples 4]

LIST.json is a list of {"name", "photo", "credit"} and optionally "depth", "move", "amount", "options" (a list of flags).
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("list", type=Path)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "gallery")
    parser.add_argument("--width", type=int, default=360)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--samples", type=int, default=4)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    for entry in json.loads(given.list.read_text()):
        loop = given.output / f"{entry['name']}.webp"
        if not loop.exists():
            make_loop(entry, loop, given)
        print(loop, f"{loop.stat().st_size / 1000:.0f} kB", flush=True)


def make_loop(entry: dict, loop: Path, given: argparse.Namespace) -> None:
    """One photo through the command line to frames, and those to one file."""
    with tempfile.TemporaryDirectory() as folder:
        frames = Path(folder) / "frames"
        command = [str(Path(sys.executable).with_name("photo-diorama")), entry["photo"], "--output", f"{folder}/scene.blend"]
        command += ["--render", str(frames), "--render-side", str(given.width), "--samples", str(given.samples)]
        command += ["--camera-move", entry.get("move", "circle"), "--move-loop", "--frames", str(given.frames)]
        command += ["--move-amount", str(entry.get("amount", 1.0))] + entry.get("options", [])
        command += ["--depth", entry["depth"]] if "depth" in entry else []
        subprocess.run(command, check=True)
        pictures = [Image.open(file).convert("RGB") for file in sorted(frames.glob("*.png"))]
        pictures[0].save(loop, save_all=True, append_images=pictures[1:], duration=1000 // 10, loop=0, quality=60, method=6)


if __name__ == "__main__":
    main()
