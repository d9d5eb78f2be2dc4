"""What is accepted of a run: success, or one line and exit code 1; and no other trace."""

import hashlib
import io
import json
import math
import re
import signal
import struct
import sys
from pathlib import Path

import av
from child import MEMORY, Conditions, Ended, Place
from PIL import Image

from realesrgan_paddle.inference.pictures.files import PICTURE_SUFFIXES
from realesrgan_paddle.utils.ffmpeg import find_ffmpeg
from realesrgan_paddle.utils.files import is_leftover

REMARKS = re.compile(
    r"option \S+ is ignored: |\[[^]]+\] \[ *(INFO|WARNING)\] |libpng (warning|error): |"
    r"(Corrupt JPEG data|Inconsistent progression sequence|Unknown Adobe color transform|"
    r"Premature end of JPEG file|Warning: unknown JFIF|Invalid SOS parameters)|"
    r"tempfile\.tif: |\w+Decode\w*: |[IW]\d{4} \d\d:\d\d:"
)
"""Lines on stderr that are no errors: ignored options, the log, remarks of libraries.

The log looks so where VisualDL is imported. libpng's; libjpeg's warnings: its jerror.h, JWRN_;
libtiff's: the file's name or that of the function; Paddle's: glog's level and time.
"""
LISTED = re.compile(r"error: [\d,]+ problems? with ")
"""The last line of a training that lists unreadable images, one a line, and does not start."""
LONGEST_LINE = 3000
"""Characters of an error; file names may have hundreds."""
SPACES = r"[\n\r\t\u00a0\u2000-\u200a\u202f\u205f\u3000]"
"""Line breaks, and spaces of all widths, which are seen as spaces."""
LARGEST_PICTURE = 400_000_000
"""Decoded bytes of a picture that may be opened; of larger ones only the header."""
LARGEST_RESULT = 10_000_000
"""Bytes of a picture that is decoded again."""
USAGE_ERROR = 2
SILENT = (signal.SIGINT, signal.SIGHUP)
"""Signals that end Python itself while it starts or ends, before or after all work."""
PROGRAMS = {sys.executable, find_ffmpeg(), "uname"}
"""What a command may start; `platform` of the standard library asks uname."""
PADDLES = {
    "which nvcc",
    "which ccache",
    "/bin/sh -c cat /proc/cpuinfo | grep -i avx",
    "/bin/sh -c ldd --version | awk '/ldd/{print $NF}'",
}
"""What Paddle starts when it is imported."""


def memory_limit(place: Place) -> int:
    """Return how much memory a run may take: more for its largest picture [bytes]."""
    files = [path for path in place.work.rglob("*") if path.is_file()]
    sizes = [decoded_bytes(path.read_bytes()) for path in files]
    fair = [size for size in sizes if size <= LARGEST_PICTURE]
    return MEMORY + 3 * max(fair, default=0)


def decoded_bytes(content: bytes) -> int:
    """Return the bytes of a picture by its header; 0 if it is none."""
    if content.startswith(b"\x89PNG") and len(content) > 25:
        # Pillow refuses some that OpenCV decodes.
        width, height, bits = struct.unpack_from(">LLB", content, 16)
        channels = 3 if content[25] else 1  # the color type; 0: gray
        return width * height * channels * (2 if bits == 16 else 1)
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with Image.open(io.BytesIO(content)) as image:
            deep = 2 if "16" in image.mode else 1
            return math.prod(image.size) * max(3, len(image.getbands())) * deep
    except Exception:
        return 0
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def snapshot(place: Place) -> dict[str, tuple[int, int]]:
    """Return the size and time of everything that a run must not change."""
    found = {}
    for path in (*place.work.rglob("*"), *place.home.rglob("*")):
        if not _may_write(path, place):
            status = path.lstat()
            folder = path.is_dir() and not path.is_symlink()
            found[str(path)] = (
                (0, 0) if folder else (status.st_size, status.st_mtime_ns)
            )
    return found


def judge(
    place: Place,
    conditions: Conditions,
    ended: Ended,
    before: dict[str, tuple[int, int]],
) -> list[str]:
    """Return what is wrong with a run; [] if it is accepted."""
    return [
        *_ending(ended, conditions),
        *_messages(place, ended, conditions),
        *_traces(place, before),
        *_results(place, ended, conditions),
        *_events(place),
    ]


def _ending(ended: Ended, conditions: Conditions) -> list[str]:
    if ended.stopped:
        return [ended.stopped]
    problems = []
    codes = {0, 1, USAGE_ERROR} | ({128 + conditions.signal} - {128})
    if -ended.code in set(SILENT) & {conditions.signal}:
        return []
    if ended.code < 0:
        problems.append(f"died of signal {-ended.code}")
    elif ended.code not in codes:
        problems.append(f"exit code {ended.code}")
    if ended.code == 0 and conditions.must_fail:
        problems.append("succeeds with files that are not its own")
    if ended.left:
        problems.append("left a process running")
    return problems


