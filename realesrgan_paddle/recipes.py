"""What `train.py --recipe auto` proposes: each option it chooses, and why. What the user gives, it keeps.

Three things were measured; what follows from none of them is called a rule of thumb:

* docs/soccer.md: realesr-general-x4v3 on 168 soccer frames of 1920x1080, 2,400
  iterations of 6 crops of 160 in 40 minutes of one CPU core's time, Adam 2e-4 falling
  to a twentieth, EMA 0.998, gradients clipped at 1, L1 + 0.1 LPIPS, no GAN: on other
  clips PSNR +2.2 dB, DISTS -28 % (one run, one seed, matched degradation);
* the quickstart: 5 frames of 640x272, 300 iterations of 4 crops of 128: by then it
  gains nothing more;
* Real-ESRGAN (Wang et al. 2021, and its option files): 12 crops of 256 on a GPU, 1e-4
  with a GAN, EMA 0.999.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from realesrgan_paddle.environment import (
    Images,
    Machine,
    NetworkSize,
    look_at_images,
    look_at_machine,
    look_at_network,
    seconds_per_iteration,
)
from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.weights.catalogue import find, is_released
from realesrgan_paddle.models.weights.read_generator import read_generator
from realesrgan_paddle.options.reading.load import check_options, given_options, merged
from realesrgan_paddle.options.schema.config import (
    Config,
    ProjectedDiscriminatorOptions,
)
from realesrgan_paddle.utils.errors import UserError

NETWORK = "realesr-general-x4v3"
"""What is finetuned if nothing else is said: docs/soccer.md's."""
PASSES = 10
"""It sees so many times the data set's pixels; LPIPS still fell in docs/soccer.md, at 1; the quickstart: 22."""
FEWEST, MOST = 300, 100_000
"""Iterations that are proposed; the soccer project published its network after 102,500."""
GIB_PER_CROP = {True: 0.15, False: 1.5}
"""Memory that a crop of 256x256 takes in training a small network, and a large one; rules of thumb."""
GPU_GAN, CPU_GAN = (
    "options/finetune_realesr_general_x4v3.yml",
    "options/finetune_cpu_gan.yml",
)
UNTIL_KNOWN = {"train": {"total_iter": FEWEST, "optim_g": {"lr": 1e-4}}}
"""What a check of the options needs before these are chosen."""


@dataclass
class Plan:
    """The options so far, and a line for each that was chosen.

    Args:
        given: the user's own, which stay.
        source: where most of them are from, for errors.
    """

    given: Mapping[str, Any]
    source: str
    lines: list[str] = field(default_factory=list)
    chosen: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Config:
        """All options, checked: the user's, and those chosen where the user gave none."""
        return check_options(
            merged(merged(UNTIL_KNOWN, self.chosen), self.given), self.source
        )

    def gives(self, key: str) -> bool:
        """Return whether the user gave the dotted `key`, a value or a section."""
        return _at(self.given, key) is not _MISSING

    def choose(self, key: str, value: Any, why: str) -> None:
        """Take `value` for the dotted `key`, unless the user gave one; of a section, any key of it."""
        theirs = _at(self.given, key)
        if theirs is _MISSING:
            self.chosen = merged(self.chosen, _nested(key, value))
            self.lines.append(f"{key}: {_inline(value)}  ({why})")
        elif theirs != value:
            self.lines.append(
                f"{key}: {_inline(theirs)}  (as given; the recipe's: {_inline(value)}, {why})"
            )


def auto_recipe(
    yml_path: str | None,
    overrides: Sequence[str] = (),
    dataroot_gt: str | None = None,
    network: str | None = None,
    minutes: float | None = None,
) -> tuple[Config, list[str]]:
    """Return the options of a training, and a line for each that was chosen here.

    Args:
        yml_path: options that are kept; None: only the flags and overrides are.
        overrides: `a.b=c`, which win over the file and the flags.
        dataroot_gt: the images, as datasets.train.dataroot_gt.
        network: a released model's name or a weight file, as path.pretrain_network_g.
        minutes: about how long to train; iterations are timed here. It wins over the
            file's total_iter.

    Raises:
        UserError: no images are named, or the options are wrong.
    """
    given = given_options(yml_path)
    for key, value in (
        ("datasets.train.dataroot_gt", dataroot_gt),
        ("path.pretrain_network_g", network),
    ):
        given = merged(given, _nested(key, value)) if value is not None else given
    given = merged(
        given if minutes is None else _without_total(given),
        given_options(None, overrides),
    )
    plan = Plan(given, yml_path or "--recipe auto")
    if not plan.gives("datasets.train.dataroot_gt"):
        raise UserError(
            "--recipe auto: no images to train on; give --dataroot_gt FOLDER"
        )
    if minutes is not None and plan.gives("train.total_iter"):
        raise UserError(
            "--minutes chooses train.total_iter, which is given too; leave one of them out"
        )

    machine = look_at_machine()
    choose_network(plan)
    choose_losses(plan, machine)
    train = plan.config.datasets.train
    images = look_at_images(train.dataroot_gt, train.meta_info)
    generator = look_at_network(plan.config.network_g)
    plan.lines.insert(0, f"recipe auto for {images}; {generator}; {machine}")
    choose_crops(plan, images, generator, machine)
    choose_optimizers(plan, generator)
    if minutes is None:
        choose_total(plan, images)
    else:
        choose_total_by_the_clock(plan, minutes)
    choose_schedule(plan)
    choose_degradation(plan)
    return plan.config, plan.lines


