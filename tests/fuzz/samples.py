"""The undamaged files that the campaign mutates: made once, and real ones if there are any."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path
from unittest import mock

import yaml
from clips import moving_clip
from conftest import ASSETS
from made_clips import AAC, PICTURE, X264, made, tone
from made_damage import CENTURIES, ODD_TIMES, with_cover
from odd_images import animations, colors, encode, grays, kinds, place
from PIL import Image
from places import REFERENCE, ROOT
from sample_ncnn import rrdb_parts, srvgg_parts, write_pair
from sample_runs import run, tiny_options
from sample_weights import sample_weights

from realesrgan_paddle.inference.export import export
from realesrgan_paddle.inference.video.writing.segments import SegmentFolder
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.tools import infer
from realesrgan_paddle.utils.weights.writer import save_safetensors, write_pdparams

SMALL = SRVGGNetCompact(num_feat=8, num_conv=1, upscale=2)
OTHER = SRVGGNetCompact(num_feat=12, num_conv=1, upscale=2)
SMALL_RRDB = RRDBNet(num_feat=8, num_block=1, num_grow_ch=4)
LARGEST = 5_000_000
"""Bytes of the largest real file that is taken."""
REAL = {
    "pictures": ["images/realesrgan_inputs", "images/set5"],
    "weights": ["weights", "metrics"],
    "clips": ["videos"],
}


def make_samples(folder: Path) -> None:
    """Fill `folder` with a folder of files for each kind of input."""
    _make_pictures(folder)
    _make_weights(folder)
    _make_clips(folder / "clips")
    export(SMALL, sample_weights(SMALL), folder / "graph")
    has_onnx = importlib.util.find_spec("onnxruntime") is not None
    export(OTHER, sample_weights(OTHER), folder / "other_graph", onnx=has_onnx)
    _make_parts(folder)
    _make_run(folder)
    for kind, places in REAL.items():
        for source in places:
            _take_real(ASSETS / source, folder / kind)


def _make_pictures(folder: Path) -> None:
    big = {"big.tif": encode(Image.fromarray(colors()), "TIFF", big_tiff=True)}
    for name, content in {**kinds(), **grays(), **animations(), **big}.items():
        if len(content) < 1_000_000:
            place(folder / "pictures", name, content)


def _make_weights(folder: Path) -> None:
    target = folder / "weights"
    target.mkdir()
    for source in (*REFERENCE.glob("torch_files/*.pth"), *REFERENCE.glob("isr/*.hdf5")):
        shutil.copy(source, target)
    tensors = sample_weights(SMALL)
    write_pdparams(target / "small.pdparams", {"params": tensors})
    metadata = {"format": "pt"}
    save_safetensors(target / "small.safetensors", tensors, metadata)
    write_pdparams(target / "rrdb.pdparams", {"params_ema": sample_weights(SMALL_RRDB)})

    for name, parts in (
        ("srvgg", srvgg_parts(SMALL)),
        ("rrdb", rrdb_parts(SMALL_RRDB)),
    ):
        pair = folder / "ncnn" / name
        pair.mkdir(parents=True)
        write_pair(pair, *parts[1:])


def _make_clips(folder: Path) -> None:
    folder.mkdir()
    for suffix in ("mp4", "avi", "mkv", "mov", "mpg", "ts"):
        codec = ("-c:v", "mpeg2video") if suffix in ("mpg", "ts") else ()
        moving_clip(folder / f"moving.{suffix}", options=codec)
    shutil.copy(folder / "moving.mpg", folder / "moving.vob")
    with_cover(folder / "song.mp4")
    made(*tone(), *AAC)(folder / "sound.mp4")
    made(*PICTURE, *X264, *CENTURIES)(folder / "centuries.mkv")
    for name, odd in ODD_TIMES.items():
        odd.make(folder / name)


def _make_parts(folder: Path) -> None:
    """Upscale a video and keep its segments, as of a run that was killed in the end."""
    parts = folder / "parts"
    parts.mkdir()
    source = shutil.copy(folder / "clips" / "moving.mp4", parts)
    target = str(parts / "result.mkv")
    words = ["--input", source, "--output", target, "--segment_seconds", "0.4"]
    with mock.patch.object(SegmentFolder, "remove"):
        assert infer.main([*words, "--model_path", str(folder / "graph")]) == 0


def _make_run(folder: Path) -> None:
    """Train for two iterations: a state, a metrics file, options, images."""
    options = tiny_options(folder)  # also writes its images, to `hr`
    options["train"]["total_iter"] = 2
    options["logger"]["save_checkpoint_freq"] = 2
    done = run(folder, options, "queue_size=0")
    shutil.copytree(done, folder / "run")
    held = {**options, "name": "held", "val": {"val_freq": 2, "hold_out": 1}}
    done = run(folder, held, "queue_size=0")
    shutil.copytree(done, folder / "held")
    shutil.rmtree(folder / "runs")
    (folder / "options.yml").unlink()

    options["datasets"]["train"]["dataroot_gt"] = "hr"
    options["queue_size"] = held["queue_size"] = 0
    plain = {**options, "model_type": "RealESRNetModel"}
    plain.pop("network_d")
    for key in ("artifact_opt", "gan_opt", "optim_d"):
        plain["train"] = {k: v for k, v in plain["train"].items() if k != key}
    (folder / "options").mkdir()
    for name, one in (("gan", options), ("plain", plain), ("held", held)):
        text = yaml.safe_dump(json.loads(json.dumps(one)))
        (folder / "options" / f"{name}.yml").write_text(text)
    (folder / "shipped").mkdir()
    for shipped in (ROOT / "options").glob("*.yml"):
        shutil.copy(shipped, folder / "shipped")

    names = [path.name for path in sorted((folder / "hr").iterdir())]
    (folder / "meta_info.txt").write_text("\n".join(names) + "\n")


def _take_real(source: Path, target: Path) -> None:
    if not source.is_dir():
        return
    for path in sorted(source.iterdir()):
        if path.suffix != ".npz" and path.stat().st_size < LARGEST:
            shutil.copyfile(path, target / f"real_{path.name}")


if __name__ == "__main__":
    make_samples(Path(sys.argv[1]) / "samples")
