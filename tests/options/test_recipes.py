"""`train.py --recipe auto` chooses by images, network, machine and minutes; given options stay."""

import re
import shlex
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from places import ROOT
from sample_runs import log_of, picture, reported

from realesrgan_paddle.commands import train
from realesrgan_paddle.commands.train import main
from realesrgan_paddle.judging.findings import HELPFUL
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.weights import read_generator
from realesrgan_paddle.models.weights.catalogue import find
from realesrgan_paddle.models.weights.read_generator import OutOfReachError
from realesrgan_paddle.options.reading.load import dump_config, load_config
from realesrgan_paddle.recipes import budget, choose_degradation
from realesrgan_paddle.recipes.budget import least_minutes, plan_budget
from realesrgan_paddle.recipes.choose_schedule import (
    CHECKPOINT_MINUTES,
    choose_schedule,
    choose_total,
    disk_use,
    remark_minimum,
)
from realesrgan_paddle.recipes.environment import Costs, Images, Machine, NetworkSize
from realesrgan_paddle.recipes.plan import MAX_ITERATIONS, MIN_ITERATIONS, Plan
from realesrgan_paddle.recipes.recipe import (
    GRID_WEIGHT,
    auto_recipe,
    choose_losses,
    choose_network,
)
from realesrgan_paddle.training import pace
from realesrgan_paddle.training.pace import kept_for_the_end
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = pytest.mark.paddle

CPU = Machine(False, 2, 16.0)
UNET = "network_d.type=UNetDiscriminatorSN"


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    monkeypatch.setattr(read_generator, "fetch", lambda name, folder: None)


@pytest.fixture
def frames(tmp_path):
    """A folder of two frames of one size."""
    for i in range(2):
        write_image(tmp_path / f"frames/{i}.png", picture(256, 400, i))
    return str(tmp_path / "frames")


def out_of_reach(name, folder):
    """Stand in for `fetch` where only packages can be had."""
    if find(name).package is None:
        raise OutOfReachError(f"{name}.pth: not reachable; or ... {folder}", find(name))


def line(lines, key):
    """The line that says what was chosen for `key`."""
    (found,) = [line for line in lines if line.startswith(f"  {key}: ")]
    return found


def recipe(yml_path=None, overrides=(), dataroot_gt=None, *, machine=CPU):
    return auto_recipe(yml_path, overrides, dataroot_gt, machine=machine)


def test_the_measured_options_are_proposed_for_a_small_network_on_a_cpu(frames):
    cfg, lines = recipe(dataroot_gt=frames)
    assert cfg.path.pretrain_network_g == "realesr-general-x4v3"
    assert cfg.network_g.num_conv == 32
    assert cfg.model_type == "RealESRNetModel"
    assert cfg.train.lpips_opt.loss_weight == 0.1
    assert cfg.train.grid_opt.loss_weight == GRID_WEIGHT
    of_file = load_config(ROOT / "options/finetune_cpu.yml").train
    assert cfg.train.color_opt == of_file.color_opt
    with_gan, _ = recipe(None, ["model_type=RealESRGANModel"], frames)
    assert with_gan.train.grid_opt.loss_weight == GRID_WEIGHT
    assert with_gan.train.color_opt is None, "not measured with a GAN"
    with_unet, _ = recipe(None, ["model_type=RealESRGANModel", UNET], frames)
    assert with_unet.train.grid_opt.loss_weight == GRID_WEIGHT
    assert not cfg.gt_usm
    assert cfg.gt_size == 160
    assert cfg.datasets.train.batch_size_per_gpu == 6
    assert cfg.train.optim_g.grad_clip == 1
    assert cfg.train.optim_g.lr == 2e-4
    assert cfg.train.scheduler.eta_min == pytest.approx(2e-5)
    assert cfg.train.ema_decay == 0.983, "a mean over a fifth of the run"
    assert cfg.train.total_iter == cfg.train.scheduler.T_max == MIN_ITERATIONS
    assert "2 images, 0 megapixels, shorter side 256" in lines[0]
    assert "a CPU, 2 cores" in lines[0]
    assert all("(" in line for line in lines[1:]), "each with its reason"


