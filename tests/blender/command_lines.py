"""Command lines for tests: a worker process that runs many quickly, and fresh processes where one is the point."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

WORKER = Path(__file__).with_name("command_line_worker.py")
START = f"""
import runpy, sys
worker = runpy.run_path({str(WORKER)!r}, run_name="worker")
{{before}}
from photo_diorama.ui.cli.command_line import main
sys.exit(main(sys.argv[1:]))
"""
LONGEST = 600.0  # seconds, on a very busy machine
FAST = ["--long-side", "96", "--depth-kind", "metric"]
FASTEST = [*FAST, "--inpainter", "diffusion", "--hidden-depth", "nearest"]
"""Without networks, for fresh processes."""


def environment(home: Path, **more: str) -> dict[str, str]:
    """This one with a home of its own, and without the machine's proxies."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return kept | {"HOME": str(home)} | more


class Worker:
    """A process with Blender in it that does as it is asked; its files are those of `home`."""

    def __init__(self, home: Path, **more: str):
        self.home = home
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment(home, **more),
        )  # fmt: skip

    def ask(self, do: str, **arguments) -> dict:
        guard = threading.Timer(LONGEST, self.process.kill)
        guard.start()
        try:
            print(json.dumps({"do": do, **arguments}), file=self.process.stdin, flush=True)
            answer = self.process.stdout.readline()
        finally:
            guard.cancel()
        assert answer, f"the worker died of {do} {arguments}"
        return json.loads(answer)

    def run(self, *arguments, cwd: Path, **more) -> SimpleNamespace:
        """code, out and err of one command line in the folder `cwd`."""
        return SimpleNamespace(**self.ask("run", arguments=[str(a) for a in arguments], cwd=str(cwd), **more))

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(LONGEST)


def start(*arguments, cwd: Path, home: Path, before: str = "", **more) -> subprocess.Popen:
    """The command line in a fresh process; `before` is run there first."""
    return subprocess.Popen(
        [sys.executable, "-c", START.format(before=before), *map(str, arguments)], cwd=cwd, env=environment(home),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more,
    )  # fmt: skip


def finish(process: subprocess.Popen) -> SimpleNamespace:
    out, err = process.communicate(timeout=LONGEST)
    return SimpleNamespace(code=process.returncode, out=out, err=err)


def files(folder: Path) -> set[str]:
    """Everything below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def one_sentence(err: str) -> str:
    """The sentence of a refusal, which must be all that is said."""
    lines = err.strip().splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("photo-diorama: ") and lines[0].endswith("."), lines
    return lines[0].removeprefix("photo-diorama: ")
