"""The corpus that fuzzing starts from: sound files are read, hostile ones refused in a sentence, checksums of mutants are right."""

import io
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
from fuzz_guided import CORPUS, _recording, mended, targets  # noqa: E402

from photo_diorama.core.errors import DioramaError  # noqa: E402

FILES = sorted(path for path in CORPUS.rglob("*") if path.is_file())
REFUSED = {"photo/hostile_iptc_eps.jpg", "exr/hostile_dup_window.exr"}
NOTHING_IN_IT = {"manifest/hostile.jsonl"}


def test_every_target_has_a_corpus_and_every_corpus_a_target():
    assert {path.parent.name for path in FILES} == set(targets())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(CORPUS).as_posix())
def test_the_corpus_is_read_or_refused(tmp_path, path):
    file, read = targets()[path.parent.name]
    name = path.relative_to(CORPUS).as_posix()
    (tmp_path / file).write_bytes(path.read_bytes())
    if path.parent.name == "sidecar":
        _recording(tmp_path)
    if name in REFUSED:
        with pytest.raises(DioramaError):
            read(tmp_path / file, path.read_bytes())
    else:
        assert read(tmp_path / file, path.read_bytes()) == (name not in NOTHING_IN_IT)


def test_mutants_get_past_the_checksums():
    from depth_photo_files import photo_pixels, png

    data = bytearray(png(photo_pixels().astype(np.uint8)))
    data[20] ^= 1
    good = mended(bytes(data))
    assert int.from_bytes(good[29:33]) == zlib.crc32(good[12:29]) and good[:29] == bytes(data[:29])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.npy", b"0123456789" * 9)
    changed = mended(out.getvalue().replace(b"0123", b"0x23", 1))
    with zipfile.ZipFile(io.BytesIO(changed)) as archive:
        assert archive.read("a.npy").startswith(b"0x23")
    assert mended(b"PK nothing") == b"PK nothing"
