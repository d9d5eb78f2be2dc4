"""benchmarks/infer.py: what it compares, and that each figure is what it says."""

import json
import subprocess
import sys
from argparse import Namespace
from collections import Counter
from types import SimpleNamespace

import infer as benchmark
import numpy as np
import pytest
from engines.cases import SHIPPED, tree_peaks
from engines.ncnn_files import write_ncnn
from engines.rows import Taken, compare, psnr, table
from places import ROOT
from sample_weights import sample_weights

from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.weights.ncnn import read_ncnn
from realesrgan_paddle.utils.weights.writer import write_pth

SRVGG = SRVGGNetCompact(num_feat=8, num_conv=2)
RRDB = RRDBNet(num_feat=8, num_block=2, num_grow_ch=4)

OURS = Taken([3.0, 2.0, 4.0], 100.4, 50.04)
FAST = Taken([4.0, 2.5, 2.0], 300, 140)
SLOW = Taken([10.0, 10.0, 10.0], 900)

ENGINE = """
import sys
from pathlib import Path
import numpy as np
from engines.cases import serve

def run(images):
    return images.repeat(4, 2).repeat(4, 3) + {error}

serve(run, np.load({input!r}), Path({output!r}))
"""
"""A process that upscales by nearest neighbor, and errs."""


def test_a_row_compares_with_the_fastest_peer_and_with_the_shipped_one():
    row = compare("net 8x8", "fp32", "ours", OURS, {SHIPPED: SLOW, "fast": FAST})
    asked = {
        "case": "net 8x8",
        "precision": "fp32",
        "engine": "ours",
        "ours_s": 2.0,
        "best_peer": "fast",
        "peer_s": 2.0,
        "ratio": 1.0,
        "psnr_db": 50.0,
        "peak_mb": 100,
    }
    assert row.items() >= asked.items()
    assert row["median_ratio"] == 0.8  # of 3/4, 2/2.5 and 4/2
    assert (row["shipped_s"], row["shipped_ratio"]) == (10.0, 0.2)
    assert row["shipped_median_ratio"] == 0.3
    assert row["peers"]["fast"] == {
        "s": 2.0,
        "median_s": 2.5,
        "psnr_db": 140,
        "peak_mb": 300,
    }
    cells = [cell.strip() for cell in table([row]).splitlines()[2].split("|")]
    assert cells[7:9] == ["1.0 !", "0.8"]
    assert cells[11] == "0.2"  # of 0.4

    alone = compare("net 8x8", "fp32", "ours", OURS, {})
    assert alone["best_peer"] is alone["ratio"] is alone["shipped_s"] is None


def test_psnr_is_of_clipped_images():
    reference = np.full((1, 3, 4, 4), 0.5, np.float32)
    assert psnr(reference + 0.01, reference) == pytest.approx(40, abs=1e-3)
    assert psnr(reference + 7, np.ones_like(reference)) == 200


@pytest.mark.parametrize("network", [SRVGG, RRDB], ids=["SRVGGNetCompact", "RRDBNet"])
def test_ncnn_files_hold_the_network(tmp_path, network):
    tensors = sample_weights(network)
    write_ncnn(network, tensors, tmp_path)

    found = read_ncnn(tmp_path / "network.param")
    assert found.keys() == tensors.keys()
    for name, array in tensors.items():
        np.testing.assert_array_equal(found[name], array)

    # Each blob is written once and then read once.
    _, counts, *lines = (tmp_path / "network.param").read_text().splitlines()
    written, read = [], Counter()
    for line in lines:
        _, _, inputs, outputs, *names = line.split()
        last = int(inputs) + int(outputs)
        assert set(names[: int(inputs)]) <= set(written)
        read.update(names[: int(inputs)])
        written += names[int(inputs) : last]
    assert len(set(written)) == len(written)
    assert read == Counter(name for name in written if name != "y")
    assert counts == f"{len(lines)} {len(written)}"


