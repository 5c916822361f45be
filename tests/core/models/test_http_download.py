"""Downloads through the real path, against a real server that cuts, stalls, lies, redirects and refuses."""

import socket
import subprocess
import time

import pytest
from loopback_server import Fault, LoopbackServer, unproxied_server
from made_weights import CONTENT, MB, SHA256, assert_installed, entry, get, names, quiet

from photo_diorama.core.errors import Cancelled, DioramaError
from photo_diorama.core.models.store import download, list_models

IN_FLIGHT = 32 * MB  # more than queue and sockets hold of what was sent and never written


@pytest.fixture
def server(monkeypatch):
    yield from unproxied_server(monkeypatch)


def cancel_at(fraction_wanted: float, of: str = "Downloading"):
    def progress(fraction: float, text: str) -> None:
        if fraction >= fraction_wanted and text.startswith(of):
            raise Cancelled

    return progress


def within(seconds: float):
    """Ends a download that would go on for ever."""
    deadline = time.monotonic() + seconds

    def progress(fraction: float, text: str) -> None:
        assert time.monotonic() < deadline, text

    return progress


def test_a_file_comes_whole_with_progress_that_rises_to_the_end(server, tmp_path):
    told = []
    result = get(entry(server.serve("/net", CONTENT)), tmp_path / "made" / "models", lambda fraction, text: told.append((fraction, text)))
    assert_installed(tmp_path / "made" / "models")
    assert result.path == tmp_path / "made" / "models" / "net.pth"
    assert result.sha256 == SHA256
    assert "the published one" in result.note
    loading = [fraction for fraction, text in told if text.startswith("Downloading net.pth: ")]
    assert loading == sorted(loading)
    assert loading[-1] == 1.0
    assert told[-1] == (1.0, "Checking net.pth")
    headers = server.requests[0].headers
    assert headers["Accept-Encoding"] == "identity"
    assert headers["User-Agent"] == "photo-diorama"


@pytest.mark.parametrize("online", [False, None])
def test_without_online_access_nothing_is_asked_and_nothing_made(server, tmp_path, online):
    with pytest.raises(DioramaError, match=r"net\.pth is not downloaded because online access is off; allow it"):
        download(entry(server.serve("/net", CONTENT)), tmp_path / "models", quiet, online)
    assert server.requests == []
    assert not (tmp_path / "models").exists()


def test_what_is_installed_is_not_asked_for_again_even_offline(server, tmp_path):
    weights = entry(server.serve("/net", CONTENT))
    get(weights, tmp_path)
    again = download(weights, tmp_path, quiet, False)
    assert again.path.read_bytes() == CONTENT
    assert again.sha256 == SHA256
    assert len(server.requests) == 1


def test_cancel_leaves_the_part_alone_and_the_next_call_goes_on_from_it(server, tmp_path):
    weights = entry(server.serve("/net", CONTENT, faults=[Fault(pace=0.02)]))
    with pytest.raises(Cancelled):
        get(weights, tmp_path, cancel_at(0.4))
    assert names(tmp_path) == {"net.pth.part"}
    have = (tmp_path / "net.pth.part").stat().st_size
    assert 0.3 * len(CONTENT) < have < len(CONTENT)
    assert (tmp_path / "net.pth.part").read_bytes() == CONTENT[:have]
    assert list_models(tmp_path, [weights])[0].state == "partial"
    get(weights, tmp_path)
    assert_installed(tmp_path)
    assert server.ranges_asked("/net") == [None, f"bytes={have}-"]


def test_cancel_while_checking_costs_no_second_download(server, tmp_path):
    weights = entry(server.serve("/net", CONTENT))
    with pytest.raises(Cancelled):
        get(weights, tmp_path, cancel_at(0.5, "Checking"))
    assert names(tmp_path) == {"net.pth.part"}
    get(weights, tmp_path)
    assert_installed(tmp_path)
    assert len(server.requests) == 1


def test_a_complete_part_of_inexact_length_is_known_by_the_416(server, tmp_path):
    weights = entry(server.serve("/net", CONTENT), bytes_exact=False)
    (tmp_path / "net.pth.part").write_bytes(CONTENT)
    get(weights, tmp_path)
    assert_installed(tmp_path)
    assert server.sent["/net"] == 0


