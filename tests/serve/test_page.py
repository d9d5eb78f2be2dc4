"""The web page in Gradio, over HTTP and in a browser; skipped where these are missing."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from chromium import CHROMIUM, Chromium
from clips import ffmpeg
from sample_page import (
    LIMITS,
    MODELS,
    SLOW,
    choose_files,
    computed,
    picture,
    served,
    slow_picture,
)
from sample_weights import sample_weights

from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.serve.kept import KeptFiles
from realesrgan_paddle.serve.tunes import Tunes
from realesrgan_paddle.utils.ffmpeg import probe
from realesrgan_paddle.utils.images import read_image
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytest.importorskip("gradio", reason='needs Gradio: pip install -e ".[serve]"')
gradio_client = pytest.importorskip("gradio_client")

pytestmark = pytest.mark.slow  # Gradio takes seconds to import and to start

MOST_KEPT = 20


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return KeptFiles(tmp_path_factory.mktemp("gradio"), MOST_KEPT)


@pytest.fixture(scope="module")
def tunes(tmp_path_factory):
    return Tunes(tmp_path_factory.mktemp("studio") / "work", most_gigabytes=1)


@pytest.fixture(scope="module")
def address(kept, tunes):
    with served(kept, tunes) as address:
        yield address


@pytest.fixture
def client(address, tmp_path):
    return gradio_client.Client(address, verbose=False, download_files=tmp_path / "got")


def upscale(client, path, model=MODELS[0]):
    """What the button does: (before, after), the file to download, the remark."""
    file = gradio_client.handle_file(str(path))
    slider, _, download, remark = client.predict(file, model, api_name="/upscale")
    return slider["value"], download["value"], remark


def test_a_picture_comes_back_large(client, tmp_path):
    path = picture(tmp_path / "frame.png")
    shown, download, remark = upscale(client, path)
    assert remark.startswith("16x12 to 64x48 pixels")
    assert download.endswith("frame_out.png")
    expected = read_image(path).repeat(4, 0).repeat(4, 1)
    assert (read_image(download) == expected).all()
    assert (read_image(shown[1]) == expected).all()
    assert read_image(shown[0]).shape == expected.shape


def test_what_is_no_picture_is_refused(client, tmp_path):
    path = tmp_path / "page<b>.png"
    path.write_bytes(b"hello")
    with pytest.raises(gradio_client.exceptions.AppError, match="not a readable image"):
        upscale(client, path)
    with pytest.raises(gradio_client.exceptions.AppError, match="drop a picture first"):
        client.predict(None, MODELS[0], api_name="/upscale")


def upload(address, content, **more):
    """The path that the page gives to an uploaded file."""
    body = (
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    )
    body += content + b"\r\n--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x", **more}
    request = urllib.request.Request(f"{address}/gradio_api/upload", body, headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)[0]


def called(address, path):
    """Where the page answers a call with the file `path` of its machine."""
    file = {"path": str(path), "meta": {"_type": "gradio.FileData"}}
    data = json.dumps({"data": [file, MODELS[0]]}).encode()
    headers = {"Content-Type": "application/json"}
    call = f"{address}/gradio_api/call/upscale"
    with urllib.request.urlopen(urllib.request.Request(call, data, headers)) as answer:
        number = json.load(answer)["event_id"]
    return f"{call}/{number}"


def events_of(address, path):
    """What the page answers to a call with the file `path` of its machine."""
    with urllib.request.urlopen(called(address, path)) as answer:
        return answer.read().decode()


def status_of(address, path="/", content=None, **headers):
    """The status of the answer to a GET, or a POST of `content`."""
    request = urllib.request.Request(address + path, content, headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_a_large_upload_is_cut_off(address):
    upload(address, bytes(1000))
    with pytest.raises(urllib.error.HTTPError) as refused:
        upload(address, bytes(LIMITS.bytes + 1))
    assert refused.value.code == 413

    connection = http.client.HTTPConnection(urlsplit(address).netloc)
    connection.putrequest("POST", "/gradio_api/upload")
    connection.putheader("Content-Length", str(2 * LIMITS.bytes))
    connection.endheaders()
    assert connection.getresponse().status == 413, "before anything is received"
    connection.close()


def test_pages_of_other_sites_are_not_answered(address, kept):
    """Neither as themselves, nor by a name that they let point here."""
    before = set(kept.files.rglob("*"))
    host = urlsplit(address).netloc
    port = urlsplit(address).port
    foreign = [
        {"Origin": "http://page.invalid"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "page.invalid"},
        {"Host": f"page.invalid:{port}", "Origin": f"http://page.invalid:{port}"},
    ]
    for headers in foreign:
        with pytest.raises(urllib.error.HTTPError) as refused:
            upload(address, b"foreign", **headers)
        assert refused.value.code in (403, 421), headers
        assert status_of(address, "/config", **headers) in (403, 421), headers
    assert set(kept.files.rglob("*")) == before

    own = {"Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    assert upload(address, b"own", **own)
    assert status_of(address, Host=f"localhost:{port}") == 200
    assert status_of(address, Host="page.example") == 200
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert status_of(address, **link, **{"Sec-Fetch-Dest": "document"}) == 200
    assert status_of(address, **link, **{"Sec-Fetch-Dest": "iframe"}) == 403


def test_uploads_have_a_limit_all_together(address, kept):
    """Those that were kept for an hour make room."""
    files = []
    with pytest.raises(urllib.error.HTTPError) as refused:
        for number in range(MOST_KEPT + 1):
            files.append(upload(address, bytes([number]) * (LIMITS.bytes - 1000)))
    assert refused.value.code == 507
    assert b"the page keeps 20 MB at most" in refused.value.read()
    assert files
    for path in files:
        os.utime(path, (0, 0))
    assert upload(address, b"small")
    assert not any(map(os.path.exists, files))


def test_nothing_passes_the_queue(address):
    """Gradio has places that compute, or run ffmpeg, at once."""
    for place in ("run/upscale", "api/upscale", "process_recording"):
        content = b'{"data": [null, null]}'
        json_type = {"Content-Type": "application/json"}
        status = status_of(address, f"/gradio_api/{place}", content, **json_type)
        assert status == 404


def test_what_nobody_waits_for_is_not_computed(address, tmp_path):
    path = slow_picture(tmp_path / "a.png")
    computed.clear()
    answer = urllib.request.urlopen(called(address, upload(address, path.read_bytes())))
    while not computed:
        time.sleep(0.1)
    answer.close()
    time.sleep(3 * SLOW)
    reached = len(computed)
    time.sleep(3 * SLOW)
    assert len(computed) == reached
    assert "event: complete" in events_of(address, upload(address, small_png(tmp_path)))


def small_png(tmp_path):
    return picture(tmp_path / "small.png").read_bytes()


def test_nothing_is_fetched_and_each_error_is_one_line(address, capfd):
    events = events_of(address, "http://page.invalid/a.png")
    assert "nothing is fetched from addresses" in events
    assert status_of(address, "/gradio_api/file=http://page.invalid/a.png") == 403
    assert capfd.readouterr().err == ""
    assert "event: error" in events_of(address, "/etc/hosts.png")
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("error: a request failed: InvalidPathError: Cannot move")


def test_a_file_that_was_not_uploaded_is_not_read(address, tmp_path):
    path = picture(tmp_path / "a.png")
    uploaded = upload(address, path.read_bytes())
    assert "event: complete" in events_of(address, uploaded)
    events = events_of(address, path)
    assert "event: error" in events
    assert "a_out" not in events


def test_one_is_computed_one_waits_and_the_next_is_refused(address, tmp_path):
    path = picture(tmp_path / "a.png", width=7)
    clients = [gradio_client.Client(address, verbose=False) for _ in range(4)]

    def outcome(client):
        try:
            upscale(client, path)
        except Exception as error:  # of the client's queue, which has none of its own
            return str(error)
        return "done"

    start = time.perf_counter()
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(outcome, clients))
    done = outcomes.count("done")
    assert 1 <= done < 4
    assert time.perf_counter() - start >= done * SLOW, "one at a time"
    refused = [each for each in outcomes if each != "done"]
    assert all("Queue is full" in each for each in refused)


def test_the_page_in_a_browser(address, tmp_path):
    """Drop, press, compare; and no request leaves this machine."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("needs chromium and chromedriver")
    from selenium.webdriver.support.ui import WebDriverWait

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    for flag in ("--headless=new", "--no-sandbox", "--window-size=1400,1000"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        wait = WebDriverWait(browser, 60)
        browser.get(address)
        (chooser,) = wait.until(
            lambda it: it.find_elements("css selector", "input[type=file]")
        )
        chooser.send_keys(str(picture(tmp_path / "frame.png", 160, 120)))
        wait.until(lambda it: "160x120" in it.find_element("id", "remark").text)
        browser.find_element("id", "upscale").click()
        wait.until(lambda it: "640x480" in it.find_element("id", "remark").text)

        loaded = "return [...document.images].filter(i => i.naturalWidth == 640).length"
        wait.until(lambda it: it.execute_script(loaded) == 2)
        link = browser.find_element("css selector", "#download, a[download]")
        assert link.is_enabled()
        browser.save_screenshot(str(tmp_path / "page.png"))
        assert requested_hosts(browser) == {urlsplit(address).netloc}
    finally:
        browser.quit()


WAITS = "import time; print('at work', flush=True); time.sleep(60)"


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_network_is_made_and_stopped_in_a_browser(
    address, tunes, tmp_path, monkeypatch
):
    """A command that waits stands for the tune; tests/training/test_tune.py runs one."""
    waits = [sys.executable, "-c", WAITS]
    monkeypatch.setattr(
        "realesrgan_paddle.utils.next_steps.process_words", lambda *_: waits
    )
    clip = tmp_path / "match.mp4"
    clip.write_bytes(bytes(1000))
    with Chromium(address, size=(1280, 1000)) as browser:
        tabs = "[...document.querySelectorAll('button[role=tab]')]"
        tab = f"{tabs}.find(each => each.textContent.trim() == 'Make a network')"
        browser.wait_for(tab + " != null", 60)
        time.sleep(1)  # the tabs are there before they answer
        browser.evaluate(f"{tab}.click()")
        browser.wait_for("document.querySelector('#good input[type=file]') != null", 20)
        choose_files(browser, "#good input[type=file]", clip)
        browser.wait_for("document.querySelector('#good').innerText.includes('match')")
        browser.evaluate("document.querySelector('#name :is(input, textarea)').focus()")
        browser.send("Input.insertText", text="derby")
        state = "document.querySelector('#state').innerText"
        browser.wait_for(f"{state}.startsWith('Drop clips')")
        browser.evaluate("document.querySelector('#begin').click()")
        browser.wait_for(f"{state}.includes('Making the training set')", 20)
        browser.wait_for("!document.querySelector('#stop').disabled", 20)
        assert tunes.running == "derby"
        browser.evaluate("document.querySelector('#stop').click()")
        browser.wait_for(f"{state}.includes('Stopped. What is done is kept')", 20)
        browser.wait_for("!document.querySelector('#go_on').disabled", 20)
        assert tunes.running is None
        assert not browser.messages
        hosts = {urlsplit(url).netloc for url in browser.requests}
        assert hosts <= {urlsplit(address).netloc, ""}


def test_two_networks_are_compared(client, tmp_path):
    file = gradio_client.handle_file(str(picture(tmp_path / "a.png")))
    pair, said = client.predict(file, "bicubic", MODELS[1], api_name="/compare")
    assert said == f"left: bicubic; right: {MODELS[1]}"
    bicubic, result = map(read_image, pair)
    assert (result == read_image(tmp_path / "a.png").repeat(4, 0).repeat(4, 1)).all()
    assert bicubic.shape == result.shape
    assert (bicubic != result).any()


def test_a_video_that_is_too_long_or_none_is_refused(client, tmp_path):
    long = tmp_path / "long.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=32x32:rate=5:duration=6", long)
    with pytest.raises(
        gradio_client.exceptions.AppError, match=r"long\.mp4: 6 s; up to"
    ):
        upscale(client, long)
    long.write_bytes(b"no video")
    with pytest.raises(gradio_client.exceptions.AppError, match=r"long\.mp4: "):
        upscale(client, long)


