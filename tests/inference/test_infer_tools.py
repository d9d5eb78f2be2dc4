"""The commands of inference, from weights to images."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from places import ROOT
from sample_weights import sample_weights

from realesrgan_paddle.inference import open_runner
from realesrgan_paddle.inference.runners.static_runner import open_graph
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.tools import compare, export_model, infer, predict
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_image, write_image
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = pytest.mark.paddle

SPEC = RRDBNet(num_feat=8, num_block=1, num_grow_ch=4)
TOOLS = {"predict": predict, "infer": infer, "export_model": export_model}
PICTURES = {
    "gray.png": ((9, 7), np.uint8),
    "rgb.jpg": ((16, 12, 3), np.uint8),
    "rgba.png": ((8, 8, 4), np.uint8),
    "deep.png": ((5, 11, 3), np.uint16),
    "tiny.bmp": ((1, 1, 3), np.uint8),
}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Return a read-only folder: net_g_10.pdparams, its export in infer/, inputs/."""
    folder = tmp_path_factory.mktemp("work")
    weights = sample_weights(SPEC)
    weights["conv_last.bias"][:] = 0.5  # so that images are neither black nor white
    other = {name: np.zeros_like(array) for name, array in weights.items()}
    write_pdparams(
        folder / "net_g_10.pdparams", {"params": other, "params_ema": weights}
    )
    (folder / "inputs").mkdir()
    for name, (shape, dtype) in PICTURES.items():
        write_image(
            folder / "inputs" / name,
            np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype),
        )
    model = ["--model-dir", f"{folder}/net_g_10.pdparams", "--block", "1"]
    assert export_model.main([*model, "--save-inference-dir", f"{folder}/infer/"]) == 0
    return folder


@pytest.fixture
def in_this_process(monkeypatch):
    """Run graphs in this process, where that is not what is tested: it takes no start."""
    monkeypatch.setattr(open_runner, "load_static", open_graph)


