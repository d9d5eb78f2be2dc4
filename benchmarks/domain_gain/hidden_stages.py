"""Which stages of a degradation the fit writes, where it is known which there are.

python -m benchmarks.domain_gain.hidden_stages --data DATA --work FOLDER
--results benchmarks/domain_gain/results/hidden_stages.jsonl

`hidden_stages.yml` names the cases; DATA has a folder of frames for each source. No code of
the training's degradation takes part in them: frames are shrunk by OpenCV and Pillow, and
encoded by x264, an MPEG-2 encoder and libjpeg. Counted are stages that are written and not
there (false) and those that are there and not written (missed), with and without the test
of stages. What is in FOLDER and in the results is not made again.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from PIL import Image

from benchmarks.domain_gain.inputs import FRAMES, REPEATABLE, STEP
from benchmarks.domain_gain.judge import SCALE
from benchmarks.video.flicker import compressed
from realesrgan_paddle.data.lq.compare import Comparer, Sets, read_sets
from realesrgan_paddle.data.lq.search import ROUNDS, Round, search
from realesrgan_paddle.data.lq.simulate import Simulator
from realesrgan_paddle.data.lq.solution import solution_options
from realesrgan_paddle.data.lq.solve import pick, searched_region
from realesrgan_paddle.data.lq.stages import leave_out
from realesrgan_paddle.data.lq.windows import gt_windows, read_real, real_windows
from realesrgan_paddle.data.statistics.window_statistics import window_statistics
from realesrgan_paddle.options.schema.degradation import LQConfig
from realesrgan_paddle.utils.images import list_images, read_rgb8, write_image
from realesrgan_paddle.utils.machine.devices import start_paddle

QUICK_SIDE = 64
QUICK_ROUNDS = (Round(110, 6), Round(60, 8))
"""With --quick: smaller and fewer windows, fewer degradations; a third of the time."""
FILE = Path(__file__).with_name("hidden_stages.yml")
IMAGES = 8
"""Low-quality images of a case, at most."""
GT_IMAGES = 30
HALO_SIGMA = 1.2
PILLOW = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}
ENCODERS = {"h264": "libx264", "mpeg2": "mpeg2video"}
BLURRED = 1.2
"""A blur is written if its sigma reaches this [pixels of the ground truth]: an area
average over 4 has as much."""
NOISY = 1.5
"""Noise is written from this level on [8-bit levels]."""


def main() -> None:
    """Run the cases that are missing, then print what is false and missed in all."""
    args = _arguments()
    start_paddle()
    done = {}
    if args.results.exists():
        for line in args.results.read_text().splitlines():
            record = json.loads(line)
            done[record["case"]] = record
    cases = yaml.safe_load(FILE.read_text())
    for name in args.cases or cases:
        if name not in done:
            done[name] = run_case(name, cases[name], args)
            with args.results.open("a") as file:
                file.write(json.dumps(done[name]) + "\n")
    for part in ("set", "test"):
        summarize(part, [one for one in done.values() if one["part"] == part])


def summarize(part: str, records: Sequence[Mapping[str, Any]]) -> None:
    """Print a line for each case, and their sums."""
    print(f"{part + ':':22}{'there is':22}{'written before':42}written now")
    counts = {"before": [0, 0], "after": [0, 0]}
    for record in records:
        shown = [", ".join(record[key]) or "-" for key in ("true", "before", "after")]
        print(f"{record['case']:22}{shown[0]:22}{shown[1]:42}{shown[2]}")
        for key, sums in counts.items():
            sums[0] += len({*record[key]} - {*record["true"]})
            sums[1] += len({*record["true"]} - {*record[key]})
    there = sum(len(record["true"]) for record in records)
    for key, (false, missed) in counts.items():
        print(f"{key}: {false} false stages, {missed} of {there} missed")


def degrade(gt: np.ndarray, case: Mapping[str, Any], seed: int) -> np.ndarray:
    """Return the low-quality image of a frame, uint8 RGB (H // 4, W // 4, 3)."""
    rng = np.random.default_rng(seed)
    encode = [one.split() for one in case["encode"]]
    is_video = any(codec in ENCODERS for codec, _ in encode)
    frames = []
    for number in range(FRAMES if is_video else 1):
        shift = STEP * (FRAMES - 1 - number) if is_video else 0
        moved = np.pad(gt[:, shift:], ((0, 0), (0, shift), (0, 0)), mode="reflect")
        frames.append(_small(moved, case, rng))
    for codec, setting in encode:
        frames = _encoded(frames, codec, setting)
    return frames[-1]


def _small(
    gt: np.ndarray, case: Mapping[str, Any], rng: np.random.Generator
) -> np.ndarray:
    """Return a frame after all stages but the encoders."""
    image = gt
    if sigma := case.get("blur"):
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    if length := case.get("motion"):
        image = cv2.blur(image, (length, 1))
    height, width = (side // SCALE // 2 * 2 for side in image.shape[:2])
    image = image[: height * SCALE, : width * SCALE]
    if case["scaler"] == "area":
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    else:
        small = Image.fromarray(image).resize((width, height), PILLOW[case["scaler"]])
        image = np.array(small)
    levels = image.astype(np.float32)
    if noise := case.get("noise"):
        levels += rng.normal(0, noise, levels.shape)
    if halo := case.get("halo"):
        levels += halo * (levels - cv2.GaussianBlur(levels, (0, 0), HALO_SIGMA))
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def _encoded(
    frames: Sequence[np.ndarray], codec: str, setting: str
) -> list[np.ndarray]:
    if codec == "h264":
        return compressed(frames, "libx264", {"crf": setting, **REPEATABLE})
    if codec == "mpeg2":
        return compressed(frames, "mpeg2video", {"qmin": setting, "qmax": setting})
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(setting)]
    results = []
    for frame in frames:
        _, data = cv2.imencode(".jpg", frame[..., ::-1], quality)
        results.append(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].copy())
    return results


