"""Where a photo's surface is torn, against hand-cut silhouettes of heroes: once, at the silhouette, is right.

    python benchmarks/silhouettes.py [NAME ...] [--checkout FOLDER] [--links] [--ideal] [--split tuning|held-back]
                                     [--shared FOLDER] [--packages FOLDER] [--work FOLDER] [--option --flag=value ...]

Runs `photo-diorama PHOTO` with its defaults for every hero of tests/heroes (see heroes.json there) and prints a Markdown table:

- judged: share of the silhouette that counts, see below;
- within 3 px: share of the silhouette's pixels with a tear within 3 px;
- torn px: torn pixels within 30 px of the silhouette, for each of its pixels (one clean tear: about 1 to 2);
- elsewhere: torn pixels farther away than that from every silhouette, again for each silhouette pixel;
- none, one, more: share of lines across the silhouette, 13 px to both sides (as far as a ramp of soft depth reaches, and
  never past the middle of a thin part), that meet no tear, exactly one, or several;
- CPU s: of the whole run, user and system time.

Pixels are those of the mask, of a long side of 960. A silhouette counts where near and far truly differ: where the depth well
inside the hero and well outside, carried to the silhouette, differ by more than 0.06 of the depth's span. So that two checkouts
are judged at the same pixels, that depth is found once for each photo and kept in --work.
`--links` stops before Blender and reads the torn links of the layered depth image (this checkout only; fast, for tuning);
`--ideal` adds a row for the same depth levels with one step at the hand-cut silhouette. Others call `torn_figures`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "heroes")]
import conftest  # noqa: E402, F401  makes the checkout importable
from cut_masks import HERE, find_photo, heroes, unseen  # noqa: E402, F401

REACH, BESIDE, ACROSS = 3, 30, 13
CORE, DIFFERENT, EVEN = 22, 0.06, 8
"""Depth is taken this far from the silhouette, where soft depth has reached its levels; near and far differ by this part of the span."""
FRAME = 3
COLUMNS = ("judged", "within 3 px", "torn px", "elsewhere", "none", "one", "more")


def torn_figures(torn: np.ndarray, mask: np.ndarray, disparity: np.ndarray) -> dict[str, float]:
    """The table's figures from a picture of the torn edges; NaN each where no silhouette is to be judged.

    `torn` and `mask` are (h, w) bool of the same size, `mask` true on the hero; `disparity` is the photo's soft depth, larger
    is nearer, of any size. `torn_picture` draws `torn` from links.
    """
    import cv2

    silhouette = judged_silhouette(mask, disparity)
    if not silhouette.any():
        return dict.fromkeys(COLUMNS, float("nan")) | {"judged": 0.0}
    torn = _inside_frame(torn)
    all_edges = _inside_frame(_edge(mask))
    to_silhouette, to_any = (cv2.distanceTransform((~s).astype(np.uint8), cv2.DIST_L2, 5) for s in (silhouette, all_edges))
    to_torn = cv2.distanceTransform((~torn).astype(np.uint8), cv2.DIST_L2, 5) if torn.any() else np.full(mask.shape, np.inf)
    count, length = crossings(torn, mask, silhouette), silhouette.sum()
    return {
        "judged": float(length / all_edges.sum()),
        "within 3 px": float((to_torn[silhouette] <= REACH).mean()),
        "torn px": float((torn & (to_silhouette <= BESIDE)).sum() / length),
        "elsewhere": float((torn & (to_any > BESIDE)).sum() / length),
        "none": float((count == 0).mean()),
        "one": float((count == 1).mean()),
        "more": float((count > 1).mean()),
    }


def judged_silhouette(mask: np.ndarray, disparity: np.ndarray) -> np.ndarray:
    """(h, w) bool: the hero's outermost pixels where near and far differ by more than `DIFFERENT` of the span."""
    near, far, span = near_and_far(mask, disparity)
    return _inside_frame(_edge(mask)) & ((near - far) / span > DIFFERENT)


