"""The lock file: which packages, pinned by version and sha256, the zip of each platform and Python bundles."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

LOCK = Path(__file__).with_name("lock.toml")
NEVER = ("numpy", "requests", "certifi", "urllib3", "zstandard", "attrs", "cattrs")
"""What Blender brings itself: a bundled copy would come before Blender's own from the second start on."""
PLATFORM_TAGS = {
    "linux-x64": ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_27_x86_64", "manylinux_2_28_x86_64"),
    "windows-x64": ("win_amd64",),
    "macos-arm64": tuple(f"macosx_{n}_0_arm64" for n in (11, 12, 13, 14)),
    "macos-x64": (*(f"macosx_10_{n}_x86_64" for n in (9, 10, 12, 13, 14, 15)),
                  *(f"macosx_{n}_0_x86_64" for n in (11, 12, 13, 14))),
}  # fmt: skip
"""The wheel tags that Blender's platforms take, those for the oldest systems first."""
FULL, SMALL = "full", "small"
"""The two editions of a target: with PyTorch for networks that are downloaded, and without."""
PLATFORM = "platform"
"""The small edition for Blender's extension platform, which wants wheels as the package index has them; made when asked for."""


class BuildError(Exception):
    """Why no zip can be built, in one sentence that says what to do."""


@dataclass(frozen=True)
class Target:
    """A platform, a Python, the Blenders that have it (`blender_max` is exclusive, "" none); `label` tells people in a zip's name.

    `runtime`: the version of Microsoft's C++ library that its Blenders load first; `versions`: packages that need another than usual.
    """

    name: str
    label: str
    platform: str
    python: str
    numpy: str
    blender_min: str
    blender_max: str = ""
    without: tuple[str, ...] = ()
    why: str = ""
    runtime: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    not_for_platform: str = ""  # why Blender's extension platform cannot take a zip of it

    def version_of(self, package: Package) -> str:
        return self.versions.get(package.name, package.version)


@dataclass(frozen=True)
class Package:
    """A pinned package, and which of its files stay out of the zip."""

    name: str
    version: str
    licence: str
    credit: str
    purpose: str
    leave_out: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    edition: str = SMALL


@dataclass(frozen=True)
class Wheel:
    """A pinned file of a package and the targets that bundle it."""

    file: str
    package: str
    sha256: str
    bytes: int
    targets: tuple[str, ...]

    @property
    def version(self) -> str:
        return self.file.split("-")[1]

    @property
    def tags(self) -> tuple[str, str, list[str]]:
        """Python tag, ABI tag, platform tags."""
        python, abi, platforms = self.file.removesuffix(".whl").split("-")[-3:]
        return python, abi, platforms.split(".")


@dataclass(frozen=True)
class Lock:
    targets: dict[str, Target]
    packages: dict[str, Package]
    wheels: tuple[Wheel, ...]

    def wheels_of(self, target: Target, edition: str = FULL) -> list[Wheel]:
        mine = [wheel for wheel in self.wheels if target.name in wheel.targets]
        return mine if edition == FULL else [wheel for wheel in mine if self.packages[wheel.package].edition == SMALL]

    def editions_of(self, target: Target) -> list[str]:
        """Both, or the small one alone where PyTorch cannot be had."""
        return [FULL, SMALL] if self.wheels_of(target) != self.wheels_of(target, SMALL) else [SMALL]


def read_lock(path: Path = LOCK) -> Lock:
    """Raises BuildError where the file is no lock or contradicts itself."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        targets = {name: Target(name, **_tuples(given)) for name, given in table["targets"].items()}
        packages = {name: Package(name, **_tuples(given)) for name, given in table["packages"].items()}
        wheels = tuple(Wheel(**_tuples(given)) for given in table.get("wheels", ()))
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise BuildError(f"{path} cannot be read as a lock of wheels ({error}); take it from the repository again.") from None
    return Lock(targets, packages, wheels)


def check_complete(lock: Lock) -> None:
    """Every target has one wheel of every package it is to have, for its Python and platform, and nothing else.

    Raises BuildError naming the first that is amiss; `make wheels-lock` mends all but what is forbidden.
    """
    mend = "; run `make wheels-lock`."
    for wheel in lock.wheels:
        if wheel.package in NEVER or _plain(wheel.file.split("-")[0]) in NEVER:
            raise BuildError(f"{wheel.file} is locked, but Blender brings {wheel.package} itself; take it out of the lock.")
        if not re.fullmatch("[0-9a-f]{64}", wheel.sha256) or wheel.bytes <= 0:
            raise BuildError(f"{wheel.file} has no sha256 or size in the lock{mend}")
        package, mine = lock.packages.get(wheel.package), [lock.targets[name] for name in wheel.targets if name in lock.targets]
        if package is None or any(wheel.version.partition("+")[0] != target.version_of(package) for target in mine):
            raise BuildError(f"{wheel.file} is locked, but no package asks for that version{mend}")
    for target in lock.targets.values():
        if target.without and not target.why:
            raise BuildError(f"The target {target.name} goes without {target.without[0]} but does not say why.")
        for package in lock.packages:
            found = [wheel.file for wheel in lock.wheels_of(target) if wheel.package == package]
            if len(found) != (package not in target.without):
                raise BuildError(f"The target {target.name} has {len(found)} wheels of {package} in the lock{mend}")
        for wheel in lock.wheels_of(target):
            if not fits(wheel, target):
                raise BuildError(f"{wheel.file} does not fit the target {target.name}{mend}")


def fits(wheel: Wheel, target: Target) -> bool:
    """Whether Blender's own rules take the wheel on that platform and Python."""
    python, abi, platforms = wheel.tags
    number = target.python.replace(".", "")
    right_python = python == abi == f"cp{number}" or abi == "abi3" or (abi == "none" and "py3" in python.split("."))
    return right_python and (platforms == ["any"] or bool({*platforms} & {*PLATFORM_TAGS[target.platform]}))


def _plain(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def _tuples(given: dict) -> dict:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
