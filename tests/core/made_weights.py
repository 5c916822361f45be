"""Weights of a few megabytes that a test makes up, and quick ways to get and to look at them."""

import hashlib
import random
from pathlib import Path

from photo_diorama.core.models.store import RELATIVE_DEPTH, InstalledFile, Weights, download

MB = 1 << 20
CONTENT = random.Random(7).randbytes(3 * MB)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = {"stall_timeout": 10.0, "pause": 0.01}  # a busy machine makes even a good server late


def entry(*urls: str, key: str = "net", content: bytes = CONTENT, **changes) -> Weights:
    """A catalogue entry `key` in `key`.pth, of known length and hash unless `changes` says otherwise."""
    facts = {
        "key": key,
        "file": f"{key}.pth",
        "urls": urls or (f"https://weights.invalid/{key}",),
        "bytes": len(content),
        "bytes_exact": True,
        "sha256": hashlib.sha256(content).hexdigest(),
        "licence": "MIT",
        "commercial": True,
        "purpose": "a test",
        "kind": RELATIVE_DEPTH,
    } | changes
    return Weights(**facts)


def quiet(fraction: float, text: str) -> None:
    """Listens, and holds each call to the contract."""
    assert 0.0 <= fraction <= 1.0
    assert text


def get(weights: Weights, folder: Path, progress=quiet, **changes) -> InstalledFile:
    """Downloads without long pauses."""
    return download(weights, folder, progress, True, **(QUICK | changes))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def assert_installed(folder: Path, content: bytes = CONTENT) -> None:
    """The right file, its record, and nothing else."""
    assert (folder / "net.pth").read_bytes() == content
    assert names(folder) == {"net.pth", "hashes.json"}
