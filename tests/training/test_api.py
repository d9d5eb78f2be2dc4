"""The Python API: a set, a training, a comparison, with the commands' results."""

import subprocess

import pytest
import sample_runs
from sample_runs import reported, write_yml
from sample_weights import sample_weights

from realesrgan_paddle import build_set, compare, train
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import list_images
from realesrgan_paddle.utils.next_steps import process_words
from realesrgan_paddle.utils.weights.writer import write_pdparams


def test_a_training_is_that_of_the_command_and_can_be_stopped(tmp_path, options):
    yml, total = write_yml(tmp_path, options), "train.total_iter=4"
    words = process_words("train.py", ["--yml_path", str(yml), "name=command", total])
    subprocess.run(words, check=True)
    said = []
    by_call = train(
        yml, overrides={"name": "call", "train.total_iter": 4}, say=said.append
    )
    by_command = by_call.folder.with_name("command")
    weights = by_command / "models" / by_call.weights.name
    assert by_call.is_finished
    assert by_call.weights.read_bytes() == weights.read_bytes()
    assert [report["iter"] for report in by_call.reports] == [1, 2, 3, 4]
    assert reported(by_call.folder) == reported(by_command)
    assert any(line.startswith("iter 4/4") for line in said)

    cfg = load_config(yml, ["name=stopped", "train.total_iter=100000"])
    stopped = train(cfg, on_report=lambda report: report["iter"] < 2, say=said.append)
    assert not stopped.is_finished
    assert list(stopped.folder.glob("training_states/*.state"))
    assert str(stopped).endswith(f"{stopped.folder}: stopped")


def test_what_a_training_cannot_take_is_one_line(tmp_path, options):
    said = []
    for flags, message in (
        ({"minutse": 3}, "unknown flag '--minutse'; did you mean '--minutes'"),
        ({"recipe": "auto", "minutes": "ten"}, "'ten' is not a number of at least 1"),
        ({"minutes": 3}, "--minutes goes with --recipe auto"),
    ):
        with pytest.raises(UserError, match=message):
            train(tmp_path / "options.yml", say=said.append, **flags)
    with pytest.raises(UserError, match=r"options\.yml"):
        train(tmp_path / "options.yml", say=said.append)


def test_a_set_and_a_comparison_are_those_of_the_commands(tmp_path):
    frames = tmp_path / "frames"
    sample_runs.write_grainy_images(frames)
    made = build_set(frames, tmp_path / "set", crop_size=32, step=32, patches="grid")
    assert made.listed == len(list_images(made.root / "sub", recursive=True)) > 0
    with pytest.raises(UserError, match="'--crop_siz'; did you mean '--crop_size'"):
        build_set(frames, tmp_path / "other", crop_siz=32)
    assert not (tmp_path / "other").exists()

    weights = sample_weights(SRVGGNetCompact(num_feat=8, num_conv=1))
    write_pdparams(tmp_path / "net.pdparams", {"params": weights})
    done = compare(
        list_images(frames)[:1],
        {"mine": tmp_path / "net.pdparams"},
        tmp_path / "page",
        crop_size=8,
    )
    assert done.page.is_file()
    assert f"open {done.page} in a browser" in str(done)
    with pytest.raises(UserError, match="--models: name the networks"):
        compare(list_images(frames)[:1])
