"""The page of `serve` with a network that repeats pixels, and is slow on some pictures."""

import socket
import time
import traceback
from contextlib import contextmanager

import numpy as np
import pytest

from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.serve.guard import Names
from realesrgan_paddle.serve.page import import_gradio, launch
from realesrgan_paddle.serve.parts import Parts
from realesrgan_paddle.serve.service import Limits, Service
from realesrgan_paddle.serve.tabs import build_page
from realesrgan_paddle.utils.images import write_image

MODELS = ["realesr-animevideov3", "RealESRGAN_x4plus"]
LIMITS = Limits(megabytes=1, megapixels=0.5, video_megabytes=1, video_seconds=5)
SLOW = 1.0
"""How long the network computes on a picture that is 7 pixels wide [s]."""
computed = []
"""A number for each slow tile."""


def nearest(images):
    """A network that repeats pixels, slowly for pictures of one size."""
    if images.shape[3] == 7:
        time.sleep(SLOW)
        computed.append(len(computed))
    return images.repeat(4, axis=2).repeat(4, axis=3)


@contextmanager
def served(kept, tunes):
    """The address of a running page with two models and room for one to wait."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Upscaler, "load", lambda *_, **__: Upscaler(nearest, 4, tile=512))
        patch.setattr(traceback, "print_exc", traceback.print_exc)  # is put back
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]

        gr = import_gradio(kept.files)
        service = Service(MODELS, LIMITS, tunes=tunes)
        page = build_page(Parts(gr, service, tunes, kept), 1)
        names = Names("127.0.0.1", ("page.example",))
        launch(gr, page, names, port, kept, LIMITS.bytes)
        yield f"http://127.0.0.1:{port}"
        page.close(verbose=False)


def picture(path, width=16, height=12):
    """Write and return the path of a picture: a slope from black to red."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.linspace(0, 255, width)
    write_image(path, image)
    return path


def slow_picture(path):
    """Write and return the path of a picture of 50 slow tiles.

    They differ, for a tile that equals one before is not computed again.
    """
    draw = np.random.default_rng(0)
    write_image(path, draw.integers(0, 255, (50 * 512, 7, 3), np.uint8))
    return path


def choose_files(browser, selector, *paths):
    """Give files to a field of a page in `chromium.Chromium`."""
    document = browser.send("DOM.getDocument")["root"]["nodeId"]
    node = browser.send("DOM.querySelector", nodeId=document, selector=selector)
    files = list(map(str, paths))
    browser.send("DOM.setFileInputFiles", nodeId=node["nodeId"], files=files)
