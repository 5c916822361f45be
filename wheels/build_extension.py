"""Builds the extension's zips, with their wheels or bare, checks each with Blender's own tool, and makes a repository of them.

python wheels/build_extension.py [--target linux-x64-py311 ...] [--edition small|platform] [--bare] [--wheels FOLDER] [--output dist]
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from fetch_wheels import copy_or_link, fetch_all
from licence_inventory import libraries, licence_files
from read_lock import FULL, PLATFORM, SMALL, BuildError, Lock, Target, Wheel, check_complete, read_lock
from slim_wheel import slim
from windows_runtime import check_runtime

ROOT = Path(__file__).resolve().parents[1]
BARE = "bare"
CREDITS = "LICENSE-third-party.txt"


@dataclass(frozen=True)
class Built:
    """A zip and, if it has wheels, the target and edition it is for."""

    path: Path
    target: Target | None
    edition: str
    bytes: int


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--target", action="append", help="one of the lock's targets; again for more; all when not given")
    parser.add_argument(
        "--edition",
        choices=(FULL, SMALL, PLATFORM),
        help="with PyTorch or without, or for Blender's extension platform; the first two when not given",
    )
    parser.add_argument("--bare", action="store_true", help="only the zip without wheels, for a Blender whose Python has them")
    parser.add_argument("--wheels", type=Path, help="folder that keeps the downloaded wheels (default: OUTPUT/wheels)")
    parser.add_argument("--offline", action="store_true", help="download nothing")
    parser.add_argument("--no-repository", action="store_true", help="make no index.json of the zips")
    parser.add_argument("--output", type=Path, default=ROOT / "dist")
    given = parser.parse_args(arguments)
    try:
        built = build(given)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for zipped in built:
        print(f"{zipped.bytes / 1e6:8.1f} MB  {zipped.path}")
    return 0


def build(given: argparse.Namespace) -> list[Built]:
    """All zips that are asked for: every wheel is there and checked before the first zip is written."""
    lock = read_lock()
    check_complete(lock)
    tool = builder_tool()
    targets = [] if given.bare else chosen(lock, given.target)
    cache = given.wheels or given.output / "wheels"
    zips = editions_to_build(lock, targets, given.edition, given.target)
    wanted = {wheel.file: wheel for target, edition in zips for wheel in lock.wheels_of(target, edition)}
    fetch_all(wanted.values(), lock.targets, cache, given.offline)
    for target, edition in zips:
        check_runtime(target, [cache / wheel.file for wheel in lock.wheels_of(target, edition)])
    given.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=given.output, prefix=".building-") as folder:
        built = [build_one(None, "", lock, cache, Path(folder), given.output, tool)]
        built += [build_one(target, edition, lock, cache, Path(folder), given.output, tool) for target, edition in zips]
    if not given.no_repository:
        for edition in (FULL, SMALL):  # a repository has one zip for each Blender
            listed = best_of(edition, built)
            if listed:
                make_repository(listed, given.output / ("repository" if edition == FULL else f"repository-{edition}"), tool)
    return built


def editions_to_build(lock: Lock, targets: list[Target], edition: str | None, named: list[str] | None) -> list[tuple[Target, str]]:
    """Each target with its editions; raises BuildError where a target that was named cannot be for Blender's platform."""
    if edition != PLATFORM:
        return [(target, each) for target in targets for each in lock.editions_of(target) if edition in (None, each)]
    for target in targets:
        if target.not_for_platform and named:
            raise BuildError(f"There is no {PLATFORM} edition of {target.name}: {target.not_for_platform}.")
    return [(target, edition) for target in targets if not target.not_for_platform]


def best_of(edition: str, built: list[Built]) -> list[Built]:
    """Of each target the zip of that edition, the small one where there is no full one; nothing where none is of that edition."""
    found = {zipped.target.name: zipped for zipped in built if zipped.edition == SMALL}
    wanted = {zipped.target.name: zipped for zipped in built if zipped.target and zipped.edition == edition}
    return [*(found | wanted).values()] if wanted else []


def chosen(lock: Lock, names: list[str] | None) -> list[Target]:
    """The targets of these names, all without names. Raises BuildError for a name that the lock has not."""
    for name in names or ():
        if name not in lock.targets:
            raise BuildError(f'There is no target "{name}"; choose from: {", ".join(lock.targets)}.')
    return [target for target in lock.targets.values() if not names or target.name in names]


def build_one(target: Target | None, edition: str, lock: Lock, cache: Path, folder: Path, output: Path, tool: Path) -> Built:
    """One zip, built by Blender's tool from a copy of the source with a manifest of its own, then validated by it."""
    name = f"{target.label}-{edition}" if target else BARE
    staged = folder / name
    wheels = lock.wheels_of(target, edition) if target else []
    stage(staged, target, lock, wheels, bundle(wheels, lock, cache, staged, edition) if target else [])
    made = folder / f"{name}.zip"
    run_tool(tool, "build", "--source-dir", str(staged), "--output-filepath", str(made))
    run_tool(tool, "validate", str(made))
    manifest = source_manifest()
    final = output / f"{manifest['id']}-{manifest['version']}-{name}.zip"
    os.replace(made, final)
    shutil.rmtree(staged)
    return Built(final, target, edition, final.stat().st_size)


