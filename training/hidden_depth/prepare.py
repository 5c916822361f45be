"""Turns cast views into what the network is told and what is true; can be run again for new views.

    python training/hidden_depth/prepare.py --cast CACHE/cast --out CACHE/pixels

Each view is taken as it is, and in variants: with the unknown shift of relative inverse depth (planes stay planes), bent
slowly all over as networks bend it, and blurred; every other one mirrored. All go through the pipeline's own flood.
"""

import argparse
import os
import sys
import zlib
from dataclasses import replace
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent)]

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from views import View, read_view, torn, truth  # noqa: E402  imports the package first

from photo_diorama.core.depth.depth_map import FARTHEST_OF_RELATIVE  # noqa: E402
from photo_diorama.core.hidden_depth.choose_surface import describe, find_candidates  # noqa: E402
from photo_diorama.core.layers.regions import disocclude  # noqa: E402
from photo_diorama.core.settings import LayerSettings  # noqa: E402

MIN_PIXELS = 200
"""Views with fewer hidden pixels of known truth are left out."""


def variant(view: View, rng: np.random.Generator) -> tuple[View, np.ndarray]:
    """The view with a shift of disparity and a slow bend of all its surfaces, and the first one, perhaps blurred."""
    surfaces = view.surfaces - rng.uniform(0, 1) * view.surfaces[0].min()
    noise = cv2.GaussianBlur(rng.normal(size=surfaces.shape[1:]).astype(np.float32), (0, 0), rng.uniform(20, 60))
    surfaces = surfaces * np.exp(rng.uniform(0, 0.12) * noise / noise.std())
    floor = np.percentile(surfaces[0], 99.9) / FARTHEST_OF_RELATIVE
    surfaces = np.maximum(surfaces, floor).astype(np.float32)
    first = surfaces[0]
    if rng.random() < 0.5:
        first = cv2.GaussianBlur(first, (0, 0), rng.uniform(0.4, 1.3))
    return replace(view, surfaces=surfaces), first


def mirrored(view: View) -> View:
    """The view with left and right changed over."""
    return replace(view, **{name: np.ascontiguousarray(getattr(view, name)[..., ::-1]) for name in ("surfaces", "known", "object")})


def pixels(view: View, first: np.ndarray, most: int, rng: np.random.Generator) -> dict[str, np.ndarray] | None:
    """`own` (n, k, OWN) and `around` (n, AROUND), what is told; `log` (n, k) of each candidate's disparity over that of what
    hides the pixel, 0 for none, and the same of the truth, `target` (n,); and `over` (n,), the disparity of what hides it
    over the view's range; for at most `most` hidden pixels; None where few are known."""
    layers = LayerSettings()
    image = torn(view, layers, first)
    found = disocclude(image, layers.hidden_width)
    if found is None:
        return None
    value, known = truth(view, image, found)
    seen = find_candidates(image, found)
    picked = np.ix_(seen.rows, seen.columns)
    known, value = known[picked].ravel()[seen.where], value[picked].ravel()[seen.where]
    if known.sum() < MIN_PIXELS:
        return None
    chosen = np.sort(rng.permutation(np.flatnonzero(known))[:most])
    part = seen.at(chosen)
    exists = part.candidates > 0
    log = np.where(exists, np.minimum(np.log(np.where(exists, part.candidates, 1) / part.hiding), -1e-5), 0)
    own, around = describe(part)
    return {"own": own.astype(np.float16), "around": around.astype(np.float16), "log": log.T.astype(np.float32),
            "target": np.log(value[chosen] / part.hiding).astype(np.float32),
            "over": (part.hiding / part.span).astype(np.float32)}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cast", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--variants", type=int, default=2, help="1 takes the views as they are only")
    parser.add_argument("--pixels", type=int, default=600, help="of each view and variant")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    for number in range(options.variants):
        for path in sorted(options.cast.glob("*.npz")):
            target = options.out / f"{path.stem}_{number}.npz"
            if target.exists():
                continue
            view, rng = read_view(path), np.random.default_rng([zlib.crc32(path.stem.encode()), number])
            view = mirrored(view) if number % 2 else view
            made, first = (view, view.surfaces[0]) if number == 0 else variant(view, rng)
            part = options.out / f".{path.stem}.npz"
            np.savez(part, **(pixels(made, first, options.pixels, rng) or {}))
            os.replace(part, target)


if __name__ == "__main__":
    main()
