"""Images held out for validation: which, that no batch has them, and what is logged."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from sample_runs import assert_states_equal, log_of, picture, reported, run, write_yml

from realesrgan_paddle.data.loading.hold_out import hold_out, open_held_out
from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.training.batches import TrainingBatches
from realesrgan_paddle.training.training_data import open_training_data
from realesrgan_paddle.utils.images import write_image

pytestmark = pytest.mark.paddle


def names(*words: str) -> list[Path]:
    return [Path("set", word) for word in words]


def video(name: str, frames: int, crops: int = 0) -> list[Path]:
    """Return key frames as tools/extract_keyframes.py names them, or crops of them."""
    stems = [f"{name}_{2.5 * number:010.3f}" for number in range(frames)]
    if crops:
        stems = [
            f"{stem}_s{crop:03d}" for stem in stems for crop in range(1, crops + 1)
        ]
    return names(*(f"{stem}.png" for stem in stems))


def test_a_whole_video_is_held_out_before_part_of_another():
    held = hold_out(video("a", 60) + video("b", 5) + video("c", 60), 4)
    assert held.excluded == set(video("b", 5)), "all of b, and nothing of the others"
    assert len(held.validated) == 4 and set(held.validated) < held.excluded


def test_the_end_of_a_single_video_is_held_out():
    frames = video("match", 200)
    assert hold_out(frames, 8).excluded == set(frames[-8:])
    assert set(hold_out(frames, 8).validated) == set(frames[-8:])


def test_frames_of_one_more_video_are_added_if_whole_ones_are_too_few():
    held = hold_out(video("a", 60) + video("b", 60) + video("c", 2), 8)
    assert held.excluded == {*video("c", 2), *video("b", 60)[-6:]}


def test_crops_and_downscaled_versions_of_an_image_stay_together():
    stems = [f"match_{number:06d}.000" for number in range(100)]
    crops = [f"sub/{stem}_s{crop:03d}.png" for stem in stems for crop in range(1, 6)]
    small = [f"multiscale/{stem}T{level}.png" for stem in stems for level in range(2)]
    held = hold_out(names(*crops, *small), 8)
    assert {path.name[:16] for path in held.excluded} == {s[:16] for s in stems[-8:]}
    assert len(held.excluded) == 8 * 7

    assert len({path.name[:16] for path in held.validated}) == 8, "one crop of each"
    upper_left = [path for path in held.validated if "_s001" in path.name]
    assert not upper_left, "not always the first crop"


def test_a_folder_of_numbered_images_is_one_source():
    clips = names(*(f"clip{c}/{n:04d}.png" for c in range(30) for n in range(10)))
    last = names(*(f"clip9/{n:04d}.png" for n in range(10)))
    assert hold_out(clips, 8).excluded == set(last)


def test_images_without_numbers_are_sources_of_their_own():
    letters = "abcdefghijklmnopqrst"
    photos = names(*(f"{first}{second}.jpg" for first in letters for second in letters))
    assert hold_out(photos, 8).excluded == set(photos[-8:])


def test_at_most_a_tenth_is_held_out_but_one_of_three():
    for count, asked, expected in [
        (2, 8, 0),
        (3, 8, 1),
        (9, 8, 1),
        (3, 0, 0),
        (10, 8, 1),
        (35, 8, 3),
        (500, 8, 8),
        (500, 0, 0),
    ]:
        held = hold_out(video("match", count), asked)
        assert len(held.excluded) == len(held.validated) == expected


def test_all_crops_of_one_of_a_few_frames_are_held_out():
    crops = video("match", 5, crops=8)
    held = hold_out(crops, 8)
    assert held.excluded == set(crops[-8:])
    assert len(held.validated) == 1
    assert not hold_out(video("match", 2, crops=8), 8).excluded


def test_the_order_of_the_paths_and_duplicates_do_not_matter():
    frames = video("a", 30) + video("b", 30)
    assert hold_out(frames[::-1] + frames[:20], 4) == hold_out(frames, 4)


@pytest.fixture
def match(tmp_path, options) -> dict:
    """Options of a tiny run on 30 key frames; the last three are red, to be held out."""
    for number in range(30):
        frame = picture(96, 80, number)
        if number > 26:
            frame[:, :, 1:] = 0
        write_image(tmp_path / "match" / f"match_{number:06d}.480.png", frame)
    options["datasets"]["train"]["dataroot_gt"] = str(tmp_path / "match")
    del options["val"]
    return options


def is_red(gt: np.ndarray) -> np.ndarray:
    """Return which of (N, 3, H, W) are red."""
    return ~gt[:, 1:].any(axis=(1, 2, 3))


def test_a_resumed_run_holds_out_what_it_did_before(tmp_path, match):
    """Whatever became of its folder; otherwise it would validate on what it trained on."""
    folder = tmp_path / "match"
    yml = write_yml(tmp_path, match)
    before = open_training_data(load_config(yml))
    names = before.names
    assert len(names.validated) == 3

    for number in range(50, 80):
        write_image(folder / f"match_{number:06d}.480.png", picture(96, 80, number))
    assert open_training_data(load_config(yml)).held_out != before.held_out
    again = open_training_data(load_config(yml), before=names)
    assert (again.held_out, again.excluded) == (before.held_out, before.excluded)
    assert (again.names, again.remarks) == (names, [])

    (folder / names.validated[0]).unlink()
    fewer = open_training_data(load_config(yml), before=names)
    assert fewer.held_out == before.held_out[1:]
    assert names.validated[0] in fewer.remarks[0]

    more = open_training_data(load_config(yml, ["val.hold_out=2"]), before=names)
    assert "val.hold_out was 8" in more.remarks[0]
    for name in names.validated[1:]:
        (folder / name).unlink()
    others = open_training_data(load_config(yml), before=names)
    assert "none of the images validated before is there" in others.remarks[0]


def test_a_training_state_knows_what_is_held_out(tmp_path, match):
    overrides = ("train.total_iter=1", "logger.save_checkpoint_freq=1")
    folder = run(tmp_path, match, *overrides)
    said = "validating on 3 of 3 images"
    first = next(line for line in log_of(folder).splitlines() if said in line)

    new = tmp_path / "match/match_000077.480.png"
    write_image(new, picture(96, 80, 77))
    run(tmp_path, match, "train.total_iter=2", "auto_resume=true")
    *_, last = (line for line in log_of(folder).splitlines() if said in line)
    assert last.partition(said)[2] == first.partition(said)[2]


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


def write_black_lq(tmp_path) -> None:
    """Write a low-quality image for each key frame."""
    for path in (tmp_path / "match").iterdir():
        write_image(tmp_path / "lq" / path.name, np.zeros((24, 20, 3), np.uint8))


def test_pairs_are_held_out_with_their_low_quality_images(tmp_path, match):
    write_black_lq(tmp_path)
    match["datasets"]["train"] |= {
        "type": "RealESRGANPairedDataset",
        "dataroot_lq": str(tmp_path / "lq"),
        "batch_size_per_gpu": 9,
    }
    match |= {"high_order_degradation": False, "queue_size": 0}
    cfg = load_config(write_yml(tmp_path, match))
    data = open_training_data(cfg)
    batches = TrainingBatches(cfg, data)
    assert not any(is_red(batch.gt.numpy()).any() for batch in islice(batches, 7))

    images = list(open_held_out(cfg, data.held_out))
    expected = [f"match_{number:06d}.480" for number in (27, 28, 29)]
    assert [image.name for image in images] == expected
    assert not any(image.lq.any() for image in images), "black, as in the files"


def test_held_out_images_are_not_trained_on_as_pairs_either(tmp_path, match):
    write_black_lq(tmp_path)
    match["datasets"]["train_paired"] = {
        "dataroot_gt": str(tmp_path / "match"),
        "dataroot_lq": str(tmp_path / "lq"),
        "num_worker_per_gpu": 0,
        "share": 0.5,
    }
    overrides = ["queue_size=0", "datasets.train.batch_size_per_gpu=9"]
    cfg = load_config(write_yml(tmp_path, match), overrides)
    batches = TrainingBatches(cfg, open_training_data(cfg))
    assert not any(is_red(batch.gt.numpy()).any() for batch in islice(batches, 10))


def test_the_center_of_a_large_image_is_validated_whatever_the_seed(tmp_path, match):
    large = np.zeros((603, 1000, 3), np.uint8)
    large[300, 500] = 255
    file = tmp_path / "match" / "match_000029.480.png"
    write_image(file, large)
    yml = write_yml(tmp_path, match)
    first, second = (
        open_held_out(load_config(yml, [f"manual_seed={seed}"]), [(file, None)])
        for seed in (1, 2)
    )
    (image,), (other,) = first.images, second.images
    assert (image.gt.shape, image.lq.shape) == ((512, 512, 3), (128, 128, 3))
    y, x, _ = np.argwhere(image.gt)[0]
    assert abs(y - 256) <= 4 and abs(x - 256) <= 4
    np.testing.assert_array_equal(image.lq, other.lq)


def test_a_run_without_datasets_val_validates_on_held_out_images(tmp_path, match):
    folder = run(tmp_path, match, "val.val_freq=2", "train.total_iter=3")
    validated = [line["iter"] for line in reported(folder) if "held_out/psnr_y" in line]
    assert validated == [2, 3], "and after the last iteration"
    log = (folder / "train.log").read_text()
    assert "on train, 27 images" in log
    files = [f"match_{number:06d}.480.png" for number in (27, 28, 29)]
    assert f"{', '.join(files)}; to choose others: datasets.val" in log
    image = "match_000028.480/match_000028.480_2.png"
    assert (folder / "visualization/held_out" / image).is_file()
    assert (folder / "models/net_g_best.pdparams").is_file()


def test_a_resumed_run_holds_out_the_same_images(tmp_path, match):
    whole = run(tmp_path, match, "name=whole", "val.val_freq=2")
    run(tmp_path, match, "name=parts", "val.val_freq=2", "train.total_iter=3")
    parts = run(tmp_path, match, "name=parts", "val.val_freq=2", "auto_resume=true")
    assert_states_equal(
        whole / "training_states/6.state", parts / "training_states/6.state"
    )
    figures = [
        [line for line in reported(folder) if "held_out/psnr_y" in line]
        for folder in (whole, parts)
    ]
    assert figures[0] == [line for line in figures[1] if line["iter"] != 3]


@pytest.mark.parametrize("override", ["val=null", "val.hold_out=0"])
def test_nothing_is_held_out_if_the_options_say_so(tmp_path, match, override):
    folder = run(tmp_path, match, override, "train.total_iter=1")
    assert [set(line) & {"held_out/psnr_y"} for line in reported(folder)] == [set()]
    log = (folder / "train.log").read_text()
    assert "on train, 30 images" in log and "held out" not in log


def test_three_images_are_validated_and_two_are_too_few(tmp_path, options):
    del options["val"]
    root = Path(options["datasets"]["train"]["dataroot_gt"])
    write_image(root / "2.png", picture(80, 96, 2))
    one = "train.total_iter=1"
    folder = run(tmp_path, options, one)
    assert "validating on 1 of 1 images" in (folder / "train.log").read_text()
    assert any("held_out/psnr_y" in line for line in reported(folder))

    log = (folder / "train.log").read_text()
    assert "bicubic interpolation  held_out/psnr_y " in log
    assert "iter 0 validation  held_out/psnr_y " in log
    assert "validation: psnr_y of the Y channel without 4 pixels" in log

    next(root.rglob("*.png")).unlink()
    folder = run(tmp_path, options, one, "name=two")
    assert "no validation: " in (folder / "train.log").read_text()


def test_a_held_out_image_of_any_size_is_cropped_to_a_multiple_of_the_scale(
    tmp_path, options
):
    for size in [(67, 70), (515, 96), (513, 514)]:
        path = tmp_path / "odd.png"
        write_image(path, picture(*size, 0))
        cfg = load_config(write_yml(tmp_path, options))
        ((_, lq, gt),) = [
            (image.name, image.lq, image.gt)
            for image in open_held_out(cfg, [(path, None)])
        ]
        height, width = (min(side, 512) // 4 for side in size)
        assert lq.shape == (height, width, 3)
        assert gt.shape == (4 * height, 4 * width, 3)
