"""Precision and recall of copies, which copy wins, and views across the split.

python benchmarks/footage/views.py copies FOLDER_OR_VIDEO ...
python benchmarks/footage/views.py better FOLDER_OR_VIDEO ...
python benchmarks/footage/views.py split FOLDER ...

The images of a folder are frames; what their names have before the last "_" is the shot.
Of a video, a frame a second is taken, and all are of one shot.
"""

import argparse
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from realesrgan_paddle.data.footage.split import TRAIN, VAL, assign_parts
from realesrgan_paddle.data.footage.views.candidates import compare_all
from realesrgan_paddle.data.footage.views.copies import (
    find_copies,
    is_enlarged,
    quality,
)
from realesrgan_paddle.data.footage.views.features import HashIndex, perceptual_hash
from realesrgan_paddle.data.footage.views.set_images import miniature
from realesrgan_paddle.data.footage.views.views import (
    find_sift_corners,
    find_views,
    keep_unseen,
)
from realesrgan_paddle.data.statistics.image_scores import measure
from realesrgan_paddle.utils.ffmpeg import find_ffmpeg

MOST_FRAMES = 40
"""Of a video."""

SHARED = 60
"""Inliers of SIFT at full size from which two frames share a view."""


class Frame(NamedTuple):
    """A frame, its name and its shot."""

    name: str
    shot: str
    image: np.ndarray
    """uint8 BGR (H, W, 3)."""


Change = Callable[[np.ndarray], np.ndarray]


def frames_of(paths: Sequence[str]) -> list[Frame]:
    """Return the frames of folders and videos."""
    frames = []
    for path in map(Path, paths):
        if path.is_dir():
            for file in sorted(path.iterdir()):
                shot = file.stem.rpartition("_")[0] or file.stem
                frames.append(Frame(file.stem, shot, cv2.imread(str(file))))
        else:
            frames += video_frames(path)
    return frames


def video_frames(path: Path) -> list[Frame]:
    """Return a frame a second of a video, without black ones and near-duplicates."""
    capture = cv2.VideoCapture(str(path))
    step = max(1, round(capture.get(cv2.CAP_PROP_FPS)))
    frames: list[Frame] = []
    index = HashIndex()
    number = 0
    while len(frames) < MOST_FRAMES and capture.grab():
        if number % step == 0:
            _, image = capture.retrieve()
            hash_ = perceptual_hash(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
            nearest = index.nearest(hash_)
            if image.std() > 20 and (not nearest or nearest[1] >= 0.1):
                name = f"{path.stem}@{number // step}"
                index.add(name, hash_)
                frames.append(Frame(name, path.stem, image))
        number += 1
    return frames


def zoomed(image: np.ndarray, share: float, x: float = 0.5) -> np.ndarray:
    """Return the picture enlarged; `x` says which part is left, 0 to 1."""
    height, width = image.shape[:2]
    inner_width, inner_height = int(width / (1 + share)), int(height / (1 + share))
    left, top = int((width - inner_width) * x), int((height - inner_height) * x)
    part = image[top : top + inner_height, left : left + inner_width]
    return cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC)