def bundle(wheels: list[Wheel], lock: Lock, cache: Path, staged: Path, edition: str) -> list[str]:
    """The wheels, slim or, for Blender's platform, as they are, in the staged folder; their names."""
    into = staged / "wheels"
    into.mkdir(parents=True)
    names = []
    for wheel in wheels:
        whole = cache / wheel.file
        slimmed = whole if edition == PLATFORM else slim(whole, lock.packages[wheel.package], into)
        if slimmed.parent != into:
            copy_or_link(slimmed, into / slimmed.name)
        names.append(slimmed.name)
    return names


def stage(staged: Path, target: Target | None, lock: Lock, wheels: list[Wheel], names: list[str]) -> None:
    """The source less what the manifest keeps out of a zip, with the manifest of this target and the credits of its wheels."""
    outside = [pattern.strip("/") for pattern in source_manifest()["build"]["paths_exclude_pattern"]]
    staged.mkdir(parents=True, exist_ok=True)
    for path in ROOT.iterdir():
        if not any(fnmatch.fnmatch(path.name, pattern) for pattern in outside):
            if path.is_dir():
                shutil.copytree(path, staged / path.name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
            else:
                shutil.copy2(path, staged / path.name)
    text = (ROOT / "blender_manifest.toml").read_text(encoding="utf-8")
    (staged / "blender_manifest.toml").write_text(manifest_for(text, target, lock, wheels, names), encoding="utf-8")
    if target:
        (staged / CREDITS).write_text(credits(wheels, lock, [staged / "wheels" / name for name in names]), encoding="utf-8")


def manifest_for(text: str, target: Target | None, lock: Lock, wheels: list[Wheel], names: list[str]) -> str:
    """The source's manifest with the target's platform, Blenders and wheels; every other line stays as it is."""
    if target is None:
        return text
    head, _, tail = text.partition("\n[permissions]")
    lines = [line for line in head.splitlines() if not line.startswith(("blender_version_", "copyright"))]
    lines.append(f'blender_version_min = "{target.blender_min}"')
    if target.blender_max:
        lines.append(f'blender_version_max = "{target.blender_max}"')
    lines.append(f'platforms = ["{target.platform}"]')
    credit = [lock.packages[wheel.package].credit for wheel in wheels]
    lines.append(_array("copyright", [*tomllib.loads(text).get("copyright", ()), *credit]))
    lines.append(_array("wheels", [f"./wheels/{name}" for name in names]))
    return "\n".join(lines) + "\n\n[permissions]" + tail


def credits(wheels: list[Wheel], lock: Lock, files: list[Path]) -> str:
    """What the zip bundles, under which licence and for what, and the libraries that lie inside its wheel `files`.

    Raises BuildError for a library without a licence that somebody named.
    """
    rows = "".join(
        f"| {p.name} {version} | {p.credit} | {p.licence} | {p.purpose} |\n"
        for p, version in ((lock.packages[wheel.package], wheel.version) for wheel in wheels)
    )
    inside = ""
    for file in files:
        inside += f"\n{file.name}\n\n"
        inside += "".join(f"- {name}: {licence}\n" for name, licence in libraries(file).items())
        inside += "".join(f"- text in the wheel: {name}\n" for name in licence_files(file))
    return (
        "# Bundled packages\n\nEach wheel brings the texts of its licences in its own dist-info folder. Wheels whose name has the "
        "build number 1 were packed anew\nwithout headers, tests and programs that nothing here runs; nothing else of them is "
        f"changed.\n\n| package | copyright | licence | used for |\n|---|---|---|---|\n{rows}\n# Libraries inside the wheels\n{inside}"
    )


def make_repository(built: list[Built], folder: Path, tool: Path) -> None:
    """A static extension repository: the zips and the index.json that Blender reads from a folder or a web server."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.zip"):
        old.unlink()
    for zipped in built:
        copy_or_link(zipped.path, folder / zipped.path.name)
    run_tool(tool, "server-generate", "--repo-dir", str(folder), "--html")
    listed = json.loads((folder / "index.json").read_text())["data"]
    if len(listed) != len(built):
        raise BuildError(f"{folder} lists {len(listed)} of {len(built)} zips; see what Blender's tool said above.")


def builder_tool() -> Path:
    """Blender's own extension tool, from the bpy module or from the folder named by BLENDER_SCRIPTS."""
    places = [Path(os.environ["BLENDER_SCRIPTS"])] if os.environ.get("BLENDER_SCRIPTS") else []
    places += [scripts for entry in sys.path for scripts in Path(entry or ".").glob("bpy/*/scripts")]
    for place in places:
        tool = place / "addons_core/bl_pkg/cli/blender_ext.py"
        if tool.is_file():
            return tool
    raise BuildError(
        "Blender's extension tool is not found; install bpy (`make .venv/ready`) or set BLENDER_SCRIPTS to the scripts folder of a Blender."
    )


def run_tool(tool: Path, *arguments: str) -> None:
    done = subprocess.run([sys.executable, str(tool), *arguments], capture_output=True, text=True)
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise BuildError(f"Blender's tool refuses ({arguments[0]}): {' '.join(said[-3:])}")


def source_manifest() -> dict:
    return tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))


def _array(key: str, values: list[str]) -> str:
    return f"{key} = [\n" + "".join(f"  {json.dumps(value, ensure_ascii=False)},\n" for value in values) + "]"


if __name__ == "__main__":
    sys.exit(main())
