"""A real HTTP server on 127.0.0.1 that serves files properly, or misbehaves in the way a test asks for."""

import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

BLOCK = 64 * 1024
OTHER = bytes(255 - byte for byte in range(256))


@dataclass(frozen=True)
class Fault:
    """How one answer goes wrong. Offsets count the bytes of this answer's body."""

    status: int = 0  # answers with this status and no file
    redirect: str = ""  # answers 302 to this address
    cut_after: int | None = None  # closes the connection after so many bytes
    stall_after: int | None = None  # sends nothing more after so many bytes, until the client goes away
    length_lie: int = 0  # added to the Content-Length
    wrong_bytes: bool = False  # as many bytes, other ones
    chunked: bool = False  # no Content-Length
    endless: bool = False  # chunked, and never ends
    no_length: bool = False  # neither Content-Length nor chunks: the end of the connection ends the file
    drip: float = 0.0  # seconds between single bytes
    pace: float = 0.0  # seconds between blocks of 64 KiB
    until: threading.Event | None = None  # sends single bytes, 0.02 s apart, until it is set
    encoding: str = ""  # claims this Content-Encoding
    range_shift: int = 0  # continues the file so many bytes beside the place asked for


@dataclass
class Served:
    """One file of the server."""

    content: bytes
    etag: str | None
    ranges: bool  # False: answers with the whole file whatever range is asked
    faults: list[Fault]  # one for each of the first requests
    always: Fault | None  # for every later one; None serves properly


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str] = field(compare=False)

    @property
    def range(self) -> str | None:
        return self.headers.get("Range")


class LoopbackServer:
    """Serves while it is a context manager; keeps the requests it got and counts the bytes of file it sent.

    `certificate` (paths of certificate and key, PEM) makes it an https server. Asked for "http://host/path" it acts as
    the proxy of that host, with the files of its own path.
    """

    def __init__(self, certificate: tuple[str, str] | None = None):
        self.files: dict[str, Served] = {}
        self.requests: list[Request] = []
        self.sent: dict[str, int] = defaultdict(int)
        self.closing = threading.Event()
        self.guard = threading.Lock()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self.http.daemon_threads = True
        self.scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
            self.scheme = "https"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True)

    @property
    def address(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.http.server_port}"

    def serve(
        self,
        path: str,
        content: bytes,
        faults: Iterable[Fault] = (),
        always: Fault | None = None,
        etag: str | None = '"v1"',
        ranges: bool = True,
    ) -> str:
        """Puts a file there and returns its address; an earlier one of this path is replaced."""
        self.files[path] = Served(content, etag, ranges, list(faults), always)
        return self.address + path

    def ranges_asked(self, path: str) -> list[str | None]:
        return [request.range for request in self.requests if request.path == path]

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *exception) -> None:
        self.closing.set()
        self.http.shutdown()
        self.http.server_close()


def _handler_of(server: LoopbackServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments) -> None:
            """The tests read `requests` instead."""

        def do_GET(self) -> None:
            self.close_connection = True
            path = self.path
            if path.startswith("http://"):
                path = "/" + path.split("/", 3)[3]
            with server.guard:
                server.requests.append(Request(self.path, dict(self.headers)))
                served = server.files.get(path)
                fault = (served.faults.pop(0) if served.faults else served.always) if served else Fault(status=404)
            try:
                self._answer(path, served, fault or Fault())
            except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
                return  # the client has gone, as it may

        def _answer(self, path: str, served: Served | None, fault: Fault) -> None:
            if fault.status or fault.redirect:
                self.send_response(fault.status or 302)
                if fault.redirect:
                    self.send_header("Location", fault.redirect)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start = self._start(served)
            if start >= len(served.content) > 0:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(served.content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            ranged = start > 0
            start += fault.range_shift if ranged else 0
            body = served.content[start:]
            if fault.wrong_bytes:
                body = body.translate(OTHER)
            self._head(served, fault, start if ranged else None, len(body))
            self._body(path, body, fault)

        def _start(self, served: Served) -> int:
            """Offset asked for; 0 where the range does not hold (RFC 9110: refused, or If-Range of another file)."""
            asked = self.headers.get("Range", "")
            condition = self.headers.get("If-Range")
            same = condition is None or (condition == served.etag and condition.startswith('"'))  # RFC 9110, 13.1.5
            return int(asked.removeprefix("bytes=").split("-")[0]) if asked and served.ranges and same else 0

        def _head(self, served: Served, fault: Fault, start: int | None, length: int) -> None:
            self.send_response(200 if start is None else 206)
            if start is not None:
                last = len(served.content) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{len(served.content)}")
            if fault.chunked or fault.endless:
                self.send_header("Transfer-Encoding", "chunked")
            elif not fault.no_length:
                self.send_header("Content-Length", str(length + fault.length_lie))
            if served.etag:
                self.send_header("ETag", served.etag)
            if fault.encoding:
                self.send_header("Content-Encoding", fault.encoding)
            self.send_header("Connection", "close")
            self.end_headers()

        def _body(self, path: str, body: bytes, fault: Fault) -> None:
            stops = [stop for stop in (fault.cut_after, fault.stall_after) if stop is not None]
            end = min([len(body), *stops])
            offset = 0
            while fault.endless or offset < end:
                waits = fault.until is not None and not fault.until.is_set()
                step = 1 if fault.drip or waits else BLOCK
                block = body[offset : min(offset + step, end)] or b"\0" * BLOCK
                self._send(path, block, fault.chunked or fault.endless)
                offset += len(block)
                if waits or fault.drip or fault.pace:
                    time.sleep(0.02 if waits else fault.drip or fault.pace)
                if server.closing.is_set():
                    return
            if fault.stall_after is not None:
                server.closing.wait(30.0)
            elif fault.chunked and fault.cut_after is None:
                self.wfile.write(b"0\r\n\r\n")

        def _send(self, path: str, block: bytes, chunked: bool) -> None:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block) if chunked else block)
            with server.guard:
                server.sent[path] += len(block)

    return Handler


def unproxied_server(monkeypatch) -> Iterator[LoopbackServer]:
    """The body of a fixture: a server, with the machine's own proxies out of the way."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with LoopbackServer() as server:
        yield server
