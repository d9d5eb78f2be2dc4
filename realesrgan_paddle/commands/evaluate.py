"""What tools/evaluate.py does: check the flags, open what is measured, measure, write."""

import argparse
from argparse import ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.commands.what_follows import after_evaluation
from realesrgan_paddle.metrics.clips import open_steps
from realesrgan_paddle.metrics.data_sets import (
    DataSet,
    check_way,
    open_degradation,
    open_sets,
)
from realesrgan_paddle.metrics.evaluation import Evaluation
from realesrgan_paddle.metrics.measuring import Rules, measure_sets
from realesrgan_paddle.metrics.methods import Method, open_methods
from realesrgan_paddle.metrics.table import (
    BICUBIC,
    FID,
    OF_IMAGES,
    open_features,
    open_metric,
)
from realesrgan_paddle.utils.cli import Parser
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import check_target
from realesrgan_paddle.utils.machine.devices import start_paddle

USUAL = ("psnr", "ssim", "psnr_y", "ssim_y")
"""What is measured unless --metrics says otherwise: nothing is fetched for it."""

USUAL_SCALE = 4
"""Where only bicubic is measured and no --scale is given."""


def parse_model(text: str) -> tuple[str, str]:
    """Return (name, model) of "NAME=MODEL", MODEL or "bicubic", for argparse.

    A model without a name is named as its file.
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
    return (path.stem if path.is_file() else path.name) or text, text


def check_flags(parser: Parser, args: argparse.Namespace) -> None:
    """Exit with 2 where flags contradict one another."""
    if args.input and args.degrade:
        parser.error("--input has low-quality images, --degrade makes them; give one")
    if args.input and len(args.input) != len(args.gt):
        parser.error(
            f"--input: {len(args.input)} given for {len(args.gt)} of --gt; give one for "
            "each, in the same order"
        )
    if args.seed is not None and args.degrade in (None, BICUBIC):
        parser.error("--seed is that of --degrade FILE.yml; give both")


def evaluate(args: argparse.Namespace) -> Evaluation:
    """Measure as the flags say; write the files of --json and --markdown."""
    sets = checked_sets(args)

    # Paddle is loaded from here on.
    start_paddle()
    precisions = list(dict.fromkeys(args.precision))
    methods = open_methods(
        args.models, precisions, engine=args.engine, device=args.device
    )
    rules = rules_of(args, methods)
    degrade = None
    if args.degrade is not None:
        degrade = open_degradation(args.degrade, rules.scale, args.seed)

    names = list(dict.fromkeys(args.metrics))
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

    found = Evaluation(sets, methods, names, rules, args.degrade, args.seed, results)
    if not any(result.images for result in results):
        raise UserError(f"no image could be measured: {found.failures[0]}")
    if args.json:
        found.write_json(args.json)
    if args.markdown:
        found.write_markdown(args.markdown)
    return found


def checked_sets(args: argparse.Namespace) -> list[DataSet]:
    """Return the sets, after a check of all that can be checked in a moment.

    Raises:
        UserError: two names are the same, or a file or folder cannot be used.
    """
    for path in (args.json, args.markdown):
        if path is not None:
            check_target(path)
    check_distinct([name for name, _ in args.models], "--models")
    check_distinct([name for name, _ in args.gt], "--gt")
    if args.degrade is not None:
        check_way(args.degrade)
    return open_sets(args.gt, args.input or [], degraded=args.degrade is not None)


def check_distinct(names: Sequence[str], flag: str) -> None:
    """Raise UserError if one of the names is there twice."""
    for name in names:
        if names.count(name) > 1:
            raise UserError(
                f"{flag}: two are named {name!r}; give one another name: NAME=PATH"
            )


def rules_of(args: argparse.Namespace, methods: Sequence[Method]) -> Rules:
    """Return how images are measured: as the flags say, else by the largest scale."""
    scales = [method.scale for method in methods if method.scale]
    scale = args.scale or max(scales, default=USUAL_SCALE)
    border = scale if args.crop_border is None else args.crop_border
    return Rules(scale, border, args.size)


def what_follows(args: argparse.Namespace, found: Evaluation) -> str:
    """Return the command that follows an evaluation."""
    data = found.sets[0]
    shown = data.input if data.has_same_names() else None
    return after_evaluation(args.models, data.gt, shown, args.degrade, args.seed)
