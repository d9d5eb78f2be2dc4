"""Images held out for validation: which, that no batch has them, and what is logged."""

from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from sample_runs import assert_states_equal, log_of, picture, reported, run, write_yml

from realesrgan_paddle.data.loading.held_out_crops import open_held_out
from realesrgan_paddle.data.loading.hold_out import (
    HeldOutNames,
    choose_held_out,
    hold_out,
)
from realesrgan_paddle.data.sets.image_list import ImageList
from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.training.batches import TrainingBatches
from realesrgan_paddle.training.training_data import open_training_data
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.paired import FEWEST_UNITS

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


def stems(paths, length=17) -> list[str]:
    """Return the beginnings of the names, such as "match_000012.500"."""
    return sorted({path.name[:length] for path in paths})


def test_moments_are_spread_over_all_clips_and_take_at_most_a_third():
    """Of three clips with a frame every 2.5 seconds, so that no neighbor is too near."""
    frames = video("a", 20) + video("b", 12) + video("c", 4)
    held = hold_out(frames)
    assert len(held.excluded) == 12 == len(held.validated)
    counts = Counter(path.name[0] for path in held.excluded)
    assert counts == {"a": 5, "b": 5, "c": 2}, "half of a clip stays for training"
    assert held.crops == 2

    times = [float(path.stem[2:]) for path in held.validated if path.name[0] == "a"]
    assert np.ptp(np.diff(sorted(times))) <= 2.5, "evenly spaced"
    assert hold_out(frames[::-1] + frames[:20]) == held

    few = hold_out(video("a", 4) + video("b", 4) + video("c", 2))
    assert len(few.excluded) == 4 and few.crops == 4, "as many as tell something"
    assert {path.name[0] for path in few.excluded} == set("abc")


def test_half_of_the_frames_are_held_out_where_a_third_gives_no_verdict():
    """Two clips of six seconds, two frames a second: a moment costs three of them."""
    names = [f"{clip}_{n / 2:010.3f}.png" for clip in "ab" for n in range(12)]
    held = hold_out([Path(name) for name in names])
    assert len(held.validated) == FEWEST_UNITS
    assert len(held.excluded) == 12


def test_frames_without_leading_zeros_and_with_a_suffix_are_in_their_order():
    for form in ("im{}.png", "{:05}_out.png"):
        names = [f"c{clip}/{form.format(n)}" for clip in range(3) for n in range(15)]
        held = hold_out([Path(name) for name in names], num_frame=5)
        trained = {*map(Path, names)} - held.excluded
        for path in held.validated:
            number = int("".join(filter(str.isdigit, path.stem)))
            nearest = [path.with_name(form.format(number + d)) for d in (-1, 1)]
            assert trained.isdisjoint(nearest), path


def test_nothing_within_a_second_of_a_moment_is_trained_on():
    """A frame every half second, of two clips of half a minute."""
    frames = []
    for clip in "ab":
        frames += names(*(f"{clip}_{0.5 * n:010.3f}.png" for n in range(60)))
    held = hold_out(frames)
    assert len(held.validated) == 12
    assert len(held.excluded) == 36
    kept = [path for path in frames if path not in held.excluded]
    for path in held.validated:
        same_clip = [other for other in kept if other.name[0] == path.name[0]]
        gaps = [
            abs(float(path.stem[2:]) - float(other.stem[2:])) for other in same_clip
        ]
        assert min(gaps) == 1


def test_of_a_short_series_of_frames_the_end_is_held_out_with_a_gap():
    """25 frames a second: two seconds have no room for moments, and half stays."""
    frames = names(*(f"a_{0.04 * number:010.3f}.png" for number in range(60)))
    for num_frame in (1, 5):
        held = hold_out(frames, None, num_frame)
        kept = [path for path in frames if path not in held.excluded]
        assert set(frames[-num_frame:]) <= held.excluded
        nearer = 60 - num_frame - len(kept)
        assert nearer in (24, 25), "than a second; at 1.0 it is rounded"
    assert len(hold_out(frames[:5], None, 5).excluded) == 2, "something is trained on"


def test_what_is_left_out_of_a_list_may_be_written_otherwise():
    """As `find .` writes names, or with whole paths."""
    root = Path("/set")
    for form in ("{}", "./{}", "/set/{}"):
        listed = ImageList(root, [form.format(path.name) for path in video("a", 20)])
        held = hold_out(listed)
        assert len(held.excluded) == 6
        assert not held.excluded & {*listed.without(held.excluded)}
        assert len(listed.without(held.excluded)) == 14


def test_new_crops_of_held_out_images_are_known_in_any_folder():
    for root in (Path("/set"), Path("set"), Path()):
        crops = [f"{path.stem}_s001.png" for path in video("a", 20)]
        first = hold_out(ImageList(root, crops))
        before = HeldOutNames(
            None,
            [path.name for path in first.excluded],
            [path.name for path in first.validated],
            first.crops,
        )
        new = before.validated[0].replace("_s001", "_s002")
        listed = ImageList(root, [*crops, new])
        held, _ = choose_held_out(listed, None, root, before, 1)
        assert held.excluded == {*first.excluded, root / new}


