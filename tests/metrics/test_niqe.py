"""NIQE equals BasicSR's (recorded by tests/record/metrics/record_niqe.py)."""

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest
import sample_metrics
from places import REFERENCE

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.metrics import niqe as module
from realesrgan_paddle.utils.metrics.niqe import load_niqe, niqe
from realesrgan_paddle.utils.metrics.similarity import without_border

RECORDED = np.load(REFERENCE / "niqe.npz")
MADE = sample_metrics.niqe_pictures()


@pytest.fixture(scope="module")
def parameters(assets, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    shutil.copy(assets / "metrics" / module.PARAMETERS_FILE, folder)
    return load_niqe(folder)


@pytest.mark.parametrize("key", RECORDED.files)
def test_niqe_equals_basicsrs(key, parameters, assets):
    name, border, convert_to = key.split(":")
    image = MADE.get(name)
    if image is None:
        image = cv2.imread(str(assets / name))[..., ::-1]
    image = without_border(image, int(border))
    found = niqe(image, parameters, convert_to=convert_to)
    value, with_exact_sums = RECORDED[key]
    assert found == pytest.approx(with_exact_sums, abs=1e-5)
    assert found == pytest.approx(value, abs=1e-3 if "faint" not in name else 1e-2)


def test_a_gray_image_is_measured_as_it_is(parameters):
    gray = MADE["textured"][..., 1]
    as_rgb = np.repeat(gray[..., None], 3, axis=2)
    assert niqe(gray, parameters) == pytest.approx(
        niqe(as_rgb, parameters, convert_to="gray"), rel=1e-3
    )


def test_noise_and_blur_are_worse_than_a_photograph(parameters, assets):
    image = cv2.imread(str(assets / "images/set5/img_001_SRF_4_HR.png"))
    noise = 20 * np.random.RandomState(0).standard_normal(image.shape)
    noisy = np.clip(image + noise, 0, 255).astype(np.uint8)
    blurred = cv2.GaussianBlur(image, (0, 0), 3)
    best = niqe(image, parameters)
    assert niqe(noisy, parameters) > best + 1
    assert niqe(blurred, parameters) > best + 1


@pytest.mark.parametrize("value", [0, 128, 255])
def test_an_image_without_texture_is_infinitely_far(parameters, value):
    assert niqe(np.full((192, 192, 3), value, np.uint8), parameters) == float("inf")


def test_one_textured_block_is_too_few(parameters):
    image = np.full((96, 192, 3), 128, np.uint8)
    image[:, :96] = MADE["textured"][:96, :96]
    assert niqe(image, parameters) == float("inf")


@pytest.mark.parametrize("shape", [(96, 191, 3), (95, 400)])
def test_images_of_less_than_two_blocks_are_refused(parameters, shape):
    with pytest.raises(UserError, match="needs 96x192 pixels or more"):
        niqe(np.zeros(shape, np.uint8), parameters)


@pytest.fixture
def served(assets, tmp_path):
    """The address of a server with the parameters, and another file of their size."""
    content = (assets / "metrics" / module.PARAMETERS_FILE).read_bytes()
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "right.npz").write_bytes(content)
    (folder / "wrong.npz").write_bytes(content[::-1])

    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_missing_parameters_are_downloaded_and_checked(served, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PARAMETERS_URL", f"{served}/wrong.npz")
    with pytest.raises(UserError, match=r"NIQE needs .*sha256.*docs/models\.md"):
        load_niqe(tmp_path / "weights")

    monkeypatch.setattr(module, "PARAMETERS_URL", f"{served}/right.npz")
    first = load_niqe(tmp_path / "weights")
    monkeypatch.setattr(module, "PARAMETERS_URL", f"{served}/gone.npz")
    again = load_niqe(tmp_path / "weights")
    assert np.array_equal(again.covariance, first.covariance)


def test_another_file_is_not_read(tmp_path):
    (tmp_path / module.PARAMETERS_FILE).write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(UserError, match="move it away"):
        load_niqe(tmp_path)
