"""Animations of a .glb are joined, and everything else stays."""

import json
import struct

from photo_diorama.core.scene.gltf_animations import joined_animations


def glb(told: dict, rest: bytes = b"\x08\0\0\0BIN\0binary!!") -> bytes:
    text = json.dumps(told).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<4sII", b"glTF", 2, 20 + len(text) + len(rest)) + struct.pack("<I4s", len(text), b"JSON") + text + rest


def parts(data: bytes) -> tuple[dict, bytes]:
    magic, version, whole = struct.unpack_from("<4sII", data)
    length, kind = struct.unpack_from("<I4s", data, 12)
    assert (magic, version, whole, kind) == (b"glTF", 2, len(data), b"JSON") and length % 4 == 0
    return json.loads(data[20 : 20 + length]), data[20 + length :]


def animation(first: int, count: int) -> dict:
    return {
        "name": f"of {first}",
        "samplers": [{"input": 0, "output": first + k} for k in range(count)],
        "channels": [{"sampler": k, "target": {"node": first + k, "path": "translation"}} for k in reversed(range(count))],
    }


def test_every_channel_keeps_its_own_sampler():
    given = {"asset": {"version": "2.0"}, "animations": [animation(10, 2), animation(20, 3)], "nodes": [{}] * 30}
    told, rest = parts(joined_animations(glb(given), "move"))
    assert rest == parts(glb(given))[1] and told["nodes"] == given["nodes"] and told["asset"] == given["asset"]
    (one,) = told["animations"]
    assert one["name"] == "move" and len(one["samplers"]) == 5
    for channel in one["channels"]:
        assert one["samplers"][channel["sampler"]]["output"] == channel["target"]["node"]
    assert sorted(channel["target"]["node"] for channel in one["channels"]) == [10, 11, 20, 21, 22]


def test_what_needs_no_joining_is_the_same_to_the_byte():
    for data in (glb({"animations": [animation(0, 2)]}), glb({}), b"", b"glTF", b"something else that is long enough"):
        assert joined_animations(data, "move") == data
