"""Files in, files out: names, formats, and what happens to the one bad file of a folder."""

import numpy as np
import pytest

from realesrgan_paddle.inference.pictures import upscale_files as module
from realesrgan_paddle.inference.pictures.files import find_inputs
from realesrgan_paddle.inference.pictures.reading import read_picture
from realesrgan_paddle.inference.pictures.upscale_files import (
    PictureSettings,
    upscale_files,
)
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_image, write_image


def nearest(images):
    return images.repeat(2, axis=2).repeat(2, axis=3)


UPSCALER = Upscaler(nearest, 2)
GRAY, RGB, RGBA = (6, 4), (6, 4, 3), (6, 4, 4)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "inputs"
    path.mkdir()
    return path


def draw(path, shape=RGB, dtype=np.uint8):
    image = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype)
    write_image(path, image)
    return image


def upscale(folder, output, **settings):
    lines = []
    settings = PictureSettings(**settings)
    failures = upscale_files(
        UPSCALER, find_inputs(folder), output, settings, report=lines.append
    )
    return failures, lines


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("given", "shape", "options", "result"),
    [
        ("a.png", RGB, {}, "a_out.png"),
        ("a.JPG", RGB, {}, "a_out.JPG"),
        ("a.b.png", RGB, {"suffix": "x4"}, "a.b_x4.png"),
        ("a.bmp", RGB, {"suffix": ""}, "a.bmp"),
        ("a.png", RGB, {"ext": "jpg"}, "a_out.jpg"),
        ("a.webp", RGBA, {}, "a_out.png"),
        ("a.png", RGBA, {"ext": "jpg"}, "a_out.png"),
        ("图像 1.png", GRAY, {}, "图像 1_out.png"),
    ],
)
def test_a_results_name_follows_input_suffix_and_ext(
    folder, tmp_path, given, shape, options, result
):
    draw(folder / given, shape)
    failures, lines = upscale(folder, tmp_path / "results", **options)
    assert not failures
    assert names(tmp_path / "results") == [result]
    assert read_image(tmp_path / "results" / result).shape == (12, 8, *shape[2:])
    assert lines[0].startswith("[1/1]")
    assert "4x6 ->" in lines[0]
    assert "8x12" in lines[0]


def test_16_bits_stay_and_become_8_for_jpg(folder, tmp_path):
    image = draw(folder / "a.png", RGB, np.uint16)
    upscale(folder, tmp_path / "results")
    assert (
        np.abs(
            read_image(tmp_path / "results/a_out.png")[::2, ::2].astype(int) - image
        ).max()
        <= 1
    )
    upscale(folder, tmp_path / "results", ext="jpg")
    small = read_image(tmp_path / "results/a_out.jpg")
    assert small.dtype == np.uint8
    assert abs(small.mean() - image.mean() / 257) < 8


def test_one_bad_file_does_not_stop_the_others(folder, tmp_path):
    draw(folder / "a.png")
    (folder / "b.png").write_text("<html>404</html>")
    (folder / "c.png").touch()
    (folder / "d.png").mkdir()
    (folder / "notes.txt").write_text("no image")
    draw(folder / "e.png")
    failures, lines = upscale(folder, tmp_path / "results")
    assert [path.name for path in failures] == ["b.png", "c.png"]
    assert "not a readable image" in failures[folder / "b.png"]
    assert lines[2].count("b.png") == 1
    assert names(tmp_path / "results") == ["a_out.png", "e_out.png"]


def test_results_of_an_earlier_run_are_replaced(folder, tmp_path):
    draw(folder / "a.png")
    (tmp_path / "a_out.png").write_text("old")
    assert not upscale(folder, tmp_path)[0]
    assert read_image(tmp_path / "a_out.png").shape == (12, 8, 3)


def test_an_input_is_never_overwritten(folder):
    before = draw(folder / "a.png")
    draw(folder / "a_out.png")
    failures, _ = upscale(folder, folder)
    assert list(failures) == [folder / "a.png"]
    assert "overwrite the input" in failures[folder / "a.png"]
    assert len(upscale(folder, folder, suffix="")[0]) == 3
    assert (read_image(folder / "a.png") == before).all()


