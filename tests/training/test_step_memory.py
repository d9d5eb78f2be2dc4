"""What a training says of memory before it begins."""

import re
import subprocess
import sys

import pytest
from places import ROOT
from sample_runs import tiny_options, write_yml

from realesrgan_paddle.ops.plain import PLAIN
from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.training import memory

SMALL, LARGE = 1.2e6, 16.7e6


@pytest.fixture
def options(tmp_path):
    """Options without a discriminator, for single images or clips."""
    options = tiny_options(tmp_path) | {"model_type": "RealESRNetModel"}
    options |= {"gt_size": 256, "queue_size": 0}
    options["network_g"] = {"type": "SRVGGNetCompact", "num_conv": 32}
    del options["network_d"]
    for section in ("artifact_opt", "gan_opt", "optim_d"):
        del options["train"][section]
    return options


def config(tmp_path, options, *overrides):
    return load_config(write_yml(tmp_path, options), overrides)


def test_a_large_network_takes_more_and_clips_as_many_crops_as_frames(
    tmp_path, options
):
    cfg = config(tmp_path, options)
    assert memory.memory_of_step(cfg, SMALL) == pytest.approx(0.3)
    assert memory.memory_of_step(cfg, LARGE) == pytest.approx(3)

    clips = (
        "network_g.type=RecurrentSRVGG",
        "datasets.train.num_frame=15",
        "train.warmup_frames=10",
    )
    cfg = config(tmp_path, options, *clips)
    assert memory.memory_of_step(cfg, SMALL) == pytest.approx(1.5)


def test_what_to_lower_is_named_where_memory_is_short(tmp_path, options, monkeypatch):
    cfg = config(tmp_path, options)
    monkeypatch.setattr(memory, "free_memory", lambda: 2.5 * 2**30)
    line = memory.describe_memory(cfg, SMALL, PLAIN)
    assert line == "memory: a step takes about 0.3 GiB; 2.5 GiB are free"

    line = memory.describe_memory(cfg, LARGE, PLAIN)
    assert "about 3.0 GiB; 2.5 GiB are free" in line
    assert "lower datasets.train.batch_size_per_gpu" in line
    assert "num_frame" not in line
    cfg = config(tmp_path, options, "datasets.train.num_frame=5")
    assert "num_frame" in memory.describe_memory(cfg, LARGE, PLAIN)


def test_a_step_takes_about_what_was_said(tmp_path, options):
    """Six crops more of a released network's size, in processes of their own."""
    options["network_g"]["type"] = "SRVGGNetCompact"
    options["gt_size"] = 160
    yml = write_yml(tmp_path, options)

    def said_and_peak(batch):
        words = ["--yml_path", str(yml), f"datasets.train.batch_size_per_gpu={batch}"]
        ended = subprocess.run(
            [sys.executable, str(ROOT / "train.py"), *words, "train.total_iter=2"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        said = re.search(r"a step takes about ([\d.]+) GiB", ended.stdout)
        peak, unit = re.findall(r"peak ([\d.]+) ([GM]B)", ended.stdout)[-1]
        return float(said[1]), float(peak) / (1 if unit == "GB" else 1024)

    (said_few, few), (said_many, many) = said_and_peak(2), said_and_peak(8)
    assert 0.5 < (many - few) / (said_many - said_few) < 1.6
