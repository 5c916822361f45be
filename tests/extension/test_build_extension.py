"""The builder of the zips: the lock is whole, no other byte than what is locked goes in, NumPy never does."""

import argparse
import dataclasses
import hashlib
import json
import re
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "wheels"))

import build_extension as builder  # noqa: E402
import fetch_wheels  # noqa: E402
import licence_inventory  # noqa: E402
import windows_runtime  # noqa: E402
from read_lock import FULL, NEVER, PLATFORM, SMALL, BuildError, Lock, Package, Target, Wheel, check_complete, fits, read_lock  # noqa: E402
from slim_wheel import left_out, record_hash, slim  # noqa: E402

TAG = "cp311-cp311-manylinux_2_28_x86_64"


@pytest.fixture(scope="module")
def lock() -> Lock:
    return read_lock()


def made_wheel(folder: Path, package: str = "inked", tag: str = TAG) -> Path:
    """A small whole wheel with code, a test, a licence and a RECORD."""
    files = {
        f"{package}/__init__.py": b"ink = 1\n",
        f"{package}/deep/thing.bin": bytes(range(256)) * 40,
        f"{package}/tests/test_ink.py": b"assert False\n" * 99,
        f"{package}/tests/LICENSE.txt": b"mine\n",
        f"{package}-1.0.dist-info/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n".encode(),
        f"{package}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n".encode(),
    }
    record = [f"{name},{record_hash(data)},{len(data)}" for name, data in files.items()]
    files[f"{package}-1.0.dist-info/RECORD"] = "\n".join([*record, f"{package}-1.0.dist-info/RECORD,,", ""]).encode()
    path = folder / f"{package}-1.0-{tag}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in files.items():
            wheel.writestr(zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6)), data)
    return path


def made_lock(path: Path, **changed) -> Lock:
    """A lock of that one wheel for one target."""
    target = Target("linux-x64-py311", "linux-blender-4.5-5.0", "linux-x64", "3.11", "1.26.4", "4.5.0", "5.1.0")
    data = path.read_bytes()
    wheel = Wheel(path.name, "inked", hashlib.sha256(data).hexdigest(), len(data), (target.name,))
    package = Package("inked", "1.0", "MIT", "2026 Nobody", "ink", ("inked/tests/*",))
    return Lock({target.name: target}, {"inked": package}, (dataclasses.replace(wheel, **changed),))


def test_the_lock_is_complete(lock):
    check_complete(lock)
    assert {t.platform for t in lock.targets.values()} == {"linux-x64", "windows-x64", "macos-arm64", "macos-x64"}
    for platform in ("linux-x64", "windows-x64", "macos-arm64"):
        assert {t.python for t in lock.targets.values() if t.platform == platform} == {"3.11", "3.13"}
    assert all(len(w.sha256) == 64 for w in lock.wheels) and len({w.sha256 for w in lock.wheels}) == len(lock.wheels)


def test_the_targets_share_out_the_blenders(lock):
    """No Blender takes two zips of a platform, and the oldest of them is the manifest's."""
    manifest = builder.source_manifest()
    for target in lock.targets.values():
        others = [t for t in lock.targets.values() if t.platform == target.platform and t is not target]
        assert target.blender_min >= manifest["blender_version_min"]
        assert all(t.blender_max == target.blender_min or target.blender_max == t.blender_min for t in others)


def test_nothing_that_blender_brings_is_bundled(lock):
    named = {p.name.lower().replace("_", "-") for p in lock.packages.values()} | {w.file.split("-")[0].lower() for w in lock.wheels}
    assert not named & {*NEVER}
    numpy = dataclasses.replace(lock.wheels[0], file=f"numpy-1.26.4-{TAG}.whl", package="numpy")
    with pytest.raises(BuildError, match="Blender brings numpy itself"):
        check_complete(dataclasses.replace(lock, wheels=(*lock.wheels, numpy)))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (dict(sha256="abc"), "no sha256"),
        (dict(file=f"inked-2.0-{TAG}.whl"), "no package asks for that version"),
        (dict(targets=()), "has 0 wheels of inked"),
        (dict(file="inked-1.0-cp313-cp313-manylinux_2_28_x86_64.whl"), "does not fit"),
        (dict(file="inked-1.0-cp311-cp311-win_amd64.whl"), "does not fit"),
        (dict(file="inked-1.0-cp311-cp311-manylinux_2_28_aarch64.whl"), "does not fit"),
    ],
)
def test_a_lock_that_contradicts_itself_is_refused(tmp_path, change, told):
    check_complete(made_lock(made_wheel(tmp_path)))
    with pytest.raises(BuildError, match=told):
        check_complete(made_lock(made_wheel(tmp_path), **change))


