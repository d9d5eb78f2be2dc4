"""Several processes, and machines that come and go, give what one process gives."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from platform import node

import numpy as np
import pytest
from made_clips import X264, YUV420, made, pattern
from places import ROOT
from ray_cluster import ray_cluster
from read_back import NEEDED
from sample_runs import wait_until
from sample_weights import sample_weights

from realesrgan_paddle.commands import shared_work
from realesrgan_paddle.inference.open_runner import open_runner
from realesrgan_paddle.models.networks.recurrent_srvgg import RecurrentSRVGG
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.tools import predict
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import atomic_path
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.rows import Row, add_row, read_rows
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = NEEDED

SPEC = SRVGGNetCompact(num_feat=16, num_conv=2)
RECURRENT = RecurrentSRVGG(num_feat=16, num_conv=2, num_state=4)
SEGMENTS = ["--segment_seconds", "0.4"]
PATIENCE = 120.0


def made_inputs(folder: Path, pictures: int, clips: int, frames: int) -> Path:
    """Write weights, and a folder of pictures and clips."""
    weights = sample_weights(SPEC)
    write_pdparams(folder / "net.pdparams", {"params": weights})
    inputs = folder / "in"
    inputs.mkdir()
    rng = np.random.default_rng(0)
    for i in range(pictures):
        picture = rng.integers(0, 255, (24 + i % 3, 32, 3), np.uint8)
        write_image(inputs / f"{i:03}.png", picture)
    made(*pattern(size="48x32", also=YUV420, count=frames), *X264)(inputs / "0.mp4")
    for i in range(1, clips):
        (inputs / f"{i}.mp4").write_bytes((inputs / "0.mp4").read_bytes())
    return inputs


def words(folder: Path, output: str, *more: str) -> list[str]:
    places = ["--input", f"{folder}/in", "--output", f"{folder}/{output}"]
    return [*places, "--model_path", f"{folder}/net.pdparams", *SEGMENTS, *more]


def contents(folder: Path) -> dict[str, bytes]:
    """All results; nothing else is left there but the manifest."""
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    found.pop("upscaled.jsonl", None)
    return found


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    made_inputs(folder, pictures=11, clips=2, frames=30)
    assert predict.main(words(folder, "one")) == 0
    return folder


def test_processes_give_what_one_gives_and_go_on(work: Path, capsys):
    expected = contents(work / "one")
    assert len(expected) == 13
    assert predict.main(words(work, "two", "--processes", "2")) == 0
    assert contents(work / "two") == expected
    rows = read_rows(work / "two/upscaled.jsonl", 1 << 20)
    assert {Path(row.target).name for row in rows.values()} == expected.keys()

    (work / "two/003_out.png").write_bytes(b"damaged")
    (work / "two/0_out.mp4").unlink()
    capsys.readouterr()
    assert predict.main(words(work, "two", "--processes", "2")) == 0
    assert capsys.readouterr().out.count(" -> ") == 2
    assert contents(work / "two") == expected


def test_one_that_fails_does_not_stop_the_others(tmp_path: Path, capsys):
    inputs = made_inputs(tmp_path, pictures=2, clips=2, frames=30)
    (inputs / "000.png").write_bytes(b"no picture")
    (inputs / "0.mp4").write_bytes(b"no video")
    assert predict.main(words(tmp_path, "out", "--processes", "2")) == 1
    assert contents(tmp_path / "out").keys() == {"001_out.png", "1_out.mp4"}
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_strangers_manifest_leads_nowhere(tmp_path: Path):
    """Its rows name files that are not ours, and it may be a link out of the folder."""
    made_inputs(tmp_path, pictures=1, clips=1, frames=3)
    foreign = tmp_path / "foreign.txt"
    foreign.write_text("a stranger's\n")
    flags = words(tmp_path, "out", "--processes", "1")
    assert predict.main(flags) == 0
    expected = contents(tmp_path / "out")

    manifest = tmp_path / "out/upscaled.jsonl"
    rows = list(read_rows(manifest, 1 << 20))
    manifest.unlink()
    (tmp_path / "out/000_out.png").unlink()
    for name in rows:
        add_row(manifest, Row(name, "in", str(foreign), sha256="0" * 64))
    manifest.write_bytes(manifest.read_bytes() + b'\xff\n{"id": []}\n[[[\n')
    assert predict.main(flags) == 0
    assert contents(tmp_path / "out") == expected

    manifest.unlink()
    manifest.symlink_to(foreign)
    with pytest.raises(OSError, match=r"upscaled\.jsonl"):
        predict.main(flags)
    assert foreign.read_text() == "a stranger's\n"


def test_what_another_process_is_writing_stays(work: Path, tmp_path: Path, monkeypatch):
    """Videos are planned while segments of others are made, and pictures after them."""
    output = tmp_path / "out"

    def in_this_process(upscaling, batches, processes):
        opened = upscaling.open()
        coming = iter(batches)
        first = next(coming)
        with atomic_path(output / "other.png") as temporary:
            temporary.touch()
            rest = list(coming)
            assert temporary.exists()
        for batch in [first, *rest]:
            yield batch, upscaling.do(opened, batch)

    monkeypatch.setattr(shared_work, "done_by_processes", in_this_process)
    flags = words(work, "out", "--processes", "1")
    flags[flags.index("--output") + 1] = str(output)
    assert predict.main(flags) == 0
    (output / "other.png").unlink()
    assert contents(output) == contents(work / "one")


def test_a_network_with_a_state_gives_what_it_gives_in_one_process(tmp_path: Path):
    made_inputs(tmp_path, pictures=0, clips=2, frames=20)
    weights = sample_weights(RECURRENT)
    write_pdparams(tmp_path / "net.pdparams", {"params": weights})
    assert predict.main(words(tmp_path, "one")) == 0
    report = tmp_path / "report.json"
    flags = words(tmp_path, "two", "--processes", "2", "--report", str(report))
    assert predict.main(flags) == 0
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    told = json.loads(report.read_text())["files"]
    assert [each["video"]["codec"] for each in told] == ["h264", "h264"]

    # Another network, though it makes the same of pictures.
    weights["beside.weight"] = weights["beside.weight"][:, ::-1].copy()
    write_pdparams(tmp_path / "net.pdparams", {"params": weights})
    assert predict.main(words(tmp_path, "one again")) == 0
    assert predict.main(words(tmp_path, "two", "--processes", "2")) == 0
    assert contents(tmp_path / "one again") != contents(tmp_path / "one")
    assert contents(tmp_path / "two") == contents(tmp_path / "one again")


def in_this_process(monkeypatch, *, only: int | None = None, **changes: object) -> None:
    """Do batches here, `only` so many of them, by an `Upscaling` with `changes`."""

    def done(work, batches, processes):
        work = replace(work, **changes)
        opened = work.open()
        for number, batch in enumerate(batches):
            if number == only:
                raise UserError("a process was killed")
            yield batch, work.do(opened, batch)

    monkeypatch.setattr(shared_work, "done_by_processes", done)


def test_a_machine_that_computes_other_bits_makes_no_segment(
    tmp_path: Path, monkeypatch, capsys
):
    made_inputs(tmp_path, pictures=0, clips=1, frames=30)
    other = tmp_path / "other.pdparams"
    write_pdparams(other, {"params": sample_weights(SPEC, seed=1)})
    in_this_process(monkeypatch, reopen=partial(open_runner, other))
    assert predict.main(words(tmp_path, "out", "--processes", "1")) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "0.mp4: " in line
    assert "network's output was" in line
    assert f"on {node()}; take machines" in line
    assert contents(tmp_path / "out") == {}


def test_a_damaged_segment_of_a_stopped_run_is_made_again(
    work: Path, tmp_path: Path, monkeypatch
):
    flags = words(work, "out", "--processes", "1")
    flags[flags.index("--output") + 1] = str(tmp_path / "out")
    in_this_process(monkeypatch, only=2)
    with pytest.raises(UserError, match="was killed"):
        predict.main(flags)
    first = tmp_path / "out/0_out.mp4.parts/000000.nut"
    first.write_bytes(first.with_name("000001.nut").read_bytes())

    in_this_process(monkeypatch)
    assert predict.main(flags) == 0
    assert contents(tmp_path / "out") == contents(work / "one")


def workers(of: list[int]) -> list[int]:
    """Processes of Ray that do batches now, on nodes with these raylets."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            name = (folder / "cmdline").read_text()
            parent = int((folder / "stat").read_text().rpartition(") ")[2].split()[1])
        except (OSError, ValueError):
            continue
        if name.startswith("ray::_do") and parent in of:
            found.append(int(folder.name))
    return found


def upscale_on_cluster(folder: Path) -> str:
    """Upscale with three workers, of which one is killed, while another joins."""
    with ray_cluster(cores=1) as cluster:
        nodes = [cluster.head_node, *(cluster.add_node(num_cpus=1) for _ in range(2))]
        raylets = [
            info.process.pid for node in nodes for info in node.all_processes["raylet"]
        ]
        command = [sys.executable, "-m", "realesrgan_paddle", "predict"]
        flags = words(folder, "cluster", "--cluster", cluster.address)
        with (folder / "said.txt").open("w") as out:
            process = subprocess.Popen(
                [*command, *flags], stdout=out, stderr=out, cwd=ROOT
            )
        wait_until(lambda: workers(raylets), PATIENCE)
        os.kill(workers(raylets)[0], signal.SIGKILL)
        cluster.add_node(num_cpus=1)
        code = process.wait(PATIENCE)
        said = (folder / "said.txt").read_text()
        assert code == 0, said
        return said


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
def test_a_cluster_whose_machines_come_and_go_gives_what_one_gives(work: Path):
    said = upscale_on_cluster(work)
    assert contents(work / "cluster") == contents(work / "one"), said
