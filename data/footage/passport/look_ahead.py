"""Find the true size of a source before its frames are judged, and bring them back."""

from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from realesrgan_paddle.data.footage.passport.true_size import TrueSize, TrueSizeFinder
from realesrgan_paddle.data.footage.sampling import Sampling
from realesrgan_paddle.data.footage.screen.borders import content_box
from realesrgan_paddle.data.footage.video import frames
from realesrgan_paddle.utils.ffmpeg import VideoInfo
from realesrgan_paddle.utils.field_order import FieldOrder


def look_ahead(
    path: Path, info: VideoInfo, sampling: Sampling, order: FieldOrder
) -> TrueSize | None:
    """Return what a video was enlarged from, as its first 29 frames tell.

    They are the ones that `TrueSizeFinder` would look at while all are extracted.

    Args:
        path: a local file.
        info: what `probe` returned for it.
        sampling: which frames will be extracted.
        order: its field order.

    Raises:
        UserError: as `frames` does.
    """
    finder = TrueSizeFinder()
    with closing(frames(path, info, sampling, order)) as decoded:
        for frame in decoded:
            luma = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
            finder.add(luma, content_box(luma))
            if finder.is_full:
                break
    return finder.find()


def brought_back(image: np.ndarray, true_size: TrueSize) -> np.ndarray:
    """Return a frame, uint8 RGB (H, W, 3), at its true size, by antialiased Lanczos."""
    height, width = image.shape[:2]
    size = true_size.size_of(width, height)
    full = Image.fromarray(image)
    small = full.resize(size, Image.Resampling.LANCZOS)
    return np.asarray(small)
