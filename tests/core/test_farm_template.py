"""The job template for render farms: what it runs is a command line of ours, and Open Job Description's own checker agrees."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from photo_diorama.core.settings import Settings
from photo_diorama.ui.command_line import parse

TEMPLATE = Path(__file__).parents[2] / "docs" / "farm" / "photo_diorama.openjd.yaml"
TEXT = TEMPLATE.read_text(encoding="utf-8")


def parameters() -> dict[str, str]:
    """Names of the job's parameters with their defaults, empty where a submitter must say."""
    head = TEXT[TEXT.index("parameterDefinitions:") : TEXT.index("\nsteps:")]
    blocks = re.split(r"\n  - name: ", head)[1:]
    found = {}
    for block in blocks:
        default = re.search(r"\n    default: (.+)", block)
        found[block.split("\n")[0]] = default[1].strip('"') if default else ""
    return found


def command_lines() -> dict[str, list[str]]:
    """The arguments of each step, by its name."""
    steps = re.split(r"\n  - name: ", TEXT[TEXT.index("\nsteps:") :])[1:]
    found = {}
    for step in steps:
        listed = re.search(r"args: \[(.*?)\n\s*\]", step, re.DOTALL)[1]
        found[step.split("\n")[0]] = json.loads(f"[{listed.strip().rstrip(',')}]")
    return found


def filled(argument: str) -> str:
    values = parameters() | {"Photos": "/photos", "Output": "/out", "Count": "3"}
    values = {f"Param.{name}": value for name, value in values.items()} | {"Task.Param.Photo": "2", "Task.Param.First": "25"}
    return re.sub(r"\{\{(.*?)\}\}", lambda match: values[match[1].strip()], argument)


def test_steps_follow_each_other_and_are_ours():
    assert list(command_lines()) == ["Build", "Render", "Encode"]
    assert re.findall(r"dependsOn: (\w+)", TEXT) == ["Build", "Render"]
    assert re.findall(r'command: "(.+)"', TEXT) == ["{{Param.Program}}"] * 3


@pytest.mark.parametrize("step", ["Build", "Render", "Encode"])
def test_each_steps_command_line_is_understood(step):
    from photo_diorama.ui import farm

    command, given = parse([filled(argument) for argument in command_lines()[step]])
    assert command is farm and given.step == step.lower()
    assert (given.folder, given.output, given.number) == (Path("/photos"), Path("/out"), 2)
    if step == "Render":
        assert (given.first, given.count) == (25, 24)


def test_defaults_are_those_of_the_program():
    own = Settings().values()
    assert int(parameters()["Frames"]) == own["frames"] and int(parameters()["LongSide"]) == own["long_side"]
    used = set(re.findall(r"\{\{Param\.(\w+)\}\}", TEXT))
    assert used == set(parameters())


def test_what_list_tells_are_the_parameters_without_defaults(tmp_path, capfd):
    from photo_diorama.ui.command_line import main

    (tmp_path / "a.jpg").write_bytes(b"x")
    assert main(["farm", "list", str(tmp_path), "--output", str(tmp_path / "o"), "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert {name for name, default in parameters().items() if not default} == set(told)
    assert told["Count"] == 1


def test_open_job_descriptions_own_checker():
    program = shutil.which("openjd") or shutil.which("openjd", path=str(Path(sys.executable).parent))
    if program is None and importlib.util.find_spec("openjd") is None:
        pytest.skip("openjd-cli is not installed (pip install openjd-cli)")
    command = [program] if program else [sys.executable, "-m", "openjd"]
    done = subprocess.run([*command, "check", str(TEMPLATE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
