"""What tools/evaluate.py does."""

import argparse

from realesrgan_paddle.commands.what_follows import after_evaluation
from realesrgan_paddle.metrics.data_sets import open_sets
from realesrgan_paddle.metrics.degrading import check_way, open_degradation
from realesrgan_paddle.metrics.evaluation import Evaluation
from realesrgan_paddle.metrics.names import BICUBIC, check_distinct
from realesrgan_paddle.utils.cli import Parser
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import check_target
from realesrgan_paddle.utils.machine.devices import start_paddle

USUAL_SCALE = 4
"""Where only bicubic is measured and no --scale is given."""


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
    for path in (args.json, args.markdown):
        if path is not None:
            check_target(path)
    metrics = list(dict.fromkeys(args.metrics))
    precisions = list(dict.fromkeys(args.precision))
    check_distinct([name for name, _ in args.models], "--models")
    check_distinct([name for name, _ in args.gt], "--gt")
    if args.degrade is not None:
        check_way(args.degrade)
    gts, inputs = args.gt, args.input or []
    sets = open_sets(gts, inputs, degraded=args.degrade is not None)

    # Everything that loads Paddle is imported after this.
    start_paddle()
    from realesrgan_paddle.metrics.figures import (
        FID,
        open_figures,
        open_inception,
        open_steps,
    )
    from realesrgan_paddle.metrics.measuring import Rules, measure_sets
    from realesrgan_paddle.metrics.methods import open_methods

    measures = open_figures(metrics)
    steps = open_steps(metrics)
    inception = open_inception() if FID in metrics else None
    methods = open_methods(
        args.models, precisions, engine=args.engine, device=args.device
    )
    scales = [method.scale for method in methods if method.scale]
    scale = args.scale or max(scales, default=USUAL_SCALE)
    degrade = None
    if args.degrade is not None:
        degrade = open_degradation(args.degrade, scale, args.seed)

    border = scale if args.crop_border is None else args.crop_border
    rules = Rules(scale, border, args.size)
    results = measure_sets(sets, methods, measures, rules, degrade, inception, steps)
    found = Evaluation(sets, methods, metrics, rules, args.degrade, args.seed, results)
    if not any(result.images for result in results):
        raise UserError(f"no image could be measured: {found.failures[0]}")
    if args.json:
        found.write_json(args.json)
    if args.markdown:
        found.write_markdown(args.markdown)
    return found


def what_follows(args: argparse.Namespace, found: Evaluation) -> str:
    """Return the command that follows an evaluation."""
    data = found.sets[0]
    shown = data.input if data.has_same_names() else None
    return after_evaluation(args.models, data.gt, shown, args.degrade, args.seed)
