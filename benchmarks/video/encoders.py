"""Quality, size and time of the encoders' defaults, and of some other presets.

    python benchmarks/video/encoders.py --video CLIP --model EXPORTED_FOLDER

The first frames of the clip are upscaled once, and encoded with each setting as a video's
result would be. PSNR is of the luma (BT.709) of what another decoding gives back.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av
import numpy as np

from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video.plan import VideoPlan, make_plan
from realesrgan_paddle.inference.video.reading.colors import ToRGB
from realesrgan_paddle.inference.video.reading.open_video import open_video
from realesrgan_paddle.inference.video.reading.source import VideoSource
from realesrgan_paddle.inference.video.settings import VideoSettings
from realesrgan_paddle.inference.video.writing.encoding import encoder

SETTINGS = (
    VideoSettings(codec="h264"),
    VideoSettings(codec="h264", preset="faster"),
    VideoSettings(codec="h264", preset="medium"),
    VideoSettings(codec="hevc"),
    VideoSettings(codec="av1"),
    VideoSettings(codec="vp9"),
)
LUMA = np.array([0.2126, 0.7152, 0.0722])
"""Of BT.709."""


@dataclass(frozen=True)
class Encoded:
    """What encoding took and left, for each frame."""

    psnr: float
    kilobytes: float
    cpu: float
    """Seconds of processor time."""


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--frames", type=int, default=24)
    args = parser.parse_args()

    source = open_video(args.video, detect_fields=False)
    upscaler = Upscaler.load(args.model, tile="auto")
    frames = upscaler.frames(args.video, VideoSettings(deinterlace="no"))
    images = [frame.image for frame in islice(frames, args.frames)]
    frames.close()

    print("| setting | PSNR (Y) | kB a frame | CPU ms a frame |\n|---|--:|--:|--:|")
    for settings in SETTINGS:
        plan = make_plan(source, Path("result.mkv"), settings, upscaler.scale)
        found = measure(source, plan, images)
        encoding = plan.encoding
        print(
            f"| {encoding.codec}, CRF {encoding.crf}, {encoding.preset} | "
            f"{found.psnr:.1f} dB | {found.kilobytes:.1f} | {1000 * found.cpu:.0f} |"
        )


def measure(
    source: VideoSource, plan: VideoPlan, images: Sequence[np.ndarray]
) -> Encoded:
    """Return what encoding the images as `plan` says takes and leaves."""
    timeline, encoding = plan.part.timeline, plan.encoding
    to_rgb = ToRGB(encoding.colors, encoding.matrix, bits=source.bits, alpha=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "encoded.nut")
        before = time.process_time()
        with encoder(path, encoding, timeline) as encode:
            for image, tick in zip(images, timeline.times, strict=False):
                encode(image, tick)
        cpu = time.process_time() - before

        size = path.stat().st_size
        with av.open(str(path)) as container:
            decoded = map(to_rgb, container.decode(video=0))
            pairs = zip(decoded, images, strict=True)
            psnr = [_psnr(one, other) for one, other in pairs]
    count = len(images)
    return Encoded(float(np.mean(psnr)), size / count / 1000, cpu / count)


def _psnr(one: np.ndarray, other: np.ndarray) -> float:
    difference = one.astype(np.float64) - other
    error = np.mean((difference @ LUMA) ** 2)
    return float(10 * np.log10(255**2 / error))


if __name__ == "__main__":
    main()
