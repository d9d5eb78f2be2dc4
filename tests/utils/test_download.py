"""Downloads from a local server that answers, breaks off, refuses or lies."""

import contextlib
import hashlib
import http.server
import os
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path

import pytest

from realesrgan_paddle.utils import download as download_module
from realesrgan_paddle.utils.download import download
from realesrgan_paddle.utils.errors import UserError

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SIZE = len(CONTENT)


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT and records the requests; its attributes make it misbehave."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/weights.pth"
        self.requested: list[str | None] = []  # the Range header of each request
        self.content = CONTENT
        self.content_type = "application/octet-stream"
        self.status = 200
        self.redirect: str | None = None
        self.takes_ranges = True
        self.range_shift = 0
        self.breaks_after = SIZE  # bytes of one answer
        self.pause = 0.0


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers["Range"]
        server.requested.append(wanted)
        time.sleep(server.pause)
        if server.redirect or server.status != 200:
            self.send_response(302 if server.redirect else server.status)
            self.send_header("Location", server.redirect or "")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = (
            int(wanted.removeprefix("bytes=").removesuffix("-"))
            if wanted and server.takes_ranges
            else 0
        )
        self.send_response(206 if start else 200)
        if start:
            self.send_header(
                "Content-Range", f"bytes {start + server.range_shift}-{SIZE - 1}/{SIZE}"
            )
        self.send_header("Content-Length", str(len(server.content) - start))
        self.send_header("Content-Type", server.content_type)
        self.end_headers()
        self.wfile.write(server.content[start : start + server.breaks_after])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    server = Server()
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}
    )
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "new" / "weights.pth"


def part_of(path: Path, content: bytes | None = None) -> Path:
    part = path.with_name(f"{path.name}.part")
    if content is not None:
        part.parent.mkdir(exist_ok=True)
        part.write_bytes(content)
    return part


def visible(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.name[0] != ".")


def refused(server: Server, path: Path, sha256: str = SHA256) -> str:
    """Return the one-line error of a failing download, which must not make the file."""
    with pytest.raises(UserError) as caught:
        download(server.url, path, sha256, SIZE)
    assert "\n" not in str(caught.value)
    assert not path.exists()
    return str(caught.value)


def test_a_file_is_downloaded_once(server, path):
    assert download(server.url, path, SHA256.upper(), SIZE) == path
    download(server.url, path, SHA256.upper(), SIZE)
    assert path.read_bytes() == CONTENT
    assert visible(path.parent) == ["weights.pth"]
    assert server.requested == [None]


def test_an_existing_other_file_is_kept(server, path):
    path.parent.mkdir()
    path.write_bytes(b"mine")
    with pytest.raises(UserError, match=r"weights.pth: is not http.*expected"):
        download(server.url, path, SHA256, SIZE)
    assert path.read_bytes() == b"mine"
    assert server.requested == []


def test_a_download_is_resumed(server, path):
    part_of(path, CONTENT[:1000])
    download(server.url, path, SHA256, SIZE)
    assert path.read_bytes() == CONTENT
    assert server.requested == ["bytes=1000-"]


def test_a_complete_part_needs_no_server(server, path):
    part_of(path, CONTENT)
    download(server.url, path, SHA256, SIZE)
    assert path.read_bytes() == CONTENT
    assert server.requested == []


def test_a_server_without_ranges_sends_the_whole_file(server, path):
    server.takes_ranges = False
    part_of(path, CONTENT[:1000])
    download(server.url, path, SHA256, SIZE)
    assert path.read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_dropped(server, path):
    part_of(path, CONTENT + b"more")
    download(server.url, path, SHA256, SIZE)
    assert path.read_bytes() == CONTENT
    assert server.requested == [None]


def test_a_broken_connection_is_resumed(server, path):
    server.breaks_after = 40_000
    download(server.url, path, SHA256, SIZE)
    assert path.read_bytes() == CONTENT
    assert server.requested == [None, "bytes=40000-", "bytes=80000-"]


