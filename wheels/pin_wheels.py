"""Writes the part of the lock that lists files: asks the package index for each package and target, and pins what it gives.

    python wheels/pin_wheels.py --wheels dist/wheels

The versions, targets and reasons in the first part of the lock are kept by hand.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import zipfile
from email.parser import BytesParser
from pathlib import Path

from fetch_wheels import pip_download, requirement, target_arguments
from packaging.requirements import Requirement
from read_lock import LOCK, BuildError, Lock, Target, check_complete, read_lock

MARK = "# Written by wheels/pin_wheels.py from here on.\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--wheels", type=Path, required=True, help="folder to keep the downloaded wheels in")
    parser.add_argument("--lock", type=Path, default=LOCK)
    given = parser.parse_args(arguments)
    try:
        head = given.lock.read_text(encoding="utf-8").partition(MARK)[0]
        text = head + MARK + "".join(_tables(read_lock(given.lock), given.wheels))
        fresh = given.lock.with_name(f".{os.getpid()}-{given.lock.name}")
        fresh.write_text(text, encoding="utf-8")
        try:
            check_complete(read_lock(fresh))
            os.replace(fresh, given.lock)
        finally:
            fresh.unlink(missing_ok=True)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _tables(lock: Lock, folder: Path):
    for package in lock.packages.values():
        files: dict[str, list[str]] = {}
        for target in lock.targets.values():
            if package.name not in target.without:
                path = _newest(package, target, folder)
                check_numpy(path, target)
                files.setdefault(path.name, []).append(target.name)
        for name in sorted(files):
            data = (folder / name).read_bytes()
            sha256 = hashlib.sha256(data).hexdigest()
            yield (
                f'\n[[wheels]]\nfile = "{name}"\npackage = "{package.name}"\n'
                f'sha256 = "{sha256}"\nbytes = {len(data)}\ntargets = {json.dumps(files[name])}\n'
            )


def _newest(package, target: Target, folder: Path) -> Path:
    """The file that pip takes for the target, into the folder of wheels."""
    folder.mkdir(parents=True, exist_ok=True)
    version = target.version_of(package)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as fresh:
        failure = pip_download(target_arguments(target), requirement(package, version=version), Path(fresh))
        got = list(Path(fresh).glob("*.whl"))
        if failure or len(got) != 1:
            raise BuildError(f"{package.name} {version} is not to be had for {target.name} ({failure}).")
        path = folder / got[0].name
        os.replace(got[0], path)
    return path


def check_numpy(path: Path, target: Target) -> None:
    """Raises BuildError where the wheel asks for another NumPy than the target's Blender brings."""
    with zipfile.ZipFile(path) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        wanted = BytesParser().parsebytes(wheel.read(name)).get_all("Requires-Dist", [])
    system = {"linux-x64": "Linux", "windows-x64": "Windows"}.get(target.platform, "Darwin")
    facts = {"python_version": target.python, "platform_system": system, "sys_platform": system.lower(), "extra": ""}
    facts["platform_machine"] = "arm64" if target.platform.endswith("arm64") else "x86_64"
    for text in wanted:
        asked = Requirement(text)
        if asked.name == "numpy" and (asked.marker is None or asked.marker.evaluate(facts)):
            if target.numpy not in asked.specifier:
                raise BuildError(f"{path.name} needs numpy{asked.specifier}, but Blender brings {target.numpy}.")


if __name__ == "__main__":
    sys.exit(main())
