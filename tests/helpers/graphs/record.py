"""Record the programs of small exported networks: tests/reference/graphs.npz.

    PYTHONPATH=tests/helpers python -m graphs.record

To be run once with each Paddle in `samples.VERSIONS`; the others' are kept. What
does not change the results, such as where a program was made, is not recorded.
"""

import tempfile
from pathlib import Path

import numpy as np
import paddle
from graphs import samples
from graphs.exported import read_program, save_graph
from places import REFERENCE

OUTPUT = REFERENCE / "graphs.npz"


def main() -> None:
    """Record the graphs of this Paddle."""
    version = paddle.__version__
    assert version in samples.VERSIONS
    record = {}
    if OUTPUT.exists():
        record = dict(np.load(OUTPUT))

    for name, spec in samples.SPECS.items():
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
