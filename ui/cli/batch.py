"""`photo-diorama batch`: a diorama of every photo in a folder, in worker processes, resumable, with a manifest."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ...core.batch.manifest import (
    BAD_INPUT,
    DONE,
    STAGING,
    Manifest,
    Pace,
    Task,
    files_below,
    find_tasks,
    format_duration,
    is_done,
    put_in_place,
)
from ...core.batch.request import Request
from ...core.batch.workers import Limits, Outcome, Pool, Worker
from ...core.depth.depth_map import Guess
from ...core.depth.named_depth import find_named_depth
from ...core.depth_file.shared_range import SharedRange
from ...core.errors import DioramaError
from ...core.models.file_lock import exclusive, make_folder_in, real_path
from ...core.scene.output import output_kind
from . import make_diorama
from .flags import request_from
from .output_paths import check_target, make_folder
from .session import Session

MANIFEST, NAME = "batch.jsonl", "{name}"
NOT_ALL = 1
"""Exit code where at least one photo has no diorama."""
ROOT = Path(__file__).resolve().parents[2]
START = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("photo_diorama", sys.argv[1] + "/__init__.py",
                                              submodule_search_locations=[sys.argv[1]])
sys.modules["photo_diorama"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["photo_diorama"])
from photo_diorama.ui.cli.command_line import main
sys.exit(main(sys.argv[2:]))
"""
"""Code that starts a worker in any environment and under any name of the code's folder."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The batch's own flags, and every flag of the main command that makes sense for many photos."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="photos, in folders below it too")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER",
                        help="where the results go, in the same sub-folders; also " + MANIFEST)  # fmt: skip
    parser.add_argument("--depth", type=Path, metavar="FOLDER", help="depth maps that are called as the photos are")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="photos at once (default 1)")
    parser.add_argument("--memory", type=int, metavar="MB", help="what a process may take before it is ended (Linux); "
                        "default: 80 %% of the machine's, shared by the jobs")  # fmt: skip
    parser.add_argument("--patience", type=float, default=1800.0, metavar="S",
                        help="seconds without progress after which a photo is given up (default 1800)")  # fmt: skip
    parser.add_argument("--recycle", type=int, default=50, metavar="N",
                        help="photos after which a process is replaced by a fresh one (default 50)")  # fmt: skip
    parser.add_argument("--overwrite", action="store_true",
                        help="make everything anew, also over files that no batch wrote")  # fmt: skip
    make_diorama.add_passed_on(parser)


def run(given: argparse.Namespace, session: Session) -> int:
    """Works on what is not done yet; returns the exit code. Raises DioramaError before any work where none makes sense."""
    _check(given)
    request = request_of(given)
    tasks = find_tasks(real_path(given.folder), given.output, given.depth and real_path(given.depth))
    output = real_path(given.output)
    check_target(output / MANIFEST, True, [])
    make_folder(output)

    def busy() -> None:
        raise DioramaError(f"Another batch writes into {given.output}; wait for it or choose another folder.")

    with exclusive(output / MANIFEST, busy):
        shutil.rmtree(output / STAGING, ignore_errors=True)  # of a run that was killed
        try:
            return Batch(given, session, request, output).run(tasks)
        finally:
            shutil.rmtree(output / STAGING, ignore_errors=True)


def _check(given: argparse.Namespace) -> None:
    request_of(given)
    make_diorama.require_blender()
    for name, low in (("jobs", 1), ("recycle", 1), ("memory", 1), ("patience", 0)):
        if getattr(given, name) is not None and not getattr(given, name) >= low:
            raise DioramaError(f"--{name} {getattr(given, name)} makes no sense; give a number from {low}.")
    if given.render is not None:
        rest = str(given.render).removeprefix(NAME)
        if rest == str(given.render) or Path(rest).is_absolute() or ".." in Path(rest).parts:
            raise DioramaError(f"--render {given.render} is the same for all photos; begin it with {NAME}, as in {NAME}.mp4.")
        output_kind(given.render)


def request_of(given: argparse.Namespace) -> Request:
    """The request for every photo, with `{name}` in place of the photo's own name."""
    return request_from(given, Path(NAME))


