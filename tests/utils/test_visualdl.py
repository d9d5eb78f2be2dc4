"""VisualDL's records of a run (`logger.use_tb_logger`), as VisualDL reads them."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from sample_runs import picture, reported, run

from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.runlog.experiment import VisualDLWriter

pytestmark = pytest.mark.paddle


@pytest.fixture
def visualdl_options(tmp_path, options) -> dict:
    """Options of the tiny run with VisualDL and a validation every 2 iterations."""
    gt = picture(64, 80, 9)
    write_image(tmp_path / "val_gt" / "a.png", gt)
    write_image(tmp_path / "val_lq" / "a.png", gt[::4, ::4])
    folders = {
        f"dataroot_{kind}": str(tmp_path / f"val_{kind}") for kind in ("gt", "lq")
    }
    options["datasets"]["val"] = {
        "name": "100%",
        "type": "PairedImageDataset",
        **folders,
    }
    options["val"] = {"val_freq": 2, "drift": None}
    options["logger"]["use_tb_logger"] = True
    return options


def records(folder: Path) -> dict[str, dict[str, list]]:
    """Return a run's records by kind and tag: (step, value or image size in bytes)."""
    from visualdl import LogReader

    (file,) = (folder / "tb_logger").iterdir()
    reader = LogReader(file_path=str(file))
    tags = reader.get_tags()
    return {
        "scalar": {
            tag: [(r.id, r.value) for r in reader.get_data("scalar", tag)]
            for tag in tags["scalar"]
        },
        "image": {
            tag: [
                (r.id, len(r.image.encoded_image_string))
                for r in reader.get_data("image", tag)
            ]
            for tag in tags.get("image", [])
        },
    }


def test_records_hold_each_number_and_sheet_once_after_a_resume(
    tmp_path, visualdl_options
):
    pytest.importorskip("visualdl")
    folder = run(
        tmp_path,
        visualdl_options,
        "train.total_iter=5",
        "logger.save_checkpoint_freq=4",
    )
    (
        folder / "training_states/5.state"
    ).unlink()  # as if it had been killed after iteration 5
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"iter": 5, "l_g_p')
    run(tmp_path, visualdl_options, "auto_resume=true")
    found = records(folder)
    assert [step for step, _ in found["scalar"]["losses/l_g_pix"]] == [1, 2, 3, 4, 5, 6]
    assert [step for step, _ in found["scalar"]["100_/psnr_y"]] == [2, 4, 6]
    assert [step for step, size in found["image"]["100_/sheet"] if size > 1000] == [
        2,
        4,
        6,
    ]
    lines = [line for line in reported(folder) if "l_g_pix" in line]
    assert [value for _, value in found["scalar"]["losses/l_g_pix"]] == pytest.approx(
        [r["l_g_pix"] for r in lines]
    )
    assert {"lr", "images_per_s", "memory_mb"} <= found["scalar"].keys()


def test_values_that_are_not_finite_are_left_out(tmp_path):
    pytest.importorskip("visualdl")
    writer = VisualDLWriter()
    writer.open(tmp_path / "tb_logger")
    writer.add_scalars(
        [(1, {"l_g_pix": 0.5}), (2, {"l_g_pix": None}), (3, {"l_g_pix": float("nan")})]
    )
    writer.add_image("a/sheet", 3, np.zeros((4, 5, 3), np.uint8))
    assert records(tmp_path)["scalar"] == {"losses/l_g_pix": [(1, 0.5)]}


def test_without_visualdl_training_runs_and_the_log_says_how_to_install_it(
    tmp_path, visualdl_options, monkeypatch
):
    monkeypatch.setitem(sys.modules, "visualdl", None)
    folder = run(tmp_path, visualdl_options, "train.total_iter=1")
    assert (
        "VisualDL is not installed (pip install visualdl"
        in (folder / "train.log").read_text()
    )
    assert not (folder / "tb_logger").exists()


def test_without_the_option_visualdl_is_not_needed(tmp_path, options, monkeypatch):
    monkeypatch.setitem(sys.modules, "visualdl", None)
    folder = run(tmp_path, options, "train.total_iter=1")
    assert not (folder / "tb_logger").exists()
    assert json.loads((folder / "metrics.jsonl").read_text())["iter"] == 1
