"""A process that degrades batches with this project's operators; see degradation.py."""
# ruff: noqa: E402  (Paddle reads the environment when it is imported)

import json
from argparse import Namespace
from collections.abc import Callable, Mapping
from functools import partial
from itertools import cycle
from unittest.mock import patch

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

from realesrgan_paddle.utils.machine.devices import keep_freed_memory, start_paddle

keep_freed_memory()
start_paddle()
import paddle
from paddle import Tensor

from realesrgan_paddle.data.degradation import pipeline
from realesrgan_paddle.data.degradation.filters import USM, blur, resize_by
from realesrgan_paddle.data.degradation.jpeg import jpeg
from realesrgan_paddle.data.degradation.noise import (
    add_gaussian_noise,
    add_poisson_noise,
    normal_fields,
    poisson_counts,
)
from realesrgan_paddle.data.degradation.pipeline import (
    DegradationParams,
    PassParams,
    degrade,
)


def stage(
    case: str, gt: Tensor, kernel: Tensor, field: Tensor | None
) -> Callable[[], Tensor]:
    """Return a function that computes one stage of the degradation.

    Its noise is `field` or, without one, drawn at each call.
    """
    batch = gt.shape[0]
    seeds = range(batch)
    is_gray = np.arange(batch) % 2 == 1
    gray = paddle.to_tensor(is_gray).reshape([-1, 1, 1, 1])
    sigma = paddle.full([batch, 1, 1, 1], SIGMA)
    scale = paddle.full([batch, 1, 1, 1], POISSON_SCALE)

    if case == "USM":
        return partial(USM(), gt)
    if case.startswith("blur"):
        return partial(blur, gt, kernel)
    if case.startswith("resize"):
        mode, factor = resize_case(case)
        return partial(resize_by, gt, factor, mode)
    if case == "gaussian noise":
        drawn = partial(normal_fields, gt.shape[1:], seeds, is_gray)
        if field is not None:
            drawn = lambda: field  # noqa: E731
        return lambda: add_gaussian_noise(gt, drawn(), sigma, gray)
    if case == "poisson noise":
        count = partial(poisson_counts, seeds=seeds, gray=is_gray)
        if field is not None:
            count = lambda *_: field  # noqa: E731
        return partial(add_poisson_noise, gt, scale, gray, count)
    qualities = np.linspace(*QUALITY, batch, dtype=np.float32)
    return partial(jpeg, gt, paddle.to_tensor(qualities))


def chain(args: Namespace, gt: Tensor, kernels: Tensor) -> Callable[[], Tensor]:
    """Return a function that degrades the batch, with the next of torch's random values."""
    options = json.loads((args.folder / "options.json").read_text())
    recorded = json.loads((args.folder / "draws.json").read_text())
    chains = cycle([as_params(drawn) for drawn in recorded])
    usm = USM() if options["sharpen"] else lambda image: image
    size = options["gt_size"]

    def step() -> Tensor:
        lq = degrade(usm(gt), kernels, next(chains), options["scale"])
        usm(gt[:, :, :size, :size])
        return lq

    return step


def as_params(recorded: dict) -> DegradationParams:
    """Return the random values that torch's process recorded."""
    passes = {}
    for name in ("first", "second"):
        values = recorded[name]
        passes[name] = PassParams(
            factor=values["factor"],
            mode=values["mode"],
            gaussian=values["gaussian"],
            strength=np.array(values["strength"], np.float32),
            gray=np.array(values["gray"]),
            quality=np.array(values["quality"], np.float32),
            field_seeds=np.arange(len(values["gray"])),
            compressed=np.ones(len(values["gray"]), bool),
            grain=np.zeros(len(values["gray"]), np.float32),
        )
    return DegradationParams(**recorded | passes)


def difference(
    args: Namespace, gt: Tensor, kernels: Tensor, theirs: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Return how far the result is from torch's with the same noise.

    The largest difference in levels of 255, and the share of values that differ by more
    than half a level.
    """
    if args.case in CHAINS:
        noise = [theirs[name].astype(np.float32) for name in ("first", "second")]
        fields = iter([paddle.to_tensor(field) for field in noise])
        step = chain(args, gt, kernels)
        with patch.multiple(
            pipeline,
            normal_fields=lambda *_, **__: next(fields),
            poisson_counts=lambda *_, **__: next(fields),
        ):
            result = step()
    else:
        field = None
        if "field" in theirs:
            field = paddle.to_tensor(theirs["field"].astype(np.float32))
        result = stage(args.case, gt, kernels[0], field)()
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
    if args.case in CHAINS:
        serve(chain(args, gt, kernels))
    else:
        serve(stage(args.case, gt, kernels[0], None))


if __name__ == "__main__":
    main()
