"""What a state, and what else a recurrent network sees, brings on videos held out.

    python -m benchmarks.video.recurrence --videos FOLDER --weights X.pdparams --work FOLDER
        --results benchmarks/video/results/recurrence.jsonl --domains soccer --arms frame recurrent

`recurrence.yml` names the footage. Each arm finetunes realesr-general-x4v3 by
`options/finetune_recurrent.yml`, all with the same clips, draws and iterations. Judged are the
most detailed places of moments that were not trained on, averaged over 4 x 4 pixels and
encoded by x264 as one video. What the results have is not made again; a stopped arm goes on.
"""

import argparse
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import av
import cv2
import numpy as np
import paddle
import yaml
from paddle import Tensor

from benchmarks.domain_gain.inputs import REPEATABLE
from benchmarks.domain_gain.judge import BICUBIC, SCALE, read_records
from benchmarks.video.flicker import compressed, to_rgb
from realesrgan_paddle.commands import train
from realesrgan_paddle.data.footage.clips import ClipSettings, extract_clips
from realesrgan_paddle.metrics.table import measure_image, open_metric
from realesrgan_paddle.models.networks import recurrent_srvgg
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.networks.recurrent_srvgg import RecurrentSRVGG
from realesrgan_paddle.models.weights.assign import load_weights
from realesrgan_paddle.models.weights.read_generator import read_generator
from realesrgan_paddle.options.reading.load import given_options, merged
from realesrgan_paddle.utils.crops import Crop, most_detailed
from realesrgan_paddle.utils.images import enlarge
from realesrgan_paddle.utils.machine.devices import start_paddle
from realesrgan_paddle.utils.metrics.grid_artifact import grid_index
from realesrgan_paddle.utils.metrics.temporal_consistency import measure_consistency
from realesrgan_paddle.utils.metrics.temporal_steps import Frame, inner

ROOT = Path(__file__).parents[2]
FOOTAGE = Path(__file__).with_suffix(".yml")
OPTIONS = ROOT / "options" / "finetune_recurrent.yml"

FRAMES = 24
"""Of a moment that is judged."""
SIDE, PLACES = 256, 2
"""Of what is judged of it, in pixels of the ground truth; and how many."""
IMAGE_METRICS = {"psnr_y": 1, "lpips": 1, "dists": 8}
"""And of how many frames one is judged by them."""
RELEASED = "released"

FRAME: Mapping[str, Any] = {"network_g": {"type": "SRVGGNetCompact", "num_conv": 32}}


def _temporal(weight: float) -> Mapping[str, Any]:
    return {"train": {"temporal_opt": {"loss_weight": weight}}}


TEMPORAL = _temporal(1.0)
WITHOUT = _temporal(0.0)
ARMS: Mapping[str, Mapping[str, Any]] = {
    "frame": {**FRAME, **WITHOUT},
    "neighbors": WITHOUT,
    "recurrent": WITHOUT,
    "frame, temporal": {**FRAME, **TEMPORAL},
    "neighbors, temporal": TEMPORAL,
    "temporal": TEMPORAL,
    "temporal 0.3": _temporal(0.3),
    "shift": WITHOUT,
    "warm-up": {
        "train": {"warmup_frames": 10, **WITHOUT["train"]},
        "datasets": {"train": {"num_frame": 15, "interval_list": [1]}},
    },
}
"""Options by arm. "neighbors" has a state that is always zero; that of "shift" moves with
the picture."""


class Place(NamedTuple):
    """What is judged of a moment."""

    moment: str
    lq: list[Frame]
    gt: list[Frame]
    changes: list[float]
    """See `lpips_of_changes`; of the ground truth."""


def main() -> None:
    """Train and judge what is missing."""
    args = _arguments()
    start_paddle()
    footage = yaml.safe_load(FOOTAGE.read_text(encoding="utf-8"))
    for domain in args.domains:
        places: list[Place] = []
        for arm in (BICUBIC, RELEASED, *args.arms):
            name = arm if arm in (BICUBIC, RELEASED) else f"{arm}, {args.iterations}"
            terms = {"domain": domain, "crf": args.crf, "arm": name}
            done = [{key: r[key] for key in terms} for r in read_records(args.results)]
            if terms in done:
                continue

            places = places or read_places(
                args.videos, footage[domain]["test"], args.crf
            )
            record = terms | judged(arm, domain, footage[domain]["train"], places, args)
            with args.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")


def judged(
    arm: str,
    domain: str,
    sources: Sequence[Mapping[str, Any]],
    places: Sequence[Place],
    args: argparse.Namespace,
) -> dict[str, list[Any]]:
    """Return an arm's figures, an item for each place; trains it if it is to be."""
    with as_arm(arm):
        weights = args.weights
        if arm in ARMS:
            clips = cut_clips(args.videos, sources, args.work / "clips" / domain)
            weights = trained(arm, args.work / domain, clips, args)
        network = None if arm == BICUBIC else load(weights)
        found: dict[str, list[Any]] = {}
        for place in places:
            results = upscaled(network, place.lq)
            for key, value in figures(results, place).items():
                found.setdefault(key, []).append(value)
    return found


