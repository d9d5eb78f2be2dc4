"""The options of one training run, whose sections agree with one another."""

from collections.abc import Iterator

from pydantic import model_validator
from typing_extensions import Self

from realesrgan_paddle.models.networks.discriminators import UNetDiscriminatorSNOptions
from realesrgan_paddle.models.networks.recurrent_srvgg import RecurrentSRVGG
from realesrgan_paddle.options.schema.sections import Sections
from realesrgan_paddle.options.schema.training import LPIPS_SMALLEST
from realesrgan_paddle.options.schema.validation import (
    GENERAL,
    HELD_OUT,
    NO_REFERENCE,
    REAL,
    ValOptions,
)


class Config(Sections):
    """Options of train.py."""

    @model_validator(mode="after")
    def _check_sections(self) -> Self:
        problems = list(section_problems(self))
        if problems:
            raise ValueError("; ".join(problems))
        return self


def section_problems(cfg: Sections) -> Iterator[str]:
    """Yield one line for each contradiction between the sections of `cfg`."""
    yield from _scale_problems(cfg)
    yield from _channel_problems(cfg)
    if cfg.model_type == "RealESRGANModel":
        yield from _gan_problems(cfg)
    else:
        yield from _no_gan_problems(cfg)
    yield from _crop_problems(cfg)
    yield from _degradation_problems(cfg)
    yield from _pair_problems(cfg)
    yield from _pool_problems(cfg)
    yield from _clip_problems(cfg)
    yield from _validation_set_problems(cfg)
    if cfg.val is not None:
        yield from _metric_problems(cfg, cfg.val)
        yield from _drift_problems(cfg, cfg.val)


def _scale_problems(cfg: Sections) -> Iterator[str]:
    if cfg.network_g.scale != cfg.scale:
        yield (
            f"scale is {cfg.scale} but network_g upscales by {cfg.network_g.scale}; "
            "give both the same"
        )


def _channel_problems(cfg: Sections) -> Iterator[str]:
    channels = {
        "network_g.num_in_ch": cfg.network_g.num_in_ch,
        "network_g.num_out_ch": cfg.network_g.num_out_ch,
    }
    if isinstance(cfg.network_d, UNetDiscriminatorSNOptions):
        channels["network_d.num_in_ch"] = cfg.network_d.num_in_ch

    for key, count in channels.items():
        if count != 3:
            yield f"{key} is {count}, but training images are RGB; set it to 3"


def _adversarial_sections(cfg: Sections) -> dict[str, object]:
    """Return the sections that training with a discriminator needs, given or None."""
    return {
        "network_d": cfg.network_d,
        "train.gan_opt": cfg.train.gan_opt,
        "train.optim_d": cfg.train.optim_d,
    }


def _gan_problems(cfg: Sections) -> Iterator[str]:
    sections = _adversarial_sections(cfg)
    missing = [key for key, section in sections.items() if section is None]
    if missing:
        yield (
            f"RealESRGANModel needs {' and '.join(missing)}; "
            "to train without them: RealESRNetModel"
        )

    train = cfg.train
    if train.net_d_init_until is not None and not train.net_d_init_iters:
        yield (
            "train.net_d_init_until needs train.net_d_init_iters, "
            "the most iterations that stage may take"
        )
    projected = (
        cfg.network_d is not None and cfg.network_d.type == "ProjectedDiscriminator"
    )
    if train.net_d_init_detail and projected:
        yield (
            "train.net_d_init_detail is for UNetDiscriminatorSN; "
            "a ProjectedDiscriminator sees fine detail from the start"
        )


def _no_gan_problems(cfg: Sections) -> Iterator[str]:
    sections = _adversarial_sections(cfg)
    extra = [key for key, section in sections.items() if section is not None]
    if extra:
        yield (
            f"RealESRNetModel trains without {' and '.join(extra)}; "
            "to train with them: RealESRGANModel"
        )

    train = cfg.train
    if not (train.pixel_opt or train.perceptual_opt or train.distill_opt):
        yield (
            "RealESRNetModel needs train.pixel_opt, train.perceptual_opt "
            "or train.distill_opt"
        )


def _crop_problems(cfg: Sections) -> Iterator[str]:
    lpips = cfg.train.lpips_opt
    if lpips is None:
        return
    smallest = LPIPS_SMALLEST[lpips.net]
    if cfg.gt_size < smallest:
        yield (
            f"train.lpips_opt with net: {lpips.net} needs a gt_size of at least "
            f"{smallest}, found {cfg.gt_size}"
        )


def _degradation_problems(cfg: Sections) -> Iterator[str]:
    train = cfg.datasets.train
    degraded = train.type == "RealESRGANDataset"
    if degraded != cfg.high_order_degradation:
        needed = str(degraded).lower()
        yield f"{train.type} goes with high_order_degradation: {needed}"


