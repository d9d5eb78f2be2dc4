"""Record the programs of small exported networks: tests/reference/graphs.npz.

    PYTHONPATH=tests/helpers python tests/record/record_graphs.py

Needs Paddle 2.6.2. What does not change the results, such as where a program was made, is
not recorded.
"""

import tempfile
from pathlib import Path

import numpy as np
import paddle
from paddle.base.proto.framework_pb2 import ProgramDesc
from plain_graphs import RECORDED, SPECS
from sample_weights import sample_weights

from realesrgan_paddle.inference.export import export


def main() -> None:
    """Record the graphs."""
    assert paddle.__version__ == "2.6.2"
    record = {}
    for name, spec in SPECS.items():
        with tempfile.TemporaryDirectory() as folder:
            export(spec, sample_weights(spec), folder)
            content = Path(folder, "inference.pdmodel").read_bytes()
        program = ProgramDesc.FromString(content)
        program.ClearField("op_version_map")
        for operator in program.blocks[0].ops:
            kept = [one for one in operator.attrs if one.name != "op_callstack"]
            del operator.attrs[:]
            operator.attrs.extend(kept)
        record[name] = np.frombuffer(program.SerializeToString(), np.uint8)
    np.savez_compressed(RECORDED, **record)


if __name__ == "__main__":
    main()