def test_the_command_ends_when_it_is_told_and_leaves_nothing(tmp_path):
    """Also with Paddle loaded, whose own handler of SIGTERM prints a page."""
    network = SRVGGNetCompact(num_feat=8, num_conv=1)
    weights = str(tmp_path / "x.pdparams")
    write_pdparams(weights, {"params": sample_weights(network)})
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["serve", "--port", str(port), "--model", weights, "--device", "cpu"]
    words += ["--work", str(tmp_path / "work")]
    process = subprocess.Popen(
        [sys.executable, "-m", "realesrgan_paddle", *words],
        env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        address = f"http://127.0.0.1:{port}/"
        assert process.stdout.readline() == f"{address} (Ctrl-C ends it)\n"
        client = gradio_client.Client(address, verbose=False)
        upscale(client, picture(tmp_path / "a.png"), weights)
        clip = tmp_path / "clip.mp4"
        ffmpeg("-f", "lavfi", "-i", "testsrc=size=32x24:rate=5:duration=1", clip)
        file = gradio_client.handle_file(str(clip))
        _, _, download, said = client.predict(file, weights, api_name="/upscale")
        assert said == "Done."
        info = probe(Path(download["value"]))
        assert (info.width, info.height) == (128, 96)
        assert list(temporary.iterdir()) != []
        process.terminate()
        assert process.wait(timeout=30) == 143
    finally:
        process.kill()
        process.stdout.close()
    assert list(temporary.iterdir()) == []


def requested_hosts(browser):
    """The hosts of all requests that the page made."""
    hosts = set()
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = urlsplit(message["params"]["request"]["url"])
            if url.scheme in ("http", "https", "ws", "wss"):
                hosts.add(url.netloc)
    return hosts
