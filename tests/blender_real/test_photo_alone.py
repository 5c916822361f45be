"""A photo alone, offline and without PyTorch, with the default options: depth and invented colours as in every other Blender.

DIORAMA_ANSWERS: a folder where each Blender leaves what it made, and is compared with those that came before.
"""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PHOTO = ROOT / "docs" / "demo" / "courtyard.jpg"
MODULE = "bl_ext.user_default.photo_diorama"
ALIKE = 1e-3
"""Greatest difference between two systems, as a part of the range."""
MEAN_ALIKE = 5e-3
"""Mean difference of the fill where OpenCV is another."""


@pytest.fixture(scope="module")
def made(blender, zipped) -> dict:
    """Facts of one run, and the arrays of what it made."""
    blender.install(zipped)
    photo = blender.home / "alone.jpg"  # no depth lies beside it under this name
    if os.environ.get("DIORAMA_ANSWERS"):
        shutil.copy2(PHOTO, photo)
    else:  # no other Blender's answers to compare with: a small one serves
        with Image.open(PHOTO) as whole:
            whole.resize((320, 320 * whole.height // whole.width)).save(photo)
    said = blender.script(f"""
        import importlib, json, time
        sys.modules["torch"] = None  # as if it were not there
        pipeline = importlib.import_module({MODULE!r} + ".core.pipeline")
        options = importlib.import_module({MODULE!r} + ".core.settings").Settings()
        started = time.process_time()
        built = pipeline.build_diorama({blender.inside(photo)!r}, None, options)
        seconds = time.process_time() - started
        import cv2, numpy
        layers = built.image.layers
        numpy.savez({blender.inside(blender.home)!r} + "/alone.npz", depth=built.original.disparity, levels=len(layers),
                    opencv=cv2.__version__,
                    **{{f"present{{k}}": each.present for k, each in enumerate(layers)}},
                    **{{f"colour{{k}}": each.colour for k, each in enumerate(layers)}})
        try:
            import resource
            most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        except ImportError:
            most = 0
        print("ALONE", json.dumps(dict(
            blender=bpy.app.version_string, python=sys.version.split()[0], numpy=numpy.__version__, opencv=cv2.__version__,
            cpu_seconds=round(seconds, 1), peak_mb=round(most / 1e6), layers=len(layers), source=built.original.source)))
    """)
    blender.remove()
    (line,) = [line for line in said.splitlines() if line.startswith("ALONE ")]
    facts = json.loads(line.removeprefix("ALONE "))
    print(facts)
    return facts | {"arrays": dict(np.load(blender.home / "alone.npz"))}


def test_the_built_in_networks_do_it(made):
    assert made["source"].startswith("estimated by the built-in network") and made["layers"] >= 2


def test_depth_and_fill_are_those_of_the_other_blenders(made, blender):
    """Hidden pixels alone: what is seen is the photo.

    With the zips' own OpenCV nothing differs, whatever NumPy a Blender has. Another OpenCV rounds otherwise, and of pieces that fit
    equally well another one may then be taken: there the mean of the differences tells.
    """
    folder = os.environ.get("DIORAMA_ANSWERS")
    if not folder:
        pytest.skip("no DIORAMA_ANSWERS to compare with")
    ours, place = made["arrays"], Path(folder)
    name = f"{blender.name}-{made['blender'].split()[0]}"
    others = [path for path in sorted(place.glob("*.npz")) if path.stem != name]
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy2(blender.home / "alone.npz", place / f"{name}.npz")
    for other in others:
        theirs = np.load(other)
        depth = np.abs(ours["depth"] - theirs["depth"]).max() / np.ptp(theirs["depth"])
        assert ours["levels"] == theirs["levels"]
        apart, differences = 0, []
        for k in range(1, int(ours["levels"])):
            both = ours[f"present{k}"] & theirs[f"present{k}"]
            apart += int((ours[f"present{k}"] ^ theirs[f"present{k}"]).sum())
            differences.append(np.abs(ours[f"colour{k}"] - theirs[f"colour{k}"]).max(axis=2)[both])
        fill = np.concatenate(differences)
        print(
            f"{name} against {other.stem}: depth at most {depth:.1e}; hidden pixels of one alone {apart} of {len(fill)}; "
            f"fill at most {fill.max():.1e}, mean {fill.mean():.1e}"
        )
        assert depth < ALIKE and apart <= ALIKE * len(fill)
        assert fill.max() < ALIKE if ours["opencv"] == theirs["opencv"] else fill.mean() < MEAN_ALIKE
