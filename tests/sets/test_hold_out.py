"""Images held out of training to validate on: which, that no batch has them, and that a run says so."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from sample_runs import assert_states_equal, picture, reported, run, write_yml

from realesrgan_paddle.data.loading.hold_out import hold_out, open_held_out
from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.run.batches import TrainingBatches
from realesrgan_paddle.run.training_data import open_training_data
from realesrgan_paddle.utils.images import write_image

pytestmark = pytest.mark.paddle


def names(*words: str) -> list[Path]:
    return [Path("set", word) for word in words]


def video(name: str, frames: int, pieces: int = 0) -> list[Path]:
    """Key frames as tools/extract_keyframes.py names them, perhaps cut by tools/extract_subimages.py."""
    stems = [f"{name}_{2.5 * number:010.3f}" for number in range(frames)]
    return names(*(f"{s}_s{p:03d}.png" for s in stems for p in range(1, pieces + 1)) if pieces else
                 (f"{s}.png" for s in stems))  # fmt: skip


def test_a_whole_video_that_fits_is_held_out_before_a_part_of_another():
    held = hold_out(video("a", 60) + video("b", 5) + video("c", 60), 4)
    assert held.excluded == set(video("b", 5)), "all of b, and nothing of the others"
    assert len(held.validated) == 4 and set(held.validated) < held.excluded


def test_of_one_video_the_end_is_held_out():
    frames = video("match", 200)
    assert hold_out(frames, 8).excluded == set(frames[-8:])
    assert set(hold_out(frames, 8).validated) == set(frames[-8:])


def test_too_few_frames_of_whole_videos_are_filled_up_from_one_other():
    held = hold_out(video("a", 60) + video("b", 60) + video("c", 2), 8)
    assert held.excluded == {*video("c", 2), *video("b", 60)[-6:]}


def test_pieces_and_smaller_versions_of_an_image_stay_together_in_any_folder():
    stems = [f"match_{number:06d}.000" for number in range(100)]
    cut = names(*(f"sub/{s}_s{p:03d}.png" for s in stems for p in range(1, 6)))
    small = names(*(f"multiscale/{s}T{t}.png" for s in stems for t in range(2)))
    held = hold_out(cut + small, 8)
    assert {path.name[:16] for path in held.excluded} == {
        stem[:16] for stem in stems[-8:]
    }
    assert len(held.excluded) == 8 * 7
    assert len({path.name[:16] for path in held.validated}) == 8, (
        "one piece of each frame"
    )
    assert not any("_s001" in path.name for path in held.validated), (
        "always the upper left corner"
    )


def test_a_folder_of_numbered_images_is_a_source():
    clips = names(*(f"clip{c}/{n:04d}.png" for c in range(30) for n in range(10)))
    assert hold_out(clips, 8).excluded == set(
        names(*(f"clip9/{n:04d}.png" for n in range(10)))
    )


def test_images_of_names_of_their_own_need_no_more_than_asked_for():
    photos = names(
        *(f"{chr(97 + i)}{chr(97 + j)}.jpg" for i in range(20) for j in range(20))
    )
    assert hold_out(photos, 8).excluded == set(photos[-8:])


@pytest.mark.parametrize(
    ("count", "asked", "held"),
    [(9, 8, 0), (10, 8, 1), (35, 8, 3), (500, 8, 8), (500, 0, 0)],
)
def test_at_most_a_tenth(count, asked, held):
    frames = video("match", count)
    assert (
        len(hold_out(frames, asked).excluded)
        == len(hold_out(frames, asked).validated)
        == held
    )


def test_pieces_of_one_image_that_are_more_than_a_tenth_stay():
    assert not hold_out(video("match", 5, pieces=8), 8).excluded


def test_the_order_of_the_paths_and_repeats_do_not_matter():
    frames = video("a", 30) + video("b", 30)
    assert hold_out(frames[::-1] + frames[:20], 4) == hold_out(frames, 4)


@pytest.fixture
def match(tmp_path, options) -> dict:
    """Options of the tiny run on 30 key frames, of which the last three, red ones, should be held out."""
    for number in range(30):
        frame = picture(96, 80, number)
        if number > 26:
            frame[:, :, 1:] = 0
        write_image(tmp_path / "match" / f"match_{number:06d}.480.png", frame)
    options["datasets"]["train"]["dataroot_gt"] = str(tmp_path / "match")
    return options


def is_red(gt: np.ndarray) -> np.ndarray:
    """Whether each of (N, 3, H, W) is red."""
    return ~gt[:, 1:].any(axis=(1, 2, 3))


@pytest.mark.parametrize(("workers", "start"), [(0, 0), (2, 0), (0, 17)])
def test_no_batch_has_a_held_out_image(tmp_path, match, workers, start):
    overrides = [
        f"datasets.train.num_worker_per_gpu={workers}",
        "queue_size=0",
        "datasets.train.batch_size_per_gpu=9",
    ]
    counts = []
    for hold in (8, 0):
        cfg = load_config(
            write_yml(tmp_path, match), [*overrides, f"val.hold_out={hold}"]
        )
        batches = TrainingBatches(cfg, open_training_data(cfg), start)
        counts.append(
            sum(is_red(batch.gt.numpy()).sum() for batch in islice(batches, 7))
        )
        batches.close()
    assert counts[0] == 0 < counts[1]


def test_pairs_are_held_out_likewise(tmp_path, match):
    for path in (tmp_path / "match").iterdir():
        write_image(tmp_path / "lq" / path.name, np.zeros((24, 20, 3), np.uint8))
    pairs = {
        "type": "RealESRGANPairedDataset",
        "dataroot_lq": str(tmp_path / "lq"),
        "batch_size_per_gpu": 9,
    }
    match["datasets"]["train"] |= pairs
    match |= {"high_order_degradation": False, "queue_size": 0}
    cfg = load_config(write_yml(tmp_path, match))
    data = open_training_data(cfg)
    batches = TrainingBatches(cfg, data)
    assert not any(is_red(batch.gt.numpy()).any() for batch in islice(batches, 7))
    images = list(open_held_out(cfg, data.held_out))
    assert [image.name for image in images] == [
        f"match_{number:06d}.480" for number in (27, 28, 29)
    ]
    assert not any(image.lq.any() for image in images), (
        "the low-quality image is the file's"
    )


def test_pairs_beside_synthesised_images_do_not_bring_the_held_out_ones_back(
    tmp_path, match
):
    for path in (tmp_path / "match").iterdir():
        write_image(tmp_path / "lq" / path.name, np.zeros((24, 20, 3), np.uint8))
    folders = {
        "dataroot_gt": str(tmp_path / "match"),
        "dataroot_lq": str(tmp_path / "lq"),
        "num_worker_per_gpu": 0,
    }
    match["datasets"]["train_paired"] = {**folders, "share": 0.5}
    overrides = ["queue_size=0", "datasets.train.batch_size_per_gpu=9"]
    cfg = load_config(write_yml(tmp_path, match), overrides)
    batches = TrainingBatches(cfg, open_training_data(cfg))
    assert not any(is_red(batch.gt.numpy()).any() for batch in islice(batches, 10))


def test_pieces_are_the_middle_of_large_images_and_the_same_for_every_run(
    tmp_path, match
):
    large = np.zeros((603, 1000, 3), np.uint8)
    large[300, 500] = 255
    file = tmp_path / "match" / "match_000029.480.png"
    write_image(file, large)
    configs = [
        load_config(write_yml(tmp_path, match), [f"manual_seed={seed}"])
        for seed in (1, 2)
    ]
    first, second = (open_held_out(cfg, [(file, None)]).images[0] for cfg in configs)
    assert (first.gt.shape, first.lq.shape) == ((512, 512, 3), (128, 128, 3))
    y, x, _ = np.argwhere(first.gt)[0]
    assert abs(y - 256) <= 4 and abs(x - 256) <= 4
    assert np.array_equal(first.lq, second.lq)


def test_a_run_without_datasets_val_validates_and_says_on_what(tmp_path, match):
    folder = run(tmp_path, match, "val.val_freq=2", "train.total_iter=3")
    assert [line["iter"] for line in reported(folder) if "held_out/psnr" in line] == [
        2,
        3,
    ], "and after the last"
    log = (folder / "train.log").read_text()
    assert "on train, 27 images" in log
    assert (
        "match_000027.480.png, match_000028.480.png, match_000029.480.png; to choose others: datasets.val"
        in log
    )
    assert (
        folder / "visualization/held_out/match_000028.480/match_000028.480_2.png"
    ).is_file()
    assert (folder / "models/net_g_best.pdparams").is_file()


def test_a_resumed_run_holds_the_same_out_and_ends_the_same(tmp_path, match):
    whole = run(tmp_path, match, "name=whole", "val.val_freq=2")
    run(tmp_path, match, "name=parts", "val.val_freq=2", "train.total_iter=3")
    parts = run(tmp_path, match, "name=parts", "val.val_freq=2", "auto_resume=true")
    assert_states_equal(
        whole / "training_states/6.state", parts / "training_states/6.state"
    )
    figures = [
        [line for line in reported(folder) if "held_out/psnr" in line]
        for folder in (whole, parts)
    ]
    assert figures[0] == [line for line in figures[1] if line["iter"] != 3]


@pytest.mark.parametrize("override", ["val=null", "val.hold_out=0"])
def test_no_validation_where_none_is_wanted(tmp_path, match, override):
    folder = run(tmp_path, match, override, "train.total_iter=1")
    assert [set(line) & {"held_out/psnr"} for line in reported(folder)] == [set()]
    log = (folder / "train.log").read_text()
    assert "on train, 30 images" in log and "held out" not in log


def test_too_few_images_for_a_validation_are_said(tmp_path, options):
    folder = run(tmp_path, options, "train.total_iter=1")
    assert "no validation: " in (folder / "train.log").read_text()
