"""One version, semantic, in the manifest and the package; the changelog tells of it."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_versions_agree():
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))["version"]
    package = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest) and manifest == package
    assert f"## {manifest}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
