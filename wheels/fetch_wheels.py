"""Brings pinned wheels into a folder, each checked against its sha256, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from read_lock import PLATFORM_TAGS, BuildError, Package, Target, Wheel


def fetch_all(wheels: Iterable[Wheel], lock_targets: dict[str, Target], folder: Path, offline: bool = False) -> list[Path]:
    """The wheels' paths; those not in the folder yet are downloaded. Raises BuildError at the first that cannot be had."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for wheel in wheels:
        path = folder / wheel.file
        if not path.is_file():
            if offline:
                raise BuildError(f"{path} is missing; run the build once without --offline, or put the file there.")
            _download(wheel, lock_targets[wheel.targets[0]], path)
        check(path, wheel)
        found.append(path)
    return found


def check(path: Path, wheel: Wheel) -> None:
    """Raises BuildError where the file is not, byte for byte, the one that is pinned."""
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wheel.sha256:
        raise BuildError(f"{path} is not the wheel that is locked (sha256 {found}, locked {wheel.sha256}); delete it and build again.")


def pip_download(arguments: list[str], requirement: str, folder: Path) -> str:
    """Runs pip; returns its last words where it fails, "" where it does not.

    Without a cache and from a requirement file, since only there pip takes hashes.
    """
    listed = folder / "requirement.txt"
    listed.write_text(requirement + "\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-cache-dir",
               "--no-deps", "--only-binary=:all:", "--dest", str(folder), *arguments, "-r", str(listed)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    listed.unlink()
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("ERROR")]
    return "" if done.returncode == 0 else (lines or ["ERROR: pip failed"])[-1].removeprefix("ERROR: ")


def target_arguments(target: Target) -> list[str]:
    """pip's description of a target that it does not run on."""
    number = target.python.replace(".", "")
    platforms = [part for tag in PLATFORM_TAGS[target.platform] for part in ("--platform", tag)]
    abis = [part for abi in (f"cp{number}", "abi3", "none") for part in ("--abi", abi)]
    return ["--python-version", target.python, "--implementation", "cp", *abis, *platforms]


def requirement(package: Package, sha256: str = "", version: str = "") -> str:
    """What pip is asked for; with a hash, pip takes no other file."""
    return f"{package.name}=={version or package.version}" + (f" --hash=sha256:{sha256}" if sha256 else "")


def _download(wheel: Wheel, target: Target, path: Path) -> None:
    package = Package(wheel.package, wheel.version, "", "", "")
    print(f"downloading {wheel.file} ({wheel.bytes / 1e6:.1f} MB)", flush=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".fetching-") as folder:
        failure = pip_download(target_arguments(target), requirement(package, wheel.sha256), Path(folder))
        got = Path(folder) / wheel.file
        if failure or not got.is_file():
            raise BuildError(
                f"{wheel.file} cannot be had from the package index in use ({failure or 'pip took another file'}); put the "
                f"file with sha256 {wheel.sha256} into {path.parent}, or name the targets to build with --target."
            )
        check(got, wheel)
        os.replace(got, path)


def copy_or_link(source: Path, target: Path) -> None:
    """A second name for a large file where the disk allows it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