def _pair_problems(cfg: Sections) -> Iterator[str]:
    train = cfg.datasets.train
    paired = train.type == "RealESRGANPairedDataset"
    if paired and train.dataroot_lq is None:
        yield (
            "RealESRGANPairedDataset needs datasets.train.dataroot_lq, "
            "the folder of low-quality images"
        )
    if not paired and train.dataroot_lq is not None:
        yield (
            "datasets.train.dataroot_lq belongs to RealESRGANPairedDataset, "
            "and only to it; pairs besides synthesized images go into "
            "datasets.train_paired"
        )
    if paired and cfg.datasets.train_paired is not None:
        yield (
            "datasets.train_paired goes with a datasets.train of type "
            "RealESRGANDataset; leave one of them out"
        )


def _pool_problems(cfg: Sections) -> Iterator[str]:
    train = cfg.datasets.train
    paired = train.type == "RealESRGANPairedDataset"
    # With slices, the pool holds so many of each: the number of processes decides.
    size = 1 if train.slices else train.batch_size_per_gpu
    if 0 < cfg.queue_size < size and not paired:
        yield (
            f"queue_size {cfg.queue_size} is less than one batch of "
            f"{train.batch_size_per_gpu}; 0 means no pool"
        )


def _warmup_problems(cfg: Sections, key: str) -> Iterator[str]:
    warmup = cfg.train.warmup_frames
    trained = cfg.datasets.train.num_frame - warmup
    if trained < 1:
        yield f"train.warmup_frames is {warmup}; it must be below {key}"
    if warmup and not isinstance(cfg.network_g, RecurrentSRVGG):
        yield "train.warmup_frames fill a state, which only RecurrentSRVGG has; set it to 0"
    if warmup and cfg.train.distill_opt is not None:
        yield "train.warmup_frames have no teacher; leave out train.distill_opt, or set it to 0"
    if isinstance(cfg.network_g, RecurrentSRVGG) and trained == 1:
        yield (
            f"RecurrentSRVGG learns to use its state from two frames on: raise {key}"
            + (", or lower train.warmup_frames" if warmup else "")
        )


def _clip_problems(cfg: Sections) -> Iterator[str]:
    key = "datasets.train.num_frame"
    yield from _warmup_problems(cfg, key)
    if cfg.datasets.train.num_frame == 1:
        if cfg.train.temporal_opt is not None:
            yield f"train.temporal_opt compares frames of a clip; set {key} above 1"
        return
    if cfg.queue_size:
        yield f"queue_size is {cfg.queue_size}, but {key} has no pair pool; set it to 0"
    if not cfg.high_order_degradation or cfg.datasets.train_paired is not None:
        yield f"{key} above 1 is for RealESRGANDataset alone, without given pairs"
    if cfg.train.artifact_opt is not None:
        yield f"train.artifact_opt compares pictures; leave it out with {key} above 1"


def _validation_set_problems(cfg: Sections) -> Iterator[str]:
    names = [dataset.name for dataset in cfg.datasets.validation.values()]
    if len(set(names)) < len(names):
        yield (
            "each set of datasets.val... needs a name of its own, "
            f"found {', '.join(names)}"
        )
    if names and cfg.val is None:
        yield (
            "datasets.val names images to validate on, but val is null, "
            "which turns validation off"
        )


def _metric_problems(cfg: Sections, val: ValOptions) -> Iterator[str]:
    measured = _measured(cfg, val)
    if val.best is not None and val.best not in measured:
        known = ", ".join(measured) or "none"
        yield f"val.best: {val.best!r} is not measured; measured are: {known}"
    if val.stop_after is not None and not measured:
        yield (
            "val.stop_after needs a metric: one of val.metrics, "
            "and a set of datasets.val with a ground truth (calculate_niqe needs none)"
        )


def _measured(cfg: Sections, val: ValOptions) -> list[str]:
    """Return what each validation measures, as SET/METRIC."""
    sets = {}
    for dataset in cfg.datasets.validation.values():
        sets[dataset.name] = dataset.dataroot_gt is not None
    if not sets and val.hold_out != 0:
        sets[HELD_OUT] = True

    metrics = []
    for name, has_gt in sets.items():
        for metric, options in val.metrics.items():
            if has_gt or options.type in NO_REFERENCE:
                metrics.append(f"{name}/{metric}")
    return metrics


def _drift_problems(cfg: Sections, val: ValOptions) -> Iterator[str]:
    names = {dataset.name for dataset in cfg.datasets.validation.values()}
    taken = {}
    if val.drift is not None:
        taken[GENERAL] = "val.drift"
    if val.real_lq is not None:
        taken[REAL] = "val.real_lq"
    for name in names & taken.keys():
        yield (
            f"datasets.val: {name!r} is the name of {taken[name]}'s own images; "
            "give the set another name"
        )