def test_a_truncated_download_is_kept_for_the_next_run(server, path):
    server.breaks_after = 10
    assert f"broke off at 50 of {SIZE:,} bytes; run again" in refused(server, path)
    assert part_of(path).read_bytes() == CONTENT[:50]
    server.breaks_after = SIZE
    download(server.url, path, SHA256, SIZE)
    assert path.read_bytes() == CONTENT


def test_a_wrong_hash_deletes_only_the_part_and_names_both_hashes(server, path):
    part_of(path, b"not the beginning of the file")
    (path.parent / "other.pth").write_bytes(b"mine")
    message = refused(server, path)
    assert SHA256 in message
    assert (
        hashlib.sha256(b"not the beginning of the file" + CONTENT[29:]).hexdigest()
        in message
    )
    assert visible(path.parent) == ["other.pth"]
    download(server.url, path, SHA256, SIZE)
    assert path.read_bytes() == CONTENT


def test_after_a_refused_range_the_whole_file_is_requested(server, path):
    part_of(path, CONTENT[:1000])
    server.status = 416
    assert "416" in refused(server, path)
    assert server.requested == ["bytes=1000-", None]
    assert visible(path.parent) == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("status", 404, "the server answers 404 Not Found"),
        ("status", 503, "the server answers 503"),
        ("content_type", "text/html; charset=utf-8", "HTML page"),
        (
            "content",
            CONTENT[:-1],
            f"the server has {SIZE - 1:,} bytes, expected {SIZE:,}",
        ),
        (
            "content",
            CONTENT + b"x",
            f"the server has {SIZE + 1:,} bytes, expected {SIZE:,}",
        ),
        ("redirect", "file:///etc/passwd", "not allowed"),
        (
            "redirect",
            "ftp://127.0.0.1/weights.pth",
            "not reachable (unknown url type: ftp)",
        ),
    ],
)
def test_the_error_says_what_the_server_answers_instead(
    server, path, name, value, message
):
    setattr(server, name, value)
    assert message in refused(server, path)
    assert visible(path.parent) == []


def test_another_range_than_requested_is_refused(server, path):
    part_of(path, CONTENT[:1000])
    server.range_shift = 8
    assert "another part of the file" in refused(server, path)
    assert part_of(path).read_bytes() == CONTENT[:1000]


