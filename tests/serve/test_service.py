"""What the web page does, without Gradio: limits, one at a time, the files it makes."""

import asyncio
import struct
import tempfile
import threading
import time

import numpy as np
import pytest
from clips import ffmpeg

from realesrgan_paddle.__main__ import main
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.serve import page, service
from realesrgan_paddle.serve.guard import UPLOAD, Guard, Names, is_local
from realesrgan_paddle.serve.kept import LOCK, PREFIX, KeptFiles, own_folder
from realesrgan_paddle.serve.service import Limits, Service
from realesrgan_paddle.serve.videos import check_video
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import probe
from realesrgan_paddle.utils.images import read_image, write_image

LIMITS = Limits(megabytes=1, megapixels=0.01)
NAME = "realesr-animevideov3"


def nearest(images):
    """A network that repeats pixels."""
    return images.repeat(2, axis=2).repeat(2, axis=3)


def picture(*shape, dtype=np.uint8):
    draw = np.random.default_rng(0)
    return draw.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@pytest.fixture
def loaded(monkeypatch):
    """The names of the models that were loaded; each is a network that repeats pixels."""
    names = []

    def load(model, **options):
        names.append(model)
        return Upscaler(nearest, 2)

    monkeypatch.setattr(Upscaler, "load", load)
    return names


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((6, 8, 3), np.uint8), ((6, 8, 4), np.uint16), ((6, 8), np.uint8)],
)
def test_the_file_to_download_keeps_bits_and_channels(loaded, tmp_path, shape, dtype):
    image = picture(*shape, dtype=dtype)
    write_image(tmp_path / "a.png", image)
    made = Service([NAME], LIMITS).upscale(tmp_path / "a.png", NAME, tmp_path)
    assert made.full.name == "a_out.png"
    assert made.text.startswith("8x6 to 16x12 pixels, ")
    full = read_image(made.full)
    assert full.dtype == dtype
    difference = full.astype(int) - image.repeat(2, 0).repeat(2, 1)
    assert np.abs(difference).max() <= 1

    before, after = read_image(made.before), read_image(made.after)
    assert before.shape == after.shape == full.shape
    assert before.dtype == after.dtype == np.uint8


def test_what_is_shown_is_reduced_and_the_file_is_not(loaded, tmp_path, monkeypatch):
    monkeypatch.setattr(service, "LONGEST_SHOWN", 8)
    write_image(tmp_path / "a.png", picture(6, 8, 3))
    made = Service([NAME], LIMITS).upscale(tmp_path / "a.png", NAME, tmp_path)
    assert read_image(made.full).shape == (12, 16, 3)
    assert read_image(made.before).shape == read_image(made.after).shape == (6, 8, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello", r"^a\.png: not a readable image .its header is damaged"),
        (b"", r"^a\.png: not a readable image .empty"),
        (bytes(1_000_001), r"^a\.png: 1\.0 MB; up to 1 MB are allowed$"),
        (
            picture(101, 100, 3),
            r"^a\.png: 100x101 pixels are .* up to 0\.01 are allowed$",
        ),
    ],
)
def test_pictures_beyond_the_limits_are_refused_before_they_are_read(
    loaded, tmp_path, monkeypatch, content, message
):
    path = tmp_path / "a.png"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        write_image(path, content)
    monkeypatch.setattr(service, "read_image", lambda path: pytest.fail("it was read"))
    served = Service([NAME], LIMITS)
    with pytest.raises(UserError, match=message):
        served.check(path)
    with pytest.raises(UserError, match=message):
        served.upscale(path, NAME, tmp_path)
    assert loaded == []


def test_only_the_models_of_the_list_are_loaded_and_only_the_last_kept(
    loaded, tmp_path
):
    write_image(tmp_path / "a.png", picture(2, 2, 3))
    other = "RealESRGAN_x4plus"
    served = Service([NAME, other], LIMITS)
    for model in (NAME, NAME, other, NAME):
        served.upscale(tmp_path / "a.png", model, tmp_path)
    assert loaded == [NAME, other, NAME]
    with pytest.raises(UserError, match="gans: not one of this page's models"):
        served.upscale(tmp_path / "a.png", "gans", tmp_path)


def test_one_picture_is_computed_at_a_time(tmp_path, monkeypatch):
    running, most = [], []

    def network(images):
        running.append(1)
        most.append(len(running))
        time.sleep(0.02)
        running.pop()
        return nearest(images)

    monkeypatch.setattr(Upscaler, "load", lambda *_, **__: Upscaler(network, 2))
    write_image(tmp_path / "a.png", picture(2, 2, 3))
    served = Service([NAME], LIMITS)
    threads = []
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        arguments = (tmp_path / "a.png", NAME, folder)
        threads.append(threading.Thread(target=served.upscale, args=arguments))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1]


