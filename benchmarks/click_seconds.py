"""Seconds that an artist waits for a click of Select by Click in Blender.

    python benchmarks/click_seconds.py [--shared FOLDER] [--long-side 960] [--repeats N]

Wall time and processor time of all threads, of the first click on a photo and of further ones over a grid of places.
"""

import os
import sys

import numpy as np
from depth_edit import moon_in_blender, now, since

PLACES = [(u, v) for v in (0.2, 0.5, 0.8) for u in (0.15, 0.4, 0.6, 0.85)]


def main() -> None:
    given, moon = moon_in_blender(__doc__, 2)
    import bpy

    from photo_diorama.core.edit_and_rebuild import scene_to_click
    from photo_diorama.operators.depth.change_region import stored_source
    from photo_diorama.operators.depth.click_region import click
    from photo_diorama.operators.scene.depth_image import stored_edit

    bpy.ops.photo_diorama.import_photo(filepath=str(moon / "moon.jpg"), depth=str(moon / "moon.npy"), long_side=given.long_side)
    root = bpy.context.view_layer.objects.active
    opened, first, further = [], [], []
    for _ in range(given.repeats):
        started = now()
        scene = scene_to_click(stored_source(bpy.context, root), stored_edit(root))
        opened.append(since(started))
        for kept, places in ((first, PLACES[:1]), (further, PLACES[1:])):
            for place in places:
                started = now()
                click(root, scene, place, False)
                kept.append(since(started))
    print(f"\n| moon, long side {given.long_side} | wall s | CPU s | most CPU s |\n|---|---|---|---|")
    for name, runs in (("begin", opened), ("first click", first), ("further clicks", further)):
        wall, cpu = np.median(runs, axis=0)
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {max(run[1] for run in runs):.2f} |")
    sys.stdout.flush()
    os._exit(0)  # Blender as a module can hang or crash in its own clean-up


if __name__ == "__main__":
    main()