def test_abi3_and_pure_wheels_fit_every_python():
    target = Target("t", "t", "linux-x64", "3.13", "2.3.4", "5.1.0")
    for tag in ("cp37-abi3-manylinux2014_x86_64", "py3-none-any", "py2.py3-none-any"):
        assert fits(Wheel(f"a-1-{tag}.whl", "a", "", 0, ()), target)


def test_a_tampered_wheel_is_refused(tmp_path):
    path = made_wheel(tmp_path)
    locked = made_lock(path)
    assert fetch_wheels.fetch_all(locked.wheels, locked.targets, tmp_path, offline=True) == [path]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(BuildError, match="is not the wheel that is locked"):
        fetch_wheels.fetch_all(locked.wheels, locked.targets, tmp_path, offline=True)


def test_a_downloaded_wheel_of_other_bytes_never_reaches_the_folder(tmp_path, monkeypatch):
    locked = made_lock(made_wheel(tmp_path))
    cache = tmp_path / "cache"
    asked = []

    def other(arguments, requirement, folder):
        asked.append(requirement)
        (folder / locked.wheels[0].file).write_bytes(b"other")
        return ""

    monkeypatch.setattr(fetch_wheels, "pip_download", other)
    with pytest.raises(BuildError, match="is not the wheel that is locked"):
        fetch_wheels.fetch_all(locked.wheels, locked.targets, cache)
    assert asked == [f"inked==1.0 --hash=sha256:{locked.wheels[0].sha256}"] and not [*cache.iterdir()]


def test_a_wheel_that_cannot_be_had_fails_in_a_sentence_and_leaves_nothing(tmp_path, monkeypatch, capsys):
    """Before the first zip is written, so that no half set of them lies about."""
    monkeypatch.setattr(fetch_wheels, "pip_download", lambda *_: "No matching distribution found for it")
    locked = made_lock(made_wheel(tmp_path))
    monkeypatch.setattr(builder, "read_lock", lambda: locked)
    monkeypatch.setattr(builder, "builder_tool", lambda: Path("unused"))
    assert builder.main(["--output", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: inked-1.0") and said.count("\n") == 1 and locked.wheels[0].sha256 in said
    assert not [*(tmp_path / "out").rglob("*.zip")] and not [*(tmp_path / "out").rglob("*.whl")]


def test_offline_asks_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch_wheels, "pip_download", lambda *_: pytest.fail("went online"))
    locked = made_lock(made_wheel(tmp_path))
    with pytest.raises(BuildError, match="is missing"):
        fetch_wheels.fetch_all(locked.wheels, locked.targets, tmp_path / "empty", offline=True)


def test_an_unknown_target_is_refused(lock):
    with pytest.raises(BuildError, match='no target "amiga".*linux-x64-py311'):
        builder.chosen(lock, ["amiga"])


def test_a_slim_wheel_is_the_same_less_what_is_left_out(tmp_path):
    path = made_wheel(tmp_path)
    package = made_lock(path).packages["inked"]
    (tmp_path / "slim").mkdir()
    slimmed = slim(path, package, tmp_path / "slim")
    assert slimmed.name == f"inked-1.0-1-{TAG}.whl"
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(slimmed) as after:
        assert after.testzip() is None
        names = {*after.namelist()}
        assert {*before.namelist()} - names == {"inked/tests/test_ink.py"}  # the licence beside it stays
        for name in names - {"inked-1.0.dist-info/RECORD", "inked-1.0.dist-info/WHEEL"}:
            assert after.read(name) == before.read(name) and after.getinfo(name).date_time == (2026, 1, 2, 3, 4, 6)
        record = dict(line.rsplit(",", 2)[:2] for line in after.read("inked-1.0.dist-info/RECORD").decode().splitlines())
        assert {*record} == names
        assert all(record_hash(after.read(name)) == told for name, told in record.items() if told)
        assert b"Build: 1" in after.read("inked-1.0.dist-info/WHEEL")
    again = slimmed.read_bytes()
    assert slim(path, package, tmp_path / "slim").read_bytes() == again


def test_a_list_of_left_out_files_that_matches_nothing_is_told(tmp_path):
    path = made_wheel(tmp_path)
    package = dataclasses.replace(made_lock(path).packages["inked"], leave_out=("moved/*",))
    with pytest.raises(BuildError, match="Nothing in inked-1.0"):
        slim(path, package, tmp_path)


def test_what_torch_needs_at_start_stays(lock):
    torch = lock.packages["torch"]
    for name in ("torch/bin/torch_shm_manager", "torch/lib/libtorch_cpu.so", "torch-2.13.0.dist-info/licenses/LICENSE"):
        assert not left_out(name, torch)
    for name in ("torch/bin/protoc", "torch/include/ATen/ATen.h", "torch/test/test_api", "torch/lib/torch_cpu.lib"):
        assert left_out(name, torch)


def test_the_small_edition_has_what_a_photo_alone_needs_and_no_pytorch(lock):
    for target in lock.targets.values():
        small = {wheel.package for wheel in lock.wheels_of(target, SMALL)}
        assert small == {"opencv-python-headless", "scipy", "pillow", "pillow-heif", "OpenEXR"}
        more = {wheel.package for wheel in lock.wheels_of(target)} - small
        assert bool(more) == (lock.editions_of(target) == [FULL, SMALL]) and (not more or {"torch", "timm", "safetensors"} < more)
        assert target.label.startswith(("linux", "windows", "mac-"))
    assert len({target.label for target in lock.targets.values()}) == len(lock.targets)


def test_a_repository_has_one_zip_for_each_target(tmp_path):
    both, alone = (Target(name, name, "linux-x64", "3.11", "", "4.5.0") for name in ("both", "alone"))
    built = [builder.Built(tmp_path, *each, 1) for each in ((None, ""), (both, FULL), (both, SMALL), (alone, SMALL))]
    assert [(z.target.name, z.edition) for z in builder.best_of(FULL, built)] == [("both", FULL), ("alone", SMALL)]
    assert [(z.target.name, z.edition) for z in builder.best_of(SMALL, built)] == [("both", SMALL), ("alone", SMALL)]
    assert builder.best_of(FULL, built[:1]) == []


def made_library(linker: tuple[int, int], imported: str) -> bytes:
    """A Windows library of a header, one section and the name of one library that it imports."""
    import struct

    head, at = 0x200, 0x1000
    table = struct.pack("<5I", at + 60, 0, 0, at + 44, at + 60) + bytes(20)
    section = table + bytes(4) + imported.encode().ljust(16, b"\0") + bytes(16)
    optional = struct.pack("<HBB", 0x20B, *linker) + struct.pack("<5I", 0, 512, 0, 0, at)
    optional += struct.pack("<QII6H4I2H4Q2I", 0x180000000, 0x1000, 512, 6, 0, 0, 0, 6, 0, 0, 0x2000, head, 0, 2, 0, 0, 0, 0, 0, 0, 16)
    optional += struct.pack("<4I", 0, 0, at, 40) + bytes(8 * 14)
    coff = struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, len(optional), 0x2022)
    listed = b".rdata\0\0" + struct.pack("<6I2HI", len(section), at, 512, head, 0, 0, 0, 0, 0x40000040)
    header = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + coff + optional + listed
    return header.ljust(head, b"\0") + section.ljust(512, b"\0")


