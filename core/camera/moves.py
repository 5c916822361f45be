"""Camera moves: their shapes around the photo's viewpoint, as keyframes that an artist can edit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SIDE, FORWARD, UP, PITCH, ROLL, YAW = range(6)
"""Channels: offsets to the right, forwards and upwards in nearest distances; turns about the same three axes in radians."""

EASINGS = {
    "smooth": "Starts and stops gently",
    "linear": "At an even pace",
    "ease-in": "Starts gently",
    "ease-out": "Stops gently",
}


@dataclass(frozen=True)
class Key:
    """One keyframe of a channel, with its interpolation to the next in Blender's terms."""

    at: float  # 0 where the move begins, 1 where it ends
    value: float
    interpolation: str  # "LINEAR", "SINE" or "BEZIER"
    easing: str = "AUTO"


Shape = Callable[["Length", int], list[Key]]


@dataclass(frozen=True)
class Length:
    """Duration, easing, loop and seed: all that the shape of a move depends on."""

    seconds: float
    easing: str = "smooth"
    loop: bool = False
    seed: int = 0


def through(length: Length, channel: int) -> list[Key]:
    """From -1 to 1, and back for a loop; both directions with the same easing."""
    how = {
        "smooth": ("SINE", "EASE_IN_OUT"),
        "linear": ("LINEAR", "AUTO"),
        "ease-in": ("SINE", "EASE_IN"),
        "ease-out": ("SINE", "EASE_OUT"),
    }[length.easing]
    if not length.loop:
        return [Key(0.0, -1.0, *how), Key(1.0, 1.0, *how)]
    return [Key(0.0, -1.0, *how), Key(0.5, 1.0, *how), Key(1.0, -1.0, *how)]


def cosine(turns: int) -> Shape:
    """cos(2 pi turns t), exactly: Blender's sinusoidal easing between two keys is half a wave."""

    def keys(length: Length, channel: int) -> list[Key]:
        return [Key(n / (2 * turns), (-1.0) ** n, "SINE", "EASE_IN_OUT") for n in range(2 * turns + 1)]

    return keys


def sine(turns: int) -> Shape:
    """sin(2 pi turns t), exactly, with quarter waves at both ends."""

    def keys(length: Length, channel: int) -> list[Key]:
        tops = [Key((n + 0.5) / (2 * turns), (-1.0) ** n, "SINE", "EASE_IN_OUT") for n in range(2 * turns)]
        last = Key(tops[-1].at, tops[-1].value, "SINE", "EASE_IN")
        return [Key(0.0, 0.0, "SINE", "EASE_OUT"), *tops[:-1], last, Key(1.0, 0.0, "SINE", "EASE_OUT")]

    return keys


KEYS_PER_SECOND, CALM_HZ, FASTEST_HZ = 8, 0.5, 2.5


def trembling(length: Length, channel: int) -> list[Key]:
    """Hand shake: noise between -1 and 1, mostly slow, up to 2.5 Hz, equal at both ends, deterministic for a seed."""
    count = max(8, round(length.seconds * KEYS_PER_SECOND))
    hertz = np.fft.rfftfreq(count, length.seconds / count)
    strength = np.where((hertz > 0) & (hertz <= FASTEST_HZ), 1 / (1 + (hertz / CALM_HZ) ** 2), 0.0)
    strength[1] = max(strength[1], 1e-3)  # very short moves have no wave that is slow enough
    waves = np.random.default_rng([length.seed, channel]).standard_normal((2, len(hertz)))
    values = np.fft.irfft(strength * (waves[0] + 1j * waves[1]), count)
    values /= np.abs(values).max()
    return [Key(n / count, float(values[n % count]), "BEZIER") for n in range(count + 1)]


@dataclass(frozen=True)
class Move:
    """One preset: which channels it moves, how far, and in which shape."""

    help: str
    shapes: dict[int, tuple[float, Shape]]  # by channel
    closed: bool = False  # whether it always ends where it began, with or without Loop
    keeps_focus_size: bool = False  # the lens follows the distance of the focus object

    def keys(self, length: Length) -> dict[int, list[Key]]:
        """Keys by channel; offsets in nearest distances, turns in radians."""
        return {
            channel: [Key(k.at, amount * k.value, k.interpolation, k.easing) for k in shape(length, channel)]
            for channel, (amount, shape) in self.shapes.items()
        }


def border_needed(move: Move, length: Length, amount: float, focal: float) -> float:
    """How far outside the photo's frame the move sees where the nearest things stand at its edge, as a part of the long side.

    `focal` is the focal length as a part of the long side. At the nearest distance, a camera `back` behind the photo's viewpoint and
    `aside` of it sees half a long side times `back` and the focal length times `aside` more.
    """
    keys = move.keys(length)
    reach = lambda channel: max((abs(k.value) for k in keys.get(channel, ())), default=0.0)
    turned = max(reach(PITCH), reach(YAW))
    back = max((-k.value for k in keys.get(FORWARD, ())), default=0.0)
    return amount * (focal * (max(reach(SIDE), reach(UP)) + turned) + 0.5 * max(back, 0.0))


# Shih et al. 2020 (released code): offsets of 0.015 and 0.05 where the nearest surface stands at 1/3, so 0.045 and 0.15 of the
# nearest distance. The last two moves are ours.
MOVES = {
    "zoom-in": Move("From behind the photo's place to in front of it", {FORWARD: (0.15, through)}),
    "swing": Move("From one side through the photo's place to the other", {SIDE: (0.045, through), FORWARD: (0.075, through)}),
    "circle": Move(
        "Round the photo's place, twice",
        {SIDE: (0.045, cosine(2)), UP: (0.045, sine(2)), FORWARD: (0.075, cosine(1))},
        closed=True,
    ),
    "dolly-zoom": Move(
        "Forward while the lens widens, so that the focus object keeps its size",
        {FORWARD: (0.15, through)},
        keeps_focus_size=True,
    ),
    "push-rise": Move("Forward and upward at once", {FORWARD: (0.15, through), UP: (0.045, through)}),
    "handheld": Move(
        "Trembles at the photo's place as in a hand, and loops",
        {
            SIDE: (0.012, trembling),
            FORWARD: (0.008, trembling),
            UP: (0.012, trembling),
            PITCH: (0.005, trembling),
            ROLL: (0.003, trembling),
            YAW: (0.005, trembling),
        },
        closed=True,
    ),
}
