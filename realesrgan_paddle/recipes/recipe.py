"""What `train.py --recipe auto` chooses, and why; options that the user gives stay.

Three runs were measured; choices that follow from none of them are called a rule of
thumb:

* docs/soccer.md: realesr-general-x4v3 on 168 soccer frames of 1920x1080, 2,400
  iterations of 6 crops of 160 in 40 minutes of one CPU core's time, Adam 2e-4 falling
  to a twentieth, EMA 0.998, gradients clipped at 1, L1 + 0.1 LPIPS, no GAN: on other
  clips PSNR +2.2 dB, DISTS -28 % (one run, one seed, matched degradation);
* the quickstart: 5 frames of 640x272, 300 iterations of 4 crops of 128, after which it
  gains nothing more;
* Real-ESRGAN (Wang et al. 2021, and its option files): 12 crops of 256 on a GPU, 1e-4
  with a GAN, EMA 0.999.
"""

import math
import time
from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.data.sets.generic import FOLDER, NAME, generic_images
from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.weights.catalogue import find, is_released
from realesrgan_paddle.models.weights.read_generator import (
    fetch_nearest,
    read_generator,
)
from realesrgan_paddle.options.reading.load import given_options, merged
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.recipes.budget import choose_total_by_time, open_budget
from realesrgan_paddle.recipes.choose_degradation import (
    choose_mild_degradation,
    solve_degradation,
)
from realesrgan_paddle.recipes.choose_schedule import (
    choose_batch,
    choose_checkpoints,
    choose_crops,
    choose_optimizers,
    choose_rate,
    choose_schedule,
    choose_total,
    remark_minimum,
)
from realesrgan_paddle.recipes.environment import (
    Machine,
    inspect_images,
    inspect_machine,
    inspect_network,
)
from realesrgan_paddle.recipes.plan import Plan, choose_set_parts, nested, without_total
from realesrgan_paddle.utils.errors import UserError

NETWORK = "realesr-general-x4v3"
"""The network to finetune by default: that of docs/soccer.md."""
GPU_GAN = "options/finetune_realesr_general_x4v3.yml"
CPU_GAN = "options/finetune_cpu_gan.yml"
NOT_SHARPENED = "unsharpened as in docs/soccer.md: sharpened targets teach halos"
GRID_WEIGHT = 1.0
"""The steps at the four places of an input pixel then differ about as in pictures, by 1 to
4 % (docs/domain_gain/README.md, "Where the grid comes from")."""
COLOR_WEIGHT = 0.3
"""1 costs LPIPS and DISTS 3 % on dashcams (docs/domain_gain/README.md, "Colored
specks")."""

WHY_GENERIC = (
    f"no clean images were given: those of {FOLDER / NAME}, degraded as --lq is "
    "(DIV2K's, for academic research only, unless others were put there); sharp pictures "
    "of the footage's own kind gain more: --dataroot_gt FOLDER (docs/finetuning.md)"
)


def auto_recipe(
    yml_path: str | None,
    overrides: Sequence[str] = (),
    dataroot_gt: str | None = None,
    network: str | None = None,
    minutes: float | None = None,
    *,
    machine: Machine | None = None,
    lq: Path | None = None,
    started: float | None = None,
    video: bool = False,
) -> tuple[Config, list[str]]:
    """Return the options of a run, and a line for each that was chosen here.

    Args:
        yml_path: option file whose options are kept, if any.
        overrides: `a.b=c`, which win over the file and the other arguments.
        dataroot_gt: the images, as datasets.train.dataroot_gt; None with `lq`: generic
            pictures.
        network: a released model's name or a weight file, as path.pretrain_network_g.
        minutes: how long the command may take, as train.minutes; a run is timed here.
            It wins over the file's total_iter.
        machine: what to train on; None: this machine.
        lq: real low-quality images or videos, whose degradation is solved for; None:
            a mild default.
        started: when the command began, by `time.monotonic`; None: now.
        video: the images are clips, for a network that carries a state.

    Raises:
        UserError: no images are named, or the options are wrong.
    """
    started = time.monotonic() if started is None else started
    plan = open_plan(
        yml_path, overrides, dataroot_gt, network, minutes, lq, video=video
    )
    machine = machine or inspect_machine()
    choose_network(plan)
    if video:
        choose_clips(plan)
    elif not plan.gives("datasets.train.num_frame"):
        check_takes_pictures(plan)
    choose_losses(plan, machine)

    choose_set_parts(plan, plan.config)
    choose_mild_degradation(plan, lq)

    train = plan.config.datasets.train
    images = inspect_images(train.dataroot_gt, train.meta_info)
    generator = inspect_network(plan.config.network_g)
    start = plan.value("path.pretrain_network_g") or "a network without weights"
    plan.lines.insert(0, f"recipe auto for {images}; {start}: {generator}; {machine}")

    choose_crops(plan, images, generator, machine)
    choose_batch(plan, generator, machine)
    choose_optimizers(plan)
    if plan.config.train.minutes is None:
        solve_degradation(plan, lq, math.inf)
        choose_total(plan, images)
    else:
        costs, budget = open_budget(plan, started, gpu=machine.gpu, fits=lq is not None)
        solve_degradation(plan, lq, budget.fit)
        choose_total_by_time(plan, costs, started, budget)
    choose_rate(plan, generator)
    choose_schedule(plan)
    choose_checkpoints(plan, generator)
    remark_minimum(plan, images)
    return plan.config, plan.lines


