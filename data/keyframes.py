"""From footage to a folder of key frames."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from realesrgan_paddle.data.interlacing import field_order
from realesrgan_paddle.data.naming import claim_source_name
from realesrgan_paddle.data.sampling import Sampling
from realesrgan_paddle.data.video import frames, list_videos, probe
from realesrgan_paddle.utils.atomic import make_folder
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.jobs import failure


@dataclass
class KeyFrameSet:
    """What an extraction did."""

    videos: int = 0
    written: int = 0
    """Key frames written."""
    present: int = 0
    """Key frames that were there already and were left alone."""
    interlaced: int = 0
    """Videos that were skipped because they are interlaced; they are among `videos`."""
    failures: list[str] = field(default_factory=list)
    """One line for each video that failed; frames taken before the failure are kept."""


def find_videos(inputs: Sequence[str | Path]) -> list[Path]:
    """Return the given files and the videos below the given folders, each once.

    Raises:
        UserError: a path does not exist, or a folder holds no video.
    """
    videos: dict[Path, Path] = {}
    for path in map(Path, inputs):
        if not path.exists():
            raise UserError(f"{path}: no such file or folder")
        found = list_videos(path) if path.is_dir() else [path]
        if not found:
            raise UserError(f"{path}: no videos in this folder")
        for video in found:
            videos.setdefault(video.resolve(), video)
    return list(videos.values())


def extract_key_frames(videos: Sequence[Path], output: Path, sampling: Sampling) -> KeyFrameSet:
    """Write frames of `videos` as PNG files into `output` and return what was done.

    A file is named after its video and its time in seconds, "match_000012.480.png". Files that are
    there already are left alone, so an interrupted extraction can be run again. A video that fails is noted
    and the rest goes on. Shows a progress bar on a terminal.

    Args:
        videos: local files.
        output: folder for the frames.
        sampling: which frames to take.

    Raises:
        UserError: `output` is no folder and cannot become one.
    """
    done = KeyFrameSet()
    make_folder(output)
    for video in videos:
        try:
            _extract_one(video, output, sampling, done)
        except (UserError, OSError) as error:
            done.failures.append(failure(video, error))
        else:
            done.videos += 1
    return done


def _extract_one(video: Path, output: Path, sampling: Sampling, done: KeyFrameSet) -> None:
    info = probe(video)
    order = "progressive" if sampling.interlaced == "keep" else field_order(video, info)
    if order != "progressive" and sampling.interlaced == "skip":
        done.interlaced += 1
        return
    name = claim_source_name(video, output)
    with tqdm(total=info.seconds, unit="s", desc=name, unit_scale=True, disable=None) as bar:
        for frame in frames(video, info, sampling, order):
            target = output / f"{name}_{frame.seconds:010.3f}.png"
            if target.exists():
                done.present += 1
            else:
                write_image(target, frame.image)
                done.written += 1
            bar.update(frame.seconds - bar.n)
