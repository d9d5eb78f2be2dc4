"""The training loop as a user runs it: it learns, resumes exactly, and says what is wrong in one line."""

import numpy as np
import pytest
import sample_perceptual_metrics as sample
from sample_runs import assert_states_equal, picture, reported, run, write_yml

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.ops import choose as cpu_ops
from realesrgan_paddle.utils.ops.onednn.library import OneDNNError
from realesrgan_paddle.utils.runlog.training_state import load_state
from realesrgan_paddle.utils.weights.reader import read_weights
from realesrgan_paddle.utils.weights.writer import write_pdparams
from train import main

pytestmark = pytest.mark.paddle

LN2 = float(np.log(2))


def degrade_mildly(options: dict) -> None:
    """No resizing but the last, hardly any noise or blur: what is left to learn is the enlargement."""
    for suffix in ("", "2"):
        options |= {
            f"resize_prob{suffix}": [0, 0, 1],
            f"noise_range{suffix}": [0, 1],
            f"jpeg_range{suffix}": [95, 95],
        }
        options |= {f"gaussian_noise_prob{suffix}": 1}
        options["datasets"]["train"] |= {
            f"blur_sigma{suffix}": [0.2, 0.4],
            f"sinc_prob{suffix}": 0,
        }
    options["datasets"]["train"]["final_sinc_prob"] = 0


@pytest.mark.parametrize("workers", [0, 2])
def test_resuming_equals_not_stopping(tmp_path, options, workers):
    options["datasets"]["train"]["num_worker_per_gpu"] = workers
    straight = run(tmp_path, options, "name=straight")
    run(tmp_path, options, "name=stopped", "train.total_iter=3")
    resumed = run(tmp_path, options, "name=stopped", "auto_resume=true")
    assert_states_equal(
        straight / "training_states/6.state", resumed / "training_states/6.state"
    )
    assert reported(straight) == reported(resumed)
    assert [line["iter"] for line in reported(resumed)] == [1, 2, 3, 4, 5, 6]
    assert "train.total_iter: 3 -> 6" in (resumed / "train.log").read_text()


def test_workers_change_nothing(tmp_path, options):
    alone = run(tmp_path, options, "name=alone", "train.total_iter=3")
    helped = run(
        tmp_path,
        options,
        "name=helped",
        "train.total_iter=3",
        "datasets.train.num_worker_per_gpu=2",
    )
    assert_states_equal(
        alone / "training_states/3.state", helped / "training_states/3.state"
    )


def test_the_last_checkpoint_is_complete(tmp_path, options):
    folder = run(tmp_path, options, "train.total_iter=4")
    assert sorted(p.name for p in (folder / "models").iterdir()) == [
        *(f"net_d_{when}.pdparams" for when in (3, 4, "latest")),
        *(f"net_g_{when}.pdparams" for when in (3, 4, "latest")),
    ]
    latest = read_weights(folder / "models/net_g_latest.pdparams")
    assert set(latest.groups) == {"params", "params_ema"}
    state = load_state(folder / "training_states/4.state")
    assert np.array_equal(
        latest.groups["params"]["body.0.weight"],
        state.parts["generator"]["body.0.weight"],
    )
    assert not np.array_equal(
        state.parts["generator"]["body.0.weight"], state.parts["ema"]["body.0.weight"]
    )


def test_learning_rate_warms_up_and_falls(tmp_path, options):
    lines = reported(run(tmp_path, options))
    assert [line["lr"] for line in lines] == pytest.approx(
        [0.5e-3, 1e-3, 1e-3, 1e-3, 0.5e-3, 0.5e-3]
    )


