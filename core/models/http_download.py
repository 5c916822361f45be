"""Downloads one file over HTTP: bounded, resumed after an interruption, from the next source where one fails."""

import contextlib
import http.client
import ipaddress
import os
import queue
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import DioramaError
from .file_lock import append, file_size, open_fresh, open_to_continue, require_space, writing

Progress = Callable[[float, str], None]  # (fraction 0..1, what is being done); may raise Cancelled

CHUNK = 256 * 1024  # bytes
TICK = 0.1  # [s] between calls of progress while nothing arrives, so that a cancel is felt at once
SLOWEST = 256  # bytes per second; a server below it has stalled, however regularly its bytes drip
HEADWAY = 1 << 20  # bytes of headway after which the count of failures begins anew
MAX_PAUSE = 30.0  # [s] between attempts


class WrongContent(Exception):
    """The file is complete but not the expected one; the text continues a sentence that begins with the source."""


class _SourceFailed(Exception):
    """This source cannot give the file; the next one is tried."""


class _Interrupted(Exception):
    """The transfer broke off; another attempt may succeed."""


@dataclass(frozen=True)
class Wanted:
    """What is known of the file before the download."""

    least: int  # bytes; equal to most where the length is known exactly
    most: int  # bytes; never is more written
    hashed: bool  # False: no hash can prove the content, so a part of unknown origin is not continued


@dataclass(frozen=True)
class RetryPolicy:
    """How long a download goes on trying."""

    stall_timeout: float = 20.0  # [s] without data
    attempts: int = 4  # failures in a row and without headway, per source
    pause: float = 1.0  # [s] before the second attempt; doubled for each further one


def fetch(
    urls: tuple[str, ...], part: Path, wanted: Wanted, accept: Callable[[Path], str], progress: Progress, patience: RetryPolicy
) -> str:
    """Downloads into `part` from the first of `urls` that gives an acceptable file, resuming from what `part` already holds.

    Args:
        accept: hashes the complete `part` and returns its sha256; raises WrongContent where it is another file.
    Returns what `accept` returned. Raises DioramaError when every source failed or the disk is full (`part` stays
    for the next call unless its content was wrong), and Cancelled from `progress` (`part` stays).
    """
    name = part.name.removesuffix(".part")
    reasons = []
    for url in urls:
        host = urllib.parse.urlsplit(url).hostname
        try:
            return _fetch_from(url, host, part, wanted, accept, progress, patience)
        except _SourceFailed as failure:
            reasons.append(f"{host} {failure}")
    if file_size(part) == 0:
        part.unlink(missing_ok=True)
    kept = " (what has arrived is kept)" if part.exists() else ""
    raise DioramaError(
        f"{name} could not be downloaded: {'; '.join(reasons)}; try again later{kept}, or fetch the file by other means and import it."
    )


def _fetch_from(
    url: str, host: str | None, part: Path, wanted: Wanted, accept: Callable[[Path], str], progress: Progress, patience: RetryPolicy
) -> str:
    """Downloads from one source, with a bounded number of attempts."""
    failures, furthest = 0, file_size(part)
    transfer = _Transfer(url, part, wanted, progress, patience.stall_timeout)
    while True:
        try:
            transfer.run()
            return accept(part)
        except WrongContent as wrong:
            part.unlink(missing_ok=True)
            if not transfer.joined:
                raise _SourceFailed(str(wrong)) from None
            transfer.joined, reason = False, str(wrong)  # the pieces may be of two versions: once more, in one piece
        except _Interrupted as interruption:
            reason = str(interruption)
        if file_size(part) >= furthest + HEADWAY:
            failures, furthest = 0, file_size(part)
        failures += 1
        if failures >= patience.attempts:
            raise _SourceFailed(f"{reason} ({failures} attempts)")
        until = time.monotonic() + min(patience.pause * 2 ** (failures - 1), MAX_PAUSE)
        while (left := until - time.monotonic()) > 0:
            progress(transfer.fraction, f"{host} {reason}; trying again")
            time.sleep(min(TICK, left))


