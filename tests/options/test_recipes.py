"""`train.py --recipe auto`: what is chosen follows from images, network, machine and minutes; what is given stays."""

import numpy as np
import pytest
import yaml
from places import ROOT
from sample_runs import picture, reported

from realesrgan_paddle import recipes
from realesrgan_paddle.environment import Machine, look_at_images
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.options.reading.load import dump_config, load_config
from realesrgan_paddle.recipes import auto_recipe
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.weights.writer import write_pdparams
from train import main

pytestmark = pytest.mark.paddle

CPU, GPU = Machine(False, 2, 16.0), Machine(True, 16, 80.0)


@pytest.fixture
def frames(tmp_path):
    """A folder of two frames of one size."""
    for i in range(2):
        write_image(tmp_path / f"frames/{i}.png", picture(256, 400, i))
    return str(tmp_path / "frames")


@pytest.fixture(autouse=True)
def on(monkeypatch):
    """Let training take place on a given machine: the CPU, unless a test calls this."""

    def machine(which):
        monkeypatch.setattr(recipes, "look_at_machine", lambda: which)

    machine(CPU)
    return machine


def line(lines, key):
    (found,) = [line for line in lines if line.startswith(f"{key}: ")]
    return found


def test_the_measured_options_are_proposed_for_a_small_network_on_a_cpu(frames):
    cfg, lines = auto_recipe(None, dataroot_gt=frames)
    assert (cfg.path.pretrain_network_g, cfg.network_g.num_conv) == (
        "realesr-general-x4v3",
        32,
    )
    assert (cfg.model_type, cfg.train.lpips_opt.loss_weight, cfg.gt_usm) == (
        "RealESRNetModel",
        0.1,
        False,
    )
    assert (
        cfg.gt_size,
        cfg.datasets.train.batch_size_per_gpu,
        cfg.train.optim_g.grad_clip,
    ) == (160, 6, 1)
    assert (cfg.train.optim_g.lr, cfg.train.scheduler.eta_min) == (2e-4, 2e-5)
    assert cfg.train.total_iter == cfg.train.scheduler.T_max == recipes.FEWEST
    assert (
        "2 images, 0 megapixels, shorter side 256" in lines[0]
        and "a CPU, 2 cores" in lines[0]
    )
    assert all("(" in line for line in lines[1:]), "each with its reason"


def test_the_file_for_a_cpu_says_the_same(frames):
    """But for the number of iterations, which is docs/soccer.md's."""
    file = load_config(ROOT / "options/finetune_cpu.yml")
    cfg, _ = auto_recipe(None, ["train.total_iter=2400"], frames)
    assert (cfg.train.model_dump(), cfg.network_g, cfg.gt_size) == (
        file.train.model_dump(),
        file.network_g,
        file.gt_size,
    )
    assert (cfg.datasets.train.batch_size_per_gpu, cfg.gt_usm) == (
        file.datasets.train.batch_size_per_gpu,
        file.gt_usm,
    )


def test_more_pixels_are_trained_on_for_longer(frames, monkeypatch):
    few = look_at_images(frames, None)
    totals = []
    for many in (100, 1000, 10**6):
        monkeypatch.setattr(
            recipes, "look_at_images", lambda *_, n=many: type(few)(n, n * 2e6, 1080)
        )
        cfg, _ = auto_recipe(None, dataroot_gt=frames)
        totals.append((cfg.train.total_iter, cfg.train.ema_decay))
    assert totals == [(13_000, 0.999), (recipes.MOST, 0.999), (recipes.MOST, 0.999)]


def test_crops_fit_into_the_images_and_batches_into_the_memory(frames, tmp_path, on):
    write_image(tmp_path / "small/a.png", picture(160, 200, 0))
    assert auto_recipe(None, dataroot_gt=str(tmp_path / "small"))[0].gt_size == 96
    on(GPU)
    large = ["network_g.type=RRDBNet", "path.pretrain_network_g=RealESRGAN_x4plus"]
    cfg, _ = auto_recipe(None, ["gt_size=256", *large], frames)
    assert (cfg.datasets.train.batch_size_per_gpu, cfg.datasets.train.accum_iter) == (
        12,
        1,
    )
    assert cfg.train.optim_g.lr == 1e-4
    on(Machine(True, 16, 15.0))
    cfg, lines = auto_recipe(None, ["gt_size=256", *large], frames)
    assert (cfg.datasets.train.batch_size_per_gpu, cfg.datasets.train.accum_iter) == (
        4,
        3,
    )
    assert "12 crops at once may not fit" in line(lines, "datasets.train.accum_iter")


