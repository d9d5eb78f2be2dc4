"""Files are looked at before a run begins, all problems at once; those that go bad later are passed over by name."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from odd_images import WITHIN, broken, place
from sample_runs import assert_states_equal, picture, run, write_yml

from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.run.batch_maker import BatchMaker
from realesrgan_paddle.run.batches import TrainingBatches
from realesrgan_paddle.run.training_data import describe_data, open_training_data
from realesrgan_paddle.tools import preflight
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.machine.process_group import ALONE

pytestmark = pytest.mark.paddle


def test_training_lists_all_problems_shows_twenty_and_writes_nothing(
    tmp_path, options, capsys, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    names = set(broken()) - set(WITHIN)
    for name in names:
        place(tmp_path / "hr", name, broken()[name][0])
    count = len(names)
    with pytest.raises(
        UserError,
        match=rf"^{count} problems with {count + 3} image files; {count - 20} more are ",
    ) as error:
        run(tmp_path, options)
    assert capsys.readouterr().err.count("\n") == 20
    listed = (
        Path(str(error.value).partition("listed in ")[2].partition(";")[0])
        .read_text()
        .splitlines()
    )
    assert sorted(line.partition(": ")[0] for line in listed) == sorted(
        str(tmp_path / "hr" / name) for name in names
    )
    assert not (tmp_path / "runs").exists()


def test_all_pairs_that_do_not_fit_are_listed_for_training_and_validation(
    tmp_path, options, capsys
):
    sizes = {"small": (16, 4), "wrong": (64, 15), "good": (64, 16), "turned": (64, 16)}
    for name, (gt, lq) in sizes.items():
        write_image(tmp_path / "gt" / f"{name}.png", picture(gt, gt, 0))
        write_image(tmp_path / "lq" / f"{name}.png", picture(lq, lq, 0))
    write_image(tmp_path / "gt" / "turned.png", picture(64, 80, 0))
    folders = {"dataroot_gt": str(tmp_path / "gt"), "dataroot_lq": str(tmp_path / "lq")}
    options["datasets"]["train"] |= folders | {"type": "RealESRGANPairedDataset"}
    options["datasets"]["val"] = folders | {"type": "PairedImageDataset"}
    options["high_order_degradation"] = False
    with pytest.raises(UserError, match="5 problems with 8 image files"):
        run(tmp_path, options)
    _assert_all_listed(capsys.readouterr().err)
    assert preflight.main(["--yml_path", str(write_yml(tmp_path, options))]) == 1
    captured = capsys.readouterr()
    assert captured.out == "8 image files checked; 5 findings\n"
    _assert_all_listed(captured.err)


def _assert_all_listed(report: str):
    assert report.count("small.png: 16x16 is smaller than gt_size 32\n") == 1, (
        "validation takes small ones"
    )
    assert report.count("wrong.png is 15x15: not 4 times as large") == 2
    assert report.count("turned.png is 80x64 but ") == 2


def test_folders_of_pairs_are_looked_at_without_a_run(tmp_path, capsys):
    for name, (gt, lq) in {"good": (64, 16), "wrong": (64, 15)}.items():
        write_image(tmp_path / "gt" / f"{name}.png", picture(gt, gt, 0))
        write_image(tmp_path / "lq" / f"{name}.png", picture(lq, lq, 0))
    write_image(tmp_path / "gt" / "alone.png", picture(64, 64, 0))
    write_image(tmp_path / "lq" / "lone.png", picture(16, 16, 0))
    data = bytearray((tmp_path / "gt" / "good.png").read_bytes())
    data[len(data) // 2] ^= 255
    (tmp_path / "gt" / "good.png").write_bytes(data)
    folders = ["--input", str(tmp_path / "gt"), "--lq", str(tmp_path / "lq")]
    assert preflight.main(folders) == 1
    listed = capsys.readouterr().err
    assert "wrong.png is 15x15: not 4 times as large" in listed
    assert f"{tmp_path / 'lq' / 'alone.png'}: No such file" in listed
    assert f"{tmp_path / 'lq' / 'lone.png'}: has no ground truth" in listed
    assert "good.png" not in listed, "a header does not tell"
    assert preflight.main([*folders, "--check"]) == 1
    assert "good.png: " in capsys.readouterr().err
    assert preflight.main(["--input", str(tmp_path / "gt")]) == 0


def test_images_smaller_than_the_crop_are_only_counted(tmp_path, options, capsys):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        cfg = load_config(write_yml(tmp_path, options))
        described = describe_data(cfg, open_training_data(cfg), ALONE)
    assert "3 image files checked; 1 are smaller than the crop of 52" in described
    assert preflight.main(["--yml_path", str(write_yml(tmp_path, options))]) == 1
    assert "is smaller than the crop of 52\n" in capsys.readouterr().err


def spoil(monkeypatch, path: Path, after: int):
    """Let an image go bad once `after` training batches have been made, whichever thread makes them."""
    make = BatchMaker.__call__

    def spoiled(maker, number):
        if number == after + 1:
            path.write_bytes(path.read_bytes()[:40])
        return make(maker, number)

    monkeypatch.setattr(BatchMaker, "__call__", spoiled)


def test_an_image_that_goes_bad_is_passed_over_by_name(tmp_path, options, monkeypatch):
    path = tmp_path / "hr" / "1.png"
    spoil(monkeypatch, path, after=2)
    folder = run(tmp_path, options)
    log = (folder / "train.log").read_text()
    assert (
        log.count(
            f"passed over, 1 of at most 10: {path}: not a readable image (cut short)"
        )
        == 1
    )


def test_the_stand_in_is_the_same_for_any_number_of_workers_and_after_a_resume(
    tmp_path, options
):
    path = tmp_path / "hr" / "1.png"
    file = write_yml(tmp_path, options)
    alone = load_config(file, ["queue_size=0"])
    helped = load_config(file, ["queue_size=0", "datasets.train.num_worker_per_gpu=2"])
    runs = [TrainingBatches(cfg, open_training_data(cfg)) for cfg in (alone, helped)]
    path.write_bytes(path.read_bytes()[:40])
    # a resumed run does not refuse what the first one passed over
    data = open_training_data(alone, resuming=True)
    runs.append(TrainingBatches(alone, data, start=2))

    streams = []
    for batches in runs:
        remaining = islice(batches, 6 - batches.number)
        streams.append(np.stack([batch.gt.numpy() for batch in remaining]))
        assert len(batches.bad_images.seen) == 1
        batches.close()
    assert np.array_equal(streams[0], streams[1])
    assert np.array_equal(streams[0][2:], streams[2])


def test_too_many_bad_images_end_the_run_by_name(tmp_path, options, monkeypatch):
    spoil(monkeypatch, tmp_path / "hr" / "1.png", after=1)
    with pytest.raises(UserError, match=r"1\.png: not a readable image \(cut short\)$"):
        run(tmp_path, options, "datasets.train.max_bad_images=0")


def test_more_bad_images_than_allowed_are_an_error_that_names_the_option(
    tmp_path, options
):
    overrides = ["datasets.train.max_bad_images=1"]
    cfg = load_config(write_yml(tmp_path, options), overrides)
    batches = TrainingBatches(cfg, open_training_data(cfg))
    for name in ("0.png", "1.png", "2.png"):
        (tmp_path / "hr" / name).unlink()
    with pytest.raises(
        UserError,
        match=r"\.png: No such file.*; more than datasets\.train\.max_bad_images: 1 images",
    ):
        next(batches)


def test_resuming_past_a_bad_image_equals_not_stopping(tmp_path, options, monkeypatch):
    path = tmp_path / "hr" / "1.png"
    whole = path.read_bytes()
    spoil(monkeypatch, path, after=1)
    options["logger"]["save_checkpoint_freq"] = 2
    straight = run(tmp_path, options)
    path.write_bytes(whole)
    options["name"] = "stopped"
    run(tmp_path, options, "train.total_iter=4")
    resumed = run(tmp_path, options, "auto_resume=true")
    assert_states_equal(
        straight / "training_states/6.state", resumed / "training_states/6.state"
    )


def test_a_run_is_resumed_though_an_image_that_its_list_names_is_gone(
    tmp_path, options
):
    (tmp_path / "meta.txt").write_text("0.png\n1.png\n2.png\n")
    options["datasets"]["train"]["meta_info"] = str(tmp_path / "meta.txt")
    options["logger"]["save_checkpoint_freq"] = 2
    run(tmp_path, options, "train.total_iter=2")
    (tmp_path / "hr" / "1.png").unlink()
    folder = run(tmp_path, options, "auto_resume=true")
    assert (folder / "models" / "net_g_6.pdparams").exists()
    assert (
        f"{tmp_path / 'hr' / '1.png'}: No such file or directory"
        in (folder / "train.log").read_text()
    )
    options["name"] = "new"
    with pytest.raises(UserError, match=r"1\.png: No such file or directory$"):
        run(tmp_path, options)
