"""Precision, recall and IoU of borders, side fill and overlays that are drawn on frames.

Each folder holds frames of one source, of different views. They are used as they are,
and with bars, side fill and overlays whose places are known; each case is compressed as
JPEG of quality 80. A case of borders or side fill is right if no side is more than 8
pixels off and nothing of the border is left. An overlay is found in a frame if a box
covers 90 % of it with an IoU of at least 0.5; a box that touches no overlay is false.
Watermarks and logos that the footage has itself count as false, too: use `--inside` to
cut them off.

    python benchmarks/footage/screen.py FOLDER [FOLDER ...] --inside 0.16 0.15
"""

import argparse
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from realesrgan_paddle.data.footage.screen.source import SourceScreen
from realesrgan_paddle.utils.crops import Crop

HEIGHT = 720
WHITE = (245, 245, 245)
Case = Callable[[np.ndarray, int], tuple[np.ndarray, Crop | None]]


def frames_of(folder: Path, inside: tuple[float, float]) -> list[np.ndarray]:
    """Return the images of a folder, of one height, without their outer parts."""
    images = []
    for path in sorted(folder.iterdir())[:40]:
        image = cv2.imread(str(path))
        if image is None or image.mean() < 20:
            continue
        height, width = image.shape[:2]
        x, y = round(inside[0] * width), round(inside[1] * height)
        image = image[y : height - y, x : width - x]
        size = round(image.shape[1] * HEIGHT / image.shape[0]), HEIGHT
        images.append(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    return images


def write(image: np.ndarray, text: str, x: float, y: float, size: float = 1.4) -> None:
    """Write white text."""
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(image, text, (int(x), int(y)), font, size, WHITE, 3, cv2.LINE_AA)


def barred(
    image: np.ndarray, top: int, bottom: int, sides: int, level: int = 0
) -> tuple[np.ndarray, Crop]:
    """Return an image within bars, and the place of the picture."""
    height, width = image.shape[:2]
    place = Crop(sides, top, width - 2 * sides, height - top - bottom)
    result = np.full_like(image, level)
    place.of(result)[...] = cv2.resize(image, (place.width, place.height))
    return result, place


def subtitled(image: np.ndarray, number: int) -> tuple[np.ndarray, Crop]:
    """Return an image between bars with two lines of subtitles, in most frames."""
    result, place = barred(image, 110, 110, 0)
    if number % 3:
        write(result, "and then he said to all of us that", 140, 652)
        write(result, "the game would never be the same", 140, 702)
    return result, place


def side_filled(image: np.ndarray, kind: str) -> tuple[np.ndarray, Crop]:
    """Return an upright part of an image before a blurred copy of it."""
    height, width = image.shape[:2]
    place = Crop((width - 420) // 2, 0, 420, height)
    middle = image[:, 100:520]
    shown = height * 420 // width
    part = middle[(height - shown) // 2 :][:shown]
    result = cv2.resize(part, (width, height))
    result = cv2.GaussianBlur(result, (0, 0), 18)
    if kind == "mirrored":
        result = result[:, ::-1].copy()
    place.of(result)[...] = middle
    return result, place


def logo(image: np.ndarray, _: int) -> tuple[np.ndarray, Crop]:
    """Return an image with a channel's logo, and its place."""
    painted = image.copy()
    x, y = image.shape[1] - 200, 40
    cv2.circle(painted, (x + 36, y + 36), 30, WHITE, 6, cv2.LINE_AA)
    write(painted, "TV9", x + 56, y + 52, 1.6)
    result = cv2.addWeighted(painted, 0.85, image, 0.15, 0)
    return result, Crop(x + 4, y + 4, 148, 64)


def scoreboard(image: np.ndarray, number: int) -> tuple[np.ndarray, Crop]:
    """Return an image with a scoreboard whose digits change."""
    result = image.copy()
    cv2.rectangle(result, (50, 40), (410, 92), (90, 30, 20), -1)
    cv2.rectangle(result, (51, 41), (409, 91), WHITE, 3)
    write(result, f"FCA {number % 4}-{number % 3} BSC", 70, 79)
    return result, Crop(50, 40, 361, 53)


def ticker(image: np.ndarray, number: int) -> tuple[np.ndarray, Crop]:
    """Return an image with text that scrolls in a band."""
    result, width = image.copy(), image.shape[1]
    result[620:676] = (120, 30, 20)
    offset = int(np.random.default_rng(number).integers(0, 900))
    for start in range(-offset, width, 900):
        write(result, "markets fall * 3:1 in extra time * rain", start, 660, 1.2)
    return result, Crop(0, 620, width, 56)


def banner(image: np.ndarray, number: int) -> tuple[np.ndarray, Crop | None]:
    """Return an image with a banner, if it is one of eight frames."""
    if number % 24 not in range(8, 16):
        return image, None
    result = image.copy()
    cv2.rectangle(result, (80, 520), (655, 619), (160, 60, 20), -1)
    write(result, "JOHN SMITH", 100, 564)
    write(result, "head coach, city", 100, 604, 1.0)
    return result, Crop(80, 520, 576, 100)


PLACES: dict[str, Case] = {
    "no borders": lambda image, _: (image, None),
    "two-line subtitles": subtitled,
    "pillarbox": lambda image, _: barred(image, 0, 0, 150),
    "windowbox": lambda image, _: barred(image, 90, 90, 150),
    "unequal bars": lambda image, _: barred(image, 90, 45, 0),
    "dark gray bars": lambda image, _: barred(image, 90, 90, 0, 44),
    "side fill": lambda image, _: side_filled(image, "enlarged"),
    "side fill, mirrored": lambda image, _: side_filled(image, "mirrored"),
}
OVERLAYS: dict[str, Case] = {
    "no overlay": lambda image, _: (image, None),
    "logo": logo,
    "scoreboard": scoreboard,
    "ticker": ticker,
    "lower third": banner,
}


def jpeg(image: np.ndarray) -> np.ndarray:
    """Return an image after compression."""
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def seen(images: list[np.ndarray]) -> SourceScreen:
    """Return what is found in the frames of one shot."""
    screen = SourceScreen("crop", keep_all=False)
    for number, image in enumerate(map(jpeg, images)):
        luma = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        screen.look(str(number), image, luma, float(number))
        screen.place(str(number), 0)
    return screen


def is_right(found: Crop, place: Crop) -> bool:
    """Return whether nothing of a border is left, and little of the picture lost."""
    sides = (
        found.x - place.x,
        found.y - place.y,
        place.right - found.right,
        place.bottom - found.bottom,
    )
    return min(sides) >= 0 and max(sides) <= 8


def iou(box: Crop, truth: Crop) -> tuple[float, float]:
    """Return intersection over union, and the share of the truth that is covered."""
    width = min(box.right, truth.right) - max(box.x, truth.x)
    height = min(box.bottom, truth.bottom) - max(box.y, truth.y)
    both, area = max(0, width) * max(0, height), truth.width * truth.height
    return both / (area + box.width * box.height - both), both / area


def main() -> None:
    """Draw all cases and print what is found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--inside", nargs=2, type=float, default=(0, 0))
    parser.add_argument("--frames", type=int, default=40, help="of each folder")
    options = parser.parse_args()
    sources = [frames_of(one, tuple(options.inside)) for one in options.folders]

    print(f"{'borders':24} right of sources")
    for name, case in PLACES.items():
        right = 0
        for images in sources:
            drawn = [case(image, n) for n, image in enumerate(images[: options.frames])]
            screen = seen([image for image, _ in drawn])
            whole = Crop(0, 0, drawn[0][0].shape[1], drawn[0][0].shape[0])
            right += is_right(screen.place_of_shot(0), drawn[0][1] or whole)
        print(f"{name:24} {right:5} {len(sources):10}")

    print(f"\n{'overlays':24} found  of frames   mean IoU   false of boxes")
    for name, case in OVERLAYS.items():
        count: dict[str, float] = defaultdict(float)
        for images in sources:
            drawn = [case(image, n) for n, image in enumerate(images[: options.frames])]
            screen = seen([image for image, _ in drawn])
            truths = [truth for _, truth in drawn if truth]
            for seconds, (_, truth) in enumerate(drawn):
                scores = [iou(box, truth) for box in screen.boxes_at(seconds) if truth]
                best = max(scores, default=(0.0, 0.0))
                count["frames"] += truth is not None
                count["found"] += best[0] >= 0.5 and best[1] >= 0.9
                count["iou"] += best[0]
            for overlay in screen.overlays():
                count["boxes"] += 1
                count["false"] += not any(map(overlay.box.touches, truths))
        mean = count["iou"] / max(1, count["frames"])
        print(
            f"{name:24} {count['found']:5.0f} {count['frames']:10.0f} {mean:10.2f} "
            f"{count['false']:7.0f} {count['boxes']:8.0f}"
        )


if __name__ == "__main__":
    main()