def near_and_far(mask: np.ndarray, disparity: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Disparity well inside and well outside the hero, each carried to all pixels by the nearest of them; and the span."""
    import cv2
    from scipy import ndimage

    height, width = mask.shape
    levels = cv2.resize(disparity.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    levels = np.where(np.isfinite(levels), levels, np.nanmin(levels))
    inside, outside = ndimage.distance_transform_edt(mask), ndimage.distance_transform_edt(~mask)
    core = inside > CORE
    if core.sum() < 200:  # a hero thinner than that
        core = inside > np.percentile(inside[mask], 70)
    carried = []
    for known in (core, outside > CORE):
        nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
        carried.append(levels[tuple(nearest)])
    return *carried, float(np.ptp(np.percentile(levels, (0.05, 99.95))))


def crossings(torn: np.ndarray, mask: np.ndarray, silhouette: np.ndarray) -> np.ndarray:
    """How many tears a line across the silhouette meets, for each pixel of it in the order of `np.nonzero`."""
    import cv2
    from scipy import ndimage

    signed = ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask)
    smooth = ndimage.gaussian_filter(signed, 2)
    normal = np.stack([ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1)])[:, silhouette]
    normal /= np.maximum(np.hypot(*normal), 1e-9)
    closed = cv2.dilate(torn.astype(np.uint8), np.ones((2, 2), np.uint8)) > 0  # no line slips between two diagonal pixels
    start, met = np.stack(np.nonzero(silhouette)).astype(float), []
    for way in (-1, 1):
        steps = way * np.arange(0, ACROSS + 0.25, 0.5)
        rows, columns = np.rint(start[:, :, None] + normal[:, :, None] * steps).astype(int)
        inside = (rows >= 0) & (rows < mask.shape[0]) & (columns >= 0) & (columns < mask.shape[1])
        rows, columns = rows.clip(0, mask.shape[0] - 1), columns.clip(0, mask.shape[1] - 1)
        away = np.abs(signed[rows, columns])
        onwards = away >= np.maximum.accumulate(away, axis=1) - 1.5  # past the middle of a thin part it falls again
        valid = np.logical_and.accumulate(inside & onwards, axis=1)
        met.append(closed[rows, columns] & valid)
    line = np.hstack([met[0][:, ::-1], met[1][:, 1:]])
    return line[:, 0] + (line[:, 1:] & ~line[:, :-1]).sum(axis=1)


def torn_picture(right: np.ndarray, down: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(H, W) bool of `shape`: the torn edges drawn between the corners of the grid's pixels, one pixel wide.

    `right[r, c]` says that pixel (r, c) and (r, c + 1) of the working grid are torn apart, `down` the same for (r + 1, c).
    """
    h, w = right.shape
    r, c = np.nonzero(right[:, :-1])
    upright = np.stack([np.stack([c + 1, r], 1), np.stack([c + 1, r + 1], 1)], 1)
    r, c = np.nonzero(down[:-1])
    level = np.stack([np.stack([c, r + 1], 1), np.stack([c + 1, r + 1], 1)], 1)
    return draw_segments(np.concatenate([upright, level]) * (shape[1] / w, shape[0] / h), shape)


def draw_segments(segments: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: (n, 2, 2) segments from x, y to x, y in pixels."""
    import cv2

    picture = np.zeros(shape, np.uint8)
    cv2.polylines(picture, list(np.rint(segments * 8).astype(np.int32)), False, 255, 1, cv2.LINE_8, 3)
    return picture > 0


def torn_links(image) -> tuple[np.ndarray, np.ndarray]:
    """`right` and `down` of the photo within its frame, as `torn_picture` takes them, from a LayeredDepthImage."""
    from photo_diorama.core.layers import layered_depth_image

    top, left, height, width = image.frame
    links = image.layers[0].links[:, top : top + height, left : left + width]
    return links[layered_depth_image.RIGHT] != 0, links[layered_depth_image.DOWN] != 0


def torn_of_blend(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: boundary edges of the photo's meshes in a saved diorama, seen by the photo's camera."""
    import bpy

    bpy.ops.wm.open_mainfile(filepath=str(path))
    camera = bpy.context.scene.camera or next(ob for ob in bpy.data.objects if ob.type == "CAMERA")
    lens = camera.data
    (height, width), segments = shape, [np.zeros((0, 2, 2))]
    for ob in bpy.data.objects:
        role = str(ob.get("photo_diorama_role", ob.name)).lower()
        if ob.type != "MESH" or not ("photo" in role.split(" ")[-1] or role.startswith("photo")):
            continue
        mesh = ob.data
        points = np.empty(len(mesh.vertices) * 3, np.float32)
        mesh.vertices.foreach_get("co", points)
        points = points.reshape(-1, 3)  # in the space of the photo's camera: right, forwards, up
        of_loops = np.empty(len(mesh.loops), np.int32)
        mesh.loops.foreach_get("edge_index", of_loops)
        ends = np.empty(len(mesh.edges) * 2, np.int32)
        mesh.edges.foreach_get("vertices", ends)
        ends = ends.reshape(-1, 2)[np.bincount(of_loops, minlength=len(mesh.edges)) == 1]
        focal = lens.lens / lens.sensor_width
        x = (points[:, 0] / points[:, 1] * focal + 0.5 - lens.shift_x) * width
        y = (0.5 * height / width - points[:, 2] / points[:, 1] * focal + lens.shift_y) * width
        segments.append(np.stack([x, y], 1)[ends])
    return draw_segments(np.concatenate(segments), shape)


def with_one_step(disparity: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The same levels with one step at the hand-cut silhouette: float32 of the mask's size. Fades out where near meets far."""
    import cv2
    from scipy import ndimage

    near, far, span = near_and_far(mask, disparity)
    soft = cv2.resize(disparity.astype(np.float32), mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
    edge = _edge(mask)
    nearest = ndimage.distance_transform_edt(~edge, return_distances=False, return_indices=True)
    jump = ((near - far) / span)[tuple(nearest)]
    sure = cv2.GaussianBlur(np.clip((jump - DIFFERENT / 2) / (DIFFERENT / 2), 0, 1), (0, 0), EVEN)
    distance = np.maximum(ndimage.distance_transform_edt(mask), ndimage.distance_transform_edt(~mask))
    weight = sure * np.clip((CORE + 2 * EVEN - distance) / (2 * EVEN), 0, 1)
    # evened along the silhouette: neighbours whose values were carried from afar must not tear from each other
    near, far = (cv2.GaussianBlur(carried, (0, 0), EVEN) for carried in (near, far))
    return (weight * np.where(mask, near, far) + (1 - weight) * soft).astype(np.float32)


def _edge(mask: np.ndarray) -> np.ndarray:
    import cv2

    return mask & (cv2.erode(mask.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))) == 0)


def _inside_frame(picture: np.ndarray) -> np.ndarray:
    result = np.zeros_like(picture)
    inner = np.s_[FRAME:-FRAME, FRAME:-FRAME]
    result[inner] = picture[inner]
    return result


def run(checkout: Path, *arguments: str) -> float:
    """CPU seconds of one run of that checkout's command line; raises where it fails."""
    program = checkout / ".venv" / "bin" / "photo-diorama"
    process = subprocess.Popen([str(program), *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(arguments)}: {said[-800:]}")
    return usage.ru_utime + usage.ru_stime


def soft_depth(photo: Path, name: str, work: Path) -> np.ndarray:
    """The depth that silhouettes are judged by, found once with this checkout's defaults and kept."""
    kept = work / "depth" / f"{name}.npy"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        run(ROOT, "depth", str(photo), "--output", str(kept))
    return np.load(kept)


def alone(photo: Path, name: str, work: Path, carries_depth: bool = False) -> Path:
    """A copy of the photo in a folder of its own, where no depth file lies beside it; its colours only, where it carries depth."""
    import cv2

    copy = work / "photos" / f"{name}{'.png' if carries_depth else photo.suffix}"
    copy.parent.mkdir(parents=True, exist_ok=True)
    if carries_depth:
        cv2.imwrite(str(copy), cv2.imread(str(photo), cv2.IMREAD_COLOR))
    elif not copy.is_file():
        shutil.copyfile(photo, copy)
    return copy


def load_mask(name: str) -> np.ndarray:
    """(h, w) bool, true on the hero, at a long side of 960."""
    import cv2

    return cv2.imread(str(HERE / "masks" / f"{name}.png"), cv2.IMREAD_GRAYSCALE) > 0


def by_links(photo: Path, depth: Path | None, shape: tuple[int, int], options: list[str]) -> tuple[np.ndarray, float]:
    """Torn edges of the layered depth image of this checkout, and the CPU seconds that it took; without fill and mesh."""
    import time

    from photo_diorama.core.depth.edit_depth import carry_edit_over
    from photo_diorama.core.depth.sharpen_depth import sharpen
    from photo_diorama.core.layers.first_layer import make_first_layer
    from photo_diorama.core.pipeline import StageCache, Steps, bring_depth, silent
    from photo_diorama.core.settings import Settings, each_option

    kinds = {field.name: type(field.default) for _, field in each_option()}
    pairs = (option.removeprefix("--").split("=") for option in options)
    named = {name.replace("-", "_"): value for name, value in pairs}
    settings = Settings().with_values({name: kinds[name](value) for name, value in named.items()})
    started = time.process_time()
    step = Steps(silent, StageCache(), (str(photo), str(depth or "")))
    read, _, original = bring_depth(step, photo, depth, settings, None)
    depth = carry_edit_over(None, original, read)
    sharp = sharpen(depth, read.working_colour(*depth.disparity.shape), settings.layers)
    image = make_first_layer(read, sharp, settings.layers)
    return torn_picture(*torn_links(image), shape), time.process_time() - started


def by_blend(checkout: Path, photo: Path, blend: Path, shape: tuple[int, int], options: list[str]) -> tuple[np.ndarray, float]:
    """Torn edges of the diorama that the checkout's command line makes, and the CPU seconds of that run."""
    seconds = run(checkout, str(photo), "--output", str(blend), "--overwrite", *options)
    return torn_of_blend(blend, shape), seconds


def row(name: str, figures: dict[str, float], seconds: float) -> str:
    """One line of the table."""
    numbers = [f"{figures[c]:.2f}" for c in COLUMNS]
    return f"| {name} | " + " | ".join(numbers) + f" | {seconds:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--checkout", type=Path, default=ROOT)
    parser.add_argument("--links", action="store_true")
    parser.add_argument("--ideal", action="store_true")
    parser.add_argument("--split", choices=("tuning", "held-back"))
    parser.add_argument("--shared", type=Path)
    parser.add_argument("--packages", type=Path)
    parser.add_argument("--work", type=Path, default=ROOT / "out" / "silhouettes")
    parser.add_argument("--option", action="append", default=[], help="one more for photo-diorama, as --option=--tear=0.1")
    given = parser.parse_args()
    print("| hero | " + " | ".join(COLUMNS) + " | CPU s |\n|" + "---|" * (len(COLUMNS) + 2))
    rows: dict[str, list] = {}
    for hero in heroes():
        name, split = hero["name"], hero["split"].replace(" ", "-")
        if (given.names and name not in given.names) or (given.split and split != given.split):
            continue
        photo = find_photo(hero, given.shared, given.packages)
        if photo is None:
            print(f"skipped {name}: {hero['file']} is not on this machine", file=sys.stderr)
            continue
        photo, mask = alone(photo, name, given.work), load_mask(name)
        disparity = soft_depth(photo, name, given.work)
        asked = {"": (None, [])}
        if given.ideal:
            step = given.work / f"{name}_one_step.npy"
            np.save(step, with_one_step(disparity, mask))
            asked[", ideal"] = step, ["--depth-kind=disparity"]
        measured = {}
        for kind, (depth, options) in asked.items():
            options = [*options, *given.option]
            if given.links:
                measured[kind] = by_links(photo, depth, mask.shape, options)
            else:
                options += [f"--depth={depth}"] if depth else []
                blend = given.work / f"{name}{'_ideal' if depth else ''}.blend"
                measured[kind] = by_blend(given.checkout, photo, blend, mask.shape, options)
        for kind, (torn, seconds) in measured.items():
            figures = torn_figures(torn, mask, disparity)
            print(row(f"{name} ({split})" + kind, figures, seconds), flush=True)
            for group in (f"mean, {split}{kind}", f"mean of all{kind}"):
                rows.setdefault(group, []).append([*figures.values(), seconds])
    for group, values in rows.items():
        mean = np.nanmean(values, axis=0)
        print(row(f"**{group}** ({len(values)})", dict(zip(COLUMNS, mean, strict=False)), mean[-1]))


if __name__ == "__main__":
    main()