def open_plan(
    yml_path: str | None,
    overrides: Sequence[str],
    dataroot_gt: str | None,
    network: str | None,
    minutes: float | None,
    lq: Path | None,
    *,
    video: bool,
) -> Plan:
    """Return the plan with the options that the user gave; see `auto_recipe`.

    Without images to train on, but with low-quality ones, generic pictures are chosen.
    """
    given = given_options(yml_path)
    if dataroot_gt is not None:
        given = merged(given, nested("datasets.train.dataroot_gt", dataroot_gt))
    if network is not None:
        given = merged(given, nested("path.pretrain_network_g", network))
    if minutes is not None:
        given = merged(without_total(given), nested("train.minutes", minutes))
    given = merged(given, given_options(None, overrides))

    plan = Plan(given, yml_path or "--recipe auto")
    if not plan.gives("datasets.train.dataroot_gt"):
        if video:
            raise UserError(
                "--video: no clips to train on; python tools/extract_clips.py --input "
                "VIDEOS --output datasets/Clips, then --dataroot_gt datasets/Clips"
            )
        if lq is None:
            raise UserError(
                "--recipe auto: no images to train on; give --dataroot_gt FOLDER, or, "
                "with nothing but poor footage, --lq FOOTAGE alone"
            )
        plan.choose("datasets.train.dataroot_gt", str(generic_images()), WHY_GENERIC)
    if minutes is not None and plan.gives("train.total_iter"):
        raise UserError(
            "--minutes chooses train.total_iter, which is given too; leave one of them out"
        )
    return plan


def choose_network(plan: Plan) -> None:
    """Choose the network and its pretrained weights."""
    if plan.gives("network_g"):
        plan.choose("name", "finetune", "for lack of another")
        return

    if not plan.gives("path.pretrain_network_g"):
        plan.choose("path.pretrain_network_g", *network_within_reach())
    start = str(plan.value("path.pretrain_network_g"))
    if is_released(start):
        network = find(start).network
    else:
        network, _ = read_generator(start)

    plan.choose("name", f"finetune_{Path(start).stem}", "after the network")
    plan.choose("network_g", network.model_dump(), "that of the weights")
    if isinstance(network, Generator):
        plan.choose("scale", network.scale, "the network's")


def check_takes_pictures(plan: Plan) -> None:
    """Raise UserError if the network learns from clips alone."""
    if plan.value("network_g").get("type") == "RecurrentSRVGG":
        raise UserError(
            "--recipe auto: the network carries a state from frame to frame, and learns "
            "from clips: add --video, with --dataroot_gt CLIPS (tools/extract_clips.py)"
        )


