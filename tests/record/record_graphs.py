"""Record the programs of small exported networks: tests/reference/graphs.npz.

    PYTHONPATH=tests/helpers python tests/record/record_graphs.py

To be run once with each Paddle in `sample_graphs.VERSIONS`; the others' are kept. What
does not change the results, such as where a program was made, is not recorded.
"""

import tempfile
from pathlib import Path

import numpy as np
import paddle
import sample_graphs
from exported_graphs import read_program, save_graph

OUTPUT = Path(__file__).resolve().parents[1] / "reference" / "graphs.npz"


def main() -> None:
    """Record the graphs of this Paddle."""
    version = paddle.__version__
    assert version in sample_graphs.VERSIONS
    record = {}
    if OUTPUT.exists():
        record = dict(np.load(OUTPUT))

    for name, spec in sample_graphs.SPECS.items():
        with tempfile.TemporaryDirectory() as folder:
            program = read_program(save_graph(spec, Path(folder)))
        program.ClearField("op_version_map")
        for operator in program.blocks[0].ops:
            kept = [one for one in operator.attrs if one.name != "op_callstack"]
            del operator.attrs[:]
            operator.attrs.extend(kept)
        content = program.SerializeToString()
        record[f"{version} {name}"] = np.frombuffer(content, np.uint8)
    np.savez_compressed(OUTPUT, **dict(sorted(record.items())))


if __name__ == "__main__":
    main()
