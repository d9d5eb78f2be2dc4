"""As if on Windows and macOS: every module is imported, and the commands do their work.

What those systems lack is taken away from Python's code on Linux, see
`tests/helpers/other_system`; docs/platforms.md says what that proves and what it does not.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from clips import picture_clip
from other_system.other_system import environment
from places import ROOT
from sample_runs import tiny_options, write_yml
from sample_weights import sample_weights
from scenes import scene
from test_architecture import MODULES

from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.ops.onednn.library import OneDNNError, library
from realesrgan_paddle.utils.images import read_image
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = [
    pytest.mark.paddle,
    pytest.mark.skipif(sys.platform != "linux", reason="takes things away from Linux"),
]
SYSTEMS = {"windows": "win32", "macos": "darwin"}
SCRIPTS = ("train", "make_lq_data")
STEPS_ASIDE = "the oneDNN engine is not available on this system: "

IMPORT_AND_PREDICT = """
import importlib, sys
import zlib  # before Paddle 2.6, which has another one in it; commands do by way of NumPy
from pathlib import Path
from realesrgan_paddle.utils.machine.devices import start_paddle
start_paddle()
platform, *modules = sys.argv[1:]
for name in modules:
    importlib.import_module(name)

from realesrgan_paddle.inference.video.writing.segments import SegmentFolder
from realesrgan_paddle.tools import predict
from realesrgan_paddle.utils.machine import memory
assert memory.sys.platform == platform
assert memory.reserve_memory(2**26).pages.size == 2**26
parts = SegmentFolder(Path("a.mp4"), Path(f"{platform}.mp4"), [])
with parts.held({}, dict):
    assert parts.folder.is_dir()
    parts.remove()
assert not parts.folder.exists()
words = ["--input", "hr/0.png", "--output", "up", "--model_path", "net.pdparams"]
sys.exit(predict.main(words))
"""
ENGINE_UNDER_ITS_NAME = """
import sys
from realesrgan_paddle.ops.onednn import library
library.LIBRARIES["win32"] = library.LIBRARIES["linux"]
from realesrgan_paddle.tools import predict
words = ["--input", "hr/0.png", "--output", "by_engine", "--model_path", "net.pdparams"]
sys.exit(predict.main(words))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with images, weights, a clip and the options of a tiny GAN run."""
    folder = tmp_path_factory.mktemp("place")
    options = tiny_options(folder)
    options["cpu_ops"] = "auto"
    options["datasets"]["train"]["num_worker_per_gpu"] = 1
    write_yml(folder, options)
    tensors = sample_weights(SRVGGNetCompact(num_feat=16, num_conv=1))
    write_pdparams(folder / "net.pdparams", {"params": tensors})
    pictures = [scene(n, width=96, height=64) for n in range(3)]
    picture_clip(folder / "clip.mp4", pictures)
    (folder / "home").mkdir()
    return folder


def run_on(system: str, place: Path, *words: str) -> str:
    """Run Python as if on `system`; it must succeed. Returns what it prints."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=place,
        env=environment(system) | {"HOME": str(place / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("system", SYSTEMS)
def test_all_modules_are_imported_and_a_picture_is_upscaled(system, place):
    modules = [
        name if name in SCRIPTS else f"realesrgan_paddle.{name}".removesuffix(".")
        for name in MODULES
        if name != "__main__"
    ]
    words = ("-c", IMPORT_AND_PREDICT, SYSTEMS[system], *modules)
    printed = run_on(system, place, *words)
    assert printed.count(STEPS_ASIDE) == 1
    assert read_image(place / "up/0_out.png").shape == (384, 320, 3)


def test_the_engine_computes_where_windows_names_lead_to_it(place):
    try:
        library()
    except OneDNNError as error:
        pytest.skip(str(error))
    printed = run_on("windows", place, "-c", ENGINE_UNDER_ITS_NAME)
    assert "with the oneDNN engine" in printed


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_chain_runs(system, place):
    folder = place / system
    folder.mkdir()

    def run(script, *words):
        return run_on(system, place, str(ROOT / script), *words)

    def of(name):
        return f"{system}/{name}"

    weights, graph = of("x.pdparams"), of("infer")
    run("tools/convert_torch.py", "--input", "net.pdparams", "--output", weights)
    keys = ("--input", "clip.mp4", "--output", of("keys"))
    run("tools/extract_keyframes.py", *keys)
    assert [*(folder / "keys").glob("*.png")]
    sub = ("--input", "hr", "--output", of("sub"))
    run("tools/extract_subimages.py", *sub, "--crop_size", "32", "--step", "32")
    listed = ("--input", of("sub"), "--root", ".", "--meta_info", of("meta.txt"))
    run("tools/generate_meta_info.py", *listed)
    assert of("sub/") in (folder / "meta.txt").read_text()

    run_root = f'path.experiments_root="{of("runs")}"'
    for more in (), ("--auto_resume", "train.total_iter=7"), ("train.total_iter=2",):
        log = run("train.py", "--yml_path", "options.yml", run_root, *more)
        assert "operators: Paddle's own (" in log
    assert len([*(folder / "runs").glob("tiny_archived_*")]) == 1

    words = ("--model_dir", weights, "--save_inference_dir", graph)
    run("tools/export_model.py", *words)
    picture = ("--input", "hr", "--output", of("up"), "--model_path", graph)
    assert "with Paddle's predictor" in run("tools/infer.py", *picture)
    video = ("--input", "clip.mp4", "--output", of("clip.mp4"), "--model_path", graph)
    printed = run("tools/infer.py", *video)
    assert STEPS_ASIDE in printed
    assert (folder / "clip.mp4").is_file()
    assert not (folder / "clip.mp4.parts").exists()

    page = ("--input", "hr", "--models", f"net={weights}", "--output", of("page"))
    run("tools/compare.py", *page)
    run("make_lq_data.py", "--yml_path", "options.yml", "--save_dir", of("lq"))

    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    run("tools/export_model.py", *words, "--onnx")
    assert "with onnxruntime on inference.onnx" in run("tools/infer.py", *picture)
