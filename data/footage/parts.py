"""Parts of long videos, copied without encoding, where there is no time for all of them."""

from collections.abc import Sequence
from pathlib import Path

import ffmpeg

from realesrgan_paddle.data.sets.naming import safe_stem
from realesrgan_paddle.utils.cli import say
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import FFmpegRun, VideoInfo, probe, video_input
from realesrgan_paddle.utils.files import atomic_path
from realesrgan_paddle.utils.runlog.meter import duration

SECONDS_A_SECOND, PIXELS = 0.15, 1920 * 1080
"""What making a set takes of a second of video of so many pixels a frame [s].

193 s took 28 s of a core of an AMD EPYC (Zen 4), sub-images and the start included.
"""
PARTS = 24
"""Of all videos together: moments are held out of so few, for parts are no other clips."""
SHORTEST_S = 5.0
"""Of a part: some key frames."""
COPY_MINUTES = 10
"""Time limit for copying a part."""


def parts_within(seconds: float, videos: Sequence[Path], folder: Path) -> list[Path]:
    """Return the videos, or parts spread over them in the place of those that are long.

    So that a set of them is made in about `seconds`. Parts are written into `folder`, each
    in a fraction of a second; a video that cannot be copied stays whole.
    """
    infos: dict[Path, VideoInfo] = {}
    for video in videos:
        try:
            infos[video] = probe(video)
        except UserError:
            continue  # making the set says so
    costs = {video: _cost(info) for video, info in infos.items()}
    if sum(costs.values()) <= seconds:
        return list(videos)

    # Short ones stay whole; those that are longer than an equal share get one.
    shares: dict[Path, float] = {}
    for number, video in enumerate(sorted(costs, key=lambda each: costs[each])):
        left = seconds - sum(shares.values())
        shares[video] = min(costs[video], left / (len(costs) - number))

    found: list[Path] = []
    for video in videos:
        if shares.get(video, 0.0) >= costs.get(video, 0.0):
            found.append(video)
            continue
        length = infos[video].seconds or 0.0
        kept = length * shares[video] / costs[video]
        count = round(PARTS * shares[video] / sum(shares.values()))
        count = max(1, min(count, int(kept / SHORTEST_S)))
        # In a folder of its own: another video may have the same name.
        own = folder / str(videos.index(video))
        found += _parts(video, length, kept / count, count, own)
    return found


def _cost(info: VideoInfo) -> float:
    """Return the seconds that a video takes; 0 where its length is not known."""
    pixels = info.width * info.height / PIXELS
    return SECONDS_A_SECOND * pixels * (info.seconds or 0.0)


def _parts(
    video: Path, length: float, part: float, count: int, folder: Path
) -> list[Path]:
    """Return parts of a video, each in the middle of an equal share of it."""
    say(
        f"{video.name}: {duration(count * part)} of {duration(length)} are looked at, in "
        f"{count} parts, for lack of time"
    )
    found = []
    for number in range(count):
        start = (number + 0.5) * length / count - part / 2
        path = folder / f"{safe_stem(video)}-{start:06.0f}s-{part:.0f}s.mkv"
        if not path.exists():
            try:
                _copy(video, start, part, path)
            except UserError:
                return [video]
        found.append(path)
    return found


def _copy(video: Path, start: float, seconds: float, path: Path) -> None:
    """Copy the packets of a part of a video, from the key frame before `start` on."""
    source = video_input(video, start=start)
    with atomic_path(path) as temporary:
        output = ffmpeg.output(
            source, str(temporary), vcodec="copy", t=seconds, f="matroska"
        ).overwrite_output()
        with FFmpegRun(output, video, minutes=COPY_MINUTES) as run:
            run.finish()
