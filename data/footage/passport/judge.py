"""Judge a source once its frames are decided: its passport, and what follows from it."""

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.data.footage.passport.compression import compression
from realesrgan_paddle.data.footage.passport.files import write_passport
from realesrgan_paddle.data.footage.passport.passport import passport_of, with_frames
from realesrgan_paddle.data.footage.passport.verdict import judged
from realesrgan_paddle.data.footage.passport.withdrawal import is_unwanted, withdraw
from realesrgan_paddle.data.footage.scoring import VideoScorer
from realesrgan_paddle.data.footage.selection import Selection
from realesrgan_paddle.data.sets.manifest import Record
from realesrgan_paddle.utils.ffmpeg import VideoInfo
from realesrgan_paddle.utils.field_order import FieldOrder


def judge_source(
    video: Path,
    name: str,
    info: VideoInfo,
    order: FieldOrder,
    scorer: VideoScorer,
    records: Sequence[Record],
    output: Path,
    selection: Selection,
) -> list[Record]:
    """Write the passport of a source, and treat its frames as the verdict says.

    Frames of a source that is not worth training on are removed.

    Args:
        video: the file.
        name: its name in the set.
        info: what `probe` returned.
        order: its field order.
        scorer: what has seen all its frames.
        records: the manifest's records of all frames.
        output: folder of the set.
        selection: what was asked for.

    Returns:
        The records, with what became of the frames.
    """
    stream = compression(video, info, scorer.shots.packets)
    measured = passport_of(video, name, info, order, stream, scorer, records)
    passport = judged(measured)

    left = list(records)
    if is_unwanted(passport, selection):
        left = withdraw(left, output)
    write_passport(output, with_frames(passport, left))
    return left