@pytest.mark.parametrize(
    ("linker", "imported", "runtime", "refused"),
    [
        ((14, 42), "MSVCP140.dll", "14.29", True),
        ((14, 42), "MSVCP140.dll", "14.44", False),
        ((14, 38), "MSVCP140.dll", "14.29", False),
        ((14, 42), "msvcp140-1a.dll", "14.29", False),  # brings its own under a name of its own
        ((14, 42), "MSVCP140.dll", "", False),  # no Windows
    ],
)
def test_a_library_for_a_newer_cpp_runtime_than_blenders_is_refused(tmp_path, linker, imported, runtime, refused):
    pytest.importorskip("pefile")
    wheel = tmp_path / "inked-1.0-cp311-cp311-win_amd64.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr("inked/ink.pyd", made_library(linker, imported))
    target = Target("windows-x64-py311", "windows", "windows-x64", "3.11", "", "4.5.0", runtime=runtime)
    if not refused:
        return windows_runtime.check_runtime(target, [wheel])
    with pytest.raises(BuildError, match=r"inked/ink\.pyd.*14\.42.*bring 14\.29"):
        windows_runtime.check_runtime(target, [wheel])


def test_every_windows_target_says_which_runtime_its_blenders_bring(lock):
    assert all(bool(t.runtime) == (t.platform == "windows-x64") for t in lock.targets.values())


@pytest.mark.parametrize("edition", [FULL, SMALL])
@pytest.mark.parametrize("name", [None, *read_lock().targets])
def test_each_manifest_is_the_sources_plus_its_target(lock, name, edition):
    target = lock.targets[name] if name else None
    source = builder.source_manifest()
    wheels = lock.wheels_of(target, edition) if target else []
    names = [wheel.file for wheel in wheels]
    made = tomllib.loads(builder.manifest_for((ROOT / "blender_manifest.toml").read_text(), target, lock, wheels, names))
    same = {*source} - {"blender_version_min", "copyright"}
    assert {key: made[key] for key in same} == {key: source[key] for key in same}
    if target:
        assert (made["blender_version_min"], made.get("blender_version_max", "")) == (
            target.blender_min,
            target.blender_max,
        )
        assert made["platforms"] == [target.platform] and len(made["wheels"]) == len(wheels)
        assert len(made["copyright"]) == len(source["copyright"]) + len(wheels)
    else:
        assert made == source and "wheels" not in made


