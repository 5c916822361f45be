"""Seconds that an artist waits in Blender after a change in the redo panel, beside those of the import itself.

    python benchmarks/redo_panel.py [--shared FOLDER] [--long-side 960] [--repeats N]

Each option is changed to and fro on one photo, as in an artist's session; of the best run wall time and processor time of all
threads are printed, and their share of the import's processor time in the same run.
"""

import os
import sys

from depth_edit import moon_in_blender, now, since

CHANGES = (
    ("texture filter", {"texture_filter": "closest"}),
    ("camera move", {"camera_move": "circle"}),
    ("shader", {"shader": "principled"}),
    ("density", {"density": 0.7}),
    ("hidden width", {"hidden_width": 0.05}),
    ("inpainter", {"inpainter": "diffusion"}),
)


def main() -> None:
    given, moon = moon_in_blender(__doc__, 2)
    import bpy

    def build(**options) -> tuple[float, float]:
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        started = now()
        bpy.ops.photo_diorama.import_photo(
            filepath=str(moon / "moon.jpg"), depth=str(moon / "moon.npy"), long_side=given.long_side, **options
        )
        return since(started)

    rows = [("import", build())]
    for name, changed in CHANGES:
        runs = []
        for _ in range(given.repeats):
            build()
            runs.append(build(**changed))
        rows.append((name, min(runs, key=lambda run: run[1])))
    print(f"\n| moon, long side {given.long_side} | wall s | CPU s | of the import's CPU |\n|---|---|---|---|")
    for name, (wall, cpu) in rows:
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {cpu / rows[0][1][1]:.2f} |")
    sys.stdout.flush()
    os._exit(0)  # Blender as a module can hang or crash in its own clean-up


if __name__ == "__main__":
    main()