def test_an_unreachable_server_is_an_error_with_advice(path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/weights.pth"
        with pytest.raises(
            UserError,
            match=r"weights.pth: not reachable \(.*refused.*\); check the network",
        ):
            download(url, path, SHA256, SIZE)
    assert visible(path.parent) == []


@pytest.fixture
def raw_server(monkeypatch):
    """Return a function that starts a server which sends given bytes, and its address."""
    monkeypatch.setenv("no_proxy", "*")
    threads = []

    def start(answer: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(5)

        def serve() -> None:
            with listener, contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.recv(10_000)
                        connection.sendall(answer)

        threads.append((threading.Thread(target=serve), listener))
        threads[-1][0].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/weights.pth"

    yield start
    for thread, listener in threads:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


ODD_HEADERS = [
    (b"Content-Length: " + b"9" * 5000, "sha256"),
    (b"Content-Length: " + b"9" * 4000, "the server has 9,999,999,999"),
    (b"Content-Length: -5", "sha256"),
    (b"Content-Length: 1_0", "the server has 10 bytes"),
    (b"Content-Range: bytes 9999-", "sha256"),
    (b"Content-Type: " + b";" * 10_000, "sha256"),
    (b"Location: http://127.0.0.1:65536/", "not reachable"),  # wraps to port 0
    (b"Location: http://127.0.0.1:" + b"9" * 30 + b"/", "not reachable"),
    (b"Location: http://[::1", "not reachable"),
    (b"Location: http://" + b"a" * 300 + b"/", "not reachable"),
]


def test_headers_that_no_server_sends_end_in_one_line(raw_server, path):
    for headers, said in ODD_HEADERS:
        status = b"302 x" if headers.startswith(b"Location") else b"200 OK"
        body = bytes(SIZE)
        url = raw_server(b"HTTP/1.1 " + status + b"\r\n" + headers + b"\r\n\r\n" + body)
        with pytest.raises(UserError, match=said) as caught:
            download(url, path, SHA256, SIZE)
        assert "\n" not in str(caught.value), headers[:40]
        assert len(str(caught.value)) < 1000, headers[:40]
        assert not path.exists(), headers[:40]


def test_a_chunk_of_negative_size_is_not_read_to_the_end(raw_server, path):
    """`read` would keep all that the server sends, however much that is."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n"
    url = raw_server(head + bytes(20 * SIZE))
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="sha256"):
            download(url, path, SHA256, SIZE)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 25 * SIZE  # what the test sends, and little more
    assert visible(path.parent) == []


NOT_HTTP = [
    "file:///etc/passwd",
    "ftp://example.org/x",
    "data:,x",
    "weights.pth",
    "http://[x",
]


def test_addresses_other_than_http_are_refused(path):
    for url in NOT_HTTP:
        with pytest.raises(UserError):
            download(url, path, SHA256, SIZE)
        assert not path.exists(), url


@pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="needs a device that is always full"
)
def test_a_full_disk_is_one_error_line(server, path, monkeypatch):
    monkeypatch.setattr(
        download_module, "_without_links", os.open
    )  # to the device below
    path.parent.mkdir()
    part_of(path).symlink_to("/dev/full")
    assert "weights.pth.part: cannot be written (No space left on device)" in refused(
        server, path
    )


def test_of_two_processes_one_downloads_and_the_other_waits(server, path):
    server.pause = 0.5
    program = (
        "import sys; from realesrgan_paddle.utils.download import download; "
        "download(*sys.argv[1:4], int(sys.argv[4]))"
    )
    command = [sys.executable, "-c", program, server.url, str(path), SHA256, str(SIZE)]
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    assert path.read_bytes() == CONTENT
    assert server.requested == [None]


@pytest.fixture
def slow_server(monkeypatch):
    """Return the address of a server that sends pieces of bytes, with pauses between.

    It sends them over and over until the connection ends.
    """
    monkeypatch.setenv("no_proxy", "*")
    listening = socket.create_server(("127.0.0.1", 0))
    opened: list[socket.socket] = []

    def serve(first: bytes, again: bytes, pause: float) -> None:
        while True:
            try:
                connection, _ = listening.accept()
                opened.append(connection)
                connection.sendall(first)
                while True:
                    connection.sendall(again)
                    time.sleep(pause)
            except OSError:
                if listening.fileno() < 0:
                    return

    def start(first: bytes, again: bytes, pause: float = 0.02) -> str:
        arguments = (first, again, pause)
        threading.Thread(target=serve, args=arguments, daemon=True).start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}/weights.pth"

    yield start
    listening.close()
    for connection in opened:
        connection.close()


OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = OK + b"Content-Length: %d\r\n\r\n" % SIZE


def ends(url: str, path: Path, monkeypatch) -> str:
    """Return the error of a download from a server that never ends its answer."""
    monkeypatch.setattr(download_module, "TIMEOUT", 0.2)
    monkeypatch.setattr(download_module, "GRACE", 0.5)
    start = time.monotonic()
    with pytest.raises(UserError) as caught:
        download(url, path, SHA256, SIZE)
    assert time.monotonic() - start < 5
    assert not path.exists()
    return str(caught.value)


def test_a_drip_of_bytes_is_given_up_and_kept(slow_server, path, monkeypatch):
    said = ends(slow_server(LENGTH, b"a"), path, monkeypatch)
    assert "too slow: " in said
    assert "run again to resume" in said
    assert part_of(path).stat().st_size > 0


def test_too_many_and_too_long_headers_are_refused(slow_server, path, monkeypatch):
    url = slow_server(OK + b"X: y\r\n" * 1000, b"", 1)
    assert "not reachable (got more than 100 headers)" in ends(url, path, monkeypatch)
    long = slow_server(b"HTTP/1.1 404 " + b"x" * 9000 + b"\r\n\r\n", b"", 1)
    assert len(ends(long, path, monkeypatch)) < 300