def upright(image: np.ndarray, x: float) -> np.ndarray:
    """Return the part of 9:16 that a telephone would show; `x` as above."""
    height, width = image.shape[:2]
    inner = min(width, height * 9 // 16)
    left = int((width - inner) * x)
    return image[:, left : left + inner]


def jpeg(image: np.ndarray, level: int) -> np.ndarray:
    """Return the picture after JPEG of that quality."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, level])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def with_box(image: np.ndarray, left: float, top: float, right: float) -> np.ndarray:
    """Return the picture with a scoreboard or a lower third."""
    marked = image.copy()
    height, width = image.shape[:2]
    first = (int(left * width), int(top * height))
    last = (int(right * width), int((top + 0.07) * height))
    cv2.rectangle(marked, first, last, (150, 40, 30), -1)
    place = (first[0] + 8, last[1] - 8)
    cv2.putText(marked, "FCB 2:1 BVB", place, 0, width / 1400, (255, 255, 255), 2)
    return marked


def all_changes(image: np.ndarray) -> np.ndarray:
    """Return the picture mirrored, zoomed, darker, with a logo, compressed."""
    darker = cv2.convertScaleAbs(zoomed(image[:, ::-1], 0.06), alpha=0.85)
    return jpeg(with_box(darker, 0.05, 0.05, 0.25), 40)


CHANGES: dict[str, Change] = {
    "mirrored": lambda image: np.ascontiguousarray(image[:, ::-1]),
    "zoomed 3 %": lambda image: zoomed(image, 0.03),
    "zoomed 5 %": lambda image: zoomed(image, 0.05),
    "zoomed 8 %, off the middle": lambda image: zoomed(image, 0.08, 0.2),
    "upright, the middle": lambda image: upright(image, 0.5),
    "upright, off the middle": lambda image: jpeg(upright(image, 0.8), 60),
    "zoomed 60 %": lambda image: jpeg(zoomed(image, 0.6), 60),
    "20 % brighter": lambda image: cv2.convertScaleAbs(image, alpha=1.2),
    "20 % darker": lambda image: cv2.convertScaleAbs(image, alpha=0.8),
    "JPEG 10": lambda image: jpeg(image, 10),
    "scoreboard": lambda image: with_box(image, 0.05, 0.05, 0.25),
    "lower third": lambda image: with_box(image, 0.1, 0.82, 0.9),
    "all of it": all_changes,
}


def small(image: np.ndarray) -> np.ndarray:
    """Return the miniature of a picture, uint8 BGR (H, W, 3)."""
    return miniature(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))


def measure_copies(frames: Sequence[Frame]) -> None:
    """Print how many copies are found, and how many other pairs."""
    count = len(frames)
    shots = [frame.shot for frame in frames] + [f"copy of {f.shot}" for f in frames]
    originals = [small(frame.image) for frame in frames]
    total = wrong = 0
    for name, change in CHANGES.items():
        images = originals + [small(change(frame.image)) for frame in frames]
        found = find_copies(
            compare_all(len(images), images.__getitem__), shots, images.__getitem__
        )
        right = [pair for pair in found if pair[1] - pair[0] == count]
        others = [(one % count, two % count) for one, two in found]
        named = [(frames[a].name, frames[b].name) for a, b in others if a != b]
        total += len(right)
        wrong += len(named)
        print(f"{name:28} {len(right):4} of {count}, {len(named)} wrong", named[:4])
    recall, precision = total / count / len(CHANGES), total / max(1, total + wrong)
    print(f"recall {recall:.3f}, precision {precision:.3f}")


def coded(images: Sequence[np.ndarray], crf: int) -> list[np.ndarray]:
    """Return pictures of one size after H.264, each a key frame."""
    height, width = images[0].shape[:2]
    size = f"{width}x{height}"
    raw = ["-f", "rawvideo", "-pix_fmt", "bgr24", "-s", size]
    codec = ["-c:v", "libx264", "-crf", str(crf), "-g", "1", "-pix_fmt", "yuv420p"]
    command = [find_ffmpeg(), "-v", "error", *raw, "-i", "-", *codec, "-f", "h264", "-"]
    content = b"".join(map(np.ndarray.tobytes, images))
    stream = subprocess.run(command, input=content, check=True, capture_output=True)
    command = [find_ffmpeg(), "-v", "error", "-f", "h264", "-i", "-", *raw[:4], "-"]
    done = subprocess.run(command, input=stream.stdout, check=True, capture_output=True)
    shape = (len(images), height, width, 3)
    return list(np.frombuffer(done.stdout, np.uint8).reshape(shape))


def record_of(image: np.ndarray) -> dict:
    """Return what `quality` asks of a frame's record."""
    scores = measure(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
    size = [image.shape[1], image.shape[0]]
    return {"score": scores.total, "sharpness": scores.sharpness, "size": size}


def wins(better: np.ndarray, worse: np.ndarray) -> bool:
    """Return whether the better one of two copies stays."""
    one, other = record_of(better), record_of(worse)
    enlarged = is_enlarged(one, other), is_enlarged(other, one)
    if enlarged[0] != enlarged[1]:
        return enlarged[1]
    return quality(one) > quality(other)


def measure_better(frames: Sequence[Frame]) -> None:
    """Print how often the better copy wins."""
    won: Counter[str] = Counter()
    for shape in sorted({frame.image.shape for frame in frames}):
        whole = [f.image for f in frames if f.image.shape == shape]
        images = [i[: shape[0] // 4 * 4, : shape[1] // 12 * 12].copy() for i in whole]
        size = images[0].shape[1::-1]
        half = (size[0] * 2 // 3 // 2 * 2, size[1] * 2 // 3 // 2 * 2)
        smaller = [cv2.resize(i, half, interpolation=cv2.INTER_AREA) for i in images]
        enlarged = [cv2.resize(i, size, interpolation=cv2.INTER_CUBIC) for i in smaller]
        best = coded(images, 18)
        cases = {
            f"CRF 18, not {crf}": (best, coded(images, crf)) for crf in (26, 34, 46)
        }
        high, low = ([jpeg(i, level) for i in images] for level in (95, 50))
        cases["JPEG 95, not 50"] = high, low
        cases["true, not x1.5"] = best, coded(enlarged, 18)
        cases["two thirds, not that x1.5"] = coded(smaller, 18), coded(enlarged, 18)
        cases["true, not two thirds"] = best, coded(smaller, 18)
        for name, (better, worse) in cases.items():
            won[name] += sum(map(wins, better, worse))
    for name, count in won.items():
        print(f"{name:28} {count} of {len(frames)}")


def sift(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return corners and RootSIFT descriptors at full size, float32."""
    luma = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    corners, found = cv2.SIFT.create(1500).detectAndCompute(luma, None)
    points = np.array([corner.pt for corner in corners], np.float32)
    return points, np.sqrt(found / (found.sum(axis=1, keepdims=True) + 1e-6))


def shared_corners(one: tuple, other: tuple) -> int:
    """Return the SIFT matches of two frames that follow a homography."""
    matches = cv2.BFMatcher().knnMatch(one[1], other[1], 2)
    good = [best for best, second in matches if best.distance < 0.8 * second.distance]
    if len(good) < 8:
        return 0
    first = one[0][[match.queryIdx for match in good]]
    second = other[0][[match.trainIdx for match in good]]
    _, followed = cv2.findHomography(first, second, cv2.USAC_MAGSAC, 4.0)
    return 0 if followed is None else int(followed.sum())


def parts_by_shot(shots: Sequence[str], share: float) -> list[str]:
    """Return the part of each frame if shots are dealt."""
    numbers = [shots.index(shot) for shot in shots]
    parts = assign_parts(Counter(numbers), {}, share)
    return [parts[number] for number in numbers]


def parts_by_view(
    images: Sequence[np.ndarray], shots: Sequence[str], share: float
) -> list[str]:
    """Return the part of each miniature if views are dealt."""
    began = time.process_time()
    pairs = compare_all(len(images), images.__getitem__)
    views = find_views(pairs, shots)
    found = time.process_time()

    def parts_of(views: Sequence[int]) -> list[str]:
        parts = assign_parts(Counter(views), {}, share)
        return [parts[view] for view in views]

    kept = keep_unseen(views, pairs, parts_of, lambda n: find_sift_corners(images[n]))
    checked = time.process_time()
    print(f"{len(set(views))} views in {found - began:.1f} s", end=", ")
    print(f"{len(set(kept))} after the check in {checked - found:.1f} s")
    mixed = {view for view in kept if len(clips_of(view, kept, shots)) > 1}
    print(f"{len(mixed)} of them with frames of several clips")
    return parts_of(kept)


def clips_of(view: int, views: Sequence[int], shots: Sequence[str]) -> set[str]:
    """Return the clips of a view: what shots are named by before the last "_"."""
    pairs = zip(views, shots, strict=True)
    return {shot.rpartition("_")[0] for number, shot in pairs if number == view}


def measure_split(frames: Sequence[Frame]) -> None:
    """Print how many validation images share a view with a training image."""
    shots = [frame.shot for frame in frames]
    images = [small(frame.image) for frame in frames]
    corners = [(sift(f.image), sift(f.image[:, ::-1].copy())) for f in frames]
    for share in (0.1, 0.2):
        splits = {
            "shot": parts_by_shot(shots, share),
            "view": parts_by_view(images, shots, share),
        }
        for kind, parts in splits.items():
            val = [n for n, part in enumerate(parts) if part == VAL]
            train = [n for n, part in enumerate(parts) if part == TRAIN]
            most = [most_shared(corners, number, train) for number in val]
            leaks = sum(count > SHARED for count in most)
            print(f"share {share}, by {kind}: {leaks} of {len(val)} validation images")
            print(f"share a view; the most has {max(most, default=0)}", flush=True)


def most_shared(corners: Sequence[tuple], image: int, training: Sequence[int]) -> int:
    """Return the most that an image shares with a training image."""
    counts = [
        shared_corners(corners[image][0], other)
        for number in training
        for other in corners[number]
    ]
    return max(counts, default=0)


def main() -> None:
    """Measure what the first argument names."""
    what = {"copies": measure_copies, "better": measure_better, "split": measure_split}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=what)
    parser.add_argument("inputs", nargs="+", help="folders or videos")
    flags = parser.parse_args()
    cv2.setNumThreads(1)
    what[flags.what](frames_of(flags.inputs))


if __name__ == "__main__":
    main()
