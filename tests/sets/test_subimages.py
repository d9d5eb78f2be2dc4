from pathlib import Path

import numpy as np
import pytest
from places import pngs
from scenes import world

from realesrgan_paddle.data.sets.manifest import write_records
from realesrgan_paddle.data.sets.subimages import CropGrid
from realesrgan_paddle.tools.extract_subimages import main
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_image, write_image

RNG = np.random.default_rng(0)


def extract(root: Path, *flags: str) -> int:
    return main(["--input", str(root / "in"), "--output", str(root / "out"), *flags])


def test_the_last_crop_ends_at_the_border_if_the_remainder_is_wide_enough():
    for length, threshold, starts in [
        (480, 0, [0]),
        (481, 0, [0, 1]),
        (719, 0, [0, 239]),
        (720, 0, [0, 240]),
        (1000, 0, [0, 240, 480, 520]),
        (1000, 39, [0, 240, 480, 520]),
        (1000, 40, [0, 240, 480]),
        (300, 0, [0]),
    ]:
        assert CropGrid(480, 240, threshold).starts(length) == starts
    with pytest.raises(UserError, match="step must be at least 1"):
        CropGrid(480, 0)


def test_sub_images_are_numbered_row_by_row(tmp_path: Path):
    image = RNG.integers(0, 256, (50, 70, 3), dtype=np.uint8)
    write_image(tmp_path / "in" / "a.png", image)
    assert extract(tmp_path, "--crop_size", "40", "--step", "20") == 0
    assert pngs(tmp_path / "out") == [f"a_s{n:03d}.png" for n in range(1, 7)]
    corners = [(y, x) for y in (0, 10) for x in (0, 20, 30)]
    for n, (y, x) in enumerate(corners, 1):
        assert np.array_equal(
            read_image(tmp_path / "out" / f"a_s{n:03d}.png"),
            image[y : y + 40, x : x + 40],
        )


def test_a_step_that_leaves_gaps_is_said(tmp_path: Path, capsys):
    write_image(tmp_path / "in" / "a.png", np.zeros((50, 70, 3), np.uint8))
    assert extract(tmp_path, "--crop_size", "32") == 0
    said = "the step of 240 leaves 208 pixels between sub-images of 32: --step 16 makes"
    assert said in capsys.readouterr().out


def test_flat_sub_images_are_left_out_whatever_their_noise(tmp_path: Path, capsys):
    detailed = world(3, 128)
    grain = np.clip(RNG.normal(128, 6, (128, 128, 1)), 0, 255).astype(np.uint8)
    sky = np.broadcast_to(grain, (128, 128, 3))
    write_image(tmp_path / "in" / "a.png", np.concatenate([sky, detailed], axis=1))
    size = ("--crop_size", "128", "--step", "128")
    assert extract(tmp_path, *size, "--min_detail", "0.05") == 0
    assert pngs(tmp_path / "out") == ["a_s002.png"], "the number of its place"
    assert "1 sub-images, 1 flat ones dropped" in capsys.readouterr().out


@pytest.mark.parametrize("shape", [(30, 30), (30, 30, 3), (30, 30, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_gray_alpha_and_16_bit_images_keep_their_type(
    tmp_path: Path, shape: tuple[int, ...], dtype: type
):
    image = RNG.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)
    write_image(tmp_path / "in" / "a.png", image)
    extract(
        tmp_path,
        "--crop_size",
        "20",
        "--step",
        "20",
        "--thresh_size",
        "10",
        "--compression_level",
        "0",
    )
    piece = read_image(tmp_path / "out" / "a_s001.png")
    assert piece.dtype == dtype
    assert np.array_equal(piece, image[:20, :20])


def test_a_side_shorter_than_the_crop_size_stays_whole(tmp_path: Path):
    write_image(
        tmp_path / "in" / "wide.png", RNG.integers(0, 256, (10, 50, 3), dtype=np.uint8)
    )
    extract(tmp_path, "--crop_size", "40", "--step", "20")
    assert [
        read_image(tmp_path / "out" / name).shape[:2] for name in pngs(tmp_path / "out")
    ] == [(10, 40), (10, 40)]


def test_names_keep_their_folders_and_lose_the_scale_of_div2k(tmp_path: Path):
    image = RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    for name in ("0801x4.png", "sub/0801x4.jpg", "box2.png", "frame_000012.480.png"):
        write_image(tmp_path / "in" / name, image)
    extract(tmp_path)
    expected = [
        "0801_s001.png",
        "box2_s001.png",
        "frame_000012.480_s001.png",
        "sub/0801_s001.png",
    ]
    assert pngs(tmp_path / "out") == expected


def test_a_second_run_adds_missing_sub_images_and_overwrites_none(tmp_path: Path):
    write_image(
        tmp_path / "in" / "a.png", RNG.integers(0, 256, (8, 12, 3), dtype=np.uint8)
    )
    flags = ("--crop_size", "8", "--step", "4")
    extract(tmp_path, *flags)
    (tmp_path / "out" / "a_s001.png").unlink()
    (tmp_path / "out" / "a_s002.png").write_bytes(b"mine")
    assert extract(tmp_path, *flags) == 0
    assert read_image(tmp_path / "out" / "a_s001.png").shape == (8, 8, 3)
    assert (tmp_path / "out" / "a_s002.png").read_bytes() == b"mine"


def test_another_grid_is_refused_for_an_existing_folder(tmp_path: Path):
    write_image(
        tmp_path / "in" / "a.png", RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    )
    extract(tmp_path, "--crop_size", "8")
    with pytest.raises(UserError, match="use another --output"):
        extract(tmp_path, "--crop_size", "4")


@pytest.mark.parametrize("pair", [("a.png", "a.jpg"), ("1.png", "1x4.png")])
def test_images_with_clashing_output_names_are_refused(
    tmp_path: Path, pair: tuple[str, str]
):
    for name in pair:
        write_image(
            tmp_path / "in" / name, RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        )
    with pytest.raises(UserError, match=r"differ in nothing but|same output names"):
        extract(tmp_path)
    assert not (tmp_path / "out").exists()


def test_sub_images_that_touch_an_overlay_are_left_out(tmp_path: Path):
    for name in ("a.png", "b.png"):
        write_image(
            tmp_path / "in" / "train" / name,
            RNG.integers(0, 256, (60, 80, 3), dtype=np.uint8),
        )
    manifest = tmp_path / "in" / "manifest.jsonl"
    record = {
        "source": "v.mp4",
        "decision": "kept",
        "reason": "",
        "file": "train/a.png",
        "overlays": [[38, 0, 3, 20]],
    }
    write_records(manifest, [record, {**record, "file": "train/b.png", "overlays": []}])
    words = ("--crop_size", "20", "--step", "20", "--manifest", str(manifest))
    assert extract(tmp_path, *words) == 0
    every = range(1, 13)
    assert pngs(tmp_path / "out" / "train") == [
        *(f"a_s{n:03d}.png" for n in every if n not in (2, 3)),
        *(f"b_s{n:03d}.png" for n in every),
    ]


def test_files_that_are_no_manifest_are_refused(tmp_path: Path):
    write_image(
        tmp_path / "in" / "a.png", RNG.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    )
    (tmp_path / "x.jsonl").write_text("[1, 2]\n")
    for wrong, reason in (("x.jsonl", "not a manifest"), ("y.jsonl", "no such file")):
        with pytest.raises(UserError, match=reason):
            extract(tmp_path, "--manifest", str(tmp_path / wrong))
