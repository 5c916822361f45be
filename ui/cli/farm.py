"""`photo-diorama farm`: the tasks of a render farm's job, each for one photo by its number: its scene, frames, movie."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ...core.batch.manifest import Task, find_tasks
from ...core.errors import DioramaError, Kind
from ...core.models.file_lock import folder_beside, real_path
from ...core.scene.output import GIF, MOVIES
from . import make_diorama
from .flags import add_common, add_options, add_output_options, output_from, request_from
from .output_paths import could_not_save, make_folder, room, write_whole
from .session import CancelSignals, ProgressLine, Session

STEPS = {
    "list": "numbers the photos, as the other steps know them",
    "build": "makes the .blend of photo --number",
    "render": "renders --count frames of it, from frame --first on",
    "encode": "makes the movie of all frames",
}
FRAME = re.compile(r"frame_(\d+)(_left|_right)?\.png")
FAILED = ".error.txt"


class TaskProgress(ProgressLine):
    """Progress as a worker that runs Open Job Description reads it from standard output."""

    def __init__(self, out: Callable[[str], None], stops: CancelSignals):
        super().__init__(False, stops)
        self.out, self.shown = out, ("", -1)

    def show(self, stage: str, fraction: float) -> None:
        shown = stage, int(fraction * 100)
        if shown != self.shown:
            self.out(f"openjd_status: {stage}\nopenjd_progress: {shown[1]}")
            self.shown = shown


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The step, the photo, the chunk, and every option of what is built and rendered."""
    steps = "; ".join(f"{name} {about}" for name, about in STEPS.items())
    parser.add_argument("step", choices=list(STEPS), metavar="STEP", help=steps)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="photos, in folders below it too")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="where results go")
    parser.add_argument("--depth", type=Path, metavar="FOLDER", help="depth maps that are called as the photos are")
    parser.add_argument("--number", type=int, default=1, metavar="N", help="which photo, from 1")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="render: the first frame")
    parser.add_argument("--count", type=int, default=100000, metavar="N", help="render: at most so many frames")
    parser.add_argument("--movie", choices=[*MOVIES, GIF], default=".mp4", metavar="ENDING", help="encode: default .mp4")
    parser.add_argument("--fps", type=float, default=24.0, metavar="X", help="encode: frames a second (default 24)")
    add_output_options(parser)
    add_common(parser)
    add_options(parser)


def run(given: argparse.Namespace, session: Session) -> None:
    """Does one task. A photo that cannot be used is noted in a file, and its task counts as done, so that the other tasks run."""
    output_from(given)
    tasks = find_tasks(real_path(given.folder), given.output, given.depth and real_path(given.depth))
    if given.step == "list":
        _list(given, session, tasks)
        return
    if not 1 <= given.number <= len(tasks):
        raise DioramaError(f"--number {given.number} is none of the {len(tasks)} photos in {given.folder}.")
    if not (1 <= given.first and 1 <= given.count and 1 <= given.fps <= 240):
        raise DioramaError("--first and --count must be 1 or more, --fps from 1 to 240.")
    make_diorama.require_blender()
    make_diorama.load_blender(session)
    if not session.json and not session.quiet:
        progress = TaskProgress(session.out, session.progress.stops)
        progress.write = session.progress.write
        session = replace(session, progress=progress)
    base = real_path(given.output) / tasks[given.number - 1].base
    {"build": _build, "render": _render, "encode": _encode}[given.step](given, session, tasks[given.number - 1], base)


def _list(given: argparse.Namespace, session: Session, tasks: list[Task]) -> None:
    """Prints the tasks for a person; with --json the parameters of the job's template."""
    session.say(*(f"{number:4} {task.photo}" for number, task in enumerate(tasks, 1)))
    session.result({"Photos": str(real_path(given.folder)), "Output": str(real_path(given.output)), "Count": len(tasks)})


def _build(given: argparse.Namespace, session: Session, task: Task, base: Path) -> None:
    note = _beside(base, FAILED)
    asked = request_from(given, task.path, task.depth).named(output=_beside(base, ".blend"), overwrite=True)
    if asked.settings.scene.camera_move == "none":
        asked = replace(asked, settings=asked.settings.with_values({"camera_move": "swing"}))
    make_folder(base.parent)
    try:
        make_diorama.make(asked, session)
    except DioramaError as error:
        if error.kind is not Kind.UNUSABLE_FILE:
            raise  # a full disk or a missing network is no fault of the photo
        asked.output.unlink(missing_ok=True)  # of an earlier job, and not what this one asks for
        write_whole(note, f"{error}\n".encode(errors="replace"))
        session.warn(str(error))
        return
    note.unlink(missing_ok=True)


