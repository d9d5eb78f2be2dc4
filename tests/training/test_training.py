"""The training loop as users run it: it learns, resumes exactly, and names mistakes."""

import numpy as np
import pytest
import sample_perceptual_metrics as sample
from sample_runs import (
    assert_resumes_exactly,
    assert_states_equal,
    log_of,
    parts_of,
    picture,
    reported,
    run,
    state_of,
    write_grainy_images,
    write_yml,
)

from realesrgan_paddle.commands import train as command
from realesrgan_paddle.commands.train import main
from realesrgan_paddle.ops import choose as cpu_ops
from realesrgan_paddle.ops.trial import TrialError
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.weights.reader import read_weights
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = pytest.mark.paddle

LN2 = float(np.log(2))


def degrade_mildly(options: dict) -> None:
    """No resizing but the last, hardly any noise or blur: only upscaling is left to learn."""
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


def test_resuming_equals_not_stopping(tmp_path, options):
    _, resumed = assert_resumes_exactly(tmp_path, options)
    assert [line["iter"] for line in reported(resumed)] == [1, 2, 3, 4, 5, 6]
    assert "train.total_iter: 3 -> 6" in log_of(resumed)


def test_the_state_of_another_run_leaves_a_run_of_the_new_name_alone(tmp_path, options):
    other = run(tmp_path, options, "name=other", "train.total_iter=3")
    mine = run(tmp_path, options, "name=mine", "train.total_iter=3")
    before = {
        path.relative_to(mine): path.read_bytes()
        for path in mine.rglob("*")
        if path.is_file()
    }
    state = f"path.resume_state={state_of(other, 3)}"
    again = run(tmp_path, options, "name=mine", "train.total_iter=5", state)
    (archived,) = tmp_path.glob("*/mine_archived_*")
    assert {name: (archived / name).read_bytes() for name in before} == before
    assert_states_equal(
        state_of(again, 5), state_of(run(tmp_path, options, "train.total_iter=5"), 5)
    )


def test_workers_change_nothing_whenever_a_run_starts(tmp_path, options):
    alone = run(tmp_path, options, "name=alone", "train.total_iter=5")
    options["datasets"]["train"]["num_worker_per_gpu"] = 2
    run(tmp_path, options, "name=helped", "train.total_iter=3")
    helped = run(
        tmp_path, options, "name=helped", "train.total_iter=5", "auto_resume=true"
    )
    assert_states_equal(state_of(alone, 5), state_of(helped, 5))


def test_the_last_checkpoint_is_complete(tmp_path, options):
    folder = run(tmp_path, options, "train.total_iter=4")
    assert sorted(p.name for p in (folder / "models").iterdir()) == [
        *(f"net_d_{when}.pdparams" for when in (3, 4, "latest")),
        *(f"net_g_{when}.pdparams" for when in (3, 4, "latest")),
    ]
    latest = read_weights(folder / "models/net_g_latest.pdparams")
    assert set(latest.groups) == {"params", "params_ema"}
    state = parts_of(folder, 4)
    weight, average = (state[part]["body.0.weight"] for part in ("generator", "ema"))
    assert np.array_equal(latest.groups["params"]["body.0.weight"], weight)
    assert np.array_equal(latest.groups["params_ema"]["body.0.weight"], average)
    assert not np.array_equal(weight, average)


def test_learning_rate_warms_up_and_falls(tmp_path, options):
    lines = reported(run(tmp_path, options))
    assert [line["lr"] for line in lines] == pytest.approx(
        [0.5e-3, 1e-3, 1e-3, 1e-3, 0.5e-3, 0.5e-3]
    )


def steady(total_iter):
    """Overrides of a run of that length at a constant learning rate."""
    return (
        f"train.total_iter={total_iter}",
        "train.warmup_iter=-1",
        "train.scheduler.milestones=[]",
        "logger.save_checkpoint_freq=100",
    )


def medians(lines):
    return {name: np.median([line[name] for line in lines]) for name in lines[0]}


def test_gan_training_learns(tmp_path, options):
    """The discriminator leaves ln 2: it tells grain, which no generator has learned yet."""
    write_grainy_images(tmp_path / "hr")
    degrade_mildly(options)
    options["train"] |= {"optim_g": {"lr": 1e-4}, "optim_d": {"lr": 5e-4}}
    lines = reported(run(tmp_path, options, *steady(60)))
    first, last = medians(lines[:3]), medians(lines[-15:])
    assert abs(first["l_d_real"] + first["l_d_fake"] - 2 * LN2) < 0.2
    assert last["l_d_real"] < 0.7 * LN2, "real images are not recognized"
    assert last["l_d_fake"] < 0.7 * LN2, "generated images are not recognized"
    assert last["l_g_gan"] > 1.2 * first["l_g_gan"], "the generator is not affected"