def test_whole_clips_are_held_out_where_a_fifth_of_them_is_enough():
    clips = [video(f"clip{number:02}_", 6) for number in range(30)]
    held = hold_out([path for clip in clips for path in clip])
    assert len(held.excluded) == 6 * 6 and len(held.validated) == 24
    whole = [clip for clip in clips if held.excluded >= set(clip)]
    assert len(whole) == 6
    assert all(set(clip) & set(held.validated) for clip in whole)

    fewer = hold_out([path for clip in clips[:20] for path in clip])
    assert len(stems(fewer.excluded, 6)) == 12, "moments of 12 clips instead"


@pytest.mark.parametrize("order", ["T{}", "T{}_s004", "_s002T{}"])
def test_crops_and_downscaled_versions_of_an_image_stay_together(order):
    frames = [f"match_{number:06d}.000" for number in range(0, 300, 3)]
    crops = [f"sub/{stem}_s{crop:03d}.png" for stem in frames for crop in range(1, 6)]
    small = [
        f"multiscale/{stem}{order.format(level)}.png"
        for stem in frames
        for level in range(2)
    ]
    held = hold_out(names(*crops, *small))
    assert len(stems(held.excluded, 16)) == 12
    assert len(held.excluded) == 12 * 7
    assert len(held.validated) == 24 and held.crops == 1, "two of each frame"
    assert len(stems(held.validated, 16)) == 12


def test_photographs_and_series_without_times():
    photos = names(*(f"{first}{second}.jpg" for first in "abcde" for second in "vwxyz"))
    held = hold_out(photos)
    assert len(held.excluded) == 8 == len(held.validated), "a third"

    series = names(*(f"{number:04d}.png" for number in range(600)))
    held = hold_out(series)
    assert len(held.validated) == 12
    assert len(held.excluded) == 12 * (1 + 2 * 2), "a twelfth: neighbors too"


@pytest.mark.parametrize(
    "form", ["./{}", "deep//{}", "deep/./{}", ".hidden_{}", "deep/a.b{}", "/other/{}"]
)
def test_names_that_a_list_may_have_are_the_files_that_a_path_is(form):
    """Clips are told from the text of names, for speed; so a path must say the same."""
    written = [form.format(path.name) for path in video("a", 20) + video("b", 12)]
    written += [form.format(f"{number}.{end}") for number in range(9) for end in "ab"]
    for root in (Path("set"), Path()):
        listed = hold_out(ImageList(root, written))
        assert listed == hold_out([root / name for name in written])
    crops = [form.format(f"{n}_s00{k}.png") for n in range(9) for k in (1, 2)]
    held = hold_out(ImageList(Path("set"), crops)).excluded
    frames = {path.name.rpartition("_s")[0] for path in held}
    assert len(held) == 2 * len(frames), "crops of an image stay together"


def test_as_many_crops_as_are_asked_for():
    """An older option file says 8; at most a third of the frames, but four of eight."""
    for count, asked, expected in [
        (2, None, 0),
        (3, None, 1),
        (6, 8, 3),
        (9, 8, 4),
        (3, 0, 0),
        (35, 8, 8),
        (35, 1, 1),
        (500, 8, 8),
        (500, 100, 50),
        (500, None, 12),
        (500, 0, 0),
    ]:
        held = hold_out(video("match", count), asked)
        assert len(held.excluded) == len(held.validated) == expected, (count, asked)
    assert hold_out(video("match", 500), 8).crops == 1
    assert hold_out(video("match", 500), 100).crops == 2

    crops = video("match", 5, crops=8)
    assert len(hold_out(crops).excluded) == 16, "two frames of five"
    assert not hold_out(video("match", 2, crops=8)).excluded


RED = (5, 15, 25)


@pytest.fixture
def match(tmp_path, options) -> dict:
    """Options of a tiny run on 30 key frames; those that are held out are red."""
    for number in range(30):
        frame = picture(96, 80, number)
        if number in RED:
            frame[:, :, 1:] = 0
        write_image(tmp_path / "match" / f"match_{3 * number:06d}.480.png", frame)
    options["datasets"]["train"]["dataroot_gt"] = str(tmp_path / "match")
    options["val"] = {"hold_out": 3}
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
        write_image(folder / f"match_{3 * number:06d}.480.png", picture(96, 80, number))
    assert open_training_data(load_config(yml)).held_out != before.held_out
    again = open_training_data(load_config(yml), before=names)
    assert (again.held_out, again.excluded) == (before.held_out, before.excluded)
    assert (again.names, again.remarks) == (names, [])

    crop = folder / f"{names.validated[0].removesuffix('.png')}_s001.png"
    write_image(crop, picture(96, 80, 5))
    added = open_training_data(load_config(yml), before=names)
    assert added.excluded == {*before.excluded, crop}
    assert added.remarks == [
        "new crops of held-out images are not trained on, either: 1"
    ]
    crop.unlink()

    (folder / names.validated[0]).unlink()
    fewer = open_training_data(load_config(yml), before=names)
    assert fewer.held_out == before.held_out[1:]
    assert names.validated[0] in fewer.remarks[0]

    more = open_training_data(load_config(yml, ["val.hold_out=2"]), before=names)
    assert "val.hold_out was 3" in more.remarks[0]
    for name in names.validated[1:]:
        (folder / name).unlink()
    others = open_training_data(load_config(yml), before=names)
    assert "none of the images validated before is there" in others.remarks[0]