class _Transfer:
    """The attempts at one source; remembers what the source said, so that the next attempt can go on from there."""

    def __init__(self, url: str, part: Path, wanted: Wanted, progress: Progress, stall_timeout: float):
        self.url, self.part, self.wanted = url, part, wanted
        self.progress, self.stall_timeout = progress, stall_timeout
        self.etag: str | None = None  # strong validator of the bytes that this source put into the part
        self.joined = False  # the part holds pieces of more than one answer
        self.fraction = 0.0  # of the file, as last reported

    def run(self) -> None:
        """Asks for what is missing and appends it; returns when the part is complete."""
        have = file_size(self.part)
        if have and have == self.wanted.least == self.wanted.most:
            self.joined = True
            return
        if have > self.wanted.most or not (self.etag or self.wanted.hashed):
            have = 0
        try:
            with contextlib.closing(_stream(_request(self.url, have, self.etag), self.stall_timeout)) as stream:
                self._receive(stream, have)
        except urllib.error.HTTPError as answer:
            if answer.code != 416 or not have:
                raise _answer_refused(answer.code) from None
            # Nothing follows the bytes that we have: by their length they are either the complete file or rubbish.
            if answer.headers.get("Content-Range", "").strip() != f"bytes */{have}":
                self.part.unlink(missing_ok=True)
                raise _Interrupted("would not continue the part, which is begun anew") from None
            self.joined = True

    def _receive(self, stream: Iterator, have: int) -> None:
        answer = next(stream)
        while answer is None:
            self._tell(have, None)
            answer = next(stream)
        have, total = self._begin(answer, have)
        require_space(self.part, (total or self.wanted.most) - have)
        with writing(self.part):
            file = open_to_continue(self.part) if have else open_fresh(self.part)
        with file:
            file.seek(have)
            file.truncate()
            last_report = 0.0
            for chunk in stream:
                if chunk is not None:
                    have += len(chunk)
                    if have > (total or self.wanted.most):
                        file.close()  # Windows removes no file that is open
                        self.part.unlink()
                        raise _SourceFailed(f"sends more than the {self.wanted.most:,} bytes expected")
                    with writing(self.part):
                        append(file, chunk)
                if chunk is None or time.monotonic() - last_report > TICK or have == total:
                    self._tell(have, total)
                    last_report = time.monotonic()
            with writing(self.part):
                os.fsync(file.fileno())
        if have < (total or self.wanted.least):
            raise _Interrupted(f"cut the connection after {have:,} of {total or self.wanted.least:,} bytes")

    def _begin(self, answer: "_Answer", have: int) -> tuple[int, int | None]:
        """Reads the answer's head; returns the offset at which its body begins and the file's length, where it is given."""
        headers = answer.headers
        if headers.get("Content-Encoding", "identity").lower() != "identity":
            raise _SourceFailed("sends the file compressed, which was not asked for")
        etag = headers.get("ETag", "")
        self.etag = etag if etag.startswith('"') else None  # RFC 9110, 13.1.5: If-Range takes strong validators only
        if answer.status == 206:
            total = _total_of_range(headers.get("Content-Range", ""), have)
            if total is None:
                self.part.unlink(missing_ok=True)
                raise _Interrupted("continued the file at another place than asked, so it is begun anew")
            self.joined = True
        elif answer.status == 200:
            self.joined, have, total = False, 0, answer.length
        else:
            raise _SourceFailed(f"gave an answer that is no file ({answer.status})")
        if total is None and not self.wanted.hashed and self.wanted.least != self.wanted.most:
            raise _SourceFailed("does not tell the file's length, so that a cut could not be noticed")
        if total is not None and not self.wanted.least <= total <= self.wanted.most:
            raise _SourceFailed(f"offers a file of {total:,} bytes where {_expected(self.wanted)} are expected")
        return have, total

    def _tell(self, have: int, total: int | None) -> None:
        whole = total or self.wanted.most
        self.fraction = min(have / whole, 1.0)
        self.progress(self.fraction, f"Downloading {self.part.stem}: {have / 1e6:.1f} of {whole / 1e6:.1f} MB")


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: http.client.HTTPMessage
    length: int | None  # bytes of the body; None where the server does not say


