"""`upscale`: inputs of all kinds, results where a user looks for them, a network that suits."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sample_weights import sample_weights

from realesrgan_paddle.commands import choose_network
from realesrgan_paddle.commands.choose_network import (
    CRISPEST,
    FASTEST,
    SMALL,
    faster_networks,
    open_network,
)
from realesrgan_paddle.commands.upscale_inputs import find_all_inputs, results_of
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.weights import read_generator
from realesrgan_paddle.models.weights.catalogue import find
from realesrgan_paddle.models.weights.read_generator import OutOfReachError
from realesrgan_paddle.tools import upscale
from realesrgan_paddle.utils.cli import parse_flags
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_image, write_image
from realesrgan_paddle.utils.weights.writer import write_pdparams


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with pictures, a folder of pictures, and net.pdparams (x4)."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.jpg", "photos/c.png", "photos/within/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(tmp_path / name, rng.integers(0, 256, (8, 12, 3), np.uint8))
    weights = sample_weights(SRVGGNetCompact(num_feat=8, num_conv=1))
    write_pdparams(tmp_path / "net.pdparams", {"params": weights})
    return tmp_path


def test_results_lie_beside_the_inputs_and_are_not_made_twice(place, capsys):
    words = ["a.png", "-m", "net.pdparams", "--input", "b.jpg", "photos", "-r"]
    assert upscale.main(words) == 0
    printed = capsys.readouterr().out
    assert "4 of 4 images are in . and photos_x4" in printed
    assert "[1/4] " in printed
    assert "[4/4] photos/" in printed
    for name in ("a_x4.png", "b_x4.jpg", "photos_x4/c.png", "photos_x4/within/d.png"):
        assert read_image(place / name).shape == (32, 48, 3), name

    (place / "a_x4.png").write_bytes(b"somebody's own")
    assert upscale.main(words[:3]) == 0
    assert (place / "a_x4.png").read_bytes() == b"somebody's own"
    said = capsys.readouterr().out
    assert "they were there before: 1; --overwrite makes them anew" in said
    assert upscale.main([*words[:3], "--overwrite"]) == 0
    assert read_image(place / "a_x4.png").shape == (32, 48, 3)


def test_a_picture_that_is_named_twice_is_one(place, capsys):
    words = ["a.png", "./a.png", "photos/../a.png", str(place / "a.png")]
    assert upscale.main([*words, "-m", "net.pdparams"]) == 0
    assert "1 of 1 images" in capsys.readouterr().out


def test_a_file_whose_name_begins_with_a_dash(place, capsys):
    (place / "b.jpg").rename("-b.jpg")
    with pytest.raises(SystemExit):
        upscale.main(["-m", "net.pdparams", "-b.jpg"])
    assert "write ./-b.jpg" in capsys.readouterr().err
    assert upscale.main(["-m", "net.pdparams", "--", "-b.jpg"]) == 0
    assert (place / "-b_x4.jpg").is_file()


def test_another_files_result_is_not_taken_for_ones_own(place, capsys):
    write_image(place / "b.png", np.zeros((8, 12, 3), np.uint8))
    pixels = Image.fromarray(np.zeros((8, 12), np.uint8))
    pixels.save(place / "a.gif")
    model = ["-m", "net.pdparams"]
    assert upscale.main(["b.png", *model]) == 0
    assert upscale.main(["b.jpg", *model]) == 0
    assert read_image(place / "b_x4.jpg").shape == (32, 48, 3)

    assert upscale.main(["a.gif", *model]) == 1
    assert "would be taken for that of a.png; rename a.gif" in capsys.readouterr().err
    assert not (place / "a_x4.png").exists()
    assert upscale.main(["a.gif", *model, "-o", "still.png"]) == 0
    assert (place / "still.png").is_file()


def test_an_animation_is_made_though_its_first_frame_was(place, capsys):
    frames = [Image.fromarray(np.full((8, 8), each, np.uint8)) for each in (0, 200)]
    frames[0].save(place / "two.gif", save_all=True, append_images=frames[1:])
    words = ["two.gif", "-m", "net.pdparams"]
    assert upscale.main(words) == 0
    assert upscale.main([*words, "--all_frames"]) == 0
    assert (place / "two_x4.gif").is_file()


def test_a_single_picture_may_have_a_file_as_its_output(place, capsys):
    words = ["a.png", "-m", "net.pdparams", "--scale", "2", "-o"]
    assert upscale.main([*words, "large.webp"]) == 0
    assert read_image(place / "large.webp").shape == (16, 24, 3)
    assert upscale.main([*words, "out"]) == 0
    assert (place / "out/a_out.png").is_file()

    with pytest.raises(UserError, match=r"large\.png: is named like a file"):
        upscale.main(["a.png", "b.jpg", "-m", "net.pdparams", "-o", "large.png"])
    assert not (place / "large.png").exists()


def test_no_result_replaces_an_input(place, capsys):
    write_image(place / "a_x4.png", np.zeros((8, 8, 3), np.uint8))
    words = ["a.png", "a_x4.png", "-m", "net.pdparams", "--overwrite"]
    assert upscale.main(words) == 1
    assert "would overwrite the input a_x4.png" in capsys.readouterr().err
    assert read_image(place / "a_x4.png").shape == (8, 8, 3)
    assert read_image(place / "a_x4_x4.png").shape == (32, 32, 3)


def test_flags_that_cannot_be_meant_are_refused(place, capsys):
    with pytest.raises(SystemExit):
        upscale.main(["-m", "net.pdparams"])
    assert "the following arguments are required: --input" in capsys.readouterr().err
    with pytest.raises(UserError, match="the weights of an exported graph are fixed"):
        upscale.main(["a.png", "-m", "net.onnx", "-dn", "0.5"])
    with pytest.raises(UserError, match="no released model of this name; did you mean"):
        upscale.main(["a.png", "-m", "x4pluss"])


class Slow:
    """A runner; what it takes for a pixel is set beside it."""

    scale, device = 4, "cpu"

    def __init__(self, name):
        self.name = name


def chosen(monkeypatch, words, seconds, out_of_reach=()):
    """Return which network is taken where each takes `seconds` for all inputs."""

    def fetched(name, _):
        if name in out_of_reach:
            raise OutOfReachError("no network here", find(name))

    flags = parse_flags(upscale.Flags, "", words)
    monkeypatch.setattr(read_generator, "fetch", fetched)
    monkeypatch.setattr(
        choose_network, "time_for", lambda runner, _: seconds[runner.name]
    )
    _, name = open_network(flags, find_all_inputs(flags), Slow)
    return name


def test_the_network_suits_inputs_and_machine(place, monkeypatch, capsys):
    short, long = {CRISPEST: 50.0}, {CRISPEST: 5000.0, SMALL: 400.0, FASTEST: 200.0}
    assert chosen(monkeypatch, ["a.png"], short) == CRISPEST
    assert (
        "for pictures: it draws the most detail); about 50s" in capsys.readouterr().out
    )

    assert chosen(monkeypatch, ["a.png"], long) == SMALL
    said = capsys.readouterr().out
    assert f"{CRISPEST} would take about 1h 23m); about 6m 40s" in said
    assert chosen(monkeypatch, ["a.png"], long, out_of_reach=[SMALL]) == FASTEST
    instead = f"instead of {SMALL}, which is out of reach: no network here"
    assert instead in capsys.readouterr().out

    (place / "clip.mp4").touch()
    assert chosen(monkeypatch, ["clip.mp4"], {SMALL: 20_000.0}) == SMALL
    said = capsys.readouterr().out
    assert f"this will take about 5h 33m; with -m {FASTEST} about 2h 5" in said

    assert (
        chosen(monkeypatch, ["a.png", "-m", "x4plus"], {"x4plus": 4000.0}) == "x4plus"
    )
    assert (
        f"x4plus: this will take about 1h 06m; with -m {SMALL}"
        in capsys.readouterr().out
    )


def test_faster_networks_are_named_by_their_multiplications():
    assert faster_networks(FASTEST, 7200) == "about 2h 00m"
    # 16,697,987 and 1,213,296 weights, most of them used once for each pixel.
    assert f"with -m {SMALL} about 8m" in faster_networks(CRISPEST, 7200)


def test_results_of_a_folder_keep_their_names(place):
    flags = parse_flags(upscale.Flags, "", ["photos/", "--scale", "2.5"])
    (found,) = find_all_inputs(flags).found
    results = results_of(found, flags, 4)
    assert (results.output, results.suffix) == (Path("photos_x2.5"), "")