def test_cancel_is_felt_at_once_while_the_server_stalls(server, tmp_path):
    weights = entry(server.serve("/net", CONTENT, always=Fault(stall_after=MB)))
    asked = time.monotonic() + 0.5

    def progress(fraction: float, text: str) -> None:
        if time.monotonic() > asked:
            raise Cancelled

    with pytest.raises(Cancelled):
        get(weights, tmp_path, progress, stall_timeout=20.0)
    assert time.monotonic() < asked + 5.0
    assert names(tmp_path) == {"net.pth.part"}


@pytest.mark.parametrize(
    "fault",
    [
        Fault(cut_after=MB + 5),
        Fault(stall_after=MB + 5),
        Fault(length_lie=1000),
        Fault(chunked=True, cut_after=MB + 5),
        Fault(status=500),
        Fault(status=503),
    ],
)
def test_one_fault_is_mended_by_going_on_where_it_broke(server, tmp_path, fault):
    inexact = {"bytes_exact": False} if fault.length_lie else {}
    weights = entry(server.serve("/net", CONTENT, faults=[fault]), **inexact)
    get(weights, tmp_path, stall_timeout=2.5 if fault.stall_after else 10.0)
    assert_installed(tmp_path)
    if fault.cut_after or fault.stall_after:
        first, second = server.requests
        assert first.range is None
        assert second.range.startswith("bytes=")
        assert second.headers["If-Range"] == '"v1"'
        assert server.sent["/net"] < len(CONTENT) + MB  # not begun anew


def test_a_server_without_ranges_begins_anew(server, tmp_path):
    weights = entry(server.serve("/net", CONTENT, faults=[Fault(cut_after=2 * MB)], ranges=False))
    get(weights, tmp_path)
    assert_installed(tmp_path)
    assert server.ranges_asked("/net") == [None, f"bytes={2 * MB}-"]
    assert server.sent["/net"] == 2 * MB + len(CONTENT)


def test_a_file_replaced_on_the_server_is_not_joined_to_the_old_one(server, tmp_path):
    """No hash is published, so only If-Range can tell."""
    new = CONTENT[::-1]
    url = server.serve("/net", CONTENT, faults=[Fault(cut_after=2 * MB)])

    def replaced(fraction: float, text: str) -> None:
        if "trying again" in text:
            server.serve("/net", new, etag='"v2"')

    get(entry(url, sha256=""), tmp_path, replaced)
    assert_installed(tmp_path, new)
    assert server.requests[1].headers["If-Range"] == '"v1"'


@pytest.mark.parametrize("etag", ['"v1"', 'W/"v1"', None])
def test_a_part_of_unknown_origin_is_continued_only_where_a_hash_will_tell(server, tmp_path, etag):
    (tmp_path / "net.pth.part").write_bytes(CONTENT[::-1][:MB])  # of another version
    result = get(entry(server.serve("/net", CONTENT, etag=etag), sha256=""), tmp_path)
    assert_installed(tmp_path)
    assert server.ranges_asked("/net") == [None]
    assert f"NO hash of it is published, so this first file is trusted; its sha256 {SHA256} is recorded" in result.note


@pytest.mark.parametrize("etag", ['W/"v1"', None])
def test_without_a_strong_etag_a_cut_is_mended_only_where_a_hash_will_tell(server, tmp_path, etag):
    for path, sha256, again in (("/hashed", SHA256, f"bytes={MB}-"), ("/unknown", "", None)):
        url = server.serve(path, CONTENT, faults=[Fault(cut_after=MB)], etag=etag)
        get(entry(url, sha256=sha256), tmp_path / path[1:])
        assert_installed(tmp_path / path[1:])
        assert server.ranges_asked(path) == [None, again]


def test_pieces_that_do_not_fit_are_fetched_once_more_in_one_piece(server, tmp_path):
    (tmp_path / "net.pth.part").write_bytes(CONTENT[::-1][:MB])
    get(entry(server.serve("/net", CONTENT)), tmp_path)
    assert_installed(tmp_path)
    assert server.ranges_asked("/net") == [f"bytes={MB}-", None]


