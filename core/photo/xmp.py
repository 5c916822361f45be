"""Reads XMP, treated as hostile input: bounded size and depth, no DTD, no entities, extensions checked by MD5."""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from ..errors import DioramaError
from .jpeg_segments import XmpChunk, xmp_segments

MAX_XMP_BYTES = 64 * 1024 * 1024
MAX_NODES, MAX_DEPTH = 100_000, 64
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XMP_NOTE = "http://ns.adobe.com/xmp/note/"
_DTD = re.compile(rb"<!\s*(doctype|entity)", re.IGNORECASE)


@dataclass(eq=False)
class XmpNode:
    """One XML element; names are (namespace, local name)."""

    name: tuple[str, str]
    attributes: dict[tuple[str, str], str]
    parent: XmpNode | None
    children: list[XmpNode] = field(default_factory=list)
    text: str = ""

    def walk(self) -> Iterator[XmpNode]:
        """This node and all below it, in document order."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    def get(self, namespace: str, local: str) -> str | None:
        """A simple property of this node: RDF allows it as an attribute or as a child element."""
        value = self.attributes.get((namespace, local))
        if value is None:
            value = next((c.text for c in self.children if c.name == (namespace, local)), None)
        return None if value is None else value.strip()

    def find(self, namespace: str, local: str) -> str | None:
        """The first simple property of that name at or below this node."""
        return next((v for v in (node.get(namespace, local) for node in self.walk()) if v is not None), None)

    def holders(self, namespace: str, local: str) -> list[XmpNode]:
        """Nodes at or below this one that have the property, in document order."""
        return [node for node in self.walk() if node.get(namespace, local) is not None]

    def sequence(self, namespace: str, local: str) -> list[str]:
        """The texts of the rdf:li of an array property at or below this node; empty where it is missing."""
        for node in self.walk():
            if node.name == (namespace, local):
                return [item.text.strip() for item in node.walk() if item.name == (RDF, "li")]
        return []


def parse_xmp(packet: bytes, name: str) -> XmpNode:
    """The tree of one UTF-8 packet. Raises DioramaError, naming the file `name`, where it is hostile or malformed."""
    packet = packet.strip(b"\0 \t\r\n")
    if len(packet) > MAX_XMP_BYTES:
        raise DioramaError(f"{name} holds more than 64 MB of XMP; save the photo again without it.")
    if _DTD.search(packet):
        raise DioramaError(f"{name} holds XMP with a DTD or entities, which is not safe to read; save it again.")
    builder = _TreeBuilder(name)
    try:
        builder.parser.Parse(packet, True)
    except expat.ExpatError as error:
        raise DioramaError(f"{name} holds malformed XMP ({error}); export the photo again.") from None
    return builder.root


class _TreeBuilder:
    """Collects expat's events; the parser itself refuses a DTD that the search before could have missed."""

    def __init__(self, name: str):
        self.name, self.count, self.depth = name, 0, 0
        self.root = self.open = XmpNode(("", ""), {}, None)
        self.texts: list[list[str]] = [[]]
        self.parser = expat.ParserCreate(encoding="utf-8", namespace_separator="\n")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse

    def _refuse(self, *_) -> None:
        raise DioramaError(f"{self.name} holds XMP with a DTD or entities, which is not safe to read; save it again.")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self.count += 1 + len(attributes)
        self.depth += 1
        if self.count > MAX_NODES or self.depth > MAX_DEPTH:
            raise DioramaError(f"{self.name} holds XMP of over {MAX_NODES} nodes or {MAX_DEPTH} levels; save it again.")
        node = XmpNode(_split(tag), {_split(k): v for k, v in attributes.items()}, self.open)
        self.open.children.append(node)
        self.open = node
        self.texts.append([])

    def _end(self, _tag: str) -> None:
        self.open.text = "".join(self.texts.pop())
        self.open = self.open.parent or self.open
        self.depth -= 1

    def _text(self, text: str) -> None:
        self.texts[-1].append(text)


def _split(tag: str) -> tuple[str, str]:
    namespace, _, local = tag.rpartition("\n")
    return namespace, local


def assemble_extension(chunks: list[XmpChunk], guid: str, name: str) -> bytes:
    """The extended XMP of `guid`: its chunks must lie end to end, fill the declared length and match the MD5."""
    parts = sorted((c for c in chunks if c.guid == guid.strip().upper()), key=lambda c: c.offset)
    totals = {c.total for c in parts}
    if len(totals) != 1:
        raise DioramaError(f"{name} holds extended XMP with missing or differing parts; copy the original photo again.")
    total = totals.pop()
    if total > MAX_XMP_BYTES:
        raise DioramaError(f"{name} declares {total} bytes of extended XMP, more than 64 MB; save it without it.")
    end = 0
    for part in parts:
        if part.offset != end:
            raise DioramaError(f"{name} holds extended XMP with a gap at byte {end}; copy the original photo again.")
        end += len(part.content)
    if end != total:
        raise DioramaError(f"{name} holds {end} of {total} bytes of extended XMP; copy the original photo again.")
    whole = b"".join(part.content for part in parts)
    if hashlib.md5(whole, usedforsecurity=False).hexdigest().upper() != guid.strip().upper():
        raise DioramaError(f"{name} holds extended XMP that fails its MD5 check; copy the original photo again.")
    return whole


def read_jpeg_xmp(data: bytes, name: str, namespaces: tuple[str, ...], start: int = 0) -> list[XmpNode]:
    """Trees of the main and the extended XMP of the JPEG at `start`, only where one of `namespaces` occurs.

    XMP without these is not even parsed, so that its errors disturb no photo without depth.
    """
    packet, chunks = xmp_segments(data, start)
    wanted = [namespace.encode() for namespace in namespaces]
    if packet is None or not any(n in text for n in wanted for text in (packet, *(c.content for c in chunks))):
        return []
    trees = [parse_xmp(packet, name)]
    guid = trees[0].find(XMP_NOTE, "HasExtendedXMP")
    if guid and chunks:
        trees.append(parse_xmp(assemble_extension(chunks, guid, name), name))
    return trees


def find_in(trees: list[XmpNode], namespace: str, local: str) -> str | None:
    """The first simple property of that name in any of the trees."""
    return next((v for v in (tree.find(namespace, local) for tree in trees) if v is not None), None)


def decode_base64(text: str, name: str, what: str) -> bytes:
    """Bytes of base64 text; XML may have wrapped it, any other foreign character raises DioramaError."""
    try:
        return base64.b64decode("".join(text.split()).encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise DioramaError(f"{name} holds {what} that is not valid base64; copy the original photo again.") from None


def number(text: str | None) -> float | None:
    """A number that is not NaN (it may be infinite); None where the text is missing or is none.

    >>> number("4.5"), number("inf"), number("wide"), number(None)
    (4.5, inf, None, None)
    """
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return None if math.isnan(value) else value