def _messages(place: Place, ended: Ended, conditions: Conditions) -> list[str]:
    """Judge what was printed."""
    errors, problems = place.text("stderr"), []
    if "Traceback (most recent call last)" in errors:
        problems.append(f"traceback: {errors.rstrip().rpartition(chr(10))[2][:200]}")
        return problems
    for stream in ("stdout", "stderr"):
        text = re.sub(SPACES, "", place.text(stream))
        if not text.isprintable():
            problems.append(f"{stream} has characters that are not printable")

    if ended.code == USAGE_ERROR and "(see --help)" not in errors:
        problems.append("exit code 2 without a usage error")
    printed = [line for line in errors.split("\n") if line]
    lines = [line for line in printed if not REMARKS.match(line)]
    if conditions.addresses is not None:
        others = [line for line in lines if ended.code and "memory" not in line]
        problems += [f"names another cause: {line[:200]}" for line in others[:1]]
    elif ended.code == 1 and errors.startswith("error: out of memory"):
        problems.append("memory ran out")
    if any(len(line) > LONGEST_LINE for line in lines):
        problems.append("an error of thousands of characters")
    return problems + _lines(ended.code, lines)


def _lines(code: int, lines: list[str]) -> list[str]:
    """Judge the number of errors: one line, or one for each file that failed."""
    if code == 0:
        wrong = [line for line in lines if line.startswith(("error: ", "failed: "))]
        return [f"succeeds, with errors: {line[:200]}" for line in wrong[:1]]
    if code != 1 or (lines and LISTED.match(lines[-1])):
        return []

    others = [line for line in lines if not line.startswith("failed: ")]
    if len(others) == len(lines) != 1:
        return [f"{len(lines)} lines of errors: {' | '.join(lines)[:300]}"]
    if others and len(others) != len(lines):
        return [f"other lines between failures: {others[0][:200]}"]
    return []


def _traces(place: Place, before: dict[str, tuple[int, int]]) -> list[str]:
    """Judge what lies around after the run."""
    after = snapshot(place)
    changed = sorted({path for path, _ in before.items() ^ after.items()})
    problems = [f"changed outside the output: {path}" for path in changed[:3]]
    left = [path for path in place.tmp.iterdir() if not path.is_symlink()]
    problems += [f"left behind: {path}" for path in left[:3]]
    if place.out.is_dir():
        leftovers = [path for path in place.out.rglob(".*") if is_leftover(path)]
        problems += [f"left behind: {path}" for path in leftovers[:3]]
    return problems


def _results(place: Place, ended: Ended, conditions: Conditions) -> list[str]:
    """Judge whether what was written is whole, and what it must be."""
    problems = []
    for path in sorted(place.out.rglob("*")) if place.out.is_dir() else []:
        is_picture = path.suffix.lower() in PICTURE_SUFFIXES and path.is_file()
        if is_picture and path.stat().st_size < LARGEST_RESULT:
            problems += _not_whole(path)
    if conditions.video and ended.code == 0:
        result, same = map(_frames_hash, conditions.video)
        problems += ["other frames than those of a run without stop"] * (result != same)
    return problems


def _not_whole(path: Path) -> list[str]:
    try:
        with Image.open(path) as image:
            image.load()
    except Exception as error:
        return [f"not a whole picture: {path}: {error}"]
    return []


def _frames_hash(path: Path) -> str:
    """Return a hash of the frames of a video, and of their times."""
    digest = hashlib.sha256()
    with av.open(path) as container:
        for frame in container.decode(video=0):
            digest.update(f"{frame.time}".encode() + frame.to_ndarray().tobytes())
    return digest.hexdigest()


def _events(place: Place) -> list[str]:
    """Judge what the run wrote, started and connected to (`sitecustomize.py`)."""
    if not place.events.exists():
        return []
    problems = {}
    for line in place.events.read_text().splitlines():
        event, detail = json.loads(line)
        if event.startswith("socket."):
            problems[f"{event}: {detail}"] = None
        elif event in ("os.exec", "os.posix_spawn", "os.system", "subprocess.Popen"):
            program = detail.partition(" ")[0]
            if program not in PROGRAMS and detail not in PADDLES:
                problems[f"starts {detail}"] = None
        elif not _may_write(Path(detail), place):
            problems[f"{event}: {detail}"] = None
    return list(problems)[:5]


def _may_write(path: Path, place: Place) -> bool:
    """Return whether a run may write there.

    Into its output, temporary files, Paddle's cache, and `weights`, where those of metrics
    and losses go. pip, which fetches these, asks rustc for its version; where that is
    rustup's, it makes a folder.
    """
    allowed = [place.out, place.tmp, place.home / ".cache", Path("/dev")]
    allowed += [place.work / "weights", place.home / ".rustup"]
    return any(path.is_relative_to(folder) for folder in allowed)
