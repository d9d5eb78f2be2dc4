"""One extraction of odd, broken and hostile videos, each with its promised outcome."""

import contextlib
import io
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from clips import ffmpeg, flat_clip, moving_clip

from realesrgan_paddle.data.sets.manifest import read_records
from realesrgan_paddle.tools.extract_keyframes import main
from realesrgan_paddle.utils.images import read_image

FLIPS = range(8)
SECOND = ("-f", "lavfi", "-i", "color=red:size=8x8:duration=0.4")


def sound(path: Path) -> Path:
    return moving_clip(
        path, options=("-f", "mp4" if path.suffix in ("", ".mp4") else "matroska")
    )


def encoded(
    path: Path,
    *options: str | int,
    source: str = "testsrc2=size=96x64:rate=25:duration=0.4",
) -> None:
    ffmpeg("-f", "lavfi", "-i", source, *options, f"file:{path}")


def written(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def cut(share: float, *options: str) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        moving_clip(path, options=options)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    return make


def flipped_name(seed: int) -> str:
    suffix = ("mp4", "mkv", "avi", "ts")[seed % 4]
    return f"flipped {seed}.{suffix}"


def flipped(seed: int) -> Callable[[Path], object]:
    """Return the maker of a video with random bytes changed, headers included."""

    def make(path: Path) -> None:
        data = np.frombuffer(moving_clip(path).read_bytes(), np.uint8).copy()
        rng = np.random.default_rng(seed)
        data[rng.integers(0, len(data), 1 + len(data) // 400)] ^= rng.integers(
            1, 256, 1 + len(data) // 400, np.uint8
        )
        path.write_bytes(data.tobytes())

    return make


def two_sizes(path: Path) -> None:
    """A transport stream whose pictures change their size."""
    parts = [path.with_name(f".{size}.ts") for size in ("96x64", "128x96")]
    for part in parts:
        source = f"testsrc2=size={part.stem[1:]}:rate=25:duration=1"
        encoded(part, "-c:v", "mpeg2video", "-g", 5, source=source)
    path.write_bytes(b"".join(part.read_bytes() for part in parts))


def no_times(path: Path) -> None:
    raw = path.with_suffix(".h263")
    encoded(raw, "-c:v", "mpeg4", "-f", "m4v")
    raw.rename(path)


LISTS = {
    "m3u8": b"#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "concat": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "dash": b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    b"m=video 5004 RTP/AVP 96\n",
    "rtsp": b"[Reference]\nRef1=http://127.0.0.1:9/x\n",
    "ffmetadata": b";FFMETADATA1\ntitle=x\n",
    "lavfi graph": b"movie=/etc/passwd",
    "subtitles": b"1\n00:00:00,000 --> 00:00:01,000\nhello\n",
    "gif": b"GIF89a" + bytes(40),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "zip": b"PK\x03\x04" + bytes(100),
    "elf": b"\x7fELF" + bytes(200),
    "one byte": b"\0",
    "zeros": bytes(100_000),
    "only a header": b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41",
    "a box of 4 EB": b"\0\0\0\1moov" + b"\x3f" + b"\xff" * 7,
    "boxes in boxes": b"".join(
        (80 * (99 - n) + 800).to_bytes(4, "big") + b"moov" for n in range(99)
    ),
    "matroska magic": b"\x1a\x45\xdf\xa3" + b"\xff" * 64,
    "riff of -1 bytes": b"RIFF\xff\xff\xff\xffAVI LIST\xff\xff\xff\xffhdrl",
}
"""Refused, each in one line."""

GOOD_NAMES = [
    "two words.mp4",
    " leading.mp4",
    "trailing .mp4",
    "-rf.mp4",
    "--output.mp4",
    "a'b\"c.mp4",
    "$(touch x) `touch y`.mp4",
    "100%s %d.mp4",
    "new\nline.mp4",
    "tab\tbed.mp4",
    "semi;colon|pipe&and.mp4",
    "[0:v]=filter,graph.mp4",
    "concat:a.mp4|b.mp4",
    "back\\slash.mp4",
    "比赛 é 🎬.mp4",
    "e\u0301.mp4",
    "\u202eright to left.mp4",
    "two..dots..mp4",
    "x" * 240 + ".mp4",
    "UPPER.MP4",
]

GOOD: dict[str, tuple[Callable[[Path], object], tuple[int, int], int]] = {
    # what it is: maker, width and height of the pictures, how many
    "one frame.mkv": (lambda path: flat_clip(path, "red"), (64, 48), 1),
    "gray.mkv": (
        lambda path: encoded(path, "-pix_fmt", "gray", "-c:v", "ffv1"),
        (96, 64),
        1,
    ),
    "16 bit gray.mkv": (
        lambda path: encoded(path, "-pix_fmt", "gray16le", "-c:v", "ffv1"),
        (96, 64),
        1,
    ),
    "alpha.mkv": (
        lambda path: encoded(path, "-pix_fmt", "yuva420p", "-c:v", "ffv1"),
        (96, 64),
        1,
    ),
    "rgb.mkv": (
        lambda path: encoded(path, "-pix_fmt", "gbrp", "-c:v", "ffv1"),
        (96, 64),
        1,
    ),
    "4:1:0.mkv": (
        lambda path: encoded(path, "-pix_fmt", "yuv410p", "-c:v", "ffv1"),
        (96, 64),
        1,
    ),
    "palette.avi": (
        lambda path: encoded(path, "-pix_fmt", "pal8", "-c:v", "rawvideo"),
        (96, 64),
        10,
    ),
    "frames within a millisecond.mp4": (
        lambda path: encoded(
            path, "-c:v", "mjpeg", source="testsrc2=size=96x64:rate=2500:duration=0.004"
        ),
        (96, 64),
        5,
    ),
    "odd sides.mkv": (
        lambda path: encoded(
            path,
            "-c:v",
            "ffv1",
            "-pix_fmt",
            "yuv444p",
            source="testsrc=size=33x31:rate=25:duration=0.2",
        ),
        (33, 31),
        1,
    ),
    "one pixel.mkv": (
        lambda path: encoded(
            path,
            "-c:v",
            "ffv1",
            source="color=red:size=2x2:duration=0.2,format=yuv444p,crop=1:1",
        ),
        (1, 1),
        1,
    ),
    "a line.mkv": (
        lambda path: encoded(
            path, "-c:v", "ffv1", source="testsrc2=size=640x2:rate=25:duration=0.2"
        ),
        (640, 2),
        1,
    ),
    "1000 a second.mkv": (
        lambda path: encoded(
            path,
            "-c:v",
            "ffv1",
            "-g",
            10,
            source="testsrc2=size=32x32:rate=1000:duration=0.03",
        ),
        (32, 32),
        3,
    ),
    "motion jpeg.avi": (
        lambda path: encoded(path, "-c:v", "mjpeg", "-q:v", 3),
        (96, 64),
        10,
    ),
    "raw.y4m": (lambda path: encoded(path), (96, 64), 10),
    "begins at an hour.mkv": (
        lambda path: encoded(path, "-c:v", "mpeg4", "-output_ts_offset", 3600),
        (96, 64),
        1,
    ),
    "begins before zero.mkv": (
        lambda path: encoded(
            path,
            "-c:v",
            "mpeg4",
            "-output_ts_offset",
            -5,
            "-avoid_negative_ts",
            "disabled",
        ),
        (96, 64),
        1,
    ),
    "two videos.mkv": (
        lambda path: encoded(path, *SECOND, "-map", "0", "-map", "1", "-c:v", "mpeg4"),
        (96, 64),
        1,
    ),
    "wrong suffix.avi": (lambda path: sound(path), (96, 64), 3),
}

BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "HDR PQ.mkv": (
        lambda path: flat_clip(
            path, "red", pix_fmt="yuv420p10le", tagged="bt2020nc", transfer="smpte2084"
        ),
        "HDR (PQ)",
    ),
    "HDR HLG.mkv": (
        lambda path: flat_clip(
            path,
            "red",
            pix_fmt="yuv420p10le",
            tagged="bt2020nc",
            transfer="arib-std-b67",
        ),
        "HDR (HLG)",
    ),
    "sound only.mp4": (
        lambda path: encoded(path, "-c:a", "aac", source="sine=duration=0.3"),
        "no video stream",
    ),
    "no index.mp4": (cut(0.9), "not a readable video"),
    "half.mp4": (cut(0.5, "-movflags", "+faststart"), "cut short"),
    "a file that may not be read.mp4": (lambda path: sound(path).chmod(0), ""),
    "raw without times.mp4": (no_times, ""),
    **{f"{name}.mp4": (written(content), "") for name, content in LISTS.items()},
}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory) -> dict[str, list[dict]]:
    """The records of one extraction by the name of the video; under "" the run itself."""
    folder = tmp_path_factory.mktemp("hostile")
    videos, out = folder / "videos", folder / "out"
    videos.mkdir()
    template = sound(folder / "template.mp4")
    for number, name in enumerate(GOOD_NAMES):
        # Other content each, for the same video is the same source.
        (videos / name).write_bytes(
            template.read_bytes() + (9).to_bytes(4, "big") + b"free" + bytes([number])
        )
    makers = {name: make for name, (make, *_) in {**GOOD, **BAD}.items()}
    makers |= {flipped_name(seed): flipped(seed) for seed in FLIPS}
    makers["two sizes.ts"] = two_sizes
    with ThreadPoolExecutor() as pool:
        made = [pool.submit(make, videos / name) for name, make in makers.items()]
    for clip in made:
        clip.result()
    (videos / "folder.mp4").mkdir()
    (videos / "nowhere.mp4").symlink_to(videos / "gone.mp4")
    if hasattr(os, "mkfifo"):
        os.mkfifo(videos / "pipe.mp4")
    shutil.copytree(
        videos,
        folder / "before",
        symlinks=True,
        ignore=shutil.ignore_patterns("pipe.mp4", "a file that*"),
    )
    here = sorted(Path.cwd().iterdir())
    with (
        contextlib.redirect_stderr(io.StringIO()) as errors,
        contextlib.redirect_stdout(io.StringIO()),
    ):
        code = main(["--input", str(videos), "--output", str(out), "--keep-all"])
    assert sorted(Path.cwd().iterdir()) == here
    lines: dict[str, list[dict]] = {
        "": [{"code": code, "errors": errors.getvalue(), "folder": folder}]
    }
    for record in read_records(out / "manifest.jsonl"):
        lines.setdefault(Path(record["source"]).name, []).append(record)
    return lines


