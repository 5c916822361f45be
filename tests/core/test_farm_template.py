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
from photo_diorama.ui.cli.command_line import parse

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
    values = {f"Param.{name}": value for name, value in values.items()} | {
        "Task.Param.Photo": "2",
        "Task.Param.First": "25",
    }
    return re.sub(r"\{\{(.*?)\}\}", lambda match: values[match[1].strip()], argument)


def test_steps_follow_each_other_and_are_ours():
    assert list(command_lines()) == ["Build", "Render", "Encode"]
    assert re.findall(r"dependsOn: (\w+)", TEXT) == ["Build", "Render"]
    assert re.findall(r'command: "(.+)"', TEXT) == ["{{Param.Program}}"] * 3


@pytest.mark.parametrize("step", ["Build", "Render", "Encode"])
def test_each_steps_command_line_is_understood(step):
    from photo_diorama.ui.cli import farm

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
    from photo_diorama.ui.cli.command_line import main

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


STAND_IN = """
const tasks = [];
class Task {
  constructor(name, type) { this.name = name; this.type = type; this.commands = []; this.after = []; }
  addCommand(command) { this.commands.push(command); }
  addDependency(task) { this.after.push(task.name); }
}
const author = { Task: (name, type) => new Task(name, type), Command: (name, settings) => ({ name, settings }) };
const settings = { photos: "/photos", output: "/out", count: 2, frames: 7, frames_per_task: 3 };
for (const each of JOB_TYPE.settings) if (!(each.key in settings)) settings[each.key] = each.default;
compileJob({ settings, addTask: (task) => tasks.push(task) });
console.log(JSON.stringify(tasks));
"""


def test_the_job_type_of_flamenco_gives_the_same_tasks():
    """With a stand-in for what Flamenco hands to the script; its tasks are command lines of ours, in the right order."""
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        pytest.skip("there is no Node to run the script")
    script = TEMPLATE.with_name("photo_diorama.flamenco.js").read_text(encoding="utf-8")
    done = subprocess.run([node, "-e", script + STAND_IN], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    tasks = {task["name"]: task for task in json.loads(done.stdout)}
    assert len(tasks) == 2 * (1 + 3 + 1)
    for task in tasks.values():
        (command,) = task["commands"]
        assert (command["name"], command["settings"]["exe"]) == ("exec", "photo-diorama")
        given = parse(command["settings"]["args"])[1]
        assert task["name"].split()[:2] == [given.step, str(given.number)]
    assert [parse(t["commands"][0]["settings"]["args"])[1].first for n, t in tasks.items() if n.startswith("render 1")] == [1, 4, 7]
    assert tasks["render 2 from 4"]["after"] == ["build 2"] and len(tasks["encode 2"]["after"]) == 3
