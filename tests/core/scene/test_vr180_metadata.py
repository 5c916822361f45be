"""The boxes that tell players of VR180: read back, pictures where the tables say, and nothing done to files of another kind."""

import struct

import numpy as np
import pytest
from boxes import boxes_of

from photo_diorama.core.errors import DioramaError
from photo_diorama.core.scene.vr180_metadata import mark_vr180

ENTRY = "moov/trak2/mdia/minf/stbl/stsd/avc1"


def box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def film(moov_first: bool, wide: bool = False, more: bytes = b"", sound: bool = True, entries: int = 1, long: bool = False) -> bytes:
    """A film by hand: sound, then a picture track of three samples whose bytes are known; `wide` has 64-bit places."""
    samples = [bytes([65 + n]) * (5 + n) for n in range(3)]
    ftyp = box(b"ftyp", b"isom\0\0\2\0isomavc1")

    def moov(places) -> bytes:
        avc1 = box(b"avc1", bytes(78), box(b"avcC", b"\1\x64\0\x1f"), box(b"pasp", struct.pack(">II", 1, 1)), more)
        table = box(b"co64", struct.pack(">II3Q", 0, 3, *places)) if wide else box(b"stco", struct.pack(">II3I", 0, 3, *places))
        stbl = box(b"stbl", box(b"stsd", struct.pack(">II", 0, entries), avc1 * entries), table)
        picture = box(b"trak", box(b"tkhd", bytes(84)), box(b"mdia", box(b"mdhd", bytes(24)),
                      box(b"minf", box(b"vmhd", bytes(12)), stbl)))  # fmt: skip
        heard = box(b"stbl", box(b"stsd", struct.pack(">II", 0, 1), box(b"mp4a", bytes(28))),
                    box(b"stco", struct.pack(">II1I", 0, 1, places[0])))  # fmt: skip
        voice = box(b"trak", box(b"mdia", box(b"minf", box(b"smhd", bytes(8)), heard)))
        return box(b"moov", box(b"mvhd", bytes(100)), voice if sound else b"", picture, box(b"udta", b""))

    head = 16 if long else 8
    start = len(ftyp) + (len(moov([0, 0, 0])) if moov_first else 0) + head
    places = [start + sum(map(len, samples[:n])) for n in range(3)]
    content = b"".join(samples)
    mdat = struct.pack(">I4sQ", 1, b"mdat", 16 + len(content)) + content if long else box(b"mdat", content)
    return ftyp + (moov(places) + mdat if moov_first else mdat + moov(places))


@pytest.mark.parametrize("moov_first", [False, True])
@pytest.mark.parametrize("wide, long", [(False, False), (True, False), (False, True)])
def test_the_boxes_are_read_back_and_the_pictures_are_where_the_tables_say(tmp_path, moov_first, wide, long):
    path = tmp_path / "a.mp4"
    before = film(moov_first, wide, long=long)
    path.write_bytes(before)
    mark_vr180(path)
    data = path.read_bytes()
    found, old = boxes_of(data), boxes_of(before)
    assert found[f"{ENTRY}/st3d"] == b"\0\0\0\0\2", "the left eye on the left"
    assert found[f"{ENTRY}/sv3d/svhd"][:4] == bytes(4) and found[f"{ENTRY}/sv3d/svhd"].endswith(b"\0")
    assert found[f"{ENTRY}/sv3d/proj/prhd"] == bytes(16), "looking straight ahead"
    version, *bounds = struct.unpack(">5I", found[f"{ENTRY}/sv3d/proj/equi"])
    assert version == 0 and [part / 2**32 for part in bounds] == [0, 0, 0.25, 0.25], "top, bottom, left, right"
    order = [key.rsplit("/", 1)[1] for key in found if key.startswith(f"{ENTRY}/") and key.count("/") == ENTRY.count("/") + 1]
    assert order == ["avcC", "st3d", "sv3d", "pasp"]
    leaves = [key for key in old if not any(other.startswith(f"{key}/") for other in old)]
    tables = [key for key in leaves if key.endswith(("stco", "co64"))]
    assert len(tables) == 2 and len(leaves) > 10
    assert {key: found[key] for key in leaves if key not in tables} == {key: old[key] for key in leaves if key not in tables}
    assert found["mdat"] == old["mdat"]
    assert _places(data) == [data.index(letter * 5) for letter in (b"A", b"B", b"C")]
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def _places(data: bytes) -> list[int]:
    """Of the picture's samples, as the last table says."""
    at = max(data.rfind(b"stco"), data.rfind(b"co64"))
    return list(struct.unpack_from(">3Q" if data[at : at + 4] == b"co64" else ">3I", data, at + 12))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"Dear film", film(True)[:300], film(False)[:-4], film(True, entries=2), b"\0\0\0\0" + film(True)[4:],
        film(True).replace(b"moov", b"free"), film(True).replace(b"mdat", b"free"), film(True).replace(b"stbl", b"free"),
        film(True) + box(b"moof", bytes(8)), film(True).replace(b"vmhd", b"smhd"), film(True).replace(b"\0\0\0\x0cavcC", b"\7\0\0\x0cavcC"),
        film(True) * 2, film(True).replace(b"stco", b"stc0")[:-9],
    ],
)  # fmt: skip
def test_what_is_no_film_of_ours_is_a_sentence_and_stays(tmp_path, data):
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    with pytest.raises(DioramaError) as told:
        mark_vr180(path)
    assert str(path) in str(told.value) and str(told.value).endswith(".") and path.read_bytes() == data
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_a_film_is_told_once(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(film(False))
    mark_vr180(path)
    data = path.read_bytes()
    with pytest.raises(DioramaError, match="says already"):
        mark_vr180(path)
    assert path.read_bytes() == data


def test_one_changed_bit_anywhere_is_a_film_or_a_sentence(tmp_path):
    path, sound = tmp_path / "a.mp4", film(True)
    rng, told = np.random.default_rng(4), 0
    for at in rng.integers(0, len(sound), 400):
        data = bytearray(sound)
        data[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        try:
            mark_vr180(path)
        except DioramaError as error:
            told += 1
            assert str(error).endswith(".") and path.read_bytes() == data
    assert 20 < told < 380
