"""What tools/evaluate.py does: check the flags, open what is measured, measure, write."""

from argparse import ArgumentTypeError
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.commands.what_follows import after_evaluation
from realesrgan_paddle.inference.open_runner import ENGINES, PRECISIONS
from realesrgan_paddle.metrics.clips import open_steps
from realesrgan_paddle.metrics.data_sets import (
    DataSet,
    NamedFolder,
    check_way,
    open_degradation,
    open_sets,
    parse_folder,
)
from realesrgan_paddle.metrics.evaluation import Evaluation
from realesrgan_paddle.metrics.measuring import Rules, measure_sets
from realesrgan_paddle.metrics.methods import ClipRun, Method, open_methods
from realesrgan_paddle.metrics.table import (
    BICUBIC,
    FID,
    METRICS,
    OF_CLIPS,
    OF_IMAGES,
    open_features,
    open_metric,
    parse_metric,
)
from realesrgan_paddle.utils.cli import int_range, setting
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import check_target
from realesrgan_paddle.utils.machine.devices import DEVICES, start_paddle
from realesrgan_paddle.utils.next_steps import YOUR_VIDEOS, next_line

USUAL = ("psnr", "ssim", "psnr_y", "ssim_y")
"""What is measured unless --metrics says otherwise: nothing is fetched for it."""

USUAL_SCALE = 4
"""Where only bicubic is measured and no --scale is given."""


def parse_model(text: str) -> tuple[str, str]:
    """Return (name, model) of "NAME=MODEL", MODEL or "bicubic", for argparse.

    A model without a name is named as its file, with "_" for "=".
    """
    name, equals, model = text.partition("=")
    if equals and not Path(text).exists():
        if name and model:
            return name, model
        raise ArgumentTypeError(
            f"{text!r} is not NAME=MODEL, such as finetuned=infer, nor bicubic"
        )
    if not text:
        raise ArgumentTypeError("'' is no model; NAME=MODEL or bicubic are")
    if text.lower() == BICUBIC:
        return BICUBIC, BICUBIC
    path = Path(text)
    name = (path.stem if path.is_file() else path.name) or text
    return name.replace("=", "_"), text


@dataclass(frozen=True, kw_only=True)
class EvaluateFlags:
    """The flags of tools/evaluate.py."""

    models: list[tuple[str, str]] = setting(
        ...,
        "what to measure: weights, exported folders, released models, bicubic",
        parse_model,
        metavar="[NAME=]MODEL",
    )
    gt: list[NamedFolder] = setting(
        ...,
        "ground truth, a folder for each benchmark set",
        parse_folder,
        metavar="[NAME=]FOLDER",
    )
    input: list[NamedFolder] | None = setting(
        None,
        "the low-quality images of each --gt, in the same order",
        parse_folder,
        metavar="FOLDER",
        heading="low-quality images",
    )
    degrade: str | None = setting(
        None,
        "make the low-quality images: bicubic (MATLAB's, as in papers), or an option "
        "file of make_lq_data.py or of a training",
        metavar="WAY",
    )
    seed: int | None = setting(
        None,
        "of all draws of --degrade FILE.yml, instead of its manual_seed",
        int_range(0),
    )
    metrics: list[str] = setting(
        list(USUAL),
        f"any of {', '.join(METRICS)}",
        parse_metric,
        metavar="METRIC",
        heading="what is measured",
    )
    scale: int | None = setting(
        None,
        "how much larger the ground truth is; that of the networks if not given",
        int_range(1, 16),
    )
    crop_border: int | None = setting(
        None,
        "pixels left out at each border; the scale if not given, as in papers",
        int_range(0),
    )
    size: int | None = setting(
        None,
        "measure the center of each image, of at most SIZE x SIZE input pixels",
        int_range(1),
    )
    precision: list[str] = setting(
        ["fp32"],
        "what networks compute in; of several, each is a row",
        choices=PRECISIONS,
        heading="what computes",
    )
    engine: str = setting("auto", "what runs networks", choices=ENGINES)
    device: str = setting("auto", "where to compute", choices=DEVICES)
    json: Path | None = setting(
        None,
        "write all metrics, of each image too",
        metavar="FILE",
        heading="files",
    )
    markdown: Path | None = setting(None, "write the tables of papers", metavar="FILE")

    def __post_init__(self) -> None:
        """Raise ArgumentTypeError where flags contradict one another."""
        if self.input and self.degrade:
            raise ArgumentTypeError(
                "--input has low-quality images, --degrade makes them; give one"
            )
        if self.input and len(self.input) != len(self.gt):
            raise ArgumentTypeError(
                f"--input: {len(self.input)} given for {len(self.gt)} of --gt; give one "
                "for each, in the same order"
            )
        if self.seed is not None and self.degrade in (None, BICUBIC):
            raise ArgumentTypeError("--seed is that of --degrade FILE.yml; give both")


