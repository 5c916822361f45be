"""Shows that photo, depth, camera.json and the views agree: python -m benchmarks.demo_scene.check_views [FOLDER].

Each pixel of a view is unprojected with the depth of that view, moved by its shift and projected into the photo.
Where the photo has the same surface there, the colours must agree; elsewhere the view shows what the photo hides.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np


def read_depth(path: Path, unit: float) -> np.ndarray:
    """(height, width) float64 metres of a 16-bit PNG."""
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(np.float64) * unit


def points_in_photo(z: np.ndarray, pinhole: dict, shift: list[float]) -> np.ndarray:
    """(height, width, 3) points of a view with depth z, in the photo camera's axes (x right, y down, z forward)."""
    v, u = np.indices(z.shape) + 0.5
    x = (u - pinhole["cx"]) / pinhole["focal_px"] * z
    y = (v - pinhole["cy"]) / pinhole["focal_px"] * z
    return np.stack([x, y, z], -1) + shift


def compare(folder: Path, record: dict, name: str, sign: float = 1.0) -> tuple[float, float, float]:
    """Share of the view's pixels inside the photo's frame and seen there, hidden there; PSNR of what is seen, dB."""
    view = record["views"][name]
    unit = record["depth_unit_m"]
    photo = cv2.imread(str(folder / "courtyard.jpg")).astype(np.float32)
    depth = read_depth(folder / record["depth"], unit)
    colour = cv2.imread(str(folder / view["image"])).astype(np.float32)
    points = points_in_photo(read_depth(folder / view["depth"], unit), record["views_camera"], np.array(view["shift_m"]) * sign)
    u = points[..., 0] / points[..., 2] * record["focal_px"] + record["cx"]
    v = points[..., 1] / points[..., 2] * record["focal_px"] + record["cy"]
    inside = (u > 0) & (v > 0) & (u < record["width"]) & (v < record["height"])
    column, row = np.clip(u, 0, record["width"] - 1).astype(int), np.clip(v, 0, record["height"] - 1).astype(int)
    seen = inside & (np.abs(depth[row, column] / points[..., 2] - 1) < 0.01)
    # The view has half the photo's resolution: blur the photo as its larger pixels do, then read it between pixels.
    soft = cv2.GaussianBlur(photo, (0, 0), 0.8)
    read = cv2.remap(soft, (u - 0.5).astype(np.float32), (v - 0.5).astype(np.float32), cv2.INTER_LINEAR)
    error = ((read - colour) ** 2)[seen].mean() if seen.any() else np.inf
    return seen.mean(), (inside & ~seen).mean(), 10 * np.log10(255**2 / error)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/demo")
    record = json.loads((folder / "camera.json").read_text())
    wrong = []
    for name in record["views"]:
        seen, hidden, psnr = compare(folder, record, name)
        other = compare(folder, record, name, -1.0)
        print(f"{name:8s} seen {seen:.1%}, hidden in the photo {hidden:.1%}, colours {psnr:.1f} dB", end="")
        print(f" (shift the other way: seen {other[0]:.1%}, {other[2]:.1f} dB)")
        if seen / (seen + hidden) < 0.8 or psnr < 27 or other[2] > psnr - 8:
            wrong.append(name)
    if wrong:
        raise SystemExit(f"views and photo disagree: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
