"""A process that degrades batches with BasicSR and Real-ESRGAN; see degradation.py.

The whole degradation is Real-ESRGAN's own `feed_data`.
"""

import json
import random
import sys
import types
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from itertools import cycle
from pathlib import Path

import numpy as np
import torch
from degradation_cases import (
    CHAINS,
    POISSON_SCALE,
    QUALITY,
    SIGMA,
    arguments,
    resize_case,
)
from step_cases import serve
from torch import Tensor
from torch.nn import functional as F

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "record"))
import record_degradation
from record_degradation import Log, load_references, read_draws

Arrays = dict[str, np.ndarray]


def stage(
    case: str, gt: Tensor, kernel: Tensor, references: tuple
) -> tuple[Callable[[], Tensor], Arrays]:
    """Return a function that computes one stage, and its first result and noise."""
    degradations, diffjpeg, images, _ = references
    gray = (torch.arange(len(gt)) % 2).float()
    if case == "USM":
        step = partial(images.USMSharp(), gt)
    elif case.startswith("blur"):
        step = partial(images.filter2D, gt, kernel)
    elif case.startswith("resize"):
        mode, factor = resize_case(case)
        step = partial(F.interpolate, gt, scale_factor=factor, mode=mode)
    elif case == "gaussian noise":
        step = partial(
            degradations.add_gaussian_noise_pt,
            gt,
            torch.full([len(gt)], SIGMA),
            gray_noise=gray,
        )
    elif case == "poisson noise":
        step = partial(
            degradations.add_poisson_noise_pt,
            gt,
            torch.full([len(gt)], POISSON_SCALE),
            gray_noise=gray,
        )
    else:
        jpeg = diffjpeg.DiffJPEG(differentiable=False)
        quality = torch.linspace(*QUALITY, len(gt))
        # A copy each time: DiffJPEG changes the qualities that it is given.
        step = lambda: jpeg(gt, quality=quality.clone())  # noqa: E731
    log = Log()
    result = {"result": step().numpy()}
    if "noise" in case:
        result["field"] = log.field(gray)
    stop_logging()
    return step, result


def chain(
    args: Namespace, options: dict, gt: Tensor, kernels: Tensor, references: tuple
) -> tuple[Callable[[], object], Arrays]:
    """Return a function that degrades the batch, and its first result and noise.

    Each call has other draws. The pool and the random crop are left out: they compute
    nothing.
    """
    _, _, images, real_esrgan = references
    record_degradation.OPTIONS = options
    size = options["gt_size"]
    real_esrgan.paired_random_crop = lambda gts, lq, *_: (
        [gt[:, :, :size, :size] for gt in gts],
        lq,
    )
    jpeg, usm = real_esrgan.DiffJPEG(differentiable=False), images.USMSharp()
    run = types.SimpleNamespace(
        is_train=True, opt=options, device="cpu", _dequeue_and_enqueue=lambda: None
    )
    run.usm_sharpener = usm if options["sharpen"] else lambda image: image
    # Contiguous: on the CPU, the blur after it cannot view its result otherwise.
    run.jpeger = lambda image, quality: jpeg(image, quality).contiguous()
    data = {
        "gt": gt,
        **dict(zip(("kernel1", "kernel2", "sinc_kernel"), kernels, strict=True)),
    }

    def feed(seed: int) -> np.ndarray:
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        real_esrgan.RealESRGANModel.feed_data(run, data)
        return run.lq.numpy()

    draws, result = [], {}
    for seed in range(args.rounds):
        log = Log()
        lq = feed(seed)
        drawn, fields = read_draws(log)
        draws.append(drawn)
        result = result or {"result": lq, "first": fields[0], "second": fields[1]}
    stop_logging()
    (args.folder / "draws.json").write_text(json.dumps(draws))
    seeds = cycle(range(args.rounds))
    return lambda: feed(next(seeds)), result


def stop_logging() -> None:
    """Restore the random functions that `Log` has wrapped."""
    for module in (random, np.random, torch, torch.Tensor):
        for name, value in list(vars(module).items()):
            if hasattr(value, "original"):
                setattr(module, name, value.original)


@torch.no_grad()
def main() -> None:
    """Serve degradations until the input ends."""
    args = arguments()
    torch.set_num_threads(args.threads)
    references = load_references(args.basicsr, args.realesrgan)
    given = np.load(args.folder / "input.npz")
    gt, kernels = torch.from_numpy(given["gt"]), torch.from_numpy(given["kernels"])
    if args.case in CHAINS:
        step, result = chain(
            args,
            json.loads((args.folder / "options.json").read_text()),
            gt,
            kernels,
            references,
        )
    else:
        step, result = stage(args.case, gt, kernels[0], references)
    np.savez(args.folder / "result.npz", **result)
    serve(step)


if __name__ == "__main__":
    main()
