"""Flags of the command line, made from core's declared options."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterable
from pathlib import Path

from ...core.batch.request import Request
from ...core.errors import DioramaError
from ...core.scene.output import OutputSettings
from ...core.settings import Settings, each_option
from ...core.threads import ThreadSettings

MUTUALLY_EXCLUSIVE = {"focal_px", "focal_mm", "fov"}
"""Flags that exclude each other."""
ALWAYS_ON = {"set_up_scene"}
"""Options without a flag: the command line writes a new file, which is always set up."""


def option_names(only: Iterable[str] | None = None) -> list[str]:
    """The options that are flags here: all of core's, or those named in `only`."""
    wanted = None if only is None else set(only)
    return [f.name for _, f in each_option() if f.name not in ALWAYS_ON and (wanted is None or f.name in wanted)]


def add_options(parser: argparse.ArgumentParser, only: Iterable[str] | None = None) -> None:
    """A flag for each option, under a heading for each stage."""
    names = set(option_names(only))
    groups, focal = {}, None
    for part, f in each_option():
        if f.name not in names:
            continue
        if part not in groups:
            groups[part] = parser.add_argument_group(f"{part} options")
        if f.name in MUTUALLY_EXCLUSIVE:
            focal = focal or groups[part].add_mutually_exclusive_group()
        _add_flag(focal if f.name in MUTUALLY_EXCLUSIVE else groups[part], f)


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """A flag for each option of what is rendered."""
    group = parser.add_argument_group("render options")
    for f in dataclasses.fields(OutputSettings):
        _add_flag(group, f)


def output_from(given: argparse.Namespace) -> OutputSettings:
    """What is to be rendered, as the flags set it; raises DioramaError for a value out of range."""
    return OutputSettings(**{f.name: getattr(given, f.name) for f in dataclasses.fields(OutputSettings)})


def _add_flag(parser, f) -> None:
    flag, about = "--" + f.name.replace("_", "-"), f.metadata["help"].replace("%", "%%")
    choices, default = f.metadata["choices"], f.default
    if choices:
        meanings = "; ".join(f"{value}: {meaning}" for value, meaning in choices.items()).replace("%", "%%")
        shown = "{" + ",".join(choices) + "}" if len(choices) <= 6 else "NAME"
        parser.add_argument(flag, choices=list(choices), default=default, metavar=shown, help=f"{about} (default {default}). {meanings}")
    elif isinstance(default, bool):
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=default, help=about)
    else:
        shown = f"{default:.4g}" if isinstance(default, float) else default
        parser.add_argument(
            flag, type=type(default), default=default, metavar="N" if isinstance(default, int) else "X",
            help=f"{about} (default {shown})",
        )  # fmt: skip


def join_range(arguments: list[str]) -> list[str]:
    """Joins `--depth-range NEAR FAR` into one word: with one or two values allowed, argparse would take the photo for the second."""
    flag = "--depth-range"
    if flag not in arguments:
        return arguments
    at = arguments.index(flag)
    words = arguments[at + 1 : at + 3]
    if len(words) < 2 or not all(_is_number(word) for word in words):
        return arguments
    return [*arguments[:at], f"{flag}={' '.join(words)}", *arguments[at + 3 :]]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def settings_from(given: argparse.Namespace, only: Iterable[str] | None = None, **more) -> Settings:
    """Core's settings as the flags set them; raises DioramaError for a value out of range."""
    return Settings().with_values({name: getattr(given, name) for name in option_names(only)} | more)


def refuse_for_scene(given: argparse.Namespace, only: Iterable[str] | None = None) -> None:
    """Raises DioramaError where flags of a build, or of a rendering, come with a scene, which keeps its own."""
    declared = {f.name: f.default for _, f in each_option()} | {f.name: f.default for f in dataclasses.fields(OutputSettings)}
    names = [*option_names(only), *(f.name for f in dataclasses.fields(OutputSettings) if hasattr(given, f.name))]
    flags = [f"--{name.replace('_', '-')}" for name in dict.fromkeys(names) if getattr(given, name) != declared[name]]
    if flags:
        raise DioramaError(
            f"{given.photo} is a scene, which keeps its own options; leave {', '.join(flags)} out, or change them in Blender."
        )


def add_common(parser: argparse.ArgumentParser, models_dir: bool = True, threads: bool = True) -> None:
    """Flags of every command; with `threads` also those of commands that compute."""
    if models_dir:
        parser.add_argument(
            "--models-dir", type=Path, metavar="FOLDER",
            help="where downloaded networks lie (default: the folder that `photo-diorama models list` shows)",
        )  # fmt: skip
    if threads:
        _add_flag(parser, dataclasses.fields(ThreadSettings)[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")


def request_from(given: argparse.Namespace, photo: Path, depth: Path | None = None) -> Request:
    """The request for this photo as the flags set it; raises DioramaError for a value out of range."""
    return Request(photo, depth, render=getattr(given, "render", None), settings=settings_from(given), look=output_from(given))
