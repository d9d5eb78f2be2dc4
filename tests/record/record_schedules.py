"""Record BasicSR's learning rates and torch's cosine: tests/reference/schedules.npz.

    PYTHONPATH=tests/helpers python tests/record/record_schedules.py --basicsr PATH

PATH is a checkout of XPixelGroup/BasicSR. Needs torch. As in BasicSR's
`update_learning_rate`, a scheduler takes one step before each iteration but the first,
and a warm-up overwrites what it gives.
"""

import argparse
from pathlib import Path

import basicsr_checkout
import numpy as np
import sample_schedules as sample
import torch

OUTPUT = Path(__file__).resolve().parents[1] / "reference" / "schedules.npz"


def rates(make: type, options: dict, warmup: int) -> np.ndarray:
    """Return the rates of two parameter groups at each iteration, (iterations, 2)."""
    groups = [
        {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": base}
        for base in sample.BASES
    ]
    optimizer = torch.optim.Adam(groups)
    scheduler = make(
        optimizer, **{key: value for key, value in options.items() if key != "type"}
    )
    record = []
    for iteration in range(1, sample.ITERATIONS + 1):
        if iteration > 1:
            optimizer.step()
            scheduler.step()
        if iteration < warmup:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] / warmup * iteration
        record.append([group["lr"] for group in optimizer.param_groups])
    return np.array(record)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--basicsr", type=Path, required=True)
    module = basicsr_checkout.module(parser.parse_args().basicsr, "models.lr_scheduler")
    kinds = {
        # BasicSR's base_model.py takes this one for both names
        "MultiStepLR": module.MultiStepRestartLR,
        "MultiStepRestartLR": module.MultiStepRestartLR,
        "CosineAnnealingRestartLR": module.CosineAnnealingRestartLR,
        "CosineAnnealingLR": torch.optim.lr_scheduler.CosineAnnealingLR,
    }
    record = {
        name: rates(kinds[options["type"]], options, -1)
        for name, options in sample.SCHEDULES.items()
    }
    # The only one that does not use the previous rate, which a warm-up changes.
    restart = sample.SCHEDULES["cosine_restart"]
    record["warm_up"] = rates(kinds[restart["type"]], restart, sample.WARM_UP)
    np.savez_compressed(OUTPUT, **record)
    print(f"{OUTPUT}: {len(record)} arrays, {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