def choose_network(plan: Plan) -> None:
    """Choose the network and the weights it starts from."""
    if plan.gives("network_g"):
        plan.choose("name", "finetune", "for want of another")
        return
    plan.choose(
        "path.pretrain_network_g",
        NETWORK,
        "docs/soccer.md's; RealESRGAN_x4plus takes 15 times the multiplications",
    )
    start = str(_at(merged(plan.chosen, plan.given), "path.pretrain_network_g"))
    network = find(start).network if is_released(start) else read_generator(start)[0]
    plan.choose("name", f"finetune_{Path(start).stem}", "after the network")
    plan.choose("network_g", network.model_dump(), "what the weights are of")
    if isinstance(network, Generator):
        plan.choose("scale", network.scale, "the network's")


def choose_losses(plan: Plan, machine: Machine) -> None:
    """Choose what is learned from: the ground truth without a GAN, unless a model_type is given."""
    plan.choose(
        "datasets.train.type", "RealESRGANDataset", "low-quality images are synthesised"
    )
    plan.choose("model_type", "RealESRNetModel", "no GAN: better than the released network in minutes, measured; with "
                f"one, afterwards: --yml_path {GPU_GAN if machine.gpu else CPU_GAN}")  # fmt: skip
    plan.choose("train.pixel_opt", {"type": "L1Loss"}, "docs/soccer.md's")
    if not plan.gives("train.perceptual_opt"):
        plan.choose(
            "train.lpips_opt", {"loss_weight": 0.1}, "docs/soccer.md's: L1 alone blurs"
        )
    if _at(plan.given, "model_type") == "RealESRGANModel":
        choose_adversary(plan, machine)
    else:
        plan.choose(
            "gt_usm",
            False,
            "unsharpened as in docs/soccer.md: sharpened targets teach halos",
        )


def choose_adversary(plan: Plan, machine: Machine) -> None:
    """Choose a discriminator, and what it and the generator learn from one another."""
    if machine.gpu or _at(plan.given, "network_d.type") == "UNetDiscriminatorSN":
        plan.choose("network_d", {"type": "UNetDiscriminatorSN"}, "Real-ESRGAN's")
        plan.choose("train.gan_opt", {"loss_weight": 0.1}, "Real-ESRGAN's")
        plan.choose("train.optim_d.lr", 1e-4, "Real-ESRGAN's")
    else:
        plan.choose(
            "network_d",
            {"type": "ProjectedDiscriminator"},
            "docs/soccer.md's: learns in minutes",
        )
        plan.choose(
            "train.gan_opt",
            {"loss_weight": 0.03, "relativistic": True},
            "docs/soccer.md's",
        )
        plan.choose("train.optim_d.lr", 1e-3, "docs/soccer.md's")
        plan.choose("train.optim_d.betas", [0.5, 0.99], "docs/soccer.md's")
        plan.choose(
            "l1_gt_usm",
            False,
            "unsharpened as in docs/soccer.md: sharpened targets teach halos",
        )


def choose_crops(
    plan: Plan, images: Images, generator: NetworkSize, machine: Machine
) -> None:
    """Choose the size of the crops, how many make a batch, and who reads them."""
    wanted = 160 if generator.small else 256 if machine.gpu else 128
    why = (
        "docs/soccer.md's"
        if generator.small
        else "Real-ESRGAN's"
        if machine.gpu
        else "a rule of thumb for a CPU"
    )
    # Synthesis degrades a crop of 400 for a patch of 256 (Real-ESRGAN's ratio).
    fits = (
        images.short_side
        * (256 if plan.config.high_order_degradation else 400)
        // 400
        // 16
        * 16
    )
    if fits < wanted:
        wanted, why = (
            max(64, fits),
            f"a crop that images of {images.short_side} have room for",
        )
    plan.choose("gt_size", wanted, why)

    together = 12 if machine.gpu else 6 if generator.small else 4
    why = (
        "Real-ESRGAN's on each GPU"
        if machine.gpu
        else "docs/soccer.md's"
        if generator.small
        else "a rule of thumb"
    )
    room = (
        machine.memory
        / 2
        / GIB_PER_CROP[generator.small]
        / (plan.config.gt_size / 256) ** 2
    )
    parts = math.ceil(together / max(1, math.floor(min(together, room))))
    plan.choose("datasets.train.batch_size_per_gpu", math.ceil(together / parts), why)
    if parts > 1 and not plan.gives("datasets.train.batch_size_per_gpu"):
        plan.choose(
            "datasets.train.accum_iter",
            parts,
            f"for {together} crops at once may not fit into the memory",
        )
    plan.choose(
        "datasets.train.num_worker_per_gpu",
        min(5, max(1, machine.cores - 2)),
        "the other cores train",
    )