def test_a_resumed_run_tells_files_of_one_name_in_several_folders_apart(
    tmp_path, match
):
    """Also where a list names them outside `dataroot_gt`."""
    for clip in "abcdefgh":
        for number in range(6):
            file = tmp_path / clip / f"{number:04}.png"
            write_image(file, picture(96, 80, number))
    listed = tmp_path / "listed.txt"
    files = [*tmp_path.glob("[a-h]/*.png")]
    listed.write_text("".join(f"{file}\n" for file in files), encoding="utf-8")
    match["datasets"]["train"]["meta_info"] = str(listed)
    yml = write_yml(tmp_path, match)

    before = open_training_data(load_config(yml))
    again = open_training_data(load_config(yml), before=before.names)
    assert (again.held_out, again.excluded) == (before.held_out, before.excluded)


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
    for hold in (3, 0):
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

    images = list(open_held_out(cfg, data.held_out, 1))
    expected = [f"match_{3 * number:06d}.480" for number in RED]
    assert [image.name for image in images] == expected
    assert not any(image.lq.any() for image in images), "black, as in the files"


@pytest.mark.parametrize("spelled", ["match", "lq/../match"])
def test_held_out_images_are_not_trained_on_as_pairs_either(tmp_path, match, spelled):
    write_black_lq(tmp_path)
    match["datasets"]["train_paired"] = {
        "dataroot_gt": str(tmp_path / spelled),
        "dataroot_lq": str(tmp_path / "lq"),
        "num_worker_per_gpu": 0,
        "share": 0.5,
    }
    overrides = ["queue_size=0", "datasets.train.batch_size_per_gpu=9"]
    cfg = load_config(write_yml(tmp_path, match), overrides)
    batches = TrainingBatches(cfg, open_training_data(cfg))
    assert not any(is_red(batch.gt.numpy()).any() for batch in islice(batches, 10))


def test_the_most_detailed_crops_are_validated_whatever_the_seed(tmp_path, match):
    large = np.zeros((603, 1000, 3), np.uint8)
    large[100:164, 700:764] = picture(64, 64, 0)
    large[500:532, 300:332] = 60
    file = tmp_path / "match" / "match_000029.480.png"
    write_image(file, large)
    yml = write_yml(tmp_path, match)
    opened = [
        open_held_out(load_config(yml, [f"manual_seed={seed}"]), [(file, None)], 2)
        for seed in (1, 2)
    ]
    first, other = (held.images for held in opened)
    assert [image.name[-5:] for image in first] == ["_s001", "_s002"]
    for image, again in zip(first, other, strict=True):
        assert (image.gt.shape, image.lq.shape) == ((256, 256, 3), (64, 64, 3))
        np.testing.assert_array_equal(image.lq, again.lq)
    assert (first[0].gt == picture(64, 64, 0)[10, 10]).all(axis=2).any()
    assert (first[1].gt == 60).any()


def test_a_run_without_datasets_val_validates_on_held_out_images(tmp_path, match):
    folder = run(tmp_path, match, "val.val_freq=2", "train.total_iter=3")
    validated = [line["iter"] for line in reported(folder) if "held_out/psnr_y" in line]
    assert validated == [2, 3], "and after the last iteration"
    log = (folder / "train.log").read_text()
    assert "on train, 27 images" in log
    files = [f"match_{3 * number:06d}.480.png" for number in RED]
    assert f"{', '.join(files)}; to choose others: datasets.val" in log
    image = "match_000045.480/match_000045.480_2.png"
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
    for name in ("1.png", "2.png"):
        write_image(root / name, picture(80, 96, 2))
    one = "train.total_iter=1"
    folder = run(tmp_path, options, one)
    assert "validating on 1 of 1 images" in (folder / "train.log").read_text()
    assert any("held_out/psnr_y" in line for line in reported(folder))

    log = (folder / "train.log").read_text()
    assert "bicubic interpolation  held_out/psnr_y " in log
    assert "iter 0 validation  held_out/psnr_y " in log
    assert "validation: psnr_y of the Y channel without 4 pixels" in log

    shown = (folder / "visualization/held_out").iterdir()
    (held_out,) = (path for path in shown if path.is_dir())
    for path in root.rglob("*.png"):
        if path.stem != held_out.name:
            path.unlink()
    with pytest.raises(UserError, match="none is left to train on"):
        run(tmp_path, options, "train.total_iter=2", "auto_resume=true")

    write_image(root / "2.png", picture(80, 96, 2))
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
            for image in open_held_out(cfg, [(path, None)], 1)
        ]
        height, width = (min(side, 256) // 4 for side in size)
        assert lq.shape == (height, width, 3)
        assert gt.shape == (4 * height, 4 * width, 3)