def test_gan_training_learns(tmp_path, options):
    """The discriminator leaves ln 2: it tells grain, which no generator has learnt yet, from smoothness."""
    for i in range(3):
        grain = np.random.default_rng(i).integers(-60, 60, (96, 96, 3))
        write_image(
            tmp_path / "hr" / f"{i}.png",
            np.uint8(np.clip(picture(96, 96, i) + grain, 0, 255)),
        )
    degrade_mildly(options)
    options["train"] |= {
        "total_iter": 80,
        "optim_g": {"lr": 1e-4},
        "optim_d": {"lr": 5e-4},
        "warmup_iter": -1,
    }
    lines = reported(
        run(
            tmp_path,
            options,
            "logger.save_checkpoint_freq=100",
            "train.scheduler.milestones=[]",
        )
    )
    first, last = (
        {k: np.median([line[k] for line in part]) for k in lines[0]}
        for part in (lines[:3], lines[-20:])
    )
    assert abs(first["l_d_real"] + first["l_d_fake"] - 2 * LN2) < 0.2
    assert last["l_d_real"] < 0.7 * LN2, "the discriminator does not know real pictures"
    assert last["l_d_fake"] < 0.7 * LN2, (
        "the discriminator does not know generated pictures"
    )
    assert last["l_g_gan"] > 1.2 * first["l_g_gan"], (
        "the generator does not feel the discriminator"
    )


def test_pixel_loss_falls(tmp_path, options):
    options["model_type"] = "RealESRNetModel"
    del options["network_d"]
    for key in ("gan_opt", "optim_d", "artifact_opt"):
        del options["train"][key]
    degrade_mildly(options)
    options["train"] |= {"total_iter": 80, "optim_g": {"lr": 3e-3}, "warmup_iter": -1}
    lines = reported(
        run(
            tmp_path,
            options,
            "logger.save_checkpoint_freq=100",
            "train.scheduler.milestones=[]",
        )
    )
    first, last = (
        np.mean([line["l_g_pix"] for line in part])
        for part in (lines[:20], lines[-20:])
    )
    assert last < 0.9 * first


def test_discriminator_only_iterations_leave_the_generator_alone(tmp_path, options):
    options["train"] |= {"net_d_init_iters": 2, "total_iter": 2}
    folder = run(tmp_path, options, "logger.save_checkpoint_freq=1")
    first, second = (
        load_state(folder / f"training_states/{i}.state").parts for i in (1, 2)
    )
    assert all(
        np.array_equal(array, second["generator"][name])
        for name, array in first["generator"].items()
    )
    assert any(
        not np.array_equal(array, second["discriminator"][name])
        for name, array in first["discriminator"].items()
    )
    assert "l_g_gan" not in reported(folder)[0]


def test_validation_measures_and_saves(tmp_path, options):
    gt = picture(48, 80, 9)
    write_image(tmp_path / "val_gt" / "a.png", gt)
    write_image(tmp_path / "val_lq" / "a.png", gt[::4, ::4])
    options["datasets"]["val"] = {
        "name": "held_out",
        "type": "PairedImageDataset",
        "dataroot_gt": str(tmp_path / "val_gt"),
        "dataroot_lq": str(tmp_path / "val_lq"),
    }
    options["val"] = {"val_freq": 2, "save_img": True}
    folder = run(tmp_path, options, "train.total_iter=2")
    (line,) = [line for line in reported(folder) if "held_out/psnr" in line]
    assert line["iter"] == 2
    assert 5 < line["held_out/psnr"] < 60
    assert 0 < line["held_out/ssim"] < 1
    assert (folder / "visualization/held_out/a/a_2.png").is_file()


def test_lpips_and_dists_train_and_are_measured(tmp_path, options, monkeypatch):
    monkeypatch.chdir(tmp_path)  # weights/ is taken from where training is started
    networks = {"lpips_alex": sample.network("alex") | sample.linear("alex")}
    networks["dists"] = sample.network("vgg") | sample.dists()
    for name, tensors in networks.items():
        write_pdparams(tmp_path / f"weights/{name}.pdparams", {"": tensors})
    gt = picture(64, 80, 9)
    write_image(tmp_path / "val_gt" / "a.png", gt)
    write_image(tmp_path / "val_lq" / "a.png", gt[::4, ::4])
    folders = {
        f"dataroot_{kind}": str(tmp_path / f"val_{kind}") for kind in ("gt", "lq")
    }
    options["datasets"]["val"] = {
        "name": "held_out",
        "type": "PairedImageDataset",
        **folders,
    }
    options["val"] = {
        "val_freq": 2,
        "metrics": {m: {"type": f"calculate_{m}"} for m in ("psnr", "lpips", "dists")},
    }
    options["train"] |= {
        "lpips_opt": {"loss_weight": 0.1},
        "dists_opt": {"type": "DISTSLoss", "loss_weight": 0.2},
    }
    first, measured = reported(run(tmp_path, options, "train.total_iter=2"))[::2]
    assert first["l_g_lpips"] > 0
    assert first["l_g_dists"] > 0
    assert measured["held_out/lpips"] > 0
    assert measured["held_out/dists"] > 0