def test_a_part_longer_than_the_file_is_begun_anew(server, tmp_path):
    (tmp_path / "net.pth.part").write_bytes(CONTENT + b"more")
    get(entry(server.serve("/net", CONTENT)), tmp_path)
    assert_installed(tmp_path)
    assert server.ranges_asked("/net") == [None]


def test_a_range_answered_from_another_place_is_not_appended(server, tmp_path):
    weights = entry(server.serve("/net", CONTENT, faults=[Fault(cut_after=MB), Fault(range_shift=-1)]))
    get(weights, tmp_path)
    assert_installed(tmp_path)
    assert server.ranges_asked("/net") == [None, f"bytes={MB}-", None]


@pytest.mark.parametrize(
    ("always", "sentence"),
    [
        (Fault(cut_after=1000), r"cut the connection after 1,000 of 3,145,728 bytes \(3 attempts\)"),
        (Fault(stall_after=1000), r"sent nothing for 0\.2 s \(3 attempts\)"),
        (Fault(drip=0.02), r"sent (hardly any|no)thing for 0\.2 s \(3 attempts\)"),
        (Fault(status=500), r"answers with a fault of its own \(500\) \(3 attempts\)"),
    ],
)
def test_attempts_are_bounded_and_the_sentence_says_why(server, tmp_path, always, sentence):
    ranges = not (always.cut_after or always.stall_after)  # so that no attempt makes headway
    weights = entry(server.serve("/net", CONTENT, always=always, ranges=ranges))
    with pytest.raises(DioramaError, match=rf"net\.pth could not be downloaded: 127\.0\.0\.1 {sentence}; try again"):
        get(weights, tmp_path, within(20.0), attempts=3, stall_timeout=0.2 if always.drip or always.stall_after else 10.0)
    assert len(server.requests) == 3
    assert names(tmp_path) <= {"net.pth.part"}


def test_a_slow_line_that_breaks_often_arrives_as_long_as_it_gets_on(server, tmp_path):
    weights = entry(server.serve("/net", CONTENT, always=Fault(cut_after=MB + 1)))
    get(weights, tmp_path, attempts=2)
    assert_installed(tmp_path)
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault(status=404), r"does not have the file \(404\)"),
        (Fault(status=403), r"refuses access \(403\)"),
        (Fault(status=418), r"answers with an error \(418\)"),
        (Fault(status=204), r"gave an answer that is no file \(204\)"),
        (Fault(length_lie=-1000), r"offers a file of 3,144,728 bytes where 3,145,728 are expected"),
        (Fault(length_lie=1000), r"offers a file of 3,146,728 bytes where 3,145,728 are expected"),
        (Fault(wrong_bytes=True), rf"does not have the content expected of net\.pth \(sha256 \w{{16}}\.{{3}} .* {SHA256[:8]}"),
        (Fault(encoding="gzip"), "sends the file compressed"),
        (Fault(endless=True), "sends more than the 3,145,728 bytes expected"),
        (Fault(redirect="file:///etc/passwd"), "redirects in a circle or to an address that is not http or https"),
        (Fault(redirect="ftp://127.0.0.1/net"), r"redirects to an address that is not http or https \(ftp\)"),
        (Fault(redirect="/net"), "redirects in a circle"),
    ],
)
def test_a_source_that_fails_for_good_is_left_for_the_second(server, tmp_path, fault, sentence):
    """Told in a sentence where it is the only one; and nothing wrong is ever left in the folder."""
    url = server.serve("/net", CONTENT, always=fault)
    with pytest.raises(DioramaError, match=sentence):
        get(entry(url), tmp_path)
    assert names(tmp_path) == set()
    assert len(server.requests) == (1 if fault.redirect != "/net" else len(server.requests)) < 8
    assert server.sent["/net"] < len(CONTENT) + IN_FLIGHT
    mirror = server.serve("/mirror", CONTENT)
    get(entry(url, mirror), tmp_path)
    assert_installed(tmp_path)


