"""Make the moving picture of the README: a line that wipes between two videos.

    python benchmarks/video/wipe.py --before lq.mp4 --after upscaled.mp4 --output wipe.webp

The first is enlarged to the size of the second by bicubic interpolation.
"""

import argparse
import math
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

FRAMES, STEP = 40, 2
"""How many are shown, and every which one of the videos."""
MILLISECONDS = 80
"""Each is shown for: two frames at 25 a second."""
SWING = 0.38
"""How far the line moves from the middle [widths]."""
TEXT = 16
QUALITY = 72
"""Of WebP; half a megabyte."""


def frames_of(path: Path) -> list[np.ndarray]:
    """Return the frames to show, uint8 RGB (H, W, 3)."""
    shown = []
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % STEP == 0:
                shown.append(frame.to_ndarray(format="rgb24"))
            if len(shown) == FRAMES:
                break
    return shown


def labeled(image: np.ndarray, left: str, right: str) -> Image.Image:
    """Return a picture with a name in each lower corner."""
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(TEXT)
    y = picture.height - 26
    for x, name in (
        (10, left),
        (picture.width - 10 - draw.textlength(right, font), right),
    ):
        draw.text((x, y), name, "white", font, stroke_width=2, stroke_fill="black")
    return picture


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--after", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="a .webp")
    parser.add_argument("--crop", type=int, nargs=4, default=(330, 40, 640, 400))
    parser.add_argument("--names", nargs=2, default=("input, bicubic", "finetuned"))
    args = parser.parse_args()
    x, y, width, height = args.crop

    pictures = []
    pairs = list(zip(frames_of(args.before), frames_of(args.after), strict=True))
    for number, (before, after) in enumerate(pairs):
        size = after.shape[1], after.shape[0]
        image = cv2.resize(before, size, interpolation=cv2.INTER_CUBIC)
        swing = math.cos(2 * math.pi * number / len(pairs))
        line = round(width * (0.5 + SWING * swing))
        image[:, x + line :] = after[:, x + line :]
        image[:, x + line - 1 : x + line + 1] = 255
        image = image[y : y + height, x : x + width]
        pictures.append(labeled(image, *args.names))

    pictures[0].save(
        args.output,
        save_all=True,
        append_images=pictures[1:],
        duration=MILLISECONDS,
        loop=0,
        quality=QUALITY,
    )


if __name__ == "__main__":
    main()