def test_paired_training(tmp_path, options):
    for i in range(2):
        gt = picture(64, 48, i)
        write_image(tmp_path / "gt" / f"{i}.png", gt)
        write_image(tmp_path / "lq" / f"{i}.png", gt[::4, ::4])
    options["high_order_degradation"] = False
    options["datasets"]["train"] |= {
        "type": "RealESRGANPairedDataset",
        "dataroot_gt": str(tmp_path / "gt"),
        "dataroot_lq": str(tmp_path / "lq"),
    }
    assert len(reported(run(tmp_path, options, "train.total_iter=2"))) == 2


def test_a_finished_run_is_moved_aside_not_overwritten(tmp_path, options):
    folder = run(tmp_path, options, "train.total_iter=1")
    (folder / "mine.txt").write_text("keep")
    run(tmp_path, options, "train.total_iter=1")
    (archived,) = [
        p for p in folder.parent.iterdir() if p.name.startswith("tiny_archived_")
    ]
    assert (archived / "mine.txt").read_text() == "keep"


def test_a_pretrained_generator_is_the_start(tmp_path, options):
    first = run(tmp_path, options, "name=first", "train.total_iter=1")
    options["path"] |= {
        "pretrain_network_g": str(first / "models/net_g_latest.pdparams"),
        "param_key_g": "params_ema",
    }
    options["train"] |= {"net_d_init_iters": 1, "total_iter": 1}
    second = run(tmp_path, options, "name=second")
    weights = [
        read_weights(f / "models/net_g_latest.pdparams").groups["params_ema"]
        for f in (first, second)
    ]
    for name, array in weights[0].items():
        np.testing.assert_allclose(array, weights[1][name], atol=1e-7)


def test_damaged_image_in_a_worker_is_one_line(tmp_path, options):
    (tmp_path / "hr" / "broken.png").write_bytes(b"\x89PNG nonsense")
    with pytest.raises(
        UserError, match=r"broken\.png: not a readable image \(cut short\)$"
    ) as error:
        run(tmp_path, options, "datasets.train.num_worker_per_gpu=2")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["datasets.train.dataroot_gt=missing"], "missing: not a folder"),
        (["datasets.train.meta_info=missing.txt"], "missing.txt"),
        (["path.pretrain_network_g=missing.pdparams"], "missing.pdparams"),
        (["path.resume_state=missing.state"], "missing.state"),
        (["train.totl_iter=3"], "total_iter"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    tmp_path, options, overrides, message
):
    with pytest.raises(UserError) as error:
        main(["--yml_path", str(write_yml(tmp_path, options)), *overrides])
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "runs").exists()


def test_debug_reports_every_iteration_under_its_own_name(tmp_path, options):
    options["logger"]["print_freq"] = 100
    assert (
        main(
            ["-opt", str(write_yml(tmp_path, options)), "--debug", "train.total_iter=2"]
        )
        == 0
    )
    assert len(reported(tmp_path / "runs/debug_tiny")) == 2


def test_the_log_says_which_operators_train_and_why(tmp_path, options, monkeypatch):
    def missing(ops):
        raise OneDNNError("no such library")

    monkeypatch.setattr(cpu_ops, "check", missing)
    folder = run(tmp_path, options, "train.total_iter=1")
    assert (
        "operators: Paddle's own (no such library)"
        in (folder / "train.log").read_text()
    )
