"""The options that a training set brings along: its list, its validation images."""

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.data.sets.made_folders import (
    list_of_set,
    scale_of_set,
    validation_of_set,
)
from realesrgan_paddle.options.reading.load import (
    check_options,
    given_options,
    merged,
)
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.recipes.plan import Plan


def load_training(
    path: str | Path, overrides: Sequence[str] = ()
) -> tuple[Config, list[str]]:
    """Return the options of a training as `load_config`, completed by its set.

    Returns:
        The options, and a line for each that the set brought.

    Raises:
        UserError: as `load_config`, or the set was not built to its end.
    """
    given = given_options(path, overrides)
    plan = Plan(given, str(path))
    choose_set_parts(plan, check_options(given, path, overrides))
    completed = merged(plan.chosen, given)
    return check_options(completed, path, overrides), plan.lines


def choose_set_parts(plan: Plan, cfg: Config) -> None:
    """Choose list and validation images if `dataroot_gt` is a set of build_domain_set.

    What the user gave stays. Given pairs name their own files.

    Args:
        plan: gets the options.
        cfg: those so far.
    """
    train = cfg.datasets.train
    root = Path(train.dataroot_gt)
    listed = list_of_set(root) if cfg.high_order_degradation else None
    if listed is None:
        return
    if train.meta_info is None:
        reason = "the set's list: its training images and no others"
        plan.choose("datasets.train.meta_info", str(listed), reason)

    validation = validation_of_set(root)
    if validation is None or cfg.val is None or cfg.datasets.validation:
        return
    scale = scale_of_set(root)
    if scale != cfg.scale:
        plan.lines.append(
            f"{root}: its validation images are for x{scale} and not used, because this "
            f"trains x{cfg.scale}"
        )
        return
    hr, lr = map(str, validation)
    section = {"type": "PairedImageDataset", "dataroot_gt": hr, "dataroot_lq": lr}
    plan.choose("datasets.val", section, "the set's: of other views than its list")