def test_a_model_that_does_not_exist_is_refused_at_the_start():
    with pytest.raises(UserError, match="did you mean 'RealESRGAN_x4plus'"):
        Service(["RealESRGAN_x4pluss"], LIMITS)


def test_without_gradio_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(page, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'pip install "realesrgan-paddle\[serve\]"$'):
        main(["serve", "--model", NAME])


def test_a_picture_that_nobody_waits_for_ends_at_the_next_tile(tmp_path, monkeypatch):
    computed = []

    def network(images):
        computed.append(images.shape)
        return nearest(images)

    monkeypatch.setattr(
        service.Upscaler, "load", lambda *_, **__: Upscaler(network, 2, tile=8)
    )
    write_image(tmp_path / "a.png", picture(80, 8, 3))
    served = Service([NAME], LIMITS)
    with pytest.raises(UserError, match="nobody waits"):
        served.upscale(
            tmp_path / "a.png", NAME, tmp_path, is_awaited=lambda: len(computed) < 2
        )
    assert len(computed) == 2
    served.upscale(tmp_path / "a.png", NAME, tmp_path)
    assert len(computed) == 12


def test_folders_of_processes_that_ended_are_removed_and_no_others(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = tmp_path / f"{PREFIX}ended"
    ended.mkdir()
    (ended / LOCK).touch()
    (ended / "a.png").touch()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / LOCK).touch()
    link = tmp_path / f"{PREFIX}link"
    link.symlink_to(elsewhere)
    strange = tmp_path / f"{PREFIX}strange"
    strange.mkdir()

    with own_folder() as running:
        with own_folder() as other:
            assert other != running
            kept = {running, other, elsewhere, link, strange}
            assert set(tmp_path.iterdir()) == kept
        assert running.is_dir()
    assert set(tmp_path.iterdir()) == {elsewhere, link, strange}
    assert (elsewhere / LOCK).exists()


def test_the_page_answers_to_its_address_and_to_the_names_given():
    local = Names("127.0.0.1", ("Box.example",))
    for name in ("127.0.0.1", "localhost", "::1", "box.example"):
        assert name in local
    for name in ("192.168.1.7", "example", "localhost.example.org", ""):
        assert name not in local

    one = Names("192.168.1.7")
    assert "192.168.1.7" in one
    for name in ("127.0.0.1", "localhost", "box.example"):
        assert name not in one

    every = Names("0.0.0.0")
    for name in ("127.0.0.1", "192.168.1.7", "fe80::1", "localhost"):
        assert name in every
    for name in ("box.example", ""):
        assert name not in every


@pytest.mark.parametrize(
    ("header", "status"), [("accept", 200), ("transfer-encoding", 411)]
)
def test_a_body_that_may_be_longer_than_it_says_is_refused(tmp_path, header, status):
    sent = []

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        sent.append(message)

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})

    headers = {"host": "127.0.0.1", "content-length": "5", header: "chunked"}
    scope = {
        "type": "http",
        "method": "POST",
        "path": UPLOAD,
        "headers": [(key.encode(), value.encode()) for key, value in headers.items()],
    }
    kept = KeptFiles(tmp_path, 20)
    asyncio.run(Guard(app, Names("127.0.0.1"), kept, 1000)(scope, receive, send))
    assert sent[0]["status"] == status


def test_the_length_of_a_video_is_not_believed(tmp_path):
    pytest.importorskip("av", reason="needs PyAV")
    path = tmp_path / "a.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=32x32:rate=5:duration=6", path)
    told, said = (
        b"\x44\x89\x88" + struct.pack(">d", seconds * 1000) for seconds in (6, 1)
    )
    data = path.read_bytes()
    assert told in data
    path.write_bytes(data.replace(told, said))
    assert probe(path).seconds == 1
    with pytest.raises(UserError, match=r"^a\.mkv: 6 s; up to 5 s are allowed"):
        check_video(path, Limits(1, 0.5, video_seconds=5))


def test_only_loopback_addresses_are_local():
    for host in ("127.0.0.1", "127.5.0.1", "localhost", "::1"):
        assert is_local(host)
    for host in ("0.0.0.0", "::", "192.168.1.7", "localhost.example.org"):
        assert not is_local(host)
