"""Films decoded by OpenCV, to compare their frames."""

from pathlib import Path

import cv2
import numpy as np


def read_film(path: Path) -> tuple[np.ndarray, float]:
    """Frames (n, h, w, 3) uint8, blue first, and frames a second; no frames where the file is no film."""
    movie, frames = cv2.VideoCapture(str(path)), []
    while (read := movie.read())[0]:
        frames.append(read[1])
    rate = movie.get(cv2.CAP_PROP_FPS)
    movie.release()
    return np.array(frames), float(rate)
