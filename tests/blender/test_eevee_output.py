"""Stills by EEVEE are as sharp as those by Cycles, and their silhouettes as smooth."""

import numpy as np
from eevee import seen_by_eevee

SCRIPT = """
from made_photos import sphere
photo, depth = sphere(folder)
smooth = cv2.GaussianBlur(cv2.imread(str(photo)), (0, 0), 1.5)  # what a lens makes of it: no noise from texel to texel
cv2.imwrite(str(photo), smooth)
ops.import_photo(filepath=str(photo), depth=str(depth), **OPTIONS)
seen["photo"] = smooth
for engine in ("cycles", "eevee"):
    ops.render_output(filepath=str(folder / f"{engine}.png"), engine=engine)
    seen[engine] = cv2.imread(str(folder / f"{engine}.png"))
"""


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(np.mean((a[2:-2, 2:-2].astype(float) - b[2:-2, 2:-2]) ** 2), 1e-9)))


def test_the_photos_own_view_is_the_photo(tmp_path):
    seen = seen_by_eevee(SCRIPT, tmp_path)
    # a driver in software filters textures along the wrong way and is a little softer
    assert psnr(seen["cycles"], seen["photo"]) > 45 and psnr(seen["eevee"], seen["photo"]) > 45