def test_what_the_first_source_sent_is_continued_by_the_second(server, tmp_path):
    """The mirror's ETag is its own, so that no If-Range is sent; the hash proves the whole."""
    first = server.serve("/first", CONTENT, always=Fault(cut_after=MB))
    mirror = server.serve("/mirror", CONTENT, etag='"of the mirror"')
    get(entry(first, mirror), tmp_path, attempts=1)
    assert_installed(tmp_path)
    assert server.ranges_asked("/mirror") == [f"bytes={MB}-"]
    assert "If-Range" not in server.requests[-1].headers


def test_every_failing_source_is_named(server, tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}/net"
    missing = server.address + "/missing"
    with pytest.raises(DioramaError) as failure:
        get(entry(dead, missing, "http://nowhere.invalid/net"), tmp_path)
    assert "127.0.0.1 refuses the connection; 127.0.0.1 does not have the file (404); nowhere.invalid" in str(failure.value)
    assert str(failure.value).endswith("or fetch the file by other means and import it.")
    assert names(tmp_path) == set()


def test_chunked_answers_are_read(server, tmp_path):
    get(entry(server.serve("/net", CONTENT, always=Fault(chunked=True))), tmp_path)
    assert_installed(tmp_path)


def test_without_length_and_hash_a_cut_could_not_be_noticed_so_it_is_refused(server, tmp_path):
    url = server.serve("/net", CONTENT, always=Fault(no_length=True))
    with pytest.raises(DioramaError, match="does not tell the file's length"):
        get(entry(url, sha256="", bytes_exact=False), tmp_path)
    get(entry(url), tmp_path)
    assert_installed(tmp_path)


def test_no_more_is_written_than_an_inexact_length_allows(server, tmp_path):
    weights = entry(server.serve("/net", CONTENT, always=Fault(endless=True)), bytes_exact=False)
    highest = 0

    def progress(fraction: float, text: str) -> None:
        nonlocal highest
        part = tmp_path / "net.pth.part"
        highest = max(highest, part.stat().st_size if part.exists() else 0)

    with pytest.raises(DioramaError, match="sends more than the"):
        get(weights, tmp_path, progress)
    assert 0 < highest <= 1.1 * len(CONTENT)
    assert server.sent["/net"] < len(CONTENT) + IN_FLIGHT


def test_redirects_are_followed_and_keep_the_range(server, tmp_path):
    server.serve("/real", CONTENT, faults=[Fault(cut_after=MB)])
    weights = entry(server.serve("/net", b"", always=Fault(redirect=server.address + "/real")))
    get(weights, tmp_path)
    assert_installed(tmp_path)
    assert server.ranges_asked("/real") == [None, f"bytes={MB}-"]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that nobody has signed."""
    folder = tmp_path_factory.mktemp("certificate")
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=loopback",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-out",
        cert,
        "-keyout",
        key,
    ]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("openssl is needed to make a certificate")
    return cert, key


def test_https_is_verified_and_never_led_down_to_http(server, tmp_path, certificate, monkeypatch):
    with LoopbackServer(certificate) as secure:
        weights = entry(secure.serve("/net", CONTENT))
        with pytest.raises(DioramaError, match="a certificate that cannot be verified"):
            get(weights, tmp_path)
        monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
        down = entry(secure.serve("/down", b"", always=Fault(redirect="http://weights.invalid/net")))
        with pytest.raises(DioramaError, match="redirects from https to plain http, which is not followed"):
            get(down, tmp_path)
        assert names(tmp_path) == set()
        get(entry(secure.serve("/loop", b"", always=Fault(redirect=server.serve("/net", CONTENT)))), tmp_path)
        assert_installed(tmp_path)
        get(weights, tmp_path / "second")
        assert_installed(tmp_path / "second")


def test_the_environments_proxy_is_asked(server, tmp_path, monkeypatch):
    server.serve("/folder/net.pth", CONTENT)
    monkeypatch.setenv("http_proxy", server.address)
    get(entry("http://weights.invalid/folder/net.pth"), tmp_path)
    assert_installed(tmp_path)
    assert [request.path for request in server.requests] == ["http://weights.invalid/folder/net.pth"]
