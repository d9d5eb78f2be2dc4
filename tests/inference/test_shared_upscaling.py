"""Several processes give what one process gives."""

from pathlib import Path

import numpy as np
import pytest
from made_clips import X264, YUV420, made, pattern
from read_back import NEEDED
from sample_weights import sample_weights

from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.tools import predict
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.rows import Row, add_row, read_rows
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = [NEEDED, pytest.mark.paddle]

SPEC = SRVGGNetCompact(num_feat=16, num_conv=2)
SEGMENTS = ["--segment_seconds", "0.4"]


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