def test_two_inputs_with_the_same_result_name_fail_one_of_them(folder, tmp_path):
    draw(folder / "a.bmp")
    draw(folder / "A.jpg")
    draw(folder / "b.png")
    failures, _ = upscale(folder, tmp_path / "results", ext="png")
    assert [path.name for path in failures] == ["a.bmp"]
    assert "A.jpg" in failures[folder / "a.bmp"]
    assert names(tmp_path / "results") == ["A_out.png", "b_out.png"]


def test_an_image_that_the_network_fails_on_is_named(folder, tmp_path):
    draw(folder / "a.png")
    write_image(folder / "b.png", np.full((3, 3, 3), 255, np.uint8))
    diverging = Upscaler(
        lambda x: np.where(x.min() == 1, np.float32(np.nan), nearest(x)), 2
    )
    lines = []
    failures = upscale_files(
        diverging, find_inputs(folder), tmp_path / "out", report=lines.append
    )
    assert list(failures) == [folder / "b.png"]
    assert "b.png: failed: the network's output holds NaN" in lines[1]
    assert names(tmp_path / "out") == ["a_out.png"]


def test_an_output_that_is_no_folder_is_refused_before_any_work(folder, tmp_path):
    draw(folder / "a.png")
    (tmp_path / "results").write_text("a file where the folder should be")
    for output in (tmp_path / "results", tmp_path / "results/more"):
        with pytest.raises(UserError, match=r"results: not a folder"):
            upscale(folder, output)


def test_the_input_may_be_one_file(folder, tmp_path):
    draw(folder / "a.png")
    (folder / "scan").write_bytes((folder / "a.png").read_bytes())
    assert not upscale(folder / "scan", tmp_path / "results")[0]
    assert names(tmp_path / "results") == ["scan_out.png"]


def test_images_come_by_size_the_largest_first_and_equal_ones_by_name(folder, tmp_path):
    """A graph prepares itself for the largest image so far: once, not for each image."""
    for name, width in {"a": 4, "b": 9, "d": 12, "e": 4}.items():
        draw(folder / f"{name}.png", (6, width, 3))
    for name in ("f", "c"):
        (folder / f"{name}.png").write_bytes(b"no picture")

    widths = []

    def run(images):
        widths.append(images.shape[3])
        return nearest(images)

    lines = []
    paths = find_inputs(folder)
    failures = upscale_files(
        Upscaler(run, 2), paths, tmp_path / "results", report=lines.append
    )
    assert widths == [12, 10, 4, 4]
    assert [path.name for path in failures] == ["c.png", "f.png"]
    for number, (name, line) in enumerate(zip("dbaecf", lines, strict=True), 1):
        assert line.startswith(f"[{number}/6] {folder / name}.png")


def test_missing_inputs_are_named(folder):
    with pytest.raises(UserError, match="no images in this folder"):
        find_inputs(folder)
    draw(folder / "sub" / "a.png")
    with pytest.raises(UserError, match=r"in this folder .*; there are some in .*sub$"):
        find_inputs(folder)
    with pytest.raises(UserError, match=r"nowhere: no such file"):
        find_inputs(folder / "nowhere")


@pytest.mark.parametrize(
    ("name", "shape", "dtype"), [("a.jpg", RGB, np.uint16), ("a.jpg", RGBA, np.uint8)]
)
def test_an_image_that_its_format_cannot_hold_is_refused(tmp_path, name, shape, dtype):
    with pytest.raises(UserError, match="cannot write"):
        write_image(tmp_path / name, np.zeros(shape, dtype))
    assert not list(tmp_path.iterdir())


def test_pictures_beyond_max_pixels_are_refused_by_their_header(
    folder, tmp_path, monkeypatch
):
    draw(folder / "large.png", (40, 50, 3))
    draw(folder / "small.png", (40, 49, 3))
    read = []
    monkeypatch.setattr(
        module,
        "read_picture",
        lambda path, **flags: (read.append(path.name), read_picture(path, **flags))[1],
    )
    failures, lines = upscale(folder, tmp_path / "out", max_pixels=1999)
    assert read == ["small.png"]
    assert failures == {
        folder
        / "large.png": "50x40 are 2,000 pixels, more than --max_pixels 1,999; cut "
        "it into smaller images, or allow more"
    }
    assert len(lines) == 2
    assert upscale(folder, tmp_path / "out", max_pixels=2000)[0] == {}