def test_memory_is_that_of_a_process_and_its_children():
    code = "x = bytearray(10**8); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", f"print(flush=True); {code}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        child.stdout.readline()
        while tree_peaks(child.pid)[str(child.pid)] < 100:
            pass
        assert str(child.pid) in tree_peaks("self")
        child.stdin.close()
    assert str(child.pid) not in tree_peaks("self")


class Stub:
    """Stands in for `Network`: each engine is a process that upscales with an error."""

    name = "stub"

    def __init__(self, folder, errors):
        self.folder = folder
        self.errors = errors

    def output(self, engine):
        return self.folder / f"{engine}.npy"

    def process(self, python, side, engine, args):
        files = {
            "input": f"{self.folder}/input.npy",
            "output": f"{self.output(engine)}",
        }
        code = ENGINE.format(error=self.errors.get(engine, 0), **files)
        return [sys.executable, "-c", code]


def test_engines_take_turns_and_are_compared_with_torch(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "PAUSE", 0)
    monkeypatch.setattr(benchmark, "PEERS", {"fp32": (SHIPPED, "OpenVINO", "ncnn")})
    stub = Stub(tmp_path, {"paddle": 0.01, "ncnn": 0.001})
    args = Namespace(peers_python="python", threads=1, rounds=2, image=None, busy=1)
    args.peers = ["ncnn"]
    monkeypatch.setattr(benchmark, "OURS", {"paddle": ("fp32",)})

    (row,) = benchmark.measure(stub, "16x12", "fp32", args)
    assert (row["case"], row["engine"]) == ("stub 16x12", "paddle")
    assert row["peers"].keys() == {SHIPPED, "ncnn"}
    assert row["psnr_db"] == pytest.approx(40, abs=0.5)
    assert row["peers"]["ncnn"]["psnr_db"] == pytest.approx(60, abs=0.5)
    assert row["peers"][SHIPPED]["psnr_db"] is None
    assert min(row["ours_s"], row["peer_s"]) >= 0
    assert row["peak_mb"] > 10
    assert capsys.readouterr().out.count("stub 16x12 fp32") == 3


def test_two_checkouts_are_timed_from_start_to_end(tmp_path, monkeypatch):
    for name, pause in (("before", 0.2), ("now", 0)):
        (tmp_path / name / "tools").mkdir(parents=True)
        code = f"import time; time.sleep({pause})"
        (tmp_path / name / "tools" / "infer.py").write_text(code)
    monkeypatch.setattr(benchmark, "ROOT", tmp_path / "now")
    args = Namespace(
        threads=1, rounds=2, busy=0, image=None, before=tmp_path / "before"
    )

    row = benchmark.whole_command(SimpleNamespace(name="net", folder=tmp_path), args)
    assert row["case"] == "whole process net 128x128"
    assert row["best_peer"] == "before" and row["goal"] == 0.5
    assert row["peer_s"] > 0.2
    assert row["ours_s"] > 0


def test_a_command_that_fails_ends_the_benchmark_with_its_message(tmp_path):
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "infer.py").write_text("raise SystemExit('no such model')")
    with pytest.raises(RuntimeError, match="no such model"):
        benchmark.infer(tmp_path, tmp_path, tmp_path, tmp_path, 1)


@pytest.mark.slow
@pytest.mark.paddle
def test_the_command_writes_a_row_for_each_case(tmp_path):
    write_pth(tmp_path / "tiny.pth", {"params": sample_weights(SRVGG)})
    command = [sys.executable, "benchmarks/infer.py", "--networks", "tiny"]
    command += ["--weights", tmp_path, "--json", tmp_path / "rows.json"]
    command += ["--sizes", "16x16", "--rounds", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    rows = json.loads((tmp_path / "rows.json").read_text())
    cases = [(row["case"], row["engine"]) for row in rows]
    assert ("tiny 16x16", "paddle") in cases
    assert cases[-1] == ("whole process tiny 128x128", "tools/infer.py")
    assert all(row["ours_s"] > 0 and row["peak_mb"] > 50 for row in rows)
    lines = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert len(lines) == len(rows) + 2
