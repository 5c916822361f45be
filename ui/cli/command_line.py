"""The command line: `photo-diorama PHOTO ...` and `blender --command photo_diorama PHOTO ...`, one program for both."""

from __future__ import annotations

import argparse
import os
import sys
import tomllib
import traceback
from pathlib import Path

from ...core.errors import Cancelled, to_user_error
from ...core.fault_report import report_fault
from ...core.memory import keep_freed_memory
from ...core.threads import threads_used
from ...operators.building.fallback_folder import NO_EXTENSION_FOLDER
from . import batch, batch_worker, farm, inspect_photo, make_diorama, manage_models, write_depth, write_layers
from .flags import join_range
from .session import CancelSignals, OwnWords, ProgressLine, Session, flush_streams, open_streams, plain, write_to

OK, FAULT, EXIT_BAD_INPUT = 0, 1, 2
OUT_OF_THREADS = "pthread_create failed"
STOPPED = "stopped; nothing half-written was left behind."
COMMANDS = {
    "farm": (farm, "Does one task of a job on a render farm: a photo's scene, some of its frames, its movie."),
    "inspect": (inspect_photo, "Shows what a photo's file says of its camera and depth."),
    "batch": (batch, "Makes a diorama of every photo in a folder; goes on where it was stopped."),
    "batch-worker": (batch_worker, ""),
    "depth": (write_depth, "Writes the depth of a photo alone, for other programs."),
    "layers": (write_layers, "Writes every surface as a picture, for programs that paint and composite."),
    "models": (manage_models, "Lists, downloads, imports, removes and verifies networks."),
}
"""Commands; those without a description are internal. A photo named like a command is given as ./inspect."""


def main(arguments: list[str] | None = None, models: Path | None = None, online: bool = True) -> int:
    """Runs the command line; returns the exit code: 0, 2 for bad input, 1 for a fault in Photo Diorama, 130 for Ctrl-C, 143 for SIGTERM.

    Of a batch, 1 says that a photo has no diorama. `models`: the folder of networks unless --models-dir names one; `online`: whether
    `models download` may go online.
    """
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")  # or it would chat about damaged files
    keep_freed_memory()
    open_streams()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(arguments, models, online)
    finally:
        flush_streams()


def _run(arguments: list[str], models: Path | None, online: bool) -> int:
    try:
        command, given = parse(arguments)
    except SystemExit as stop:  # argparse has printed why
        return int(stop.code or 0)
    stops, words = CancelSignals(), OwnWords()
    progress = ProgressLine(not given.quiet, stops)
    progress.write = words.error
    alone = words.silence_libraries(errors=command is not batch_worker)  # whose standard error is read by the batch
    try:
        with stops.handle_signals(), threads_used(getattr(given, "threads", 0)), alone:
            folder = given.models_dir or models or NO_EXTENSION_FOLDER / "models"
            code = command.run(given, Session(words, folder, online, given.json, given.quiet, progress)) or OK
    except BaseException as error:  # noqa: BLE001 - the last resort: each becomes an exit code
        progress.end()
        return _print_failure(error, stops, words.chatter)
    if words.lost is not None and code == OK:
        why = words.lost.strerror or words.lost
        return _say(f"standard output took no more ({why}), so not all was told; what was made is in its place.", EXIT_BAD_INPUT)
    return code


def parse(arguments: list[str]):
    """The module of the command and its flags. Raises SystemExit after --help and where the flags make no sense."""
    arguments = join_range(arguments)
    if arguments and arguments[0] in COMMANDS:
        name = arguments[0]
        command, about = COMMANDS[name]
        parser = argparse.ArgumentParser(prog=f"photo-diorama {name}", description=about, allow_abbrev=False)
        command.add_flags(parser)
        return command, parser.parse_args(arguments[1:])
    return make_diorama, main_parser().parse_args(arguments)


def main_parser() -> argparse.ArgumentParser:
    """The flags of the main job; its help names the other commands."""
    others = "\n".join(f"  photo-diorama {name:<8} {about}" for name, (_, about) in COMMANDS.items() if about)
    parser = argparse.ArgumentParser(
        prog="photo-diorama", allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Turns one photo into a layered, textured, camera-matched diorama for Blender.",
        epilog=f"other commands:\n{others}\n\nexit codes: 0, 2 bad input, 1 a fault of Photo Diorama, 130 stopped (143 by SIGTERM)",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=_version(), help="print the version and end")
    make_diorama.add_flags(parser)
    return parser


def _version() -> str:
    """As the manifest tells, which is the only place of it in a zip."""
    manifest = Path(__file__).resolve().parents[2] / "blender_manifest.toml"
    with manifest.open("rb") as file:
        return f"photo-diorama {tomllib.load(file)['version']}"


def _print_failure(error: BaseException, stops: CancelSignals, chatter: str) -> int:
    """Prints on standard error why there is no result; returns the exit code."""
    if isinstance(error, (KeyboardInterrupt, Cancelled)) and OUT_OF_THREADS in chatter:
        error = MemoryError()  # OpenBLAS sends its own process Ctrl-C where it cannot start a thread
    if isinstance(error, (KeyboardInterrupt, Cancelled)):
        return _say(STOPPED, stops.code)
    if not isinstance(error, Exception):
        raise error
    code, sentence = explain(error)
    if code == FAULT and stops.asked:  # NumPy answers an interrupt during its import by OpenCV with an ImportError
        return _say(STOPPED, stops.code)
    if code == FAULT:
        write_to(2, chatter + "".join(traceback.format_exception(error)))
        sentence = f"this is a fault of Photo Diorama; {report_fault(error, chatter)}."
    return _say(sentence, code)


def explain(error: Exception) -> tuple[int, str]:
    """The exit code and the sentence for an exception."""
    sentence = to_user_error(error)
    if sentence is not None:
        return EXIT_BAD_INPUT, str(sentence)
    return FAULT, "this is a fault of Photo Diorama; please report it with the lines above."


def _say(words: str, code: int) -> int:
    write_to(2, f"photo-diorama: {plain(words)}\n")
    return code