def choose_optimizers(plan: Plan, generator: NetworkSize) -> None:
    """Choose the generator's learning rate, and how a new discriminator begins."""
    gan = plan.config.model_type == "RealESRGANModel"
    if isinstance(plan.config.network_d, ProjectedDiscriminatorOptions):
        plan.choose(
            "train.optim_g.lr", 5e-5, "docs/soccer.md's, after a training without a GAN"
        )
        plan.choose("train.optim_g.betas", [0.5, 0.99], "docs/soccer.md's")
    elif gan:
        plan.choose("train.optim_g.lr", 1e-4, "Real-ESRGAN's with a GAN")
    elif generator.small:
        plan.choose("train.optim_g.lr", 2e-4, "docs/soccer.md's")
    else:
        plan.choose(
            "train.optim_g.lr", 1e-4, "half of the small network's, a rule of thumb"
        )
    plan.choose(
        "train.optim_g.grad_clip",
        1.0,
        "docs/soccer.md's: one odd batch cannot undo much",
    )
    if gan and plan.config.path.pretrain_network_d is None:
        plan.choose(
            "train.net_d_init_until",
            0.8,
            "the new discriminator learns alone until it is right that often",
        )
        plan.choose("train.net_d_init_iters", 1000, "but no longer; a rule of thumb")


def choose_total(plan: Plan, images: Images) -> None:
    """Choose the number of iterations by how much there is to see."""
    pixels = plan.config.images_per_iteration * plan.config.gt_size**2
    total = _rounded(min(MOST, max(FEWEST, PASSES * images.pixels / pixels)))
    seen = pixels * total / images.pixels
    plan.choose("train.total_iter", total, f"the images' pixels are seen {seen:.2g} times then, a rule of thumb: the "
                "network of docs/soccer.md still gained at 1, the quickstart's not at 22; best is kept")  # fmt: skip


def choose_total_by_the_clock(plan: Plan, minutes: float) -> None:
    """Choose the number of iterations by their time here, which is measured."""
    seconds = seconds_per_iteration(plan.config)
    total = max(1, int(0.9 * 60 * minutes / seconds))
    plan.choose("train.total_iter", total, f"what {minutes:g} minutes have time for: {seconds:.2g} s each, just timed, "
                "and a tenth for validation")  # fmt: skip


def choose_schedule(plan: Plan) -> None:
    """Choose what depends on the number of iterations."""
    total, rate = plan.config.train.total_iter, plan.config.train.optim_g.lr
    decay = round(1 - min(0.01, max(0.001, 5 / total)), 3)
    plan.choose(
        "train.ema_decay",
        decay,
        "as docs/soccer.md's a mean over about a fifth of the run; 1,000 iterations at most",
    )
    cosine = {"type": "CosineAnnealingLR", "T_max": total, "eta_min": rate / 10}
    plan.choose("train.scheduler", cosine, "falling to a tenth, as docs/soccer.md's")
    often = min(total, max(100, _rounded(total / 8)))
    if plan.config.val is not None:
        plan.choose(
            "val.val_freq",
            often,
            "eight validations, but at least 100 iterations apart",
        )
    plan.choose("logger.save_checkpoint_freq", often, "a checkpoint with each")
    plan.choose(
        "logger.print_freq", max(1, min(100, total // 20)), "twenty lines or more"
    )


def choose_degradation(plan: Plan) -> None:
    """Say what was not chosen, for it cannot be seen in the images."""
    if not plan.gives("resize_range"):
        plan.lines.append(
            "degradation: Real-ESRGAN's, made for anything that was ever on the internet; footage that is better is "
            "restored better by a milder one, such as that of options/finetune_cpu.yml (not measured from the images)"
        )


_MISSING = object()


def _at(options: Mapping[str, Any], key: str) -> Any:
    """Return what stands at a dotted key, or _MISSING."""
    value: Any = options
    for name in key.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return _MISSING
        value = value[name]
    return value


def _nested(key: str, value: Any) -> dict[str, Any]:
    """Return the options in which `value` stands at a dotted key."""
    for name in reversed(key.split(".")):
        value = {name: value}
    return value


def _without_total(given: Mapping[str, Any]) -> dict[str, Any]:
    train = given.get("train")
    rest = (
        {k: v for k, v in train.items() if k != "total_iter"}
        if isinstance(train, Mapping)
        else train
    )
    return dict(given) if train is None else {**given, "train": rest}


def _rounded(number: float) -> int:
    """Return the number with two digits: more would claim to be known."""
    return int(float(f"{number:.2g}"))


def _inline(value: Any) -> str:
    """Return a value as yml on one line."""
    return (
        yaml.safe_dump(value, default_flow_style=True, width=math.inf, sort_keys=False)
        .removesuffix("...\n")
        .strip()
    )
