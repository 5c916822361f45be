"""The inpainters by their names in the settings."""

from __future__ import annotations

from dataclasses import replace

from ..settings import InpaintSettings
from .inpainter import Deterministic, Exemplar, Inpainter
from .lama import Lama
from .learned import Learned
from .needed_networks import Downloaded
from .published import Published

INPAINTERS: dict[str, type[Inpainter]] = {
    "diffusion": Deterministic,
    "exemplar": Exemplar,
    "learned": Learned,
    "published": Published,
    "lama": Lama,
}


def resolve(settings: InpaintSettings) -> InpaintSettings:
    """The settings with `automatic` replaced by `learned`, whose networks are built in."""
    return replace(settings, inpainter="learned") if settings.inpainter == "automatic" else settings


def choose_inpainter(settings: InpaintSettings, downloaded: Downloaded = Downloaded()) -> Inpainter:
    """The inpainter that the settings name, ready to run.

    Raises DioramaError where it needs a network that is not `downloaded`.
    """
    settings = resolve(settings)
    return INPAINTERS[settings.inpainter].load(settings, downloaded)
