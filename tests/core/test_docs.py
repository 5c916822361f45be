"""What the documents name is there: links and their anchors, files, modules, options of the command line."""

import re
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest

from photo_diorama.core.scene.output import OutputSettings
from photo_diorama.core.settings import each_option
from photo_diorama.core.threads import ThreadSettings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "training").rglob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FILE = re.compile(r"`((?:core|operators|ui|tests|benchmarks|training|docs|wheels)/[a-z0-9_./-]+)`")
FLAG = re.compile(r"(?<![\w-])--([a-z][a-z-]+)")
OF_OTHERS = {
    "image",
    "mask",
    "model",
    "name",
    "url",
    "target",
    "variant",
    "user",
    "online-mode",
    "step",
    "run-dependencies",
    "job-param",
    "command",
}
"""Flags of pip, Docker, debootstrap, Blender, openjd and iopaint."""


@cache
def anchors(document: Path) -> set[str]:
    """As GitHub makes them of headings: lower case, spaces to dashes, punctuation gone."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.S), re.M)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_files_are_there(document):
    text = document.read_text(encoding="utf-8")
    missing = []
    for link in LINK.findall(text):
        place, _, anchor = link.partition("#")
        if place.startswith(("http:", "https:", "mailto:")):
            continue
        target = (document.parent / place).resolve() if place else document
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            missing.append(link)
    missing += [file for file in FILE.findall(text) if not list(ROOT.glob(f"{file}*"))]
    assert not missing


def test_files_beside_a_page_are_shown_somewhere():
    """No picture of the documents is an orphan."""
    text = "".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)
    pictures = {path.name for kind in ("jpg", "png", "webp") for path in (ROOT / "docs" / "images").rglob(f"*.{kind}")}
    assert not {name for name in pictures if name not in text}


def test_options_are_declared():
    """Every `--flag` of the documents is a declared option, or an argument of a program of ours."""
    options = [*(field for _, field in each_option()), *fields(OutputSettings), *fields(ThreadSettings)]
    declared = {prefix + field.name.replace("_", "-") for field in options for prefix in ("", "no-")}
    programs = [path for room in ("ui", "benchmarks", "training", "wheels", "tests") for path in (ROOT / room).rglob("*.py")]
    declared |= {flag for path in programs for flag in FLAG.findall(path.read_text(encoding="utf-8"))} | OF_OTHERS
    for document in DOCUMENTS:
        unknown = set(FLAG.findall(document.read_text(encoding="utf-8"))) - declared
        assert not unknown, document
