"""Which preset is the best bet without a fit: its networks on several kinds of input.

python -m benchmarks.domain_gain.presets --data DATA --work FOLDER --iterations 400
--weights realesr-animevideov3.pdparams --results benchmarks/domain_gain/results/presets.jsonl

FOLDER is that of hidden.py, which trained a network with each preset. DATA has the folder
`soccer_frames`; hidden.py must have trained on the clips that domains.yml says.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.domain_gain.domains import read_domains
from benchmarks.domain_gain.hidden import GAINS, PRESETS
from benchmarks.domain_gain.inputs import cut_parts, degradations, make_pairs
from benchmarks.domain_gain.judge import BICUBIC, Weights, judge, no_weights
from realesrgan_paddle.utils.machine.devices import start_paddle


def main() -> None:
    """Measure what is missing, and print a table for each metric."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--iterations", type=int, required=True)
    parser.add_argument("--results", type=Path, required=True)
    args = parser.parse_args()
    start_paddle()

    parts = cut_parts(read_domains(args.data)["soccer"])
    last = Path("run") / "models" / f"net_g_{args.iterations}.pdparams"
    networks: dict[str, Weights] = {
        BICUBIC: no_weights,
        "released": lambda: args.weights,
    }
    for name in PRESETS:
        networks[name] = partial(Path, args.work / name / last)
    figures = {}
    for kind, degrade in degradations().items():
        pairs = partial(make_pairs, parts, degrade)
        for record in judge(networks, kind, pairs, args.results):
            figures[kind, record["network"]] = record

    for metric in GAINS:
        print(f"\n{metric:14}" + "".join(f"{name:>11}" for name in networks))
        for kind in degradations():
            means = [np.mean(figures[kind, name][metric]) for name in networks]
            print(f"{kind:14}" + "".join(f"{mean:11.3f}" for mean in means))


if __name__ == "__main__":
    main()