def _request(url: str, have: int, etag: str | None) -> urllib.request.Request:
    headers = {"User-Agent": "photo-diorama", "Accept": "*/*", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if etag:
            headers["If-Range"] = etag
    return urllib.request.Request(url, headers=headers)


def _stream(request: urllib.request.Request, stall_timeout: float) -> Generator["_Answer | bytes | None", None, None]:
    """Yields the answer, then its bytes; None each TICK without news. The network's errors come as this module's.

    A thread of its own reads, because name look-up, connecting and reading block, and a cancel must not wait for them.
    """
    items: queue.Queue = queue.Queue(maxsize=8)
    stop = threading.Event()
    threading.Thread(target=_read, args=(request, stall_timeout, items, stop), daemon=True, name="download").start()
    mark, gained = time.monotonic(), 0
    try:
        while True:
            try:
                item = items.get(timeout=TICK)
            except queue.Empty:
                item = None
            if isinstance(item, Exception):
                raise _translated(item, stall_timeout)
            if item == b"":
                return
            gained += len(item) if isinstance(item, bytes) else 0
            if time.monotonic() - mark > stall_timeout:
                if gained < SLOWEST * stall_timeout:
                    raise _Interrupted(f"sent hardly anything for {stall_timeout:g} s")
                mark, gained = time.monotonic(), 0
            yield item
    finally:
        stop.set()


def _read(request: urllib.request.Request, timeout: float, items: queue.Queue, stop: threading.Event) -> None:
    """The reading thread: answer, chunks, an empty one at the end; or the exception, for the caller to judge."""

    def put(item) -> bool:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                items.put(item, timeout=TICK)
                return True
        return False

    try:
        with _opener().open(request, timeout=timeout) as response:
            remaining = response.length
            put(_Answer(response.status, response.headers, remaining))
            while remaining is None or remaining > 0:
                chunk = response.read1(CHUNK if remaining is None else min(CHUNK, remaining))
                if not put(chunk) or not chunk:
                    return
                if remaining is not None:
                    remaining -= len(chunk)
            put(b"")
    except (OSError, http.client.HTTPException, ValueError, _SourceFailed) as error:  # _stream raises it, translated
        put(error)


def _opener() -> urllib.request.OpenerDirector:
    """http and https only (urllib's default also opens file, ftp and data), through the environment's proxies."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
        _SafeRedirects(),
    ):
        opener.add_handler(handler)
    return opener


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    max_redirections = 6

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        old, new = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        if new.scheme not in ("http", "https"):
            raise _SourceFailed(f"redirects to an address that is not http or https ({new.scheme})")
        if old.scheme == "https" and new.scheme == "http" and not (_loopback(old.hostname) and _loopback(new.hostname)):
            raise _SourceFailed("redirects from https to plain http, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _translated(error: Exception, stall_timeout: float) -> Exception:
    """The network's exception as one of this module's, with words for the user; HTTPError stays what it is."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return error  # the caller still needs its code and headers
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, _SourceFailed):
        return reason
    if isinstance(reason, ssl.SSLCertVerificationError):
        return _SourceFailed("shows a certificate that cannot be verified (check the clock and the proxy)")
    if isinstance(reason, socket.gaierror):
        return _SourceFailed("was not found (check the connection to the internet)")
    if isinstance(reason, ConnectionRefusedError):
        return _SourceFailed("refuses the connection")
    if isinstance(reason, TimeoutError):
        return _Interrupted(f"sent nothing for {stall_timeout:g} s")
    if isinstance(reason, (OSError, http.client.HTTPException)):
        return _Interrupted(f"broke the connection ({reason or type(reason).__name__})")
    return _SourceFailed(f"cannot be asked ({reason})")


def _answer_refused(code: int) -> Exception:
    if code in (408, 425, 429) or code >= 500:
        return _Interrupted(f"answers with a fault of its own ({code})")
    if 300 <= code < 400:
        return _SourceFailed(f"redirects in a circle or to an address that is not http or https ({code})")
    words = {
        401: "refuses access (401)",
        403: "refuses access (403)",
        404: "does not have the file (404)",
        407: "is behind a proxy that asks for a password (407)",
        410: "no longer has the file (410)",
    }
    return _SourceFailed(words.get(code, f"answers with an error ({code})"))


def _total_of_range(text: str, have: int) -> int | None:
    """Length of the whole file from `Content-Range: bytes first-last/total`; None unless it goes from `have` to the
    end (RFC 9110, 14.4)."""
    try:
        unit, _, rest = text.strip().partition(" ")
        span, _, total = rest.partition("/")
        first, _, last = span.partition("-")
        fits = unit == "bytes" and int(first) == have and int(last) == int(total) - 1
        return int(total) if fits else None
    except ValueError:
        return None


def _expected(wanted: Wanted) -> str:
    if wanted.least == wanted.most:
        return f"{wanted.most:,}"
    return f"{wanted.least:,} to {wanted.most:,}"
