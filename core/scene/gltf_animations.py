"""Merges the animations of a binary glTF: Blender writes a camera's place and lens as two, and players show the first only."""

from __future__ import annotations

import json
import struct

HEADER, CHUNK, JSON = struct.Struct("<4sII"), struct.Struct("<I4s"), b"JSON"


def joined_animations(data: bytes, name: str) -> bytes:
    """The same .glb with all channels in one animation called `name`; unchanged with fewer than two animations, or if it is no .glb."""
    if len(data) < HEADER.size + CHUNK.size:
        return data
    magic, version, _ = HEADER.unpack_from(data)
    length, kind = CHUNK.unpack_from(data, HEADER.size)
    start = HEADER.size + CHUNK.size
    if magic != b"glTF" or kind != JSON:
        return data
    document = json.loads(data[start : start + length])
    animations = document.get("animations", [])
    if len(animations) < 2:
        return data
    channels: list[dict] = []
    samplers: list[dict] = []
    for each in animations:
        # a channel names its sampler by the number within its animation
        channels += [{**channel, "sampler": channel["sampler"] + len(samplers)} for channel in each["channels"]]
        samplers += each["samplers"]
    document["animations"] = [{"name": name, "channels": channels, "samplers": samplers}]
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    rest = data[start + length :]
    return HEADER.pack(magic, version, start + len(text) + len(rest)) + CHUNK.pack(len(text), JSON) + text + rest
