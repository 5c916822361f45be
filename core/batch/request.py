"""Request: one photo's job. The command line, batch workers and farm tasks all hand it to the same function."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..scene.output import GIF, MOVIES, OutputSettings
from ..settings import Settings

PATHS = ("photo", "depth", "output", "render")


@dataclass(frozen=True)
class Request:
    """Files to read and to write, and every option that was chosen.

    >>> request = Request(Path("a.jpg"), render=Path("a.mp4"), settings=Settings().with_values({"frames": 48}))
    >>> request.to_json()
    {'photo': 'a.jpg', 'render': 'a.mp4', 'frames': 48}
    >>> Request.from_json(request.to_json()) == request
    True
    """

    photo: Path
    depth: Path | None = None  # None: the depth that the photo carries, or a network's
    output: Path | None = None  # the .blend; None: the photo's name, in the working folder
    render: Path | None = None  # a movie, still or folder of frames; None: nothing is rendered
    overwrite: bool = False
    settings: Settings = Settings()
    look: OutputSettings = OutputSettings()

    @property
    def built_settings(self) -> Settings:
        """The settings for a .blend that holds this diorama alone: the scene is set up, and a film without a chosen move uses swing."""
        moves = self.render is not None and self.render.suffix.lower() in ("", GIF, *MOVIES)
        swing = {"camera_move": "swing"} if moves and self.settings.scene.camera_move == "none" else {}
        return self.settings.with_values({"set_up_scene": True} | swing)

    def to_json(self) -> dict[str, Any]:
        """Plain values by name, those alone that differ from the defaults."""
        files = {name: str(getattr(self, name)) for name in PATHS if getattr(self, name) is not None}
        usual, look = Settings().values(), OutputSettings()
        chosen = {name: value for name, value in self.settings.values().items() if value != usual[name]}
        seen = {f.name: getattr(self.look, f.name) for f in fields(look)}
        chosen |= {name: value for name, value in seen.items() if value != getattr(look, name)}
        return files | ({"overwrite": True} if self.overwrite else {}) | chosen

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Request:
        """The inverse of `to_json`. Raises DioramaError for an option that is unknown or out of range."""
        files = {name: Path(values[name]) for name in PATHS if name in values}
        options = {name: value for name, value in values.items() if name not in (*PATHS, "overwrite")}
        look = {f.name: options.pop(f.name) for f in fields(OutputSettings) if f.name in options}
        settings = Settings().with_values(options)
        return cls(**files, overwrite=values.get("overwrite", False), settings=settings, look=OutputSettings(**look))

    def named(self, **files: Any) -> Request:
        """A copy with other files, or with permission to overwrite."""
        return replace(self, **files)
