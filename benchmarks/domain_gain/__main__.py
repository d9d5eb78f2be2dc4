"""Did the domain help? Finetune on it and on generic images, and judge on unseen clips.

python -m benchmarks.domain_gain --data DATA --weights WEIGHTS --work FOLDER
--results benchmarks/domain_gain/results/arms.jsonl

DATA has the folders of domains.yml, WEIGHTS the released networks as NAME.pdparams. An
arm takes 8 to 15 minutes on two idle cores and its figures 3; all of three seeds a day.
Arms whose figures are in the results are not trained again, and an arm that was stopped
goes on from its state in FOLDER. `--hours` ends the run after the arm at hand.

The tables and docs/domain_gain/ are made of the results: -m benchmarks.domain_gain.report.
"""

import argparse
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from benchmarks.domain_gain.arms import GENERAL, Arm, all_arms
from benchmarks.domain_gain.domains import Domain, read_domains, sub_images
from benchmarks.domain_gain.finetune import CONVOLUTIONS, ROOT, Terms, finetune
from benchmarks.domain_gain.inputs import (
    Degrade,
    Part,
    cut_parts,
    degradations,
    make_pairs,
)
from benchmarks.domain_gain.judge import BICUBIC, Pair, Weights, judge, no_weights
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.machine.cpu import start_paddle

OTHERS = ("realesr-general-x4v3", "realesr-animevideov3", "RealESRGAN_x4plus")
"""Released networks that are judged beside; x4plus has 14 times the parameters."""
FORGETTING = "matched"
"""The kind of input on which the general pictures are judged."""


_PARTS: dict[str, list[Part]] = {}


def main() -> None:
    """Make what is missing, until the time is over."""
    args = _arguments()
    start_paddle()
    domains = read_domains(args.data)
    end = time.monotonic() + 3600 * args.hours

    released: dict[str, Weights] = {BICUBIC: no_weights}
    for name in OTHERS:
        released[name] = partial(Path, args.weights / f"{name}.pdparams")
    for domain in domains.values():
        _judge(domain, released, args)

    for arm in all_arms(args.seeds):
        if time.monotonic() > end:
            break
        for name in arm.domains:
            weights = partial(_train, arm, domains[arm.images], args)
            _judge(domains[name], {arm.name: weights}, args)
        print(f"{arm.name}: done", flush=True)


def _train(arm: Arm, domain: Domain, args: argparse.Namespace) -> Path:
    """Return the weights of an arm; train it if they are not there."""
    from realesrgan_paddle.data.lq.folder import read_lq_options

    gt = args.work / "images" / domain.name
    names = sub_images(domain, gt)
    yml = arm.yml or _fit(domain, gt, args)
    terms = Terms(
        args.network,
        args.weights / f"{args.network}.pdparams",
        args.iterations,
        args.cpu_ops,
        args.threads,
    )
    folder = args.work / arm.name.replace(", ", "_").replace(" ", "_")
    return finetune(folder, gt, names, read_lq_options(yml), terms, arm.seed)


def _fit(domain: Domain, gt: Path, args: argparse.Namespace) -> Path:
    """Return the option file that is solved for from the domain's H.264 inputs."""
    folder: Path = args.work / f"fit_{domain.name}"
    yml = folder / "fitted.yml"
    if yml.exists():
        return yml
    for pair in make_pairs(_parts(domain), degradations()["H.264, CRF 28"]):
        write_image(folder / "real" / f"{Path(pair.name).stem}.png", pair.lq)
    command = [
        sys.executable,
        "make_lq_data.py",
        f"--fit={folder / 'real'}",
        f"--hr={gt}",
        f"--write={yml}",
    ]
    with (folder / "fit.txt").open("w", encoding="utf-8") as log:
        subprocess.run(command, cwd=ROOT, check=True, stdout=log, stderr=log)
    return yml


def _judge(
    domain: Domain, networks: dict[str, Weights], args: argparse.Namespace
) -> None:
    """Measure the networks on each kind of input of a domain's held-out clips."""
    if not domain.test:
        return
    for kind, degrade in degradations().items():
        if domain.name == GENERAL and kind != FORGETTING:
            continue
        pairs = partial(_pairs, domain, degrade)
        judge(networks, f"{domain.name}: {kind}", pairs, args.results)


def _pairs(domain: Domain, degrade: Degrade) -> list[Pair]:
    return make_pairs(_parts(domain), degrade)


def _parts(domain: Domain) -> list[Part]:
    """Return the judged parts of a domain, cut once: photographs are slow to read."""
    if domain.name not in _PARTS:
        _PARTS[domain.name] = cut_parts(domain)
    return _PARTS[domain.name]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument(
        "--network", choices=CONVOLUTIONS, default="realesr-general-x4v3"
    )
    parser.add_argument("--iterations", type=int, default=1500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cpu_ops", default="onednn_bf16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True)
    args = parser.parse_args()
    for name in ("data", "weights", "work", "results"):
        setattr(args, name, getattr(args, name).resolve())
    return args


if __name__ == "__main__":
    main()
