"""Two at once on the page of `serve`: one queue, each with what is its own."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from chromium import CHROMIUM, Chromium
from sample_page import (
    MODELS,
    SLOW,
    choose_files,
    computed,
    picture,
    served,
    slow_picture,
)

from realesrgan_paddle.serve.kept import KeptFiles
from realesrgan_paddle.serve.tunes import Tunes
from realesrgan_paddle.utils.images import read_image, write_image

pytest.importorskip("gradio", reason='needs Gradio: pip install -e ".[serve]"')
gradio_client = pytest.importorskip("gradio_client")

pytestmark = pytest.mark.slow  # Gradio takes seconds to import and to start

REMARK = "document.querySelector('#remark').innerText"
WIDTHS = "[...document.images].map(image => image.naturalWidth).join()"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    kept, tunes = KeptFiles(folder, 20), Tunes(folder / "work", most_gigabytes=1)
    with served(kept, tunes) as address:
        yield address


def test_each_gets_the_own_result_one_after_the_other(address, tmp_path):
    """Their files have the same name."""
    paths = []
    for color in (60, 200):
        paths.append(tmp_path / str(color) / "frame.png")
        write_image(paths[-1], np.full((9, 7, 3), color, np.uint8))
    computed.clear()

    def upscale(path):
        visitor = gradio_client.Client(address, verbose=False)
        file = gradio_client.handle_file(str(path))
        made = visitor.predict(file, MODELS[0], api_name="/upscale")
        return read_image(made[2]["value"])

    start = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(upscale, paths)
    assert (first == 60).all() and (second == 200).all()
    assert first.shape == second.shape == (36, 28, 3)
    assert len(computed) == 2
    assert time.perf_counter() - start >= 2 * SLOW, "one at a time"


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_in_two_browsers_who_leaves_makes_room_for_who_waits(address, tmp_path):
    long = slow_picture(tmp_path / "long.png")
    computed.clear()
    with Chromium(address, size=(400, 900), dark=True) as stays:
        with Chromium(address, size=(1280, 1000)) as leaves:
            drop(leaves, long)
            drop(stays, picture(tmp_path / "own.png", width=20, height=15))
            leaves.evaluate("document.querySelector('#upscale').click()")
            while not computed:
                time.sleep(0.05)
            stays.evaluate("document.querySelector('#upscale').click()")
            time.sleep(2 * SLOW)
            assert "to" not in stays.evaluate(REMARK), "it waits"

        stays.wait_for(f"{REMARK}.startsWith('20x15 to 80x60 pixels')", 10 * SLOW)
        stays.wait_for(f"{WIDTHS} == '80,80'", 10)
        assert len(computed) < 12, "the other picture has 50 tiles"
        reached = len(computed)
        time.sleep(2 * SLOW)
        assert len(computed) == reached


def drop(browser, path):
    """Choose a picture on the page, once it has opened."""
    browser.wait_for("document.querySelector('input[type=file]') != null", 60)
    time.sleep(1)  # the field is there before it answers
    choose_files(browser, "input[type=file]", path)
    browser.wait_for(f"{REMARK}.includes('pixels')", 30)