def test_pixel_loss_falls(tmp_path, options):
    options["model_type"] = "RealESRNetModel"
    del options["network_d"]
    for key in ("gan_opt", "optim_d", "artifact_opt"):
        del options["train"][key]
    degrade_mildly(options)
    options["train"]["optim_g"]["lr"] = 3e-3
    losses = [line["l_g_pix"] for line in reported(run(tmp_path, options, *steady(60)))]
    assert np.mean(losses[-15:]) < 0.9 * np.mean(losses[:15])


def add_validation_set(options, tmp_path, gt):
    """Validate on one image and its downscaled version."""
    write_image(tmp_path / "val_gt" / "a.png", gt)
    write_image(tmp_path / "val_lq" / "a.png", gt[::4, ::4])
    options["datasets"]["val"] = {
        "name": "held_out",
        "type": "PairedImageDataset",
        "dataroot_gt": str(tmp_path / "val_gt"),
        "dataroot_lq": str(tmp_path / "val_lq"),
    }


def test_validation_measures_and_saves(tmp_path, options):
    add_validation_set(options, tmp_path, picture(48, 80, 9))
    options["val"] = {"val_freq": 2, "save_img": True}
    folder = run(tmp_path, options, "train.total_iter=2")
    (line,) = [line for line in reported(folder) if "held_out/psnr_y" in line]
    assert line["iter"] == 2
    assert 5 < line["held_out/psnr_y"] < 60
    assert 0 < line["held_out/ssim_y"] < 1
    assert (folder / "visualization/held_out/a/a_2.png").is_file()


def test_lpips_and_dists_train_and_are_measured(tmp_path, options, monkeypatch):
    monkeypatch.chdir(tmp_path)  # weights/ is taken from where training is started
    networks = {"lpips_alex": sample.network("alex") | sample.linear("alex")}
    networks["dists"] = sample.network("vgg") | sample.dists()
    for name, tensors in networks.items():
        write_pdparams(tmp_path / f"weights/{name}.pdparams", {"": tensors})
    add_validation_set(options, tmp_path, picture(64, 80, 9))
    options["val"] = {
        "val_freq": 2,
        "metrics": {m: {"type": f"calculate_{m}"} for m in ("psnr", "lpips", "dists")},
        "drift": None,
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


def test_a_run_may_train_on_given_pairs_alone(tmp_path, options):
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
    start, found = (
        read_weights(folder / "models/net_g_latest.pdparams").groups["params_ema"]
        for folder in (first, second)
    )
    for name, array in start.items():
        np.testing.assert_allclose(array, found[name], atol=1e-7)


def test_a_damaged_image_in_a_worker_is_one_line(tmp_path, options):
    (tmp_path / "hr" / "broken.png").write_bytes(b"\x89PNG nonsense")
    with pytest.raises(
        UserError, match=r"broken\.png: not a readable image \(cut short\)$"
    ) as error:
        run(tmp_path, options, "datasets.train.num_worker_per_gpu=2")
    assert "\n" not in str(error.value)


def test_bad_input_is_one_line_and_writes_nothing(tmp_path, options):
    messages = {
        "datasets.train.dataroot_gt=missing": "missing: not a folder",
        "datasets.train.meta_info=missing.txt": "missing.txt",
        "path.pretrain_network_g=missing.pdparams": "missing.pdparams",
        "path.resume_state=missing.state": "missing.state",
        "train.totl_iter=3": "total_iter",
    }
    for override, message in messages.items():
        with pytest.raises(UserError) as error:
            main(["--yml_path", str(write_yml(tmp_path, options)), override])
        assert message in str(error.value)
        assert "\n" not in str(error.value)
        assert not (tmp_path / "runs").exists()


def test_debug_reports_every_iteration_under_its_own_name(
    tmp_path, options, monkeypatch
):
    resolved = []
    load = command.load_training
    monkeypatch.setattr(
        command,
        "load_training",
        lambda *words: resolved.append(words) or load(*words),
    )
    options["logger"]["print_freq"] = 100
    assert (
        main(
            ["-opt", str(write_yml(tmp_path, options)), "--debug", "train.total_iter=2"]
        )
        == 0
    )
    assert len(reported(tmp_path / "runs/debug_tiny")) == 2
    assert len(resolved) == 1


def test_the_log_says_which_operators_train_and_why(tmp_path, options, monkeypatch):
    def failed():
        raise TrialError("oneDNN's failed: no such library")

    monkeypatch.setattr(cpu_ops, "trial_result", failed)
    folder = run(tmp_path, options, "train.total_iter=1", "cpu_ops=auto")
    why = "oneDNN's failed: no such library; cpu_ops: auto"
    assert f"operators: Paddle's own ({why})" in log_of(folder)


def test_an_average_that_reaches_beyond_the_run_is_named(tmp_path, options):
    said = "by 53 % the result will still be the network to start from; "
    assert said + "use train.ema_decay=0.5" in log_of(run(tmp_path, options))


@pytest.mark.parametrize("total_iter", [2, 6])  # nothing fits two iterations better
def test_an_average_that_fits_the_run_is_not_named(tmp_path, options, total_iter):
    fitting = "train.ema_decay=0.5", f"train.total_iter={total_iter}"
    assert "still be the network" not in log_of(run(tmp_path, options, *fitting))
