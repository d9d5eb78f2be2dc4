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

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.options.reading.load import given_options, merged
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.recipes.choose_schedule import (
    choose_batch,
    choose_checkpoints,
    choose_crops,
    choose_optimizers,
    choose_rate,
    choose_schedule,
    choose_total,
    choose_total_by_time,
    remark_minimum,
)
from realesrgan_paddle.recipes.choose_training import (
    choose_degradation,
    choose_losses,
    choose_network,
)
from realesrgan_paddle.recipes.environment import (
    Machine,
    inspect_images,
    inspect_machine,
    inspect_network,
)
from realesrgan_paddle.recipes.plan import Plan, choose_set_parts, nested, without_total
from realesrgan_paddle.utils.errors import UserError


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