class Batch:
    """One run over the tasks of a folder."""

    def __init__(self, given: argparse.Namespace, session: Session, request: Request, output: Path):
        self.given, self.session, self.request, self.output = given, session, request, output
        self.settings = {name: value for name, value in request.to_json().items() if name != "photo"}  # as the manifest keeps them
        self.shared = SharedRange(request.settings.depth)
        self.manifest, self.staged = Manifest(output / MANIFEST), {}
        self.records, self.results = self.manifest.read(), Counter()
        if self.manifest.ignored:
            session.warn(f"{self.manifest.path} has {self.manifest.ignored} lines that are no records, which are ignored.")

    def run(self, tasks: list[Task]) -> int:
        """Does what is not done; returns the exit code. Raises Cancelled once the user has asked to stop."""
        begun, stops = time.perf_counter(), self.session.progress.stops
        again = self.given.overwrite
        for task in tasks[:1]:  # the range is the first photo's, also where a later run has others left
            self.shared.settings_of(task.path, depth_of(task))
            if self.shared.first is not None:
                reading = self.shared.first.reading
                sky = reading.sky.taken if reading.sky else ""
                asked = Guess(not reading.sure, sky, reading.kind == "metric").questions(window=False)
                self.session.say(f"depth of all as of {task.photo}: {reading.description}", *(f"  {question}" for question in asked))
        to_do = [t for t in tasks if again or not is_done(self.records.get(t.photo), t, self.settings, self.output)]
        before = len(tasks) - len(to_do)
        self.session.say(f"{len(tasks)} photos, {before} of them done before" if before else f"{len(tasks)} photos")
        self.pace = Pace(len(to_do))
        free = [task for task in to_do if not self._is_taken(task)]
        pool = Pool(self._start, self.given.jobs, self._limits(), self._tell, stops.check)
        # Blender leaves its own temporary folder behind where its process is ended
        temporary = tempfile.TemporaryDirectory(prefix="photo-diorama-", ignore_cleanup_errors=True)
        with stops.deferred(), temporary as self.temporary:
            for task, outcome in pool.run(free, self._request) if free else ():
                self._conclude(task, outcome)
        return self._report(len(tasks), before, time.perf_counter() - begun)

    def _is_taken(self, task: Task) -> bool:
        """Whether the .blend is a file that no run made; the user is warned then."""
        name = f"{task.base}.blend"
        known = self.records.get(task.photo, {}).get("files") or ()
        if self.given.overwrite or name in known or not (self.output / name).exists():
            return False
        self._write(task, {"result": BAD_INPUT, "seconds": 0.0, "error": _taken(self.output / name)})
        return True

    def _start(self) -> Worker:
        session, environment = self.session, dict(os.environ)
        cores = os.cpu_count() or 1
        share = self.given.threads or (max(1, cores // self.given.jobs) if self.given.jobs > 1 else 0)
        environment.setdefault("OMP_NUM_THREADS", str(share or cores))
        environment |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), self.temporary)
        models = str(real_path(self.given.models_dir or session.models))
        return Worker([*_program(), "batch-worker", "--quiet", "--models-dir", models, "--threads", str(share)], environment)

    def _limits(self) -> Limits:
        memory = self.given.memory * 10**6 if self.given.memory else None
        if memory is None and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
            memory = int(0.8 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / self.given.jobs)
        return Limits(memory, self.given.patience, self.given.recycle)

    def _request(self, task: Task) -> dict:
        place = self.output / STAGING
        if place.is_symlink():
            place.unlink()
        place.mkdir(exist_ok=True)
        staged = self.staged[task.photo] = make_folder_in(place, "")
        base = staged / task.base
        render = self.request.render and Path(str(base) + str(self.request.render).removeprefix(NAME))
        settings = replace(self.request.settings, depth=self.shared.settings_of(task.path, depth_of(task)))
        named = self.request.named(photo=task.path, depth=task.depth, output=Path(f"{base}.blend"), render=render, settings=settings)
        return named.to_json()

    def _conclude(self, task: Task, outcome: Outcome) -> None:
        """Puts the results in their place and writes the record, also of failures."""
        answer = outcome.answer or {"result": outcome.result, "error": outcome.error, "seconds": None}
        staged = self.staged.pop(task.photo)
        if answer.get("error"):  # where it was being made is of no interest
            answer["error"] = answer["error"].replace(f"{staged}{os.sep}", f"{self.output}{os.sep}")
        try:
            self._write(task, answer, staged)
        except (DioramaError, OSError) as error:  # of this photo's own names; where the manifest fails too, that ends it all
            self._write(task, {"result": BAD_INPUT, "seconds": answer.get("seconds"), "error": _not_placed(error, task)})
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    def _write(self, task: Task, answer: dict, staged: Path | None = None) -> None:
        old = self.records.get(task.photo)
        files = files_below(staged) if staged is not None and answer["result"] == DONE else {}
        strangers = [n for n in files if (self.output / n).exists() and n not in ((old or {}).get("files") or ())]
        if strangers and not self.given.overwrite:
            answer = {"result": BAD_INPUT, "seconds": answer["seconds"], "error": _taken(self.output / strangers[0])}
        facts = answer.get("facts") or {}
        kept = {n: facts[n] for n in ("depth_origin", "layers", "triangles", "peak_memory_mb") if n in facts}
        record = {
            "photo": task.photo, "result": answer["result"], "seconds": answer["seconds"], "error": answer.get("error"),
            "name": task.base, "settings": self.settings, "stamp": list(task.stamp),
            "files": files if answer["result"] == DONE else (old or {}).get("files") or {},
            "finished": datetime.now(UTC).isoformat(timespec="seconds"), **kept,
        }  # fmt: skip
        if "traceback" in answer:
            record["traceback"] = answer["traceback"]
        if answer["result"] == DONE:
            put_in_place(staged, self.output, files, lambda: self.manifest.append(record), old)
        else:
            self.manifest.append(record)
        self.records[task.photo] = record
        self.results[answer["result"]] += 1
        self.pace.done += 1
        self._say(task, answer)

    def _say(self, task: Task, answer: dict) -> None:
        left = self.pace.left()
        where = f"{self.pace.done} of {self.pace.count}, {format_duration(left)} left" if left is not None else ""
        spent = "" if answer["seconds"] is None else f" in {answer['seconds']:.1f} s"
        words = f"done{spent}" if answer["result"] == DONE else f"{answer['result']}: {answer.get('error')}"
        self.session.say(f"[{where}] {task.photo}: {words}")

    def _tell(self, task: Task, stage: str, fraction: float) -> None:
        line = self.session.progress
        if line.shown:
            left = self.pace.left()
            rest = f", {format_duration(left)} left" if left is not None else ""
            line.show(f"{self.pace.done} of {self.pace.count}{rest}; {task.photo}: {stage}", fraction)

    def _report(self, count: int, before: int, seconds: float) -> int:
        done, failed = self.results[DONE], self.results.total() - self.results[DONE]
        self.session.say(f"{count} photos: {done} done in {format_duration(seconds)}, {before} done before, {failed} failed")
        if failed:
            self.session.say(f"  the reasons are in {self.output / MANIFEST}; the same command tries them again")
        self.session.result({
            "photos": count, "done": done, "done_before": before, "failed": failed, "results": dict(self.results),
            "seconds": round(seconds, 3), "manifest": str(self.output / MANIFEST),
        })  # fmt: skip
        return NOT_ALL if failed else 0


def depth_of(task: Task) -> Path | None:
    """The depth file of a photo, given or beside it by its name."""
    return task.depth or find_named_depth(task.path)


def _not_placed(error: Exception, task: Task) -> str:
    if isinstance(error, DioramaError):
        return str(error)
    place = error.filename2 or error.filename or task.base
    return f"{place} cannot be put in its place ({error.strerror or error}); move away what is there, or choose another folder."


def _taken(path: Path) -> str:
    return f"{path} exists already and no batch wrote it; choose another folder or pass --overwrite."


def _program() -> list[str]:
    """How a process of this program is started: as Blender where this is one, else by this Python."""
    bpy = sys.modules.get("bpy")
    if bpy is not None and not getattr(bpy.app, "module", False):
        return [bpy.app.binary_path, "--command", "photo_diorama"]
    return [sys.executable, "-c", START, str(ROOT)]