def test_the_nearest_network_is_finetuned_where_the_other_is_out_of_reach(
    frames, monkeypatch
):
    monkeypatch.setattr(read_generator, "fetch", out_of_reach)
    cfg, lines = recipe(dataroot_gt=frames)
    assert cfg.path.pretrain_network_g == "realesr-animevideov3"
    assert cfg.network_g == find("realesr-animevideov3").network
    assert cfg.name == "finetune_realesr-animevideov3"
    reason = line(lines, "path.pretrain_network_g")
    assert "instead of realesr-general-x4v3, which is out of reach: " in reason
    assert "not reachable; or ... weights, and run this again" in reason

    wanted = ["path.pretrain_network_g=realesr-general-x4v3"]
    cfg, _ = recipe(None, wanted, frames)
    assert cfg.path.pretrain_network_g == "realesr-general-x4v3", "what is given stays"


@pytest.mark.parametrize(
    ("file", "overrides"),
    [
        (
            "finetune_cpu.yml",
            ["path.pretrain_network_g=realesr-animevideov3", "network_g.num_conv=16"],
        ),
        (
            "train_realesrgan_x4plus.yml",
            ["path.pretrain_network_g=RealESRGAN_x4plus"],
        ),
        (
            "finetune_realesrgan_x4plus.yml",
            [
                "path.pretrain_network_d=null",
                "train.net_d_init_until=0.8",
                "train.net_d_init_iters=1000",
            ],
        ),
    ],
)
def test_a_file_is_never_given_another_network_but_the_command_is_named(
    file, overrides, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    Path("weights").mkdir()
    Path("weights/RealESRGAN_x4plus.pdparams").touch()  # converted before
    path = str(ROOT / "options" / file)
    cfg = load_config(path)
    names = {"train_realesrgan_x4plus.yml": "RealESRNet_x4plus"}
    names["finetune_realesrgan_x4plus.yml"] = cfg.path.pretrain_network_d
    missing = find(names.get(file, cfg.path.pretrain_network_g))

    def no_training(cfg, recipe, started):
        raise OutOfReachError("not reachable; or download it", missing)

    monkeypatch.setattr(train, "train", no_training)
    words = ["--yml_path", path, "name=my run"]
    with pytest.raises(UserError, match="not reachable; or download it; or ") as error:
        main(words)
    line = str(error.value).partition("train without it: ")[2]
    assert shlex.split(line)[2:] == [*words, *overrides]
    load_config(path, overrides)


def test_the_file_for_a_cpu_says_the_same(frames):
    """But for the number of iterations, which is docs/soccer.md's."""
    file = load_config(ROOT / "options/finetune_cpu.yml")
    cfg, _ = recipe(None, ["train.total_iter=2400"], frames)
    assert cfg.train.model_dump() == file.train.model_dump()
    assert cfg.network_g == file.network_g
    assert cfg.gt_size == file.gt_size
    assert cfg.gt_usm == file.gt_usm
    train, of_file = cfg.datasets.train, file.datasets.train
    assert train.batch_size_per_gpu == of_file.batch_size_per_gpu


def test_with_video_it_is_the_file_for_clips(frames, monkeypatch):
    """But for the batch, which is of one clip, twice, and crops as of pictures."""
    file = load_config(ROOT / "options/finetune_recurrent.yml")
    cfg, lines = auto_recipe(
        None, ["train.total_iter=2400"], frames, machine=CPU, video=True
    )
    assert cfg.train.model_dump() == file.train.model_dump()
    assert cfg.network_g == file.network_g
    assert cfg.queue_size == file.queue_size == 0
    for key in choose_degradation.MILD_CLIPS:
        of_both = [
            getattr(each if hasattr(each, key) else each.datasets.train, key)
            for each in (cfg, file)
        ]
        assert of_both[0] == of_both[1], key
    train, of_file = cfg.datasets.train, file.datasets.train
    for key in ("num_frame", "interval_list", "random_reverse"):
        assert getattr(train, key) == getattr(of_file, key)
    assert (train.batch_size_per_gpu, train.accum_iter) == (1, 2)
    assert any("less flicker" in warning for warning in warnings_of(lines))

    monkeypatch.setattr(budget, "measure_costs", lambda cfg: COSTS)
    cfg, _ = auto_recipe(None, (), frames, minutes=1, machine=CPU, video=True)
    assert (cfg.gt_size, cfg.datasets.train.accum_iter) == (96, 1)


def test_with_video_wrong_images_and_networks_are_named(frames):
    with pytest.raises(
        UserError, match="no clips to train on; python tools/extract_cl"
    ):
        auto_recipe(None, machine=CPU, video=True)
    with pytest.raises(UserError, match="an SRVGGNetCompact, not to RRDBNet"):
        auto_recipe(None, (), frames, "RealESRGAN_x4plus", machine=CPU, video=True)


def test_more_pixels_are_trained_on_for_longer(frames):
    totals = {100: 13_000, 1000: MAX_ITERATIONS, 10**6: MAX_ITERATIONS}
    for count, total in totals.items():
        given = {"gt_size": 160, "datasets": {"train": {"dataroot_gt": frames}}}
        plan = Plan(given, "test")
        choose_network(plan)
        choose_losses(plan, CPU)
        plan.choose("datasets.train.batch_size_per_gpu", 6, "docs/soccer.md's")
        choose_total(plan, Images(count, count * 2e6, 1080, 5))
        choose_schedule(plan)
        assert plan.config.train.total_iter == total
        assert plan.config.train.ema_decay == 0.999


def test_crops_fit_into_the_images(tmp_path):
    write_image(tmp_path / "small/a.png", picture(160, 200, 0))
    cfg, _ = recipe(dataroot_gt=str(tmp_path / "small"))
    assert cfg.gt_size == 96


def test_a_short_run_has_a_lower_learning_rate(frames):
    rates = {1: 2e-6, 50: 1e-4, 100: 2e-4, 5000: 2e-4}
    for total, rate in rates.items():
        cfg, lines = recipe(None, [f"train.total_iter={total}"], frames)
        assert cfg.train.optim_g.lr == pytest.approx(rate, rel=0.01)
        assert cfg.train.scheduler.eta_min == pytest.approx(rate / 10, rel=0.01)
        assert ("in proportion" in line(lines, "train.optim_g.lr")) == (total < 100)


@pytest.mark.parametrize(("memory", "expected"), [(80.0, (12, 1)), (15.0, (4, 3))])
def test_batches_fit_into_the_memory(frames, memory, expected):
    overrides = [
        "gt_size=256",
        "network_g.type=RRDBNet",
        "network_g.num_block=6",
        "path.pretrain_network_g=RealESRGAN_x4plus_anime_6B",
    ]
    cfg, lines = recipe(None, overrides, frames, machine=Machine(True, 16, memory))
    train = cfg.datasets.train
    assert (train.batch_size_per_gpu, train.accum_iter) == expected
    assert cfg.train.optim_g.lr == 1e-4
    if train.accum_iter > 1:
        reason = line(lines, "datasets.train.accum_iter")
        assert "12 crops at once may not fit" in reason


def test_given_options_stay_and_the_lines_say_so(frames, tmp_path):
    file = tmp_path / "mine.yml"
    file.write_text(
        "gt_size: 64\n"
        "train: {optim_g: {lr: 3e-4}, scheduler: {type: MultiStepLR, milestones: [9]}}\n"
    )
    cfg, lines = recipe(str(file), ["train.total_iter=5000"], frames)
    assert (cfg.gt_size, cfg.train.total_iter, cfg.train.optim_g.lr) == (64, 5000, 3e-4)
    assert cfg.train.scheduler.milestones == (9,)
    assert (
        line(lines, "gt_size")
        .lstrip()
        .startswith("gt_size: 64  (as given; the recipe's: 160, docs/soccer.md's")
    )
    assert "as given" in line(lines, "train.total_iter")
    assert cfg.logger.save_checkpoint_freq == 620


def test_a_unet_discriminator_warms_up(frames):
    gan = ["model_type=RealESRGANModel", "network_d.type=UNetDiscriminatorSN"]
    train = recipe(None, gan, frames)[0].train
    assert train.net_d_init_until == 0.8
    assert train.net_d_init_iters == 1000
    assert train.optim_d.lr == 1e-4
    assert not train.gan_opt.relativistic


def test_without_a_gpu_a_gan_is_that_of_the_file_for_a_cpu(frames):
    cfg, _ = recipe(None, ["model_type=RealESRGANModel"], frames)
    file = load_config(ROOT / "options/finetune_cpu_gan.yml")
    assert cfg.network_d == file.network_d
    assert cfg.l1_gt_usm == file.l1_gt_usm
    for section in ("gan_opt", "grid_opt", "optim_d", "optim_g"):
        assert getattr(cfg.train, section) == getattr(file.train, section)
    assert cfg.train.net_d_init_until == 0.8
    assert cfg.train.net_d_init_iters == 1000


def test_a_pretrained_discriminator_needs_no_warm_up(frames):
    file = ROOT / "options/finetune_realesrgan_x4plus.yml"
    cfg, _ = recipe(str(file), ["network_g.num_block=1"], frames)
    assert cfg.path.pretrain_network_d is not None
    assert cfg.train.net_d_init_iters == 0


COSTS = Costs(
    opening=20.0, step=1.0, validation=6.0, general=2.0, held_out=3.0, crops=24
)


def test_the_parts_of_a_run_fit_into_its_minutes():
    """The plan is arithmetic: what the parts take together is what there is."""
    for minutes, fits in product((3, 6, 15, 60), (True, False)):
        found = plan_budget(minutes, 30.0, COSTS, fits=fits)
        assert found.fit == (20 * minutes if fits else 0)
        assert found.val_freq * found.validations >= found.iterations
        together = 30 + found.fit + found.opening + found.start
        together += found.iterations * found.step
        together += found.validations * found.validation
        together += kept_for_the_end(minutes)
        assert 60 * minutes - 1 <= together <= 60 * minutes

    hour = plan_budget(60, 30.0, COSTS, fits=False)
    assert (hour.validations, hour.general) == (8, True)
    slow = replace(COSTS, validation=25.0, general=10.0, held_out=12.0)
    short = plan_budget(3, 30.0, slow, fits=True)
    assert (short.validations, short.general) == (1, False), "start and end are left"
    assert short.crops == 6
    assert short.validation == 3 + 12 * 6 / 24
    assert plan_budget(1, 30.0, slow, fits=True).fit == 0, "too short for a fit"
    assert plan_budget(1, 90.0, slow, fits=True).iterations == 1


def test_the_least_minutes_that_help_are_those_of_the_plan():
    least = least_minutes(HELPFUL, 30.0, COSTS, fits=True)
    assert plan_budget(least, 30.0, COSTS, fits=True).iterations >= HELPFUL
    assert plan_budget(least - 1, 30.0, COSTS, fits=True).iterations < HELPFUL
    assert least_minutes(HELPFUL, 30.0, replace(COSTS, step=1e4), fits=True) is None


def test_few_minutes_are_warned_of_first_and_trained_in_small_batches(
    frames, monkeypatch, capsys
):
    quick = replace(COSTS, step=0.12)
    monkeypatch.setattr(budget, "measure_costs", lambda cfg: quick)
    cfg, lines = auto_recipe(None, (), frames, minutes=3, machine=CPU)
    assert cfg.train.minutes == 3
    assert (cfg.gt_size, cfg.datasets.train.batch_size_per_gpu) == (128, 2)
    assert cfg.train.total_iter == cfg.train.scheduler.T_max > 100
    assert cfg.val.val_freq == cfg.logger.save_checkpoint_freq
    long, _ = auto_recipe(None, (), frames, minutes=480, machine=CPU)
    checkpoints = long.train.total_iter / long.logger.save_checkpoint_freq
    assert checkpoints == pytest.approx(480 / CHECKPOINT_MINUTES, rel=0.01)

    assert line(lines, "train.total_iter").endswith("; the run follows the clock)")
    assert "iterations of 0.21 s" in line(lines, "train.total_iter")

    slow = replace(COSTS, step=30.0)
    monkeypatch.setattr(budget, "measure_costs", lambda cfg: slow)
    capsys.readouterr()
    cfg, lines = auto_recipe(None, (), frames, minutes=3, machine=CPU)
    assert (cfg.gt_size, cfg.datasets.train.batch_size_per_gpu) == (96, 2)
    assert "iterations of 30 s" in line(lines, "train.total_iter")
    told = capsys.readouterr().err.splitlines()
    assert told[1].startswith("warning: 3 minutes to train on this machine are ")
    assert told[1].endswith(" to train are the least that helps")
    assert told[1] in lines
    assert told[2].startswith("minutes: 3: ")


def test_a_run_of_minutes_is_planned_trained_and_judged_within_them(
    tmp_path, options, monkeypatch, capsys
):
    """Its config is that of a run with minutes, so a resumed one has the rest of them."""
    options["train"] |= {"net_d_init_iters": 100, "total_iter": 7}
    file = tmp_path / "options.yml"
    file.write_text(yaml.safe_dump(options))
    seconds = iter(range(60))  # one passes whenever somebody looks
    clock = SimpleNamespace(monotonic=lambda: next(seconds))
    for each in (pace, budget, train):
        monkeypatch.setattr(each, "time", clock)
    assert main(["--recipe", "auto", f"--yml_path={file}", "--minutes=1"]) == 0
    assert "minutes: 1: " in capsys.readouterr().err
    run = tmp_path / "runs/tiny"
    cfg = load_config(run / "config.yml")
    assert cfg.train.minutes == 1
    assert cfg.train.net_d_init_iters == 100
    assert 30 < reported(run)[-1]["iter"] < 60
    assert next(seconds) > 45

    with pytest.raises(
        UserError, match=r"--minutes chooses train\.total_iter, which is given too"
    ):
        auto_recipe(str(file), ["train.total_iter=7"], minutes=1)


def test_the_command_prints_options_that_load_and_trains_by_them(
    frames, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    network = Network(SRVGGNetCompact(num_feat=8, num_conv=1))
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    write_pdparams(tmp_path / "mine.pdparams", {"params": weights})
    flags = f"--recipe auto --dataroot-gt {frames} --network mine.pdparams"
    light = "gt_size=32 train.lpips_opt=null datasets.train.num_worker_per_gpu=0"
    command = f"{flags} train.total_iter=2 {light}".split()
    assert main([*command, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert not (tmp_path / "experiments").exists()
    (tmp_path / "printed.yml").write_text(printed)
    assert main(command) == 0
    folder = tmp_path / "experiments/finetune_mine"
    printed_config = dump_config(load_config("printed.yml"))
    assert (folder / "config.yml").read_text() == printed_config
    assert "gt_size: 32  (as given; the recipe's: 160" in log_of(folder)
    assert reported(folder)[-1]["iter"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--dataroot_gt", "x", "--yml_path", "a.yml"],
            "--dataroot_gt goes with --recipe auto",
        ),
        (["--video", "--yml_path", "a.yml"], "--video goes with --recipe auto"),
        (["a=1"], "--yml_path FILE is needed, or --recipe auto"),
        (
            ["--recipe", "auto", "--auto_resume"],
            "to resume one: --yml_path experiments/NAME/config.yml --auto_resume",
        ),
    ],
)
def test_flags_that_do_not_go_together_are_named(arguments, message, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_missing_and_unreadable_images_are_named(tmp_path):
    with pytest.raises(UserError, match="give --dataroot_gt FOLDER"):
        recipe()
    (tmp_path / "a.png").write_bytes(np.arange(100, dtype=np.uint8).tobytes())
    with pytest.raises(UserError, match=r"a\.png: not a readable image"):
        recipe(dataroot_gt=str(tmp_path))


def warnings_of(lines):
    return [line.partition(": ")[2] for line in lines if line.startswith("warning: ")]


def test_the_plan_warns_of_too_little_time_or_footage(frames):
    cases = [
        (5, HELPFUL, []),
        (5, HELPFUL - 1, ["time"]),
        (4, HELPFUL, ["footage"]),
        (3, 9, ["time", "footage"]),
    ]
    for count, total, expected in cases:
        datasets = {"train": {"dataroot_gt": frames}}
        plan = Plan({"datasets": datasets, "train": {"total_iter": total}}, "test")
        choose_network(plan)
        choose_losses(plan, CPU)
        remark_minimum(plan, Images(8 * count, count * 2e6, 480, frames=count))
        found = [line.partition(":")[0] for line in warnings_of(plan.lines)]
        assert found == [f"too little {what}" for what in expected]


def test_a_run_of_the_recipe_stays_within_the_disk_space_that_its_plan_states(
    frames, tmp_path
):
    """And removes no file of others."""
    start = tmp_path / "start.pdparams"
    description = SRVGGNetCompact(num_feat=16, num_conv=8)
    network = Network(description)
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    write_pdparams(start, {"params": weights})
    for number in range(2, 6):
        write_image(tmp_path / f"frames/{number}.png", picture(96, 96, number))
    root = tmp_path / "runs"
    flags = [
        "--recipe",
        "auto",
        f"--dataroot_gt={frames}",
        f"--network={start}",
        "train.total_iter=12",
        "train.lpips_opt=null",
        "gt_size=64",
        "queue_size=8",
        "datasets.train.num_worker_per_gpu=0",
        "datasets.train.batch_size_per_gpu=2",
        "logger.save_checkpoint_freq=2",
        "val=null",
        f"path.experiments_root={root}",
    ]
    assert main(flags) == 0
    (run,) = [path for path in root.iterdir() if path.is_dir()]
    log = log_of(run)
    assert "logger.keep_checkpoints: 3" in log
    (stated,) = re.findall(r"disk: up to ([\d,]+) MB", log)
    written = [path.stat().st_size for path in run.rglob("*") if path.is_file()]
    size = NetworkSize("", sum(array.size for array in weights.values()))
    budget = disk_use(load_config(run / "config.yml"), size)
    assert float(stated) == round(budget / 1e6)
    assert 0.5 * budget < sum(written) < 1.05 * budget + 100_000  # logs, headers
    assert len(list((run / "training_states").iterdir())) == 3