def test_what_is_given_stays_and_is_said(frames, tmp_path):
    file = tmp_path / "mine.yml"
    file.write_text(
        "gt_size: 64\ntrain: {optim_g: {lr: 3e-4}, scheduler: {type: MultiStepLR, milestones: [9]}}\n"
    )
    cfg, lines = auto_recipe(str(file), ["train.total_iter=5000"], frames)
    assert (cfg.gt_size, cfg.train.total_iter, cfg.train.optim_g.lr) == (64, 5000, 3e-4)
    assert cfg.train.scheduler.milestones == (9,)
    assert line(lines, "gt_size").startswith(
        "gt_size: 64  (as given; the recipe's: 160, docs/soccer.md's"
    )
    assert (
        "as given" in line(lines, "train.total_iter")
        and cfg.logger.save_checkpoint_freq == 620
    )


def test_a_gan_gets_a_discriminator_that_warms_up(frames):
    cfg, _ = auto_recipe(
        None,
        ["model_type=RealESRGANModel", "network_d.type=UNetDiscriminatorSN"],
        frames,
    )
    assert (
        cfg.train.net_d_init_until,
        cfg.train.net_d_init_iters,
        cfg.train.optim_d.lr,
    ) == (0.8, 1000, 1e-4)
    assert not cfg.train.gan_opt.relativistic
    cfg, _ = auto_recipe(None, ["model_type=RealESRGANModel"], frames)
    file = load_config(ROOT / "options/finetune_cpu_gan.yml")
    assert (cfg.network_d, cfg.l1_gt_usm) == (file.network_d, file.l1_gt_usm), (
        "without a GPU"
    )
    for section in ("gan_opt", "optim_d", "optim_g"):
        assert getattr(cfg.train, section) == getattr(file.train, section)
    assert (cfg.train.net_d_init_until, cfg.train.net_d_init_iters) == (0.8, 1000)
    cfg, _ = auto_recipe(
        str(ROOT / "options/finetune_realesrgan_x4plus.yml"), [], frames
    )
    assert cfg.train.net_d_init_iters == 0, "the released discriminator knows already"


def test_minutes_are_made_iterations_by_timing_some(tmp_path, options, monkeypatch):
    options["train"] |= {"net_d_init_iters": 100, "total_iter": 7}
    file = tmp_path / "options.yml"
    file.write_text(yaml.safe_dump(options))
    cfg, lines = auto_recipe(str(file), minutes=1)
    assert 54 < cfg.train.total_iter < 54 / 0.005 and cfg.train.net_d_init_iters == 100
    assert "1 minutes have time for" in line(lines, "train.total_iter")
    with pytest.raises(
        UserError, match=r"--minutes chooses train\.total_iter, which is given too"
    ):
        auto_recipe(str(file), ["train.total_iter=7"], minutes=1)


def test_the_command_prints_options_that_load_and_trains_by_them(
    frames, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    weights = {
        name: value.numpy()
        for name, value in Network(SRVGGNetCompact(num_feat=8, num_conv=1))
        .state_dict()
        .items()
    }
    write_pdparams(tmp_path / "mine.pdparams", {"params": weights})
    command = [
        "--recipe",
        "auto",
        "--dataroot-gt",
        frames,
        "--network",
        "mine.pdparams",
        "train.total_iter=2",
    ]
    light = [
        "gt_size=32",
        "train.lpips_opt=null",
        "datasets.train.num_worker_per_gpu=0",
    ]
    assert main([*command, *light, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert not (tmp_path / "experiments").exists()
    (tmp_path / "printed.yml").write_text(printed)
    assert main([*command, *light]) == 0
    folder = tmp_path / "experiments/finetune_mine"
    assert (folder / "config.yml").read_text() == dump_config(
        load_config("printed.yml")
    )
    assert (
        "gt_size: 32  (as given; the recipe's: 160"
        in (folder / "train.log").read_text()
    )
    assert reported(folder)[-1]["iter"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--dataroot_gt", "x", "--yml_path", "a.yml"],
            "--dataroot_gt goes with --recipe auto",
        ),
        (["a=1"], "--yml_path FILE is needed, or --recipe auto"),
        (
            ["--recipe", "auto", "--auto_resume"],
            "to go on: --yml_path experiments/NAME/config.yml --auto_resume",
        ),
    ],
)
def test_flags_that_do_not_go_together_are_named(arguments, message, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2 and message in capsys.readouterr().err


def test_no_images_and_no_pictures_are_named(tmp_path):
    with pytest.raises(UserError, match="give --dataroot_gt FOLDER"):
        auto_recipe(None)
    (tmp_path / "a.png").write_bytes(np.arange(100, dtype=np.uint8).tobytes())
    with pytest.raises(UserError, match=r"a\.png: not a readable image"):
        auto_recipe(None, dataroot_gt=str(tmp_path))
