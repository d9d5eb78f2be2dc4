"""Did the domain help? Finetune on it and on generic images, and judge on unseen clips.

python -m benchmarks.domain_gain --data DATA --weights WEIGHTS --work FOLDER
--results benchmarks/domain_gain/results/arms.jsonl

DATA has folders of domains.yml, those of the chosen domains at least, WEIGHTS the
released networks as NAME.pdparams. An arm takes 8 to 15 minutes on two idle cores and its
figures 3; all of three seeds a day. Arms whose figures are in the results are not trained
again, and an arm that was stopped goes on from its state in FOLDER. `--hours` ends the
run after the arm at hand. Run it once for each core with `--threads 1`: the runs share
the arms among them.

The tables and docs/domain_gain/ are made of the results: -m benchmarks.domain_gain.report.
"""

import argparse
import fcntl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache, partial
from pathlib import Path

from benchmarks.domain_gain.arms import (
    DOMAINS,
    GENERAL,
    GENERIC,
    HALF,
    LARGE,
    RELEASED,
    SMALLEST,
    Arm,
    all_arms,
)
from benchmarks.domain_gain.domains import Domain, halves, read_domains, sub_images
from benchmarks.domain_gain.finetune import (
    CONVOLUTIONS,
    ROOT,
    Terms,
    finetune,
    folder_of,
)
from benchmarks.domain_gain.inputs import cut_parts, degradations, kinds_of, make_pairs
from benchmarks.domain_gain.judge import BICUBIC, Weights, judge_kinds, no_weights
from benchmarks.domain_gain.recipes import PLAIN, Recipe
from realesrgan_paddle.options.reading.load import given_options, merged
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.machine.devices import start_paddle


def main() -> None:
    """Make what is missing, until the time is over."""
    args = _arguments()
    start_paddle()
    domains = read_domains(args.data)
    args.domains = [name for name in args.domains if name in domains]
    for domain in domains.values():
        with _claimed(args.work, domain.name, wait=True):
            sub_images(domain, args.work / "images" / domain.name)

    pairs_of = cache(partial(kinds_of, inputs=args.inputs))
    end = time.monotonic() + 3600 * args.hours
    for name, weights, judged_on in _networks(domains, args):
        if not any(fnmatchcase(name, pattern) for pattern in args.arms):
            continue
        if time.monotonic() > end:
            break
        with _claimed(args.work, name) as claimed:
            if not claimed:
                continue
            for domain in judged_on:
                kinds = pairs_of(domains[domain])
                judge_kinds(name, weights, kinds, args.results)
            print(f"{name}: done", flush=True)


def _networks(
    domains: Mapping[str, Domain], args: argparse.Namespace
) -> Iterator[tuple[str, Weights, Sequence[str]]]:
    """Yield each network: its name, its weights, and the domains that it is judged on."""
    judged = [name for name in (*args.domains, GENERAL) if name in domains]
    yield BICUBIC, no_weights, judged
    for name in (RELEASED, SMALLEST):
        yield name, partial(Path, args.weights / f"{name}.pdparams"), judged
    for arm in all_arms(args.seeds, args.domains):
        weights = partial(_train, arm, domains, args)
        on = arm.judged_on(args.domains)
        yield arm.name, weights, [name for name in on if name in domains]
    # It takes as long to judge as an arm takes in all.
    yield LARGE, partial(Path, args.weights / f"{LARGE}.pdparams"), judged


@contextmanager
def _claimed(work: Path, name: str, *, wait: bool = False) -> Iterator[bool]:
    """Hold what is called `name`; yield False if another process of `work` has it."""
    locks = work / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / name).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True


def _train(arm: Arm, domains: Mapping[str, Domain], args: argparse.Namespace) -> Path:
    """Return the weights of an arm; train it if they are not there."""
    from realesrgan_paddle.data.lq.folder import read_lq_options

    images = args.work / "images"
    domain, recipe = domains[arm.images], arm.recipe
    gt = images / domain.name
    names = _within(images, domain, recipe)
    if arm.kind == HALF:
        names = halves(names, _within(images, domains[GENERIC], recipe))
    yml = arm.yml or _fit(domain, gt, args)
    start = args.weights / f"{args.network}.pdparams"
    if recipe.goes_on:
        start = _train(replace(arm, recipe=PLAIN), domains, args)
    terms = Terms(
        args.network,
        start,
        round(args.iterations * recipe.length),
        args.cpu_ops,
        args.threads,
    )
    return finetune(
        folder_of(args.work, arm.name),
        images,
        names,
        read_lq_options(yml),
        terms,
        arm.seed,
        recipe.base,
        merged(given_options(None, args.keys), recipe.keys),
    )


def _within(images: Path, domain: Domain, recipe: Recipe) -> list[str]:
    """Return a domain's sub-images to train on, relative to the folder of all."""
    names = sub_images(domain, images / domain.name)
    return [f"{domain.name}/{name}" for name in recipe.images(names, domain)]


def _fit(domain: Domain, gt: Path, args: argparse.Namespace) -> Path:
    """Return the option file that is solved for from the domain's H.264 inputs."""
    folder: Path = args.work / f"fit_{domain.name}"
    yml = folder / "fitted.yml"
    if yml.exists():
        return yml
    for pair in make_pairs(cut_parts(domain), degradations()["H.264, CRF 28"]):
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


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--network", choices=CONVOLUTIONS, default=RELEASED)
    parser.add_argument("--iterations", type=int, default=1500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--arms", nargs="+", default=["*"], help="patterns of their names"
    )
    parser.add_argument("--domains", nargs="+", choices=DOMAINS, default=DOMAINS)
    parser.add_argument(
        "--inputs", nargs="+", choices=degradations(), default=list(degradations())
    )
    parser.add_argument("--keys", nargs="+", default=[], help="a.b=c, of all arms")
    parser.add_argument("--cpu_ops", default="auto")
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
