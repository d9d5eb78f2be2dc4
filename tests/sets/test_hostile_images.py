"""Images that are odd, broken or hostile: the loader, the look before training and the tools, each as promised."""

import os
import re
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
from realesrgan_paddle.utils.images import list_images, read_image, read_rgb

LINE = "a_line.png"
SIZES = {"a_dot.png": (1, 1), LINE: (100_000, 1)}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    """A folder with one of everything, in folders by suffix."""
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
    """Return the path of a file in the folder: names that differ in nothing but the suffix would be an error."""
    return f"{Path(name).suffix[1:].lower()}/{name}"


GOOD = [*kinds(), *grays(), *ODD_NAMES, *SIZES]
BAD = {name: reason for name, (_, reason) in broken().items()} | {
    "holes.png": "larger than"
}


def test_there_are_many_kinds():
    assert len(kinds()) + len(grays()) >= 30
    assert len(BAD) >= 30


def test_only_files_that_are_named_as_images_are_listed(hostile: Path):
    found = list_images(hostile, recursive=True)
    assert sorted(path.name for path in found) == sorted([*GOOD, *BAD])


@pytest.mark.parametrize("name", [*kinds(), *grays(), *ODD_NAMES])
def test_odd_kinds_are_read_in_their_colours(hostile: Path, name: str):
    expected = colors() if name not in grays() else colors()[..., 1:2]
    assert np.abs(read_rgb(hostile / inside(name)) * 255 - expected).max() <= 3
    deep = "16" in name or "sixteen" in name
    assert read_image(hostile / inside(name)).dtype == (np.uint16 if deep else np.uint8)


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_image_is_refused_in_one_line(hostile: Path, name: str):
    path = hostile / inside(name)
    with pytest.raises(UserError) as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert BAD[name] in str(caught.value)
    assert "\n" not in str(caught.value)


def failures(text: str) -> dict[str, str]:
    """Return the reason by the name of the file, of lines "failed: FOLDER/NAME: REASON"; each file once."""
    pairs = [
        line.removeprefix("failed: ").partition(": ")[::2] for line in text.splitlines()
    ]
    found = {Path(path).name: reason for path, reason in pairs}
    assert len(found) == len(pairs)
    return found


def test_the_look_before_training_lists_all_of_them_with_their_reasons(
    hostile: Path, capsys
):
    for flags, expected in (([], {*BAD} - {*WITHIN}), (["--check"], {*BAD, *SUMS})):
        assert preflight.main(["--input", str(hostile), "--min_size", "2", *flags]) == 1
        captured = capsys.readouterr()
        found = failures(captured.err)
        assert set(found) == expected | {*SIZES}
        assert all(BAD.get(name, "damaged image") in found[name] for name in expected)
        assert found[LINE] == "100000x1 is smaller than --min_size 2"
        assert (
            captured.out
            == f"{len(GOOD) + len(BAD)} image files checked; {len(found)} findings\n"
        )


def test_headers_tell_the_sizes_of_the_others(hostile: Path):
    sizes = check_headers([hostile / inside(name) for name in GOOD]).sizes
    assert {path.name: size for path, size in sizes.items()} == dict.fromkeys(
        GOOD, (24, 16)
    ) | SIZES


@pytest.mark.parametrize("tool", [extract_subimages, generate_multiscale])
def test_tools_take_all_that_can_be_read_and_name_each_other(
    hostile: Path, tmp_path: Path, capsys, tool
):
    here, before = (
        sorted(Path.cwd().iterdir()),
        {p: p.lstat() for p in hostile.rglob("*")},
    )
    assert tool.main(["--input", str(hostile), "--output", str(tmp_path / "out")]) == 1
    assert set(failures(capsys.readouterr().err)) == set(BAD)
    made = list_images(tmp_path / "out", recursive=True)
    names = {re.sub("T[0-3]$|_s[0-9]+$", "", path.stem) for path in made}
    small = set(SIZES) if tool is generate_multiscale else set()
    assert names == {
        re.sub("[\r\n]|, ", "_", Path(name).stem) for name in set(GOOD) - small
    }
    assert sorted(Path.cwd().iterdir()) == here
    assert {path: path.lstat() for path in hostile.rglob("*")} == before, (
        "nothing of the user's is changed"
    )


def test_a_list_names_all_that_can_be_read_and_have_a_name_that_it_can_hold(
    hostile: Path, tmp_path: Path, capsys
):
    meta = tmp_path / "meta.txt"
    command = [
        "--input",
        str(hostile),
        "--root",
        str(hostile),
        "--meta_info",
        str(meta),
        "--check",
    ]
    with pytest.raises(
        UserError,
        match="a meta-info file cannot hold a name with a line break or ', '; rename it",
    ):
        generate_meta_info.main(command)
    unfit = {"new\nline.png", "one, two.png"}
    for name in unfit:
        (hostile / inside(name)).rename(tmp_path / name)
    code = generate_meta_info.main(command)
    for name in unfit:
        (tmp_path / name).rename(hostile / inside(name))
    assert code == 1
    assert set(failures(capsys.readouterr().err)) == {*BAD, *SUMS}
    assert {Path(line).name for line in read_meta_info(meta)} == {*GOOD} - unfit - {
        *SUMS
    }


@pytest.mark.parametrize(
    ("kind", "reason"), [("gone", "No such file"), ("locked", "Permission denied")]
)
def test_a_file_that_cannot_be_opened_is_named_and_the_rest_goes_on(
    tmp_path: Path, kind: str, reason: str
):
    paths = [
        place(tmp_path, f"{name}.png", kinds()["alpha.png"]) for name in ("a", "b", "c")
    ]
    if kind == "gone":
        paths[1].unlink()
    elif os.geteuid() == 0:
        pytest.skip("root may read anything")
    else:
        paths[1].chmod(0)
    looked = check_headers(paths)
    assert list(looked.sizes) == [paths[0], paths[2]]
    (line,) = looked.problems
    assert line.startswith(f"{paths[1]}: {reason}")
