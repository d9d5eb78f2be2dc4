"""Odd, broken and hostile images: what the reader, the preflight and the tools do."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from odd_images import (
    ODD_NAMES,
    SUMS,
    WITHIN,
    broken,
    colors,
    encode,
    grays,
    kinds,
    no_images,
    place,
)
from PIL import Image

from realesrgan_paddle.data.loading.header_checks import check_headers
from realesrgan_paddle.data.sets.meta_info import read_meta_info
from realesrgan_paddle.tools import (
    extract_subimages,
    generate_meta_info,
    generate_multiscale,
    preflight,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import (
    IMAGE_SUFFIXES,
    list_images,
    read_image,
    read_rgb,
)

LINE = "a_line.png"
SIZES = {"a_dot.png": (1, 1), LINE: (100_000, 1)}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    """Return a folder with one file of each kind, in folders by suffix."""
    folder = tmp_path_factory.mktemp("hostile") / "images"
    files = kinds() | grays() | {name: data for name, (data, _) in broken().items()}
    files |= {name: encode(Image.fromarray(colors()), "PNG") for name in ODD_NAMES}
    files |= {
        name: encode(Image.new("RGB", size), "PNG") for name, size in SIZES.items()
    }
    for name, data in files.items():
        place(folder, inside(name), data)
    with (folder / inside("holes.png")).open("wb") as file:
        file.truncate(1 << 40)
    no_images(folder)
    return folder


def inside(name: str) -> str:
    """Return the path of a file in the folder.

    By suffix, because names that differ only in the suffix would be an error.
    """
    return f"{Path(name).suffix[1:].lower()}/{name}"


GOOD = [*kinds(), *grays(), *ODD_NAMES, *SIZES]
BAD = {name: reason for name, (_, reason) in broken().items()} | {
    "holes.png": "larger than"
}


def test_files_with_the_suffix_of_an_image_are_listed(hostile: Path):
    found = list_images(hostile, recursive=True)
    assert sorted(path.name for path in found) == sorted([*GOOD, *BAD])


def test_odd_kinds_are_read_in_their_colors(hostile: Path):
    for name in [*kinds(), *grays(), *ODD_NAMES]:
        expected = colors() if name not in grays() else colors()[..., 1:2]
        read = read_rgb(hostile / inside(name))
        assert read.dtype == np.float32, name
        assert np.abs(read * 255 - expected).max() <= 3, name

        is_deep = "16" in name or "sixteen" in name
        stored = read_image(hostile / inside(name))
        assert stored.dtype == (np.uint16 if is_deep else np.uint8), name


def test_every_suffix_of_an_image_has_a_file_that_is_read(hostile: Path):
    for suffix in IMAGE_SUFFIXES:
        names = [name for name in GOOD if Path(name).suffix.lower() == suffix]
        assert names, "the files in odd_images.py lack this format"
        for name in names:
            assert read_image(hostile / inside(name)).size, suffix


def test_a_file_that_is_not_an_image_is_refused_in_one_line(hostile: Path):
    for name in BAD:
        path = hostile / inside(name)
        with pytest.raises(UserError) as caught:
            read_image(path)
        assert str(caught.value).startswith(f"{path}: "), name
        assert BAD[name] in str(caught.value), name
        assert "\n" not in str(caught.value), name


def failures(text: str) -> dict[str, str]:
    """Return the reason by file name of lines "failed: FOLDER/NAME: REASON".

    Asserts that no file is named twice.
    """
    found = {}
    for line in text.splitlines():
        path, _, reason = line.removeprefix("failed: ").partition(": ")
        name = Path(path).name
        assert name not in found
        found[name] = reason
    return found


@pytest.mark.parametrize(
    ("flags", "expected"),
    [([], {*BAD} - {*WITHIN}), (["--check"], {*BAD, *SUMS})],
    ids=["headers", "check"],
)
def test_the_preflight_lists_all_bad_images_with_their_reasons(
    hostile: Path, capsys, flags: list[str], expected: set[str]
):
    assert preflight.main(["--input", str(hostile), "--min_size", "2", *flags]) == 1
    captured = capsys.readouterr()
    found = failures(captured.err)
    assert set(found) == expected | {*SIZES}
    assert found[LINE] == "100000x1 is smaller than --min_size 2"
    for name in expected:
        assert BAD.get(name, "damaged image") in found[name]
    count = f"{len(GOOD) + len(BAD)} image files checked; {len(found)} findings"
    assert captured.out == f"{count}\n"


def test_headers_give_the_sizes_of_all_good_images(hostile: Path):
    sizes = check_headers([hostile / inside(name) for name in GOOD]).sizes
    found = {path.name: size for path, size in sizes.items()}
    assert found == dict.fromkeys(GOOD, (24, 16)) | SIZES


@pytest.mark.parametrize("tool", [extract_subimages, generate_multiscale])
def test_tools_use_all_good_images_and_name_the_bad_ones(
    hostile: Path, tmp_path: Path, capsys, tool
):
    here = sorted(Path.cwd().iterdir())
    before = {path: path.lstat() for path in hostile.rglob("*")}
    assert tool.main(["--input", str(hostile), "--output", str(tmp_path / "out")]) == 1
    assert set(failures(capsys.readouterr().err)) == set(BAD)

    made = list_images(tmp_path / "out", recursive=True)
    names = {re.sub("T[0-3]$|_s[0-9]+$", "", path.stem) for path in made}
    too_small = set(SIZES) if tool is generate_multiscale else set()
    stems = [Path(name).stem for name in set(GOOD) - too_small]
    assert names == {re.sub("[\r\n]|, ", "_", stem) for stem in stems}

    assert sorted(Path.cwd().iterdir()) == here
    after = {path: path.lstat() for path in hostile.rglob("*")}
    assert after == before, "the input is unchanged"


@pytest.fixture
def without_unfit_names(hostile: Path, tmp_path: Path) -> Iterator[set[str]]:
    """Move the files away whose names a meta-info file cannot hold."""
    unfit = {"new\nline.png", "one, two.png"}
    for name in unfit:
        (hostile / inside(name)).rename(tmp_path / name)
    yield unfit
    for name in unfit:
        (tmp_path / name).rename(hostile / inside(name))


def meta_info_command(hostile: Path, meta: Path) -> list[str]:
    folder = ["--input", str(hostile), "--root", str(hostile)]
    return [*folder, "--meta_info", str(meta), "--check"]


def test_a_meta_info_refuses_names_that_it_cannot_hold(hostile: Path, tmp_path: Path):
    message = "a meta-info file cannot hold a name with a line break or ', '; rename it"
    with pytest.raises(UserError, match=message):
        generate_meta_info.main(meta_info_command(hostile, tmp_path / "meta.txt"))


def test_a_meta_info_lists_all_good_images(
    hostile: Path, tmp_path: Path, without_unfit_names: set[str], capsys
):
    meta = tmp_path / "meta.txt"
    assert generate_meta_info.main(meta_info_command(hostile, meta)) == 1
    assert set(failures(capsys.readouterr().err)) == {*BAD, *SUMS}
    listed = {Path(line).name for line in read_meta_info(meta)}
    assert listed == {*GOOD} - without_unfit_names - {*SUMS}


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    data = kinds()["alpha.png"]
    return [place(tmp_path, f"{name}.png", data) for name in ("a", "b", "c")]


def assert_only_second_fails(paths: list[Path], reason: str):
    first, second, third = paths
    report = check_headers(paths)
    assert list(report.sizes) == [first, third]
    (line,) = report.problems
    assert line.startswith(f"{second}: {reason}")


def test_a_missing_file_is_named_and_the_others_are_read(three: list[Path]):
    three[1].unlink()
    assert_only_second_fails(three, "No such file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_locked_file_is_named_and_the_others_are_read(three: list[Path]):
    three[1].chmod(0)
    assert_only_second_fails(three, "Permission denied")


@pytest.mark.parametrize("damaged", [False, True])
def test_of_an_animated_png_the_first_image_is_read(tmp_path, damaged):
    frames = [Image.new("RGB", (8, 6), color) for color in ("red", "blue")]
    data = encode(frames[0], "PNG", save_all=True, append_images=frames[1:])
    if damaged:
        frame_control = data.index(b"fcTL")
        checksum = frame_control + 4 + 26
        data = data[:checksum] + b"\0\0\0\0" + data[checksum + 4 :]

    (tmp_path / "a.png").write_bytes(data)
    image = read_image(tmp_path / "a.png")
    assert image.shape == (6, 8, 3)
    assert (image == (255, 0, 0)).all()
