"""Which processor a network runs on, by the name the user chose."""

import torch

from ..errors import DioramaError
from ..models.user_torch import check

NAMES = ("auto", "cpu", "cuda", "mps")


def choose_device(name: str) -> torch.device:
    """The torch device for "cpu", "cuda" or "mps"; "auto" takes the first of cuda, mps, cpu that is there.

    Raises DioramaError if the name is unknown, this computer has no such device, or another torch is in the way.
    """
    check()
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(candidate for candidate, there in available.items() if there)
    if not available.get(name, False):
        offered = ", ".join(candidate for candidate, there in available.items() if there)
        raise DioramaError(f'The device "{name}" is not available on this computer; choose one of: auto, {offered}.')
    return torch.device(name)
