"""A process that degrades batches with this project's operators; see degradation.py."""
# ruff: noqa: E402  (Paddle reads the environment when it is imported)

import json
from argparse import Namespace
from collections.abc import Callable, Mapping
from functools import partial
from itertools import cycle

import numpy as np
from degradation_cases import (
    CHAINS,
    POISSON_SCALE,
    QUALITY,
    SIGMA,
    arguments,
    resize_case,
)
from step_cases import serve

from realesrgan_paddle.utils.machine.cpu import keep_freed_memory, start_paddle

keep_freed_memory()
start_paddle()
import paddle
from paddle import Tensor

from realesrgan_paddle.data.degradation import pipeline as degradation
from realesrgan_paddle.data.degradation.blur import blur
from realesrgan_paddle.data.degradation.jpeg import jpeg
from realesrgan_paddle.data.degradation.noise import (
    add_gaussian_noise,
    add_poisson_noise,
    normal_fields,
    poisson_counts,
)
from realesrgan_paddle.data.degradation.pipeline import Draws, PassDraws, degrade
from realesrgan_paddle.data.degradation.resize import resize_by
from realesrgan_paddle.data.degradation.usm import USM


def stage(
    case: str, gt: Tensor, kernel: Tensor, field: Tensor | None
) -> Callable[[], Tensor]:
    """Return what computes one stage of the degradation, with this `field` of noise or with one drawn each time."""
    batch = gt.shape[0]
    seeds = range(batch)
    alike = np.arange(batch) % 2 == 1
    gray = paddle.to_tensor(alike).reshape([-1, 1, 1, 1])
    sigma, scale = (
        paddle.full([batch, 1, 1, 1], strength) for strength in (SIGMA, POISSON_SCALE)
    )
    if case == "USM":
        return partial(USM(), gt)
    if case.startswith("blur"):
        return partial(blur, gt, kernel)
    if case.startswith("resize"):
        mode, factor = resize_case(case)
        return partial(resize_by, gt, factor, mode)
    if case == "gaussian noise":
        drawn = (
            partial(normal_fields, gt.shape[1:], seeds, alike)
            if field is None
            else lambda: field
        )
        return lambda: add_gaussian_noise(gt, drawn(), sigma, gray)
    if case == "poisson noise":
        count = (
            partial(poisson_counts, seeds=seeds, gray=alike)
            if field is None
            else lambda *_: field
        )
        return partial(add_poisson_noise, gt, scale, gray, count)
    return partial(
        jpeg, gt, paddle.to_tensor(np.linspace(*QUALITY, batch, dtype=np.float32))
    )


def chain(args: Namespace, gt: Tensor, kernels: Tensor) -> Callable[[], Tensor]:
    """Return what degrades the batch, with the next of torch's draws each time."""
    options = json.loads((args.folder / "options.json").read_text())
    draws = cycle(
        [
            as_draws(drawn)
            for drawn in json.loads((args.folder / "draws.json").read_text())
        ]
    )
    usm = USM() if options["sharpen"] else lambda image: image
    size = options["gt_size"]

    def step() -> Tensor:
        lq = degrade(usm(gt), kernels, next(draws), options["scale"])
        usm(gt[:, :, :size, :size])
        return lq

    return step


def as_draws(recorded: dict) -> Draws:
    """Return the draws that torch's process wrote down."""
    passes = {}
    for name in ("first", "second"):
        values = recorded.pop(name)
        arrays = {
            key: np.array(values.pop(key), np.float32)
            for key in ("strength", "quality")
        }
        gray = np.array(values.pop("gray"))
        passes[name] = PassDraws(
            **values, **arrays, gray=gray, field_seeds=np.arange(len(gray))
        )
    return Draws(**recorded, **passes)


def difference(
    args: Namespace, gt: Tensor, kernels: Tensor, theirs: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Return how far the results are from torch's with its noise: the most, in levels of 255, and how many differ."""
    if args.case in CHAINS:
        step = chain(args, gt, kernels)
        fields = iter(
            [
                paddle.to_tensor(theirs[name].astype(np.float32))
                for name in ("first", "second")
            ]
        )
        drawers = {
            name: getattr(degradation, name)
            for name in ("normal_fields", "poisson_counts")
        }
        for name in drawers:
            setattr(degradation, name, lambda *_, **__: next(fields))
        result = step()
        for name, drawer in drawers.items():
            setattr(degradation, name, drawer)
    else:
        field = theirs["field"].astype(np.float32) if "field" in theirs else None
        result = stage(
            args.case,
            gt,
            kernels[0],
            None if field is None else paddle.to_tensor(field),
        )()
    levels = 255 * np.abs(result.numpy() - theirs["result"])
    return {
        "max_difference": round(float(levels.max()), 3),
        "differing": round(float((levels > 0.5).mean()), 6),
    }


@paddle.no_grad()
def main() -> None:
    """Compare with torch's result, then serve degradations until the input ends."""
    args = arguments()
    given = np.load(args.folder / "input.npz")
    gt, kernels = paddle.to_tensor(given["gt"]), paddle.to_tensor(given["kernels"])
    compared = difference(args, gt, kernels, np.load(args.folder / "result.npz"))
    (args.folder / "compared.json").write_text(json.dumps(compared))
    serve(
        chain(args, gt, kernels)
        if args.case in CHAINS
        else stage(args.case, gt, kernels[0], None)
    )


if __name__ == "__main__":
    main()
