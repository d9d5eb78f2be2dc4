"""All bad files are reported before a run; those damaged inside are skipped by it."""

import re
from pathlib import Path

import numpy as np
import pytest
from odd_images import WITHIN, broken, place
from sample_runs import assert_states_equal, picture, run, write_yml

from realesrgan_paddle.data.loading.datasets import ValidationDataset
from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.tools import preflight
from realesrgan_paddle.training.training_data import (
    check_run,
    describe_data,
    open_datasets,
    open_training_data,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.machine.process_group import ALONE

pytestmark = pytest.mark.paddle


def test_a_run_reports_all_bad_images_and_writes_nothing(
    tmp_path, options, capsys, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    names = set(broken()) - set(WITHIN)
    for name in names:
        place(tmp_path / "hr", name, broken()[name][0])
    count = len(names)
    message = (
        rf"^{count} problems with {count + 3} image files; {count - 20} more are listed"
    )
    with pytest.raises(UserError, match=message) as error:
        run(tmp_path, options)
    assert capsys.readouterr().err.count("\n") == 20, "twenty are shown"

    listed = re.search("listed in ([^;]+)", str(error.value)).group(1)
    lines = Path(listed).read_text().splitlines()
    files = [line.partition(": ")[0] for line in lines]
    assert sorted(files) == sorted(str(tmp_path / "hr" / name) for name in names)
    assert not (tmp_path / "runs").exists()


def write_pairs(folder: Path, sizes: dict[str, tuple[int, int]]) -> dict[str, str]:
    """Write square pairs by name and (gt, lq) side; return the options for them."""
    for name, (gt, lq) in sizes.items():
        write_image(folder / "gt" / f"{name}.png", picture(gt, gt, 0))
        write_image(folder / "lq" / f"{name}.png", picture(lq, lq, 0))
    return {"dataroot_gt": str(folder / "gt"), "dataroot_lq": str(folder / "lq")}


@pytest.fixture
def unfit_pairs(tmp_path, options) -> dict:
    """Return options to train and validate on four pairs, of which one is good."""
    sizes = {"small": (16, 4), "wrong": (64, 15), "good": (64, 16), "turned": (64, 16)}
    folders = write_pairs(tmp_path, sizes)
    write_image(tmp_path / "gt" / "turned.png", picture(64, 80, 0))
    options["datasets"]["train"] |= folders | {"type": "RealESRGANPairedDataset"}
    options["datasets"]["val"] = folders | {"type": "PairedImageDataset"}
    options["high_order_degradation"] = False
    return options


def assert_names_unfit_pairs(report: str) -> None:
    in_training_only = "small.png: 16x16 is smaller than gt_size 32\n"
    assert report.count(in_training_only) == 1, "validation takes small images"
    assert report.count("wrong.png is 15x15: not 4 times as large") == 2
    assert report.count("turned.png is 80x64 but ") == 2


def test_a_run_reports_all_unfit_pairs_of_training_and_validation(
    tmp_path, unfit_pairs, capsys
):
    with pytest.raises(UserError, match="5 problems with 8 image files"):
        run(tmp_path, unfit_pairs)
    assert_names_unfit_pairs(capsys.readouterr().err)


def test_the_tool_reports_the_same_pairs_as_the_run(tmp_path, unfit_pairs, capsys):
    yml = write_yml(tmp_path, unfit_pairs)
    assert preflight.main(["--yml_path", str(yml)]) == 1
    captured = capsys.readouterr()
    assert captured.out == "8 image files checked; 5 findings\n"
    assert_names_unfit_pairs(captured.err)


@pytest.fixture
def pair_folders(tmp_path) -> list[str]:
    """Return the tool's words for folders of pairs; "good" is damaged inside."""
    write_pairs(tmp_path, {"good": (64, 16), "wrong": (64, 15)})
    write_image(tmp_path / "gt" / "alone.png", picture(64, 64, 0))
    write_image(tmp_path / "lq" / "lone.png", picture(16, 16, 0))
    damage(tmp_path / "gt" / "good.png")
    return ["--input", str(tmp_path / "gt"), "--lq", str(tmp_path / "lq")]


def damage(path: Path) -> None:
    """Change one byte behind the header of an image."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)


def test_the_tool_checks_the_headers_of_folders_of_pairs(
    tmp_path, pair_folders, capsys
):
    assert preflight.main(pair_folders) == 1
    listed = capsys.readouterr().err
    assert "wrong.png is 15x15: not 4 times as large" in listed
    assert f"{tmp_path / 'lq' / 'alone.png'}: No such file" in listed
    assert f"{tmp_path / 'lq' / 'lone.png'}: has no ground truth" in listed
    assert "good.png" not in listed, "its header is intact"


def test_the_tool_finds_damage_behind_the_header_with_check(pair_folders, capsys):
    assert preflight.main([*pair_folders, "--check"]) == 1
    assert "good.png: " in capsys.readouterr().err


def test_the_tool_accepts_a_folder_of_readable_images(tmp_path, pair_folders):
    assert preflight.main(["--input", str(tmp_path / "gt")]) == 0


def test_images_smaller_than_the_crop_do_not_stop_a_run(
    tmp_path, options, capsys, monkeypatch
):
    yml = write_yml(tmp_path, options)
    monkeypatch.chdir(tmp_path)
    cfg = load_config(yml)
    described = describe_data(cfg, open_training_data(cfg), ALONE)
    assert "3 image files checked; 1 are smaller than the crop of 52" in described
    assert preflight.main(["--yml_path", str(yml)]) == 1
    assert "is smaller than the crop of 52\n" in capsys.readouterr().err


@pytest.fixture
def damaged(tmp_path, options) -> Path:
    """Damage one of the three training images behind its header; return its path."""
    path = tmp_path / "hr" / "1.png"
    damage(path)
    return path


def test_a_damaged_image_is_skipped_and_named_once(tmp_path, options, damaged):
    folder = run(tmp_path, options)
    log = (folder / "train.log").read_text()
    assert log.count(f"skipped, 1 of at most 10: {damaged}: ") == 1


def test_a_damaged_image_ends_a_run_that_allows_none(tmp_path, options, damaged):
    with pytest.raises(UserError, match=r"1\.png: "):
        run(tmp_path, options, "datasets.train.max_bad_images=0")


def test_resuming_past_a_damaged_image_changes_nothing(tmp_path, options, damaged):
    options["logger"]["save_checkpoint_freq"] = 2
    straight = run(tmp_path, options)
    options["name"] = "stopped"
    run(tmp_path, options, "train.total_iter=4")
    resumed = run(tmp_path, options, "auto_resume=true")
    assert_states_equal(
        straight / "training_states/6.state", resumed / "training_states/6.state"
    )


def test_a_missing_image_stops_a_new_run_but_not_a_resumed_one(tmp_path, options):
    (tmp_path / "meta.txt").write_text("0.png\n1.png\n2.png\n")
    options["datasets"]["train"]["meta_info"] = str(tmp_path / "meta.txt")
    options["logger"]["save_checkpoint_freq"] = 2
    run(tmp_path, options, "train.total_iter=2")
    missing = tmp_path / "hr" / "1.png"
    missing.unlink()

    folder = run(tmp_path, options, "auto_resume=true")
    assert (folder / "models" / "net_g_6.pdparams").exists()
    log = (folder / "train.log").read_text()
    assert f"{missing}: No such file or directory" in log

    options["name"] = "new"
    with pytest.raises(UserError, match=r"1\.png: No such file or directory$"):
        run(tmp_path, options)


@pytest.mark.parametrize(
    ("size", "fits"),
    [
        ((67, 64), True),
        ((64, 65), True),
        ((67, 67), True),
        ((68, 64), False),
        ((64, 63), False),
    ],
)
def test_validation_crops_ground_truths_that_are_no_multiple_of_the_scale(
    tmp_path, options, size, fits
):
    """As BasicSR does, by the size of the low-quality image; a wrong pair is refused."""
    gt = picture(*size, 0)
    write_image(tmp_path / "gt" / "a.png", gt)
    write_image(tmp_path / "lq" / "a.png", gt[:64:4, :64:4])
    folders = {"dataroot_gt": str(tmp_path / "gt"), "dataroot_lq": str(tmp_path / "lq")}
    options["datasets"]["val"] = folders | {"type": "PairedImageDataset"}
    cfg = load_config(write_yml(tmp_path, options))
    report = check_run(cfg, *open_datasets(cfg))
    dataset = ValidationDataset.open(cfg.datasets.val, cfg.scale)
    if fits:
        assert not report.problems
        (image,) = dataset
        assert np.array_equal(image.gt, gt[:64, :64])
        assert image.lq.shape == (16, 16, 3)
    else:
        (problem,) = report.problems
        assert problem.endswith("not 4 times as large")
        with pytest.raises(UserError, match="not 4 times as large"):
            list(dataset)


def test_training_refuses_pairs_that_validation_crops(tmp_path, options):
    """As BasicSR does: a pair that is not exact may be shifted, too."""
    folders = write_pairs(tmp_path, {"a": (67, 16)})
    options["datasets"]["train"] |= folders | {"type": "RealESRGANPairedDataset"}
    options["high_order_degradation"] = False
    with pytest.raises(UserError, match="not 4 times as large"):
        run(tmp_path, options)
