"""`upscale` of addresses and pipes: whole files or none, results where they are wanted."""

import http.server
import io
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from sample_weights import sample_weights

from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.tools import upscale
from realesrgan_paddle.utils import fetch_file as fetching
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.fetch_file import fetch_file
from realesrgan_paddle.utils.images import encode_image, read_image
from realesrgan_paddle.utils.weights.writer import write_pdparams

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
PICTURE = encode_image(".png", PIXELS) or b""
ROOT = Path(upscale.__file__).resolve().parents[1]
KNOWN = (".png", ".mp4")


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves PICTURE; the server's attributes say how."""

    def do_GET(self) -> None:
        server = self.server
        start = 0
        wanted = self.headers["Range"]
        server.asked.append(wanted)
        if wanted and self.headers["If-Range"] == server.tag:
            start = int(wanted[6:-1])
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", server.kind)
        if server.tag:
            self.send_header("ETag", server.tag)
        if start:
            whole = len(PICTURE)
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        if server.tells_length:
            self.send_header("Content-Length", str(len(PICTURE) - start))
        self.end_headers()
        self.wfile.write(PICTURE[start : start + server.breaks_after])
        if server.then_changes:
            server.tag = '"another"'

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.chdir(tmp_path)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.url = f"http://127.0.0.1:{server.server_port}/small%20one.png?key=secret"
    server.asked = []
    server.kind, server.tag = "image/png", '"this"'
    server.tells_length, server.breaks_after = True, len(PICTURE)
    server.then_changes = False
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def weights(tmp_path) -> Path:
    path = tmp_path / "weights" / "net.pdparams"
    network = sample_weights(SRVGGNetCompact(num_feat=8, num_conv=1))
    write_pdparams(path, {"params": network})
    return path


def test_an_address_is_fetched_and_its_result_lies_beside_it(server, weights, capsys):
    words = [server.url, "-m", str(weights)]
    assert upscale.main(words) == 0
    assert read_image(Path("small one_x4.png")).shape == (80, 120, 3)
    assert Path("small one.png").read_bytes() == PICTURE
    printed = capsys.readouterr().out
    assert f"small one.png: fetched, {len(PICTURE):,} bytes" in printed
    assert "secret" not in printed

    Path("small one_x4.png").unlink()
    assert upscale.main(words) == 0
    assert "is there, as large as http://127.0.0.1" in capsys.readouterr().out
    Path("small one.png").write_bytes(b"another file of this name")
    with pytest.raises(UserError, match=r"small one.png: is there already.* move it"):
        upscale.main(words)
    assert Path("small one.png").read_bytes() == b"another file of this name"


def test_what_breaks_off_goes_on_or_begins_anew(server):
    server.breaks_after = len(PICTURE) // 3
    path, was_there = fetch_file(server.url, Path(), KNOWN)
    assert path.read_bytes() == PICTURE
    assert not was_there
    third = len(PICTURE) // 3
    assert server.asked[:3] == [None, f"bytes={third}-", f"bytes={2 * third}-"]

    path.unlink()
    server.asked.clear()
    server.then_changes = True  # another file has its address now
    with pytest.raises(UserError, match=r"broke off at .* run again") as caught:
        fetch_file(server.url, Path(), KNOWN)
    assert "secret" not in str(caught.value)
    assert list(Path().glob("*.png")) == list(Path().glob(".*")) == []

    server.then_changes, server.tag = False, ""
    server.tells_length, server.breaks_after = False, len(PICTURE)
    path, _ = fetch_file(server.url.replace("small%20one.png", ""), Path(), KNOWN)
    assert path.name == "download.png"
    assert path.read_bytes() == PICTURE


def test_what_is_no_picture_or_video_is_not_fetched(server, monkeypatch):
    server.kind = "text/html; charset=utf-8"
    with pytest.raises(UserError, match="answers with a page, not with a file"):
        fetch_file(server.url, Path(), KNOWN)
    server.kind = "application/zip"
    with pytest.raises(UserError, match=r"nor its type \(application/zip\) is that"):
        fetch_file(server.url.replace("png", "zip"), Path(), KNOWN)
    server.kind = "image/png"
    monkeypatch.setattr(fetching, "MOST_BYTES", 100)
    with pytest.raises(UserError, match="more than 0 GiB"):
        fetch_file(server.url, Path(), KNOWN)
    server.tells_length = False
    with pytest.raises(UserError, match="more than 0 GiB"):
        fetch_file(server.url, Path(), KNOWN)
    with pytest.raises(UserError, match="not reachable"):
        fetch_file("http://127.0.0.1:9/a.png", Path(), KNOWN)
    assert not list(Path().iterdir())


def test_pipes_bring_and_take_nothing_but_the_picture(weights, tmp_path, monkeypatch):
    command = [sys.executable, str(ROOT / "tools" / "upscale.py"), "-m", str(weights)]
    done = subprocess.run(
        [*command, "-", "-o", "-"], input=PICTURE, capture_output=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    large = cv2.imdecode(np.frombuffer(done.stdout, np.uint8), cv2.IMREAD_COLOR)
    assert large.shape == (80, 120, 3)
    assert b"standard output has stdin_out.png" in done.stderr

    shared = subprocess.run(
        [*command, "-", "-o", "-", "--processes", "1"],
        input=PICTURE,
        capture_output=True,
        cwd=tmp_path,
    )
    assert shared.stdout == done.stdout, shared.stderr

    for content, words, said in (
        (PICTURE, ["-"], "say where the result goes: -o FILE"),
        (b"hello", ["-", "-o", "a"], "neither a picture nor a video of a known kind"),
        (b"", ["-", "-o", "a"], "standard input is empty"),
        (PICTURE, ["-", "a.png", "-o", "-"], "takes one picture or video"),
    ):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        with pytest.raises(UserError, match=said):
            upscale.main([*words, "-m", str(weights)])
    assert [path.name for path in tmp_path.iterdir()] == ["weights"]