def test_export_prints_the_differences(work, tmp_path, capsys):
    weights = ["--model_path", f"{work}/net_g_10.pdparams"]
    export_model.main([*weights, "--save_inference_dir", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "RRDBNet x4, 1 blocks" in printed
    assert printed.count("largest difference from dygraph") == 3
    assert str(tmp_path / "inference.pdmodel") in printed


def test_predict_and_infer_give_the_same_images(work, tmp_path, capsys):
    flags = ["--input", f"{work}/inputs", "--tile", "9"]
    weights = ["--model_path", f"{work}/net_g_10.pdparams", "--block", "1"]
    assert predict.main([*flags, "--output", f"{tmp_path}/a", *weights]) == 0
    graph = ["--model-path", f"{work}/infer", "--threads", "1"]
    assert infer.main([*flags, "--output", f"{tmp_path}/b", *graph]) == 0
    last, _ = capsys.readouterr().out.splitlines()[-2:]
    assert last == f"5 of 5 images are in {tmp_path}/b"
    for name, (shape, dtype) in PICTURES.items():
        stem, suffix = name.split(".")
        ours, theirs = (
            read_image(tmp_path / folder / f"{stem}_out.{suffix}") for folder in "ab"
        )
        assert ours.dtype == dtype
        assert ours.shape == (shape[0] * 4, shape[1] * 4, *shape[2:])
        assert np.ptp(ours[..., :3]) > 0, "the averaged weights (params_ema) are used"
        tolerance = 4 if suffix == "jpg" else 1
        scale = 1 if dtype == np.uint8 else 257
        assert np.abs(ours.astype(int) - theirs).max() <= tolerance * scale


def test_outscale_suffix_and_ext_are_used(work, tmp_path, in_this_process):
    one = ["--input", f"{work}/inputs/rgb.jpg", "--output", str(tmp_path)]
    how = ["--outscale", "1.5", "--suffix", "small", "--ext", "png"]
    assert infer.main([*one, "--model_path", f"{work}/infer", *how]) == 0
    assert read_image(tmp_path / "rgb_small.png").shape == (24, 18, 3)


def test_a_bad_image_is_named_on_stderr_with_the_reason(
    work, tmp_path, capsys, in_this_process
):
    shutil.copytree(work / "inputs", tmp_path / "inputs")
    (tmp_path / "inputs/bad.png").write_text("no picture")
    flags = ["--input", f"{tmp_path}/inputs", "--output", f"{tmp_path}/out"]
    flags += ["--model_path", f"{work}/infer"]
    assert infer.main(flags) == 1
    said = capsys.readouterr()
    assert said.out.splitlines()[-1] == f"5 of 6 images are in {tmp_path}/out"
    assert said.err.startswith(
        f"failed: {tmp_path}/inputs/bad.png: not a readable image"
    )
    assert said.err.count("\n") == 1


def test_compare_shows_weights_and_graphs_alike(
    work, tmp_path, capsys, in_this_process
):
    models = [f"weights={work}/net_g_10.pdparams", f"graph={work}/infer"]
    one = ["--input", f"{work}/inputs/rgb.jpg", "--output", f"{tmp_path}/compare"]
    assert compare.main([*one, "--models", *models]) == 0
    printed = capsys.readouterr().out
    names = sorted(path.name for path in (tmp_path / "compare").iterdir())
    assert names == ["index.html", "sheet.png"]
    assert str(tmp_path / "compare/index.html") in printed


def test_denoise_strength_mixes_weights_for_predict_and_export(
    work, tmp_path, capsys, in_this_process
):
    """The networks are one with weights w and one with 0: so half of each is w / 2."""
    strong = work / "net_g_10.pdparams"
    tensors = sample_weights(SPEC)
    tensors["conv_last.bias"][:] = 0.5
    zeros = {name: np.zeros_like(array) for name, array in tensors.items()}
    write_pdparams(tmp_path / "weak.pdparams", {"params": zeros})
    mixed = {name: np.float32(0.75) * array for name, array in tensors.items()}
    write_pdparams(tmp_path / "mixed.pdparams", {"params": mixed})

    flags = ["--input", f"{work}/inputs/rgb.jpg", "--ext", "png", "--output"]
    mix = ["-dn", "0.75", "--dn_model", f"{tmp_path}/weak.pdparams"]
    one = [*flags, f"{tmp_path}/one", "--model_path", str(strong), *mix]
    assert predict.main(one) == 0
    assert "--denoise_strength 0.75 --dn_model" in capsys.readouterr().out
    two = [*flags, f"{tmp_path}/two", "--model_path", f"{tmp_path}/mixed.pdparams"]
    assert predict.main(two) == 0
    expected = read_image(tmp_path / "two/rgb_out.png").astype(int)
    assert np.abs(read_image(tmp_path / "one/rgb_out.png") - expected).max() <= 1

    graph = ["--model_dir", str(strong), "--save_inference_dir", f"{tmp_path}/infer"]
    assert export_model.main([*graph, *mix]) == 0
    three = [*flags, f"{tmp_path}/three", "--model_path", f"{tmp_path}/infer"]
    assert infer.main(three) == 0
    assert np.abs(read_image(tmp_path / "three/rgb_out.png") - expected).max() <= 1


def test_denoise_strength_of_a_graph_says_where_it_belongs(work, tmp_path):
    flags = ["--input", f"{work}/inputs", "--model_path", f"{work}/infer"]
    with pytest.raises(
        UserError, match=r"weights of an exported graph are fixed; .*export"
    ):
        infer.main([*flags, "--output", f"{tmp_path}/out", "-dn", "0.5"])
    assert not (tmp_path / "out").exists()


def test_flags_about_files_reach_their_work(work, tmp_path, capsys, in_this_process):
    shutil.copytree(work / "inputs", tmp_path / "inputs/within")
    flags = ["--input", f"{tmp_path}/inputs", "--model_path", f"{work}/infer", "--tta"]
    flags += ["--output", f"{tmp_path}/out", "--recursive", "--all_frames"]
    flags += ["--skip_existing", "--report", f"{tmp_path}/report.json"]
    assert infer.main(flags) == 0
    printed = capsys.readouterr().out
    assert ", mean of 8 flips and turns" in printed
    assert f"--input {tmp_path}/inputs/within " in printed
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["totals"]["done"] == len(PICTURES)
    assert told["model"] == f"{work}/infer"
    assert len(list((tmp_path / "out/within").iterdir())) == len(PICTURES)

    assert infer.main(flags) == 0
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["totals"]["skipped"] == len(PICTURES)


def test_a_contradicting_block_names_both(work, tmp_path):
    weights = ["--model_path", f"{work}/net_g_10.pdparams", "--block", "23"]
    flags = ["--input", f"{work}/inputs", *weights]
    with pytest.raises(UserError, match=r"--block 23.*1 blocks"):
        predict.main([*flags, "--output", f"{tmp_path}/out"])
    assert not (tmp_path / "out").exists()


WRONG = {
    "infer --input nowhere": "nowhere: no such file",
    "infer --input inputs --model_path empty": "inference.pdmodel: no such file",
    "infer --input inputs --model_pth infer": "did you mean '--model_path'",
    "infer --input inputs --outscale 0": "'0' is not a number above 0",
    "infer --input inputs --outscale big": "'big' is not a number above 0",
    "infer --input inputs --threads 0": "'0' is not a whole number from 1 to 1024",
    "infer --input inputs --model_path infer --tile -1": "'-1' is not a whole number",
    "predict --input inputs --model_path net_g_10.pdparams -dn 1.5": (
        "--denoise_strength/-dn: '1.5' is not a number from 0 to 1"
    ),
    "predict --input inputs --model_path net_g_10.pdparams -dn 0.5": (
        "--denoise_strength needs a second network"
    ),
    "predict --input inputs --model_path none.pdparams": "none.pdparams: no such file",
    "predict --input inputs --model_path broken.pdparams": "broken.pdparams",
    "infer --input inputs --model_path infer --output x.mp4": "is named like a file",
    "predict --input inputs --model_path net_g_10.pdparams --output x.png": (
        "is named like a file"
    ),
    "export_model --model_dir none.pdparams": "none.pdparams: no such file",
    "export_model --model_dir net_g_10.pdparams --save_inference_dir net_g_10.pdparams": (
        "is a file"
    ),
}


def test_bad_input_is_named(work, tmp_path, monkeypatch, capsys):
    folder = shutil.copytree(work, tmp_path / "work")
    (folder / "broken.pdparams").write_bytes(b"\x80\x02junk")
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    for words, message in WRONG.items():
        tool, *flags = words.split()
        with pytest.raises((UserError, SystemExit)) as error:
            TOOLS[tool].main(flags)
        said = capsys.readouterr().err
        assert message in (str(error.value) if error.type is UserError else said), words
        assert sorted(folder.rglob("*")) == before, "nothing is half-written"


@pytest.mark.parametrize("tool", TOOLS)
def test_an_error_is_one_line_and_an_exit_code(tmp_path, tool):
    flags = [] if tool == "export_model" else ["--input", str(ROOT / "pyproject.toml")]
    flags += [
        "--model-dir" if tool == "export_model" else "--model_path",
        "no.pdparams",
    ]
    command = [sys.executable, str(ROOT / "tools" / f"{tool}.py"), *flags]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 1
    assert len(errors) == 1
    assert "no.pdparams" in errors[0]
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
