"""Renders default dioramas from the left and the right, at amounts 1 and 2 of the swing, and puts them together to be looked at.

    python benchmarks/hero_sheet.py NAME|PHOTO ... [--before CHECKOUT] [--after CHECKOUT] [--side 960] [--work FOLDER]
                                    [--contact FILE.jpg] [--amount 1]

NAME is one of tests/heroes/heroes.json or by_eye.json; `unseen` alone is all that nothing was tuned on. `--before` and `--after`
are checkouts with a .venv of their own; without them this one is shown. Each render lies in --work at full
size (PHOTO_before_1_left.png ...), a sheet for each photo and amount beside them: above before, below after, the left view on
the left. `--contact` puts all photos at `--amount` on one small sheet for the documentation, before above after where both are given.
What lies in --work already is not made again, so a stopped run goes on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
from silhouettes import ROOT, alone, find_photo, heroes, run, unseen

AMOUNTS, VIEWS = (1, 2), ("left", "right")
WORKER = """
import sys
from pathlib import Path
checkout, blend, place, side, *amounts = sys.argv[1:]
sys.path.insert(0, checkout + "/tests")
import conftest
import bpy, photo_diorama
photo_diorama.register()
bpy.ops.wm.open_mainfile(filepath=blend)
bpy.context.view_layer.objects.active = bpy.context.scene.camera
ops = bpy.ops.photo_diorama
for amount in amounts:
    ops.apply_move(camera_move="swing", move_amount=float(amount), frames=2)
    ops.render_output(filepath=place + "_" + amount, render_side=int(side))
import os
sys.stdout.flush()
os._exit(0)
"""
"""Runs in a checkout's own Python: the project's own move and its own way of rendering. The first frame is seen from the left."""


def views(checkout: Path, label: str, name: str, photo: Path, given: argparse.Namespace) -> dict[tuple[int, str], Path]:
    """The files of all renders of one photo by amount and side, made where they are missing."""
    wanted = {(a, v): given.work / f"{name}_{label}_{a}_{v}.png" for a in AMOUNTS for v in VIEWS}
    blend = given.work / label / f"{name}.blend"
    blend.parent.mkdir(parents=True, exist_ok=True)
    if not blend.is_file():
        seconds = run(checkout, str(photo), "--output", str(blend), *given.option)
        print(f"{name} {label}: {seconds:.1f} CPU s", flush=True)
    missing = [a for a in AMOUNTS if not all(wanted[a, v].is_file() for v in VIEWS)]
    if missing:
        frames = given.work / f"{name}_{label}"
        arguments = [str(checkout), str(blend), str(frames), str(given.side), *map(str, missing)]
        subprocess.run([str(checkout / ".venv/bin/python"), "-c", WORKER, *arguments], check=True, stdout=subprocess.DEVNULL)
    for amount in missing:
        folder = Path(f"{frames}_{amount}")
        for number, view in enumerate(VIEWS, 1):
            (folder / f"frame_{number:04d}.png").rename(wanted[amount, view])
        folder.rmdir()
    return wanted


def side_by_side(rows: list[list[Path]], labels: list[str]) -> np.ndarray:
    """One picture of all, each row with its label in the corner."""
    import cv2

    lines = []
    for files, label in zip(rows, labels, strict=True):
        line = np.hstack([cv2.imread(str(file)) for file in files])
        for thickness, colour in ((4, (0, 0, 0)), (1, (255, 255, 255))):
            cv2.putText(line, label, (8, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, thickness, cv2.LINE_AA)
        lines.append(line)
    return np.vstack(lines)


def contact_sheet(cells: list[np.ndarray], columns: int, height: int) -> np.ndarray:
    """Pictures of any size in rows of equal height, each row filled up with grey."""
    import cv2

    shown = [cv2.resize(c, (round(c.shape[1] * height / c.shape[0]), height), interpolation=cv2.INTER_AREA) for c in cells]
    rows = [np.hstack(shown[i : i + columns]) for i in range(0, len(shown), columns)]
    width = max(row.shape[1] for row in rows)
    return np.vstack([cv2.copyMakeBorder(r, 0, 4, 0, width - r.shape[1], cv2.BORDER_CONSTANT, value=(90,) * 3) for r in rows])


def main() -> None:
    import cv2

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+")
    parser.add_argument("--before", type=Path)
    parser.add_argument("--after", type=Path)
    parser.add_argument("--side", type=int, default=960)
    parser.add_argument("--work", type=Path, default=ROOT / "out" / "hero_sheet")
    parser.add_argument("--contact", type=Path)
    parser.add_argument("--amount", type=int, choices=AMOUNTS, default=1)
    parser.add_argument("--columns", type=int, default=3)
    parser.add_argument("--option", action="append", default=[], help="one more for photo-diorama, as --option=--tear=0.1")
    given = parser.parse_args()
    given.work = given.work.resolve()
    pairs = [(label, place.resolve()) for label in ("before", "after") if (place := getattr(given, label))] or [("after", ROOT)]
    named = {hero["name"]: hero for hero in [*heroes(), *unseen()]}
    if given.photos == ["unseen"]:
        given.photos = [hero["name"] for hero in heroes() if hero["split"] == "held back"] + [hero["name"] for hero in unseen()]
    cells = []
    for text in given.photos:
        name, found = (text, find_photo(named[text])) if text in named else (Path(text).stem, Path(text))
        if found is None:
            print(f"skipped {name}: its photo is not on this machine", file=sys.stderr)
            continue
        photo = alone(found, name, given.work, named.get(name, {}).get("carries_depth", False))
        seen = {label: views(place, label, name, photo, given) for label, place in pairs}
        for amount in AMOUNTS:
            rows = [[files[amount, view] for view in VIEWS] for files in seen.values()]
            sheet = side_by_side(rows, [f"{name}, {label}, amount {amount}" for label in seen])
            cv2.imwrite(str(given.work / f"sheet_{name}_{amount}.png"), sheet)
        rows = [np.hstack([cv2.imread(str(files[given.amount, view])) for view in VIEWS]) for files in seen.values()]
        cells.append(np.vstack([cv2.copyMakeBorder(row, 0, 6, 0, 12, cv2.BORDER_CONSTANT, value=(90,) * 3) for row in rows]))
        print(f"made {given.work}/sheet_{name}_1.png and _2.png", flush=True)
    if given.contact and cells:
        cv2.imwrite(str(given.contact), contact_sheet(cells, given.columns, 150 * len(pairs)), [cv2.IMWRITE_JPEG_QUALITY, 80])
        print(f"made {given.contact}")


if __name__ == "__main__":
    main()