def evaluate(flags: EvaluateFlags) -> Evaluation:
    """Measure as the flags say; write the files of --json and --markdown."""
    sets = checked_sets(flags)

    # Paddle is loaded from here on.
    start_paddle()
    precisions = list(dict.fromkeys(flags.precision))
    methods = open_methods(
        flags.models, precisions, engine=flags.engine, device=flags.device
    )
    rules = rules_of(flags, methods)
    degrade = None
    if flags.degrade is not None:
        degrade = open_degradation(flags.degrade, rules.scale, flags.seed)

    names = list(dict.fromkeys(flags.metrics))
    border = rules.crop_border
    results = measure_sets(
        sets,
        {method.name: method.run for method in methods},
        {name: open_metric(name, border) for name in names if name in OF_IMAGES},
        rules,
        degrade,
        open_features() if FID in names else None,
        open_steps(names),
    )

    found = Evaluation(sets, methods, names, rules, flags.degrade, flags.seed, results)
    if not any(result.images for result in results):
        raise UserError(f"no image could be measured: {found.failures[0]}")
    if flags.json:
        found.write_json(flags.json)
    if flags.markdown:
        found.write_markdown(flags.markdown)
    return found


def checked_sets(flags: EvaluateFlags) -> list[DataSet]:
    """Return the sets, after a check of all that can be checked in a moment.

    Raises:
        UserError: two names are the same, or a file or folder cannot be used.
    """
    for path in (flags.json, flags.markdown):
        if path is not None:
            check_target(path)
    check_distinct([name for name, _ in flags.models], "--models")
    check_distinct([name for name, _ in flags.gt], "--gt")
    if flags.degrade is not None:
        check_way(flags.degrade)
    return open_sets(flags.gt, flags.input or [], degraded=flags.degrade is not None)


def check_distinct(names: Sequence[str], flag: str) -> None:
    """Raise UserError if one of the names is there twice."""
    for name in names:
        if names.count(name) > 1:
            raise UserError(
                f"{flag}: two are named {name!r}; give one another name: NAME=PATH"
            )


def rules_of(flags: EvaluateFlags, methods: Sequence[Method]) -> Rules:
    """Return how images are measured: as the flags say, else by the largest scale."""
    scales = [method.scale for method in methods if method.scale]
    scale = flags.scale or max(scales, default=USUAL_SCALE)
    border = scale if flags.crop_border is None else flags.crop_border
    return Rules(scale, border, flags.size)


def what_follows(flags: EvaluateFlags, found: Evaluation) -> str:
    """Return the command that follows an evaluation."""
    with_state = [each.model for each in found.methods if isinstance(each.run, ClipRun)]
    if with_state and any(name in OF_CLIPS for name in found.metrics):
        # A page of pictures would show it without its state.
        return next_line(
            "weights for video", videos=YOUR_VIDEOS, weights=with_state[-1]
        )

    data = found.sets[0]
    shown = data.input if data.has_same_names() else None
    return after_evaluation(flags.models, data.gt, shown, flags.degrade, flags.seed)