def test_the_whole_way_with_a_small_wheel(tmp_path, monkeypatch):
    """Blender's own tool builds and validates both zips and lists the one with wheels in a repository."""
    pytest.importorskip("bpy", reason="needs Blender's extension tool: pip install bpy")
    cache, out = tmp_path / "cache", tmp_path / "out"
    cache.mkdir()
    locked = made_lock(made_wheel(cache))
    monkeypatch.setattr(builder, "read_lock", lambda: locked)
    given = argparse.Namespace(bare=False, target=None, edition=None, wheels=cache, offline=True, output=out, no_repository=False)
    bare, full = builder.build(given)
    version = builder.source_manifest()["version"]
    assert [z.path.name for z in (bare, full)] == [f"photo_diorama-{version}-{n}.zip" for n in ("bare", "linux-blender-4.5-5.0-small")]
    inside = [{*zipfile.ZipFile(z.path).namelist()} for z in (bare, full)]
    assert inside[1] - inside[0] == {f"wheels/inked-1.0-1-{TAG}.whl", builder.CREDITS}
    assert "inked 1.0 | 2026 Nobody | MIT" in zipfile.ZipFile(full.path).read(builder.CREDITS).decode()
    (listed,) = json.loads((out / "repository-small" / "index.json").read_text())["data"]
    assert (listed["id"], listed["platforms"], listed["python_versions"]) == ("photo_diorama", ["linux-x64"], ["3.11"])
    assert (listed["blender_version_min"], listed["blender_version_max"]) == ("4.5.0", "5.1.0")
    assert not [p for p in out.iterdir() if p.name.startswith(".")]


def test_the_platform_edition_has_its_wheels_untouched_and_says_where_there_is_none(tmp_path, lock):
    made = made_lock(made_wheel(tmp_path))
    (target,) = made.targets.values()
    assert builder.bundle([*made.wheels], made, tmp_path, tmp_path / "staged", PLATFORM) == [made.wheels[0].file]
    assert (tmp_path / "staged" / "wheels" / made.wheels[0].file).read_bytes() == (tmp_path / made.wheels[0].file).read_bytes()
    assert builder.editions_to_build(made, [target], PLATFORM, None) == [(target, PLATFORM)]
    assert {t.platform for t, _ in builder.editions_to_build(lock, [*lock.targets.values()], PLATFORM, None)} == {
        "windows-x64", "macos-arm64", "macos-x64"
    }  # fmt: skip
    with pytest.raises(BuildError, match="no platform edition of linux-x64-py311.*OpenSSL"):
        builder.editions_to_build(lock, [lock.targets["linux-x64-py311"]], PLATFORM, ["linux-x64-py311"])


def test_every_credit_begins_with_its_year_as_blenders_manifest_wants(lock):
    assert not [name for name, package in lock.packages.items() if not re.match(r"\d{4}(-\d{4})? \S", package.credit)]


def test_the_checkout_keeps_no_wheel(lock):
    ignored = (ROOT / ".gitignore").read_text().split()
    assert "wheels/*.whl" in ignored and "dist/" in ignored


def test_the_documents_name_what_is_bundled(lock):
    text = (ROOT / "docs" / "third_party.md").read_text()
    for package in lock.packages.values():
        assert f"| {package.name} {package.version} |" in text, package.name


def test_each_library_in_a_wheel_has_a_licence_that_somebody_named(tmp_path):
    wheel = made_wheel(tmp_path)
    with zipfile.ZipFile(wheel, "a") as packed:
        for file in (
            "inked.libs/libavcodec-76c43bf0.so.59.37.100",
            "inked/.dylibs/libz.1.3.1.zlib-ng.dylib",
            "inked/libgcc_s_seh-1-60817.dll",
        ):
            packed.writestr(file, b"")
        packed.writestr("inked/ink.cpython-311-x86_64-linux-gnu.so", b"")
    found = licence_inventory.libraries(wheel)
    assert [*found] == ["avcodec", "gcc_s_seh", "z"] and found["z"] == "Zlib"
    locked = made_lock(wheel)
    told = builder.credits([*locked.wheels], locked, [wheel])
    assert "- avcodec: LGPL" in told and "- text in the wheel: inked/tests/LICENSE.txt" in told
    assert "inked" in licence_inventory.table([wheel]) and "Zlib" in licence_inventory.table([wheel])
    with zipfile.ZipFile(wheel, "a") as packed:
        packed.writestr("inked.libs/libmystery.so.1", b"")
    with pytest.raises(BuildError, match="libmystery.so.1, whose licence nobody named"):
        licence_inventory.libraries(wheel)
    bare = tmp_path / "plain-1.0-py3-none-any.whl"
    zipfile.ZipFile(bare, "w").close()
    with pytest.raises(BuildError, match="no file with its licence"):
        licence_inventory.libraries(bare)