def true_stages(case: Mapping[str, Any]) -> set[str]:
    """Return the stages that a case has."""
    stages = {stage for stage in ("blur", "motion", "noise", "halo") if stage in case}
    if len(case["encode"]) > 1 and case["encode"][0].startswith("jpeg"):
        stages.add("first JPEG")
    return stages


def written_stages(options: Mapping[str, Any]) -> set[str]:
    """Return the stages that options have, of the flat ones of `solution_options`."""
    level = options.get("noise_range2", [0, 0])[1]
    level = max(level, options.get("poisson_scale_range2", [0, 0])[1] * 11.3)
    present = {
        "blur": options["blur_sigma"][1] >= BLURRED,
        "motion": options.get("motion_blur_prob", 0) > 0,
        "noise": level >= NOISY,
        "halo": options.get("halo_prob", 0) > 0,
        "first JPEG": options.get("jpeg_prob", 0) > 0,
        "fields": options.get("interlace_prob", 0) > 0,
        "last filter": options.get("final_sinc_prob", 0) > 0,
    }
    return {stage for stage, is_there in present.items() if is_there}


def prepare(name: str, case: Mapping[str, Any], args: argparse.Namespace) -> LQConfig:
    """Write the real images of a case and links to its ground truth."""
    folder = args.work / name
    reals = _named(case["real"], args.data, IMAGES)
    for number, path in enumerate(reals):
        target = folder / "real" / f"{path.stem}.png"
        if not target.exists():
            write_image(target, degrade(read_rgb8(path), case, number))
    (folder / "gt").mkdir(parents=True, exist_ok=True)
    for path in _named(case["gt"], args.data, GT_IMAGES):
        link = folder / "gt" / path.name
        if not link.exists():
            link.symlink_to(path.resolve())
    return LQConfig(dataroot_gt=str(folder / "gt"), scale=SCALE)


def run_case(
    name: str, case: Mapping[str, Any], args: argparse.Namespace
) -> dict[str, Any]:
    """Return the record of a case: its stages, and those written without the test."""
    options = prepare(name, case, args)
    real = args.work / name / "real"
    sets = _small_sets(options, real) if args.quick else read_sets(options, real)
    rounds = QUICK_ROUNDS if args.quick else ROUNDS
    last = case["encode"][-1].split()[0] if case["encode"] else ""
    codec = last if last in ENCODERS else None  # as the stream says
    with Simulator(sets.gt.pixels, SCALE, args.processes) as simulator:
        solution = search(sets, simulator, SCALE, 0, rounds, searched_region(codec))
        compare = Comparer(sets, simulator)
        before = pick(solution, compare.apart(), SCALE)
        after, decisions = leave_out(before, compare, sets, SCALE)
    return {
        "case": name,
        "part": case["part"],
        "true": sorted(true_stages(case)),
        "before": sorted(written_stages(solution_options(before, SCALE))),
        "after": sorted(written_stages(solution_options(after, SCALE))),
        "scalers before": solution_options(before, SCALE)["resize_modes2"],
        "scalers after": solution_options(after, SCALE)["resize_modes2"],
        "decisions": [f"{one.stage}: {one}" for one in decisions],
        "options": solution_options(after, SCALE),
        "options before": solution_options(before, SCALE),
    }


def _small_sets(options: LQConfig, real: Path) -> Sets:
    """Return what `read_sets` does, of fewer and smaller windows."""
    rng = np.random.default_rng(options.manual_seed)
    pictures, _ = read_real(real)
    shown = real_windows(pictures, QUICK_SIDE, rng)
    few = slice(0, None, 4)
    kept = np.delete(np.arange(len(shown.pixels)), few)
    shown = replace(
        shown,
        pixels=shown.pixels[kept],
        content=shown.content[kept],
        sources=shown.sources[kept],
    )
    gt, _ = gt_windows(list_images(Path(options.dataroot_gt)), QUICK_SIDE, SCALE, rng)
    by_name = window_statistics(shown.pixels)
    return Sets(shown, np.stack(list(by_name.values()), axis=1), list(by_name), gt)


def _named(starts: Sequence[str], data: Path, count: int) -> list[Path]:
    """Return frames whose names begin so, spread over all of them."""
    paths: list[Path] = []
    for start in starts:
        folder, _, clip = start.partition("/")
        paths += [
            path for path in list_images(data / folder) if path.name.startswith(clip)
        ]
    places = np.linspace(0, len(paths) - 1, min(count, len(paths)))
    return [paths[round(place)] for place in places]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--cases", nargs="+")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--processes", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
