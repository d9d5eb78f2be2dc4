from pathlib import Path

import numpy as np
import pytest

from realesrgan_paddle.data.sets.meta_info import image_paths, read_meta_info
from realesrgan_paddle.tools import generate_meta_info, generate_meta_info_pairdata
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image

IMAGE = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)


def make(root: Path, *names: str) -> None:
    for name in names:
        write_image(root / name, IMAGE)


def generate(root: Path, *folders: str, roots: tuple[str, ...] = ("",)) -> int:
    inputs = [str(root / folder) for folder in folders]
    meta_info = str(root / "new" / "meta.txt")
    return generate_meta_info.main(
        [
            "--input",
            *inputs,
            "--root",
            *(str(root / r) for r in roots),
            "--meta-info",
            meta_info,
        ]
    )


def written(root: Path) -> list[str]:
    return (root / "new" / "meta.txt").read_text(encoding="utf-8").splitlines()


def test_names_are_relative_to_the_root_and_sorted_within_each_folder(
    tmp_path: Path, capsys
):
    make(tmp_path, "B/2.png", "B/1.jpg", "A/z.png", "A/deep/é 好.png", "A/a (1).png")
    (tmp_path / "A" / "notes.txt").touch()
    assert generate(tmp_path, "B", "A") == 0
    assert written(tmp_path) == [
        "B/1.jpg",
        "B/2.png",
        "A/a (1).png",
        "A/deep/é 好.png",
        "A/z.png",
    ]
    assert "5 images" in capsys.readouterr().out


def test_each_input_may_have_its_own_root(tmp_path: Path):
    make(tmp_path, "x/A/1.png", "y/B/1.png")
    generate(tmp_path, "x/A", "y/B", roots=("x", "y"))
    assert written(tmp_path) == ["A/1.png", "B/1.png"]


def test_relative_folders_with_and_without_a_trailing_slash(
    tmp_path: Path, monkeypatch
):
    make(tmp_path, "datasets/A/1.png", "datasets/B/1.png")
    monkeypatch.chdir(tmp_path)
    inputs = "--input datasets/A ./datasets/B/ --root datasets/ datasets/"
    words = f"{inputs} --meta_info datasets/meta_Soccer.txt"
    assert generate_meta_info.main(words.split()) == 0
    assert Path("datasets/meta_Soccer.txt").read_text() == "A/1.png\nB/1.png\n"
    assert image_paths("datasets", "datasets/meta_Soccer.txt") == [
        Path("datasets/A/1.png"),
        Path("datasets/B/1.png"),
    ]


def test_images_of_one_name_below_their_roots_need_a_common_root(tmp_path: Path):
    make(tmp_path, "A/1.png", "B/1.png")
    with pytest.raises(UserError, match="give one common root"):
        generate(tmp_path, "A", "B", roots=("A", "B"))
    assert not (tmp_path / "new").exists()


def test_sizes_blank_lines_bom_and_crlf_of_basicsr_files_are_ignored(tmp_path: Path):
    meta = tmp_path / "meta.txt"
    meta.write_bytes(
        "\ufeff0001_s001.png (480,480,3)\r\n\r\nwith space (1).png\né.png\n".encode()
    )
    assert read_meta_info(meta) == ["0001_s001.png", "with space (1).png", "é.png"]


def test_image_paths_of_a_pair_file_are_the_ground_truth(tmp_path: Path):
    make(tmp_path, "gt/a b.png")
    meta = tmp_path / "pairs.txt"
    meta.write_text("gt/a b.png, lq/a b.png\n")
    assert image_paths(tmp_path, meta) == [tmp_path / "gt" / "a b.png"]


def test_image_paths_without_meta_info_are_all_images(tmp_path: Path):
    make(tmp_path, "b.png", "sub/a.jpg")
    assert image_paths(str(tmp_path), None) == [
        tmp_path / "b.png",
        tmp_path / "sub" / "a.jpg",
    ]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no images in it"):
        image_paths(tmp_path / "empty", None)


def test_a_meta_info_file_is_refused_only_if_none_of_its_images_exists(tmp_path: Path):
    make(tmp_path, "there.png")
    meta = tmp_path / "meta.txt"
    meta.write_text("there.png\ngone.png\n")
    assert image_paths(tmp_path, meta) == [
        tmp_path / "there.png",
        tmp_path / "gone.png",
    ]
    with pytest.raises(
        UserError,
        match=r"none of its 2 images exists, such as .*sub/there\.png; they are relative to",
    ):
        image_paths(tmp_path / "sub", meta)


def test_files_that_are_no_meta_info_are_refused(tmp_path):
    for content in [b"", b"\n\n", b"\x89PNG\r\n\0\0\0\rIHDR"]:
        (tmp_path / "meta.txt").write_bytes(content)
        with pytest.raises(UserError, match=r"meta\.txt: not a meta-info file"):
            read_meta_info(tmp_path / "meta.txt")
        with pytest.raises(UserError, match="no such meta-info file"):
            read_meta_info(tmp_path / "nowhere.txt")


def generate_pairs(root: Path) -> int:
    words = [
        "--input",
        str(root / "gt"),
        str(root / "lq"),
        "--meta_info",
        str(root / "pairs.txt"),
    ]
    return generate_meta_info_pairdata.main(words)


def test_pairs_are_written_in_sorted_order(tmp_path: Path):
    make(tmp_path, "gt/0001.png", "gt/0002.png", "lq/0001x4.png", "lq/0002.jpg")
    assert generate_pairs(tmp_path) == 0
    assert (
        tmp_path / "pairs.txt"
    ).read_text() == "gt/0001.png, lq/0001x4.png\ngt/0002.png, lq/0002.jpg\n"


def test_a_meta_info_file_has_at_most_a_million_lines(tmp_path):
    (tmp_path / "meta.txt").write_text("a\n" * 1_000_001)
    with pytest.raises(
        UserError, match="1,000,001 lines; a meta-info file has at most"
    ):
        read_meta_info(tmp_path / "meta.txt")
