"""A wheel without the files that nothing here uses: headers, test programs, data; its RECORD is made anew."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import struct
import zipfile
from fnmatch import fnmatch
from pathlib import Path

from read_lock import BuildError, Package

BUILD = "1"
"""The build number in the name of a wheel that was packed anew, so that nobody takes it for the original."""
LOCAL_HEADER, UTF8_NAME = 30, 0x800
"""Of the zip format: the length of what precedes a member's name, and the flag that the name is UTF-8."""
ALWAYS = ("license", "licence", "copying", "notice", "authors")


def slim_name(file: str) -> str:
    name, version, *tags = file.split("-")
    return "-".join([name, version, BUILD, *tags[-3:]])


def slim(source: Path, package: Package, folder: Path) -> Path:
    """The path of the wheel to bundle: the source itself where nothing is left out, else a new file in `folder`.

    Files keep their order, dates and modes, so that the same source gives the same bytes. Raises BuildError where a
    pattern matches nothing in a wheel at all (then the package has changed, and the list must be looked at).
    """
    if not package.leave_out:
        return source
    target = folder / slim_name(source.name)
    fresh = target.with_name(f".{os.getpid()}-{target.name}")
    try:
        with (
            zipfile.ZipFile(source) as read,
            zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as write,
        ):
            kept = [item for item in read.infolist() if not left_out(item.filename, package)]
            if len(kept) == len(read.infolist()):
                raise BuildError(f"Nothing in {source.name} matches what {package.name} leaves out; mend its list in the lock.")
            facts = {n: _wheel_facts(read.read(n)) for n in read.namelist() if n.endswith(".dist-info/WHEEL")}
            for item in kept:
                if item.filename.endswith(".dist-info/RECORD"):
                    write.writestr(_copy_of(item), _record(read.read(item).decode(), package, facts))
                elif item.filename in facts:
                    write.writestr(_copy_of(item), facts[item.filename])
                else:
                    _copy_compressed(read, item, write)
        os.replace(fresh, target)
    finally:
        fresh.unlink(missing_ok=True)
    return target


def left_out(name: str, package: Package) -> bool:
    """Never a licence, nor what describes the wheel."""
    plain = name.rsplit("/", 1)[-1].lower()
    if ".dist-info/" in name or plain.startswith(ALWAYS) or any(fnmatch(name, pattern) for pattern in package.keep):
        return False
    return any(fnmatch(name, pattern) for pattern in package.leave_out)


def _record(text: str, package: Package, changed: dict[str, bytes]) -> bytes:
    """RECORD less what is left out, with new hashes for what is changed."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in csv.reader(io.StringIO(text)):
        if row and not left_out(row[0], package):
            data = changed.get(row[0])
            writer.writerow(row if data is None else [row[0], record_hash(data), len(data)])
    return out.getvalue().encode()


def record_hash(data: bytes) -> str:
    """As RECORD writes it: urlsafe base64 without padding."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _wheel_facts(data: bytes) -> bytes:
    lines = [line for line in data.decode().splitlines() if line and not line.startswith("Build:")]
    return ("\n".join([*lines, f"Build: {BUILD}"]) + "\n").encode()


def _copy_of(item: zipfile.ZipInfo) -> zipfile.ZipInfo:
    copy = zipfile.ZipInfo(item.filename, item.date_time)
    copy.external_attr, copy.compress_type = item.external_attr, item.compress_type
    return copy


def _copy_compressed(read: zipfile.ZipFile, item: zipfile.ZipInfo, write: zipfile.ZipFile) -> None:
    """A member as it is, neither unpacked nor packed: half a gigabyte of libraries in a second instead of a minute."""
    read.fp.seek(item.header_offset)
    header = read.fp.read(LOCAL_HEADER)
    read.fp.seek(sum(struct.unpack("<HH", header[26:30])), os.SEEK_CUR)
    copy = _copy_of(item)
    copy.CRC, copy.compress_size, copy.file_size = item.CRC, item.compress_size, item.file_size
    copy.flag_bits = item.flag_bits & UTF8_NAME
    write.fp.seek(write.start_dir)
    copy.header_offset = write.fp.tell()
    write.fp.write(copy.FileHeader())
    write.fp.write(read.fp.read(item.compress_size))
    write.start_dir = write.fp.tell()
    write.filelist.append(copy)
    write.NameToInfo[copy.filename] = copy