@contextmanager
def as_arm(arm: str) -> Iterator[None]:
    """Let networks compute as an arm does that differs by more than options."""
    with ExitStack() as stack:
        if arm.startswith("neighbors"):
            stack.enter_context(patch.object(recurrent_srvgg, "MOST", 0.0))
        if arm == "shift":
            stack.enter_context(patch.object(Network, "clips", moved_clips))
        yield


def trained(arm: str, folder: Path, clips: Path, args: argparse.Namespace) -> Path:
    """Return the last weights of an arm's finetune, made if they are not there."""
    total, name = args.iterations, re.sub(r"\W+", "_", f"{arm}_{args.iterations}")
    models = folder / "experiments" / name / "models"
    if (models / f"net_g_{total}.pdparams").exists():
        return models / f"net_g_{total}.pdparams"

    options = merged(given_options(OPTIONS), ARMS[arm])
    terms: dict[str, Any] = {
        "name": name,
        "cpu_ops": args.cpu_ops,
        "datasets": {"train": {"dataroot_gt": str(clips)}},
        "path": {
            "pretrain_network_g": str(args.weights),
            "experiments_root": str(folder / "experiments"),
        },
        "train": {
            "total_iter": total,
            "scheduler": {"T_max": total},
            "ema_decay": 1 - 5 / total,
        },
        "val": None,
        "logger": {"save_checkpoint_freq": max(total // 8, 50), "keep_checkpoints": 1},
    }
    folder.mkdir(parents=True, exist_ok=True)
    yml = folder / f"{name}.yml"
    yml.write_text(yaml.safe_dump(merged(options, terms)), encoding="utf-8")
    if train.main(["--yml_path", str(yml), "--auto_resume"]) != 0:
        raise SystemExit(f"{yml}: not trained")
    return models / f"net_g_{total}.pdparams"


def load(weights: Path) -> Network:
    """Return a network with its weights, for pictures."""
    description, tensors = read_generator(weights)
    network = Network(description)
    load_weights(network, tensors)
    network.eval()
    return network


@paddle.no_grad()
def upscaled(network: Network | None, frames: Sequence[Frame]) -> list[Frame]:
    """Return the frames of a video upscaled; None: by bicubic interpolation."""
    if network is None:
        return [enlarge(frame, SCALE) for frame in frames]
    x = paddle.to_tensor(np.stack(frames).transpose(0, 3, 1, 2)).astype("float32") / 255
    if isinstance(network.description, RecurrentSRVGG):
        results = network.clips(x, len(frames))
    else:
        results = paddle.concat([network(frame[None]) for frame in x])
    levels = (results.clip(0, 1) * 255).round().astype("uint8")
    return list(levels.numpy().transpose(0, 2, 3, 1))


def moved_clips(
    network: Network, x: Tensor, num_frame: int, warmup_frames: int = 0
) -> Tensor:
    """As `Network.clips`; the state moves by whole pixels as the whole picture does."""
    description = network.description
    assert isinstance(description, RecurrentSRVGG) and not warmup_frames
    frames = x.reshape([-1, num_frame, *x.shape[1:]]).unbind(1)
    state = paddle.zeros([len(frames[0]), description.num_state, *x.shape[2:]])
    results = []
    for number, frame in enumerate(frames):
        before = frames[max(0, number - 1)]
        after = frames[min(number + 1, num_frame - 1)]
        moves = [_move(*pair) for pair in zip(before, frame, strict=True)]
        turns = zip(state, moves, strict=True)
        state = paddle.stack([one.roll(move, [1, 2]) for one, move in turns])
        result, state = network.step(frame, before, after, state)
        results.append(result)
    return paddle.stack(results, 1).flatten(0, 1)


def _move(before: Tensor, after: Tensor) -> tuple[int, int]:
    """Return how far a picture, (3, H, W), has moved down and right [pixels]."""
    one, other = (image.mean(0).numpy() for image in (before, after))
    window = cv2.createHanningWindow(one.shape[::-1], cv2.CV_32F)
    (right, down), _ = cv2.phaseCorrelate(one, other, window)
    return round(down), round(right)


def figures(results: Sequence[Frame], place: Place) -> dict[str, Any]:
    """Return the means over a video's frames, and which moment it is of.

    Images are judged without `SCALE` pixels at each border, by DISTS every eighth one.
    "signed tlp" is tLP before its sign is lost: above 0, the result changes more than the
    ground truth.
    """
    found = {}
    for name, step in IMAGE_METRICS.items():
        metric = {name: open_metric(name, SCALE)}
        pairs = zip(results[::step], place.gt[::step], strict=True)
        found[name] = np.mean([measure_image(*pair, metric)[name] for pair in pairs])

    changes = np.array(lpips_of_changes(results)) - place.changes
    found["tlp"] = 100 * np.abs(changes).mean()
    found["signed tlp"] = 100 * changes.mean()
    clips = measure_consistency({"result": results}, gt=place.gt)
    found["tof"] = clips["result"].mean.tof
    found["sharpness"] = clips["result"].mean.sharpness
    found["warping"] = warping_error(results, place.gt)

    grids = [grid_index(image, SCALE) for image in (results[-1], place.gt[-1])]
    found["grid"] = grids[0] / grids[1]
    rounded = {name: round(float(value), 4) for name, value in found.items()}
    return {"group": place.moment} | rounded


def lpips_of_changes(frames: Sequence[Frame]) -> list[float]:
    """Return LPIPS from each frame to the next, of the part that tLP is measured in."""
    lpips = open_metric("lpips")
    return [lpips(inner(after), inner(before)) for before, after in pairwise(frames)]


def warping_error(results: Sequence[Frame], gt: Sequence[Frame]) -> float:
    """Return how far frames are from those before them, moved as the ground truth moved.

    The mean square of the difference, [8-bit levels], where the flow there and back agree
    (Lai et al. 2018, "Learning Blind Video Temporal Consistency", section 4.2; its
    FlowNet2 is DIS here).
    """
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in gt]
    height, width = gray[0].shape
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    errors = []
    for number in range(1, len(gt)):
        back = dis.calc(gray[number], gray[number - 1], None)
        there = dis.calc(gray[number - 1], gray[number], None)
        at = (
            (x + back[..., 0]).astype(np.float32),
            (y + back[..., 1]).astype(np.float32),
        )
        returned = back + cv2.remap(there, *at, cv2.INTER_LINEAR)
        lengths = (there**2).sum(-1) + (back**2).sum(-1)
        seen = (returned**2).sum(-1) < 0.01 * lengths + 0.5
        moved = cv2.remap(results[number - 1], *at, cv2.INTER_LINEAR)
        difference = results[number].astype(np.float32) - moved
        errors.append((difference[seen] ** 2).mean())
    return float(np.mean(errors))


def cut_clips(
    videos: Sequence[Path], sources: Sequence[Mapping[str, Any]], folder: Path
) -> Path:
    """Return the folder of training clips, cut if it is not there."""
    if folder.exists():
        return folder
    for source in sources:
        video = find(videos, source["video"])
        if "end" in source:
            video = cut_short(video, source["end"], folder.with_suffix(".mkv"))
        settings = ClipSettings(interval=0.7)
        extract_clips([video], folder, settings, max_gigabytes=10)
    return folder


def cut_short(video: Path, end: float, target: Path) -> Path:
    """Write what is before the second `end` without loss, and return the file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(video)) as source, av.open(str(target), "w") as container:
        rate = source.streams.video[0].average_rate
        stream = container.add_stream("libx264", rate=rate, options={"qp": "0"})
        stream.width = source.streams.video[0].width
        stream.height = source.streams.video[0].height
        stream.pix_fmt = source.streams.video[0].pix_fmt
        for frame in source.decode(video=0):
            if frame.time >= end:
                break
            frame.pict_type = 0
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return target


def read_places(
    videos: Sequence[Path], sources: Sequence[Mapping[str, Any]], crf: int
) -> list[Place]:
    """Return what is judged of a domain."""
    places = []
    for source in sources:
        for second in source["at"]:
            video = find(videos, source["video"])
            frames = list(islice(frames_from(video, second), FRAMES))
            moment = f"{video.stem} {second}"
            for crop in most_detailed(frames[0], SIDE, PLACES):
                places.append(_place(moment, frames, crop, crf))
    return places


def _place(moment: str, frames: Sequence[Frame], crop: Crop, crf: int) -> Place:
    gt = [np.ascontiguousarray(crop.of(frame)) for frame in frames]
    size = (SIDE // SCALE, SIDE // SCALE)
    small = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in gt]
    lq = compressed(small, "libx264", {"crf": str(crf), **REPEATABLE})
    return Place(moment, lq, gt, lpips_of_changes(gt))


def frames_from(video: Path, second: float) -> Iterable[Frame]:
    """Yield a video's frames from a second on, uint8 RGB."""
    with av.open(str(video)) as container:
        for frame in container.decode(video=0):
            if frame.time >= second:
                yield to_rgb(frame)


def find(folders: Sequence[Path], name: str) -> Path:
    """Return the file of this name in one of the folders."""
    for folder in folders:
        if (folder / name).exists():
            return folder / name
    raise SystemExit(f"{name}: not in {', '.join(map(str, folders))}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", nargs="+", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--domains", nargs="+", default=["soccer"])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=[*ARMS])
    parser.add_argument("--iterations", type=int, default=400)
    parser.add_argument("--crf", type=int, default=28)
    parser.add_argument("--cpu_ops", default="onednn_bf16")
    return parser.parse_args()


if __name__ == "__main__":
    main()
