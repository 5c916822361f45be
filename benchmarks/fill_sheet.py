"""Lays pictures of made scenes that `novel_view.py --views` rendered with several fills side by side, enlarged where fills matter most.

    python benchmarks/fill_sheet.py --views CACHE/views --output docs/images/hidden_colour.jpg OUT_DIFFUSION OUT_EXEMPLAR OUT_LEARNED

Columns: the fills in the order of their folders, the truth. What both cameras see is darkened, so that what was invented stands out.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

CROP, TIMES, ROWS = 96, 2, 5
SEEN = 0.7


def hidden(d_left: np.ndarray, d_right: np.ndarray) -> np.ndarray:
    """(h, w) bool of the right view: what the left view does not see, as its disparity there is another's."""
    height, width = d_right.shape
    columns = np.arange(width)[None] + d_right
    there = np.take_along_axis(d_left, np.clip(np.rint(columns).astype(int), 0, width - 1), axis=1)
    return (columns <= width - 1) & (there - d_right > 1)


def crops(stored: dict[str, np.ndarray], fills: list[np.ndarray]) -> tuple[float, np.ndarray]:
    """How much the fills differ in the place where they differ most, and that place of every fill and of the truth."""
    hole = hidden(stored["d_left"], stored["d_right"])
    shown = [np.where(hole[..., None], p, SEEN * p).astype(np.uint8) for p in (*fills, stored["right"])]
    apart = np.ptp(np.float32(fills), axis=0).sum(axis=2) * hole
    near = cv2.blur(apart, (CROP, CROP), borderType=cv2.BORDER_CONSTANT)
    row, column = np.unravel_index(near.argmax(), near.shape)
    top, left = (int(np.clip(at - CROP // 2, 0, n - CROP)) for at, n in zip((row, column), hole.shape, strict=True))
    place = np.s_[top : top + CROP, left : left + CROP]
    return float(near.max()), np.hstack([np.kron(p[place], np.ones((TIMES, TIMES, 1), np.uint8)) for p in shown])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="outputs of novel_view.py, one a fill")
    parser.add_argument("--views", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()
    rows = []
    for file in sorted(given.views.glob("*.npz")):
        pictures = [cv2.imread(str(folder / f"{file.stem}_right.png")) for folder in given.folders]
        if all(picture is not None for picture in pictures):
            with np.load(file) as stored:
                rows.append(crops(dict(stored), [picture[..., ::-1] for picture in pictures]))
    rows.sort(key=lambda row: -row[0])
    sheet = np.vstack([row for _, row in rows[:ROWS]])
    cv2.imwrite(str(given.output), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
