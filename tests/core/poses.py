"""Ways that a camera may be turned."""

import numpy as np


def turned(pitch: float, roll: float, yaw: float) -> np.ndarray:
    """Columns: the camera's x, y and z (it looks along -z) in a world with z up, level at zero and looking along +y."""
    level = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)
    x, z, about = (np.radians(a) for a in (pitch, roll, yaw))
    tilt = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    bank = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    turn = np.array([[np.cos(about), -np.sin(about), 0], [np.sin(about), np.cos(about), 0], [0, 0, 1]])
    return turn @ level @ tilt @ bank