def _render(given: argparse.Namespace, session: Session, task: Task, base: Path) -> None:
    if _is_skipped(session, task, base):
        return
    from ...operators.output.render import View, render

    scene, known = _opened(_beside(base, ".blend"))
    last = min(scene.frame_end, given.first + given.count - 1)
    if given.first > last:
        session.say(f"{task.photo} has no frame {given.first}")
        return
    size = tuple(known["photo_size"])
    view = View(scene.camera, size, known["nearest_m"], known["focus_m"], known["metric"])
    folder = _beside(base, "_frames")
    make_folder(folder)
    scene.frame_start = given.first
    with folder_beside(folder, ".rendering-") as place, session.progress.stops.deferred():
        chunk = last - given.first + 1
        files = render(Path(place, "chunk"), scene, chunk, session.progress, output_from(given), view)
        for file in files:
            number, eye = FRAME.fullmatch(file.name).groups()
            os.replace(file, folder / f"frame_{int(number) + given.first - 1:04}{eye or ''}.png")
    session.say(f"{folder}: frames {given.first} to {last}")
    session.result({"photo": task.photo, "frames": [given.first, last], "folder": str(folder)})


def _opened(blend: Path):
    """The scene of a .blend that `build` made, and the facts kept in it; scripts in it are not run."""
    import bpy

    from ...operators.scene.root import find_root, kept_source

    if not blend.is_file():
        raise DioramaError(f"{blend} is not there; run the step build before this one.")
    try:
        bpy.ops.wm.open_mainfile(filepath=str(blend), load_ui=False, use_scripts=False)
    except RuntimeError:
        raise DioramaError(f"{blend} cannot be opened; run the step build again.") from None
    scene = bpy.context.scene
    root = next((ob for ob in scene.objects if find_root(ob) == ob), None)
    known = kept_source(root) if root is not None else {}
    if scene.camera is None or not {"photo_size", "nearest_m", "focus_m", "metric"} <= set(known):
        raise DioramaError(f"{blend} holds no diorama with its camera; run the step build again.")
    return scene, known


def _encode(given: argparse.Namespace, session: Session, task: Task, base: Path) -> None:
    if _is_skipped(session, task, base):
        return
    from ...operators.output.check_complete import is_whole
    from ...operators.output.render import join, write_vr180_boxes

    movie, folder = _beside(base, given.movie), _beside(base, "_frames")
    eyes = ["_left", "_right"] if output_from(given).stereo == "pair" else [""]
    targets = [_beside(base, f"{eye}{given.movie}") for eye in eyes]
    with folder_beside(movie.parent, ".encoding-") as place, session.progress.stops.deferred():
        for eye, target in zip(eyes, targets, strict=True):
            session.progress("Encoding", 0.0)
            files = [folder / f"frame_{number:04}{eye}.png" for number in range(1, given.frames + 1)]
            missing = next((file for file in files if not is_whole(file)), None)
            if missing is not None:
                raise DioramaError(f"{missing} is missing or not whole; render that frame again.")
            made = Path(place, f"movie{target.suffix}")
            join(files, made, given.fps)
            if not is_whole(made, len(files)):
                raise could_not_save(target, f"Blender could not write all of it, {room(target.parent)}")
            if output_from(given).stereo == "vr180":
                write_vr180_boxes(made)
            os.replace(made, target)
    session.say(*(f"{target}: {given.frames} frames" for target in targets))
    session.result({"photo": task.photo, "movies": [str(target) for target in targets], "frames": given.frames})


def _is_skipped(session: Session, task: Task, base: Path) -> bool:
    """Whether `build` noted that the photo cannot be used."""
    note = _beside(base, FAILED)
    if note.is_file():
        session.warn(f"{task.photo} is left out, see {note}")
    return note.is_file()


def _beside(base: Path, ending: str) -> Path:
    """A path with an ending added; the name may hold dots, so none is replaced."""
    return base.with_name(base.name + ending)
