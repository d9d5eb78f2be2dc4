"""The manifest's record of one frame."""

from collections.abc import Sequence
from pathlib import Path

from realesrgan_paddle.data.footage.selection import Candidate
from realesrgan_paddle.data.sets.manifest import DROPPED, KEPT, Record
from realesrgan_paddle.utils.crops import Crop


def frame_record(frame: Candidate, source: Path, overlays: Sequence[Crop]) -> Record:
    """Return the record of a frame.

    Args:
        frame: the frame, kept or dropped.
        source: its video.
        overlays: boxes in the video's frame.
    """
    scores, crop = frame.scores, frame.crop
    boxes = [_box_in_crop(overlay, crop) for overlay in overlays]

    return {
        "source": str(source),
        "decision": DROPPED if frame.reason else KEPT,
        "reason": frame.reason,
        "file": frame.file,
        "seconds": round(frame.seconds, 6),
        "shot": frame.shot,
        "score": round(scores.total, 4),
        "sharpness": round(scores.sharpness, 4),
        "detail": round(scores.detail, 4),
        "blockiness": round(scores.blockiness, 4),
        "contrast": round(scores.contrast, 1),
        "noise": round(scores.noise, 2),
        "brightness": round(scores.brightness, 1),
        "hash": frame.hash.tobytes().hex(),
        "size": [crop.width, crop.height],
        "crop": [crop.x, crop.y, crop.width, crop.height],
        "overlays": [box for box in boxes if box],
    }


def _box_in_crop(box: Crop, crop: Crop) -> list[int]:
    """Return the part of a box inside `crop`, in the crop's pixels; [] for none."""
    if not box.touches(crop):
        return []
    left = max(box.x, crop.x)
    right = min(box.right, crop.right)
    top = max(box.y, crop.y)
    bottom = min(box.bottom, crop.bottom)
    width = right - left
    height = bottom - top
    return [left - crop.x, top - crop.y, width, height]