def kept(outcome: dict[str, list[dict]], name: str) -> list[dict]:
    return [record for record in outcome.get(name, []) if record["decision"] == "kept"]


def reason(outcome: dict[str, list[dict]], name: str) -> str:
    """Return why a video failed, "" if it did not."""
    return "".join(
        record["reason"]
        for record in outcome.get(name, [])
        if record["decision"] == "failed"
    )


def image(outcome: dict[str, list[dict]], record: dict) -> np.ndarray:
    return read_image(outcome[""][0]["folder"] / "out" / record["file"])


def test_odd_file_names_work(outcome):
    for name in GOOD_NAMES:
        records = kept(outcome, name)
        assert len({record["file"] for record in records}) == 3, name
        assert all(image(outcome, record).ndim == 3 for record in records), name
        assert not reason(outcome, name), name


def test_odd_videos_have_the_expected_frames(outcome):
    for name, (_, size, count) in GOOD.items():
        records = kept(outcome, name)
        assert len(records) == count, (name, reason(outcome, name))
        for record in records:
            assert record["seconds"] < 2, name
            assert image(outcome, record).shape[1::-1] == size, name


def test_broken_and_hostile_files_are_reported_in_one_line(outcome):
    lines = outcome[""][0]["errors"].splitlines()
    for name, (_, wanted) in BAD.items():
        if name.startswith("a file that") and os.geteuid() == 0:
            continue  # root may read anything
        assert wanted in reason(outcome, name) != "", name
        (line,) = (line for line in lines if f"{name}: " in line)
        assert line.startswith("failed: "), name
        assert "root:" not in line  # nothing of /etc/passwd


def test_randomly_damaged_videos_give_frames_or_an_error(outcome):
    for name in map(flipped_name, FLIPS):
        records = kept(outcome, name)
        assert records or reason(outcome, name), name
        assert all(image(outcome, record).ndim == 3 for record in records), name


def test_frames_after_a_change_of_size_are_scaled_to_the_first_size(outcome):
    records = kept(
        outcome, "two sizes.ts"
    )  # ffmpeg scales what comes later to the first size
    assert {tuple(record["size"]) for record in records} == {(96, 64)}
    assert max(record["seconds"] for record in records) >= 1


def test_the_run_finishes_without_a_traceback_and_changes_no_video(outcome):
    run = outcome[""][0]
    assert run["code"] == 1
    assert not {"folder.mp4", "nowhere.mp4", "pipe.mp4"} & set(outcome)
    for path in (run["folder"] / "before").rglob("*"):
        if path.is_file():
            assert (
                run["folder"] / "videos" / path.relative_to(run["folder"] / "before")
            ).read_bytes() == path.read_bytes()
    assert "Traceback" not in run["errors"]