def choose_clips(plan: Plan) -> None:
    """Choose clips for images, and the network that carries a state through them.

    Raises:
        UserError: the network is not one that a state can be added to.
    """
    network = plan.value("network_g")
    kind = network.get("type")
    if kind != "RecurrentSRVGG":
        if kind != "SRVGGNetCompact" or plan.gives("network_g"):
            raise UserError(
                f"--video: a state can be added to the weights of an SRVGGNetCompact, not "
                f"to {kind}; leave network_g out, and give --network {NETWORK}, for example"
            )
        plan.choose(
            "network_g",
            {**network, "type": "RecurrentSRVGG"},
            "that of the weights, with a state",
        )
    plan.lines.append(
        "warning: less flicker was measured on soccer and a drone only; on dashcams texture "
        "was lost, and animation got worse (docs/recurrent.md)"
    )

    reason = "options/finetune_recurrent.yml's"
    plan.choose("train.temporal_opt", {"loss_weight": 0.3}, "less flicker; " + reason)
    plan.choose("datasets.train.num_frame", 5, reason)
    plan.choose("datasets.train.interval_list", [1, 2], reason)
    plan.choose("datasets.train.random_reverse", True, reason)
    plan.choose("queue_size", 0, "clips have no pair pool")


def network_within_reach() -> tuple[str, str]:
    """Return the released network to finetune, and why it is that; it is downloaded.

    Raises:
        UserError: neither `NETWORK` nor the nearest to it in a package can be had.
    """
    name, instead = fetch_nearest(NETWORK)
    if instead:
        return name, f"{instead}, and run this again"
    return name, (
        "docs/soccer.md's; RealESRGAN_x4plus takes 15 times the multiplications"
    )


def choose_losses(plan: Plan, machine: Machine) -> None:
    """Choose the losses; no adversarial one, unless model_type asks for it."""
    plan.choose(
        "datasets.train.type", "RealESRGANDataset", "low-quality images are synthesized"
    )
    gan_file = GPU_GAN if machine.gpu else CPU_GAN
    plan.choose(
        "model_type",
        "RealESRNetModel",
        "no GAN: better than the released network in minutes, measured; with one, "
        f"afterwards: --yml_path {gan_file} (on soccer DISTS another 5 % better, for "
        "0.1 dB: docs/domain_gain/)",
    )
    plan.choose("train.pixel_opt", {"type": "L1Loss"}, "docs/soccer.md's")
    if not plan.gives("train.perceptual_opt"):
        plan.choose(
            "train.lpips_opt",
            {"loss_weight": 0.1},
            "L1 alone blurs (docs/soccer.md); 0.3 cost 0.3 to 0.6 dB and helped one "
            "domain of two (docs/domain_gain/)",
        )
    with_gan = plan.given_value("model_type") == "RealESRGANModel"
    if with_gan:
        choose_discriminator(plan, machine)
    else:
        plan.choose("gt_usm", False, NOT_SHARPENED)
    if inspect_network(plan.config.network_g).small:
        choose_losses_of_small_networks(plan, with_gan=with_gan)


def choose_losses_of_small_networks(plan: Plan, *, with_gan: bool) -> None:
    """Choose the losses on what minutes of training leave in a small network."""
    plan.choose(
        "train.grid_opt",
        {"loss_weight": GRID_WEIGHT},
        "without it edges become stairs, and with a GAN a regular grid shows "
        "(docs/domain_gain/)",
    )
    of_clips = plan.config.datasets.train.num_frame > 1
    if not with_gan and not of_clips:  # measured without both
        plan.choose(
            "train.color_opt",
            {"loss_weight": COLOR_WEIGHT, "brightness": 0, "cell": 1},
            "without it colored specks show at bright edges (docs/domain_gain/)",
        )


def choose_discriminator(plan: Plan, machine: Machine) -> None:
    """Choose a discriminator, its optimizer and the adversarial loss."""
    wants_unet = plan.given_value("network_d.type") == "UNetDiscriminatorSN"
    if machine.gpu or wants_unet:
        plan.choose("network_d", {"type": "UNetDiscriminatorSN"}, "Real-ESRGAN's")
        plan.choose("train.gan_opt", {"loss_weight": 0.1}, "Real-ESRGAN's")
        plan.choose("train.optim_d.lr", 1e-4, "Real-ESRGAN's")
        return

    plan.choose(
        "network_d",
        {"type": "ProjectedDiscriminator"},
        "docs/soccer.md's: it learns in minutes",
    )
    plan.choose(
        "train.gan_opt", {"loss_weight": 0.03, "relativistic": True}, "docs/soccer.md's"
    )
    plan.choose("train.optim_d.lr", 1e-3, "docs/soccer.md's")
    plan.choose("train.optim_d.betas", [0.5, 0.99], "docs/soccer.md's")
    plan.choose("l1_gt_usm", False, NOT_SHARPENED)
