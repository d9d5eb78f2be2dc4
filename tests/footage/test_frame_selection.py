"""Extraction from synthetic clips: the set, its manifest and its sheet."""

import os
import signal
import weakref
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import moving_clip, picture_clip
from killed import run_until_killed
from places import pngs
from scenes import letterboxed, scene

from realesrgan_paddle.data.footage import scoring
from realesrgan_paddle.data.footage.selection import Candidate, Picker, Selection
from realesrgan_paddle.data.footage.video import frames
from realesrgan_paddle.data.sets.manifest import overlays_by_file, read_records
from realesrgan_paddle.data.sets.meta_info import image_paths
from realesrgan_paddle.data.statistics.image_scores import Scores
from realesrgan_paddle.tools import extract_subimages, generate_multiscale
from realesrgan_paddle.tools.extract_keyframes import main
from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import find_ffmpeg
from realesrgan_paddle.utils.images import read_image

BLURRED = cv2.GaussianBlur(scene(2), (0, 0), 4)
BLACK = np.zeros_like(scene(0))


def extract(output: Path, *words: str | Path) -> int:
    return main(["--output", str(output), "--input", *map(str, words)])


def manifest(output: Path) -> list[dict]:
    return sorted(
        read_records(output / "manifest.jsonl"),
        key=lambda r: (r["source"], r.get("seconds", 0)),
    )


def test_the_manifest_lists_every_frame_with_the_reason_if_it_is_dropped(
    tmp_path: Path, capsys
):
    shown = [
        scene(0),
        scene(1),
        BLACK,
        BLURRED,
        scene(1, 0.2),
        255 - BLACK,
        scene(4) // 8 + 100,
        scene(5),
    ]
    clip = picture_clip(tmp_path / "clip.mkv", shown)
    assert extract(tmp_path / "out", clip) == 0
    records = manifest(tmp_path / "out")
    assert [record["seconds"] for record in records] == pytest.approx(
        [n / 25 for n in range(8)], abs=0.0006
    )
    duplicate = next(n for n in (1, 4) if records[n]["decision"] == "dropped")
    other = records[5 - duplicate]["file"]
    reasons = ["", "", "black", "blurred", "", "white", "faded or empty", ""]
    reasons[duplicate] = f"like {other}"
    assert [record["reason"] for record in records] == reasons
    assert [record["decision"] for record in records] == [
        "dropped" if reason else "kept" for reason in reasons
    ]
    assert pngs(tmp_path / "out") == [
        record["file"] for record in records if not record["reason"]
    ]
    output = capsys.readouterr().out
    assert "3 key frames of 1 videos; 0 videos failed" in output
    assert "dropped: 1 blurred\n" in output
    assert {record["source"] for record in records} == {str(clip)}
    assert records[0]["size"] == [192, 128]
    assert records[3]["sharpness"] < 0.38 < records[0]["sharpness"]


def test_the_best_frames_of_each_time_window_are_kept(tmp_path: Path):
    blur = [0, 0.8, 0.7, 0.75, 0.3, 0.85] * 2
    pictures = [
        cv2.GaussianBlur(scene(0, 4 * n), (0, 0), s) if s else scene(0, 4 * n)
        for n, s in enumerate(blur)
    ]
    clip = picture_clip(tmp_path / "clip.mkv", pictures, rate=1)
    extract(tmp_path / "out", clip, "--window", "6", "--per_window", "2")
    assert pngs(tmp_path / "out") == [
        f"clip_0000{n:02d}.000.png" for n in (0, 4, 6, 10)
    ]
    assert Counter(r["reason"] for r in manifest(tmp_path / "out")) == {
        "": 4,
        "others of its time are better": 8,
    }
    extract(tmp_path / "all", clip, "--window", "0")
    assert len(pngs(tmp_path / "all")) == 12


def test_memory_holds_few_frames_of_a_long_video(tmp_path: Path, monkeypatch):
    images: list[weakref.ref] = []
    most = 0

    def watched(*arguments):
        nonlocal most
        for frame in frames(*arguments):
            image = frame.image.copy()
            images.append(weakref.ref(image))
            most = max(most, sum(image() is not None for image in images))
            yield frame._replace(image=image)

    monkeypatch.setattr(scoring, "frames", watched)
    clip = picture_clip(tmp_path / "clip.mkv", [scene(0, 4 * n) for n in range(40)])
    extract(tmp_path / "out", clip, "--per_window", "2")
    assert len(manifest(tmp_path / "out")) == 40
    assert most <= 6


def test_black_bars_are_cropped(tmp_path: Path):
    clip = picture_clip(
        tmp_path / "clip.mkv",
        [letterboxed(scene(0), 20), scene(1), letterboxed(scene(2), 0, 30)],
    )
    extract(tmp_path / "out", clip)
    assert [record["crop"] for record in manifest(tmp_path / "out")] == [
        pytest.approx(crop, abs=4)
        for crop in ([0, 22, 192, 84], [0, 0, 192, 128], [32, 0, 128, 128])
    ]
    shapes = [
        list(read_image(tmp_path / "out" / name).shape[1::-1])
        for name in pngs(tmp_path / "out")
    ]
    assert shapes == [record["size"] for record in manifest(tmp_path / "out")]
    extract(tmp_path / "kept", clip, "--borders", "keep")
    assert {tuple(record["size"]) for record in manifest(tmp_path / "kept")} == {
        (192, 128)
    }


def test_small_frames_are_dropped(tmp_path: Path):
    clip = picture_clip(tmp_path / "clip.mkv", [letterboxed(scene(0), 34), scene(1)])
    extract(tmp_path / "out", clip)
    assert [record["reason"] for record in manifest(tmp_path / "out")] == [
        "too small",
        "",
    ]


def frame_with_logo(number: int) -> np.ndarray:
    picture = letterboxed(scene(number, 0, width=320, height=240), 30)
    cv2.putText(
        picture,
        "TV",
        (262, 72),
        cv2.FONT_HERSHEY_SIMPLEX,
        1.0,
        (255, 255, 255),
        3,
        cv2.LINE_AA,
    )
    return picture


def test_the_manifest_lists_overlays_as_boxes_in_kept_frames(tmp_path: Path):
    clip = picture_clip(
        tmp_path / "clip.mkv", [frame_with_logo(number) for number in range(16)]
    )
    extract(tmp_path / "out", clip, "--per_window", "20")
    boxes = overlays_by_file(tmp_path / "out" / "manifest.jsonl")
    assert sorted(boxes) == pngs(tmp_path / "out")
    for file, (box,) in boxes.items():
        assert box.x <= 262 < 300 <= box.x + box.width + 2
        lettering = box.of(read_image(tmp_path / "out" / file))
        assert (lettering > 240).all(axis=2).sum() > 150
        assert box.width * box.height < 4000


def test_sub_images_of_downscaled_frames_show_no_overlay(tmp_path: Path):
    clip = picture_clip(
        tmp_path / "clip.mkv", [frame_with_logo(number) for number in range(16)]
    )
    out, smaller, sub = tmp_path / "out", tmp_path / "smaller", tmp_path / "sub"
    extract(out, clip, "--per_window", "20", "--val_share", "0.2")
    flags = [
        "--input",
        str(out / "train"),
        "--output",
        str(smaller),
        "--manifest",
        str(out / "manifest.jsonl"),
    ]
    assert generate_multiscale.main(flags) == 0
    large, boxes = (
        overlays_by_file(out / "manifest.jsonl"),
        overlays_by_file(smaller / "manifest.jsonl"),
    )
    assert sorted(boxes) == pngs(smaller)
    training = [name for name in large if name.startswith("train/")]
    assert len(boxes) == 3 * len(training)
    for file, (box,) in boxes.items():
        width, height = read_image(smaller / file).shape[1::-1]
        (whole,) = large[
            "train/" + file.replace("T0", "").replace("T1", "").replace("T2", "")
        ]
        across, down = (
            width / 320,
            height / next(iter(read_image(out / name).shape[0] for name in large)),
        )
        assert box.x <= whole.x * across < box.x + 1
        assert box.y <= whole.y * down < box.y + 1.1
        assert 0 <= box.x + box.width - (whole.x + whole.width) * across < 1
    flags = [
        "--input",
        str(smaller),
        "--output",
        str(sub),
        "--manifest",
        str(smaller / "manifest.jsonl"),
    ]
    assert extract_subimages.main([*flags, "--crop_size", "40", "--step", "40"]) == 0
    pieces = [
        cv2.cvtColor(read_image(sub / name), cv2.COLOR_RGB2GRAY)
        for name in pngs(sub)
        if "T0" in name
    ]
    assert len(pieces) > 20
    assert max((piece > 250).sum() for piece in pieces) < 30, (
        "lettering has 90 such pixels"
    )


def test_keep_all_keeps_and_scores_every_frame(tmp_path: Path):
    clip = picture_clip(
        tmp_path / "clip.mkv",
        [BLACK, BLURRED, letterboxed(scene(0), 20), scene(1), scene(1)],
    )
    extract(tmp_path / "out", clip, "--keep_all")
    records = manifest(tmp_path / "out")
    assert [record["decision"] for record in records] == ["kept"] * 5
    assert len(pngs(tmp_path / "out")) == 5
    assert records[1]["sharpness"] < records[3]["sharpness"]


def long_clip(path: Path, first: int = 0, shots: int = 7) -> Path:
    """Shots of three seconds, a key frame each second."""
    pictures = [scene(first + n // 3, 5 * (n % 3)) for n in range(3 * shots)]
    return picture_clip(path, pictures, rate=1)


def test_a_split_keeps_shots_whole_and_has_the_share_asked_for(tmp_path: Path, capsys):
    clip, out = long_clip(tmp_path / "clip.mkv"), tmp_path / "out"
    assert extract(out, clip, "--val_share", "0.2") == 0
    kept = [record for record in manifest(out) if record["decision"] == "kept"]
    parts: dict[int, set[str]] = {}
    for record in kept:
        parts.setdefault(record["shot"], set()).add(record["file"].split("/")[0])
    assert len(parts) == 7
    assert all(len(part) == 1 for part in parts.values())
    val = pngs(out / "val")
    assert 0.1 < len(val) / len(kept) < 0.3
    assert len(val) + len(pngs(out / "train")) == len(kept)
    assert pngs(out) == sorted(record["file"] for record in kept)
    # Each shot has three frames, so a fifth of 21 cannot be had, and this is said.
    assert f"for validation: {len(val)}; " in capsys.readouterr().out


def test_a_split_by_source_keeps_videos_whole(tmp_path: Path):
    clips = [
        picture_clip(tmp_path / f"{name}.mkv", [scene(n)])
        for n, name in enumerate("abcde")
    ]
    extract(tmp_path / "out", *clips, "--val-share", "0.2", "--split-by", "source")
    owners = {
        part: {name[0] for name in pngs(tmp_path / "out" / part)}
        for part in ("train", "val")
    }
    assert not owners["train"] & owners["val"]
    assert owners["train"] | owners["val"] == set("abcde")
    assert len(owners["val"]) == 1


def test_resuming_restores_deleted_frames_to_the_same_part_of_the_split(tmp_path: Path):
    clips = [
        long_clip(tmp_path / f"{name}.mkv", 3 * n, 3) for n, name in enumerate("ab")
    ]
    words, out = (*clips, "--val-share", "0.3"), tmp_path / "out"
    extract(out, *words)
    before = pngs(out)
    assert {name.split("/")[0] for name in before} == {"train", "val"}
    for name in before[::3]:
        (out / name).unlink()
    extract(out, *words)
    assert pngs(out) == before


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for ffmpeg")
def test_finished_videos_are_not_decoded_again_unless_a_frame_is_missing(
    tmp_path: Path, monkeypatch, capsys
):
    clip, out = long_clip(tmp_path / "clip.mkv", shots=3), tmp_path / "out"
    extract(out, clip)
    files = {name: (out / name).stat().st_mtime_ns for name in pngs(out)}
    manifest_before = (out / "manifest.jsonl").read_text()

    commands = log_ffmpeg_commands(tmp_path, monkeypatch)
    assert extract(out, clip) == 0
    assert "image2pipe" not in commands.read_text()
    present = f"{len(files)} key frames ({len(files)} of them there before)"
    assert present in capsys.readouterr().out

    missing = next(iter(files))
    (out / missing).unlink()
    assert extract(out, clip) == 0
    assert "image2pipe" in commands.read_text()
    after = {name: (out / name).stat().st_mtime_ns for name in pngs(out)}
    del files[missing], after[missing]
    assert after == files
    assert (out / "manifest.jsonl").read_text() == manifest_before


def log_ffmpeg_commands(folder: Path, monkeypatch) -> Path:
    """Return a file that will hold the arguments of each ffmpeg that is started."""
    log, binary = folder / "commands", folder / "ffmpeg"
    binary.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec {find_ffmpeg()} "$@"\n')
    binary.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(binary))
    return log


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
@pytest.mark.parametrize(
    ("file", "nth"),
    [
        ("/train/a_", 3),
        ("/.thumbs/b_", 3),
        ("/manifest.jsonl", 1),
        pytest.param("/.sources/a.txt", 1, marks=pytest.mark.slow),
        pytest.param("/.sources/a.jsonl", 1, marks=pytest.mark.slow),
    ],
)
def test_an_extraction_killed_anywhere_is_resumed_to_the_same_set(
    tmp_path: Path, whole_set: tuple[list, Path], file: str, nth: int
):
    words, whole = whole_set
    out = tmp_path / whole.name
    run_until_killed(main, ["--output", str(out), *words], file, nth)
    assert main(["--output", str(out), *words]) == 0
    assert_same_files(out, whole)
    assert_same_files(sheet_of(out), sheet_of(whole))


@pytest.fixture(scope="module")
def whole_set(tmp_path_factory) -> tuple[list[str], Path]:
    """The arguments of an extraction without its output, and the set of a whole one."""
    folder = tmp_path_factory.mktemp("whole")
    clips = [
        picture_clip(
            folder / f"{name}.mkv",
            [scene(5 * n + k // 2, 5 * (k % 2)) for k in range(8)],
        )
        for n, name in enumerate("ab")
    ]
    words = ["--val-share", "0.2", "--input", *map(str, clips)]
    assert main(["--output", str(folder / "set"), *words]) == 0
    return words, folder / "set"


def sheet_of(output: Path) -> Path:
    return output.with_name(f"{output.name}_sheet")


def assert_same_files(one: Path, other: Path) -> None:
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert files == sorted(
        path.relative_to(other) for path in other.rglob("*") if path.is_file()
    )
    for file in files:
        assert (one / file).read_bytes() == (other / file).read_bytes(), file


def test_other_settings_are_refused_for_an_existing_set(tmp_path: Path):
    clip = picture_clip(tmp_path / "clip.mkv", [scene(0)])
    extract(tmp_path / "out", clip)
    with pytest.raises(
        UserError, match=r"min_sharpness 0\.38, not 0\.5; use another --output"
    ):
        extract(tmp_path / "out", clip, "--min-sharpness", "0.5")


def test_broken_videos_are_in_the_manifest_and_their_readable_frames_are_kept(
    tmp_path: Path, capsys
):
    whole = [scene(n // 20, n % 20, width=320, height=240) for n in range(100)]
    codec = ("-c:v", "mpeg4", "-q:v", 2, "-g", 20, "-movflags", "+faststart")
    short = picture_clip(tmp_path / "short.mp4", whole, options=codec)
    short.write_bytes(short.read_bytes()[: short.stat().st_size // 2])
    (tmp_path / "empty.mp4").touch()
    out = tmp_path / "out"
    for _ in range(2):  # a second run tries again and gives the same
        assert extract(out, tmp_path) == 1
        failed = {
            Path(r["source"]).name: r["reason"]
            for r in manifest(out)
            if r["decision"] == "failed"
        }
        assert sorted(failed) == ["empty.mp4", "short.mp4"]
        assert "cut short after" in failed["short.mp4"]
        assert (
            pngs(out)
            == [r["file"] for r in manifest(out) if r["decision"] == "kept"]
            != []
        )
        assert "2 videos failed" in capsys.readouterr().out


def test_extraction_stops_at_max_gigabytes(tmp_path: Path):
    clip = long_clip(tmp_path / "clip.mkv")
    with pytest.raises(OSError, match="max_gigabytes"):
        extract(tmp_path / "out", clip, "--max-gigabytes", "0.0005")
    written = sum(path.stat().st_size for path in (tmp_path / "out").glob("*.png"))
    assert 0.5e6 < written < 0.7e6


def test_the_sheet_shows_all_frames_and_its_thumbnails_are_no_training_images(
    tmp_path: Path, capsys
):
    clip = picture_clip(
        tmp_path / "a 'clip' & 比赛.mkv",
        [scene(0), BLACK, frame_with_logo(1)[:128, :192], scene(3)],
    )
    extract(tmp_path / "sets" / "out", clip)
    sheet = tmp_path / "sets" / "out_sheet"
    assert f"look at them: {sheet / 'index.html'}" in capsys.readouterr().out
    page = (sheet / "index.html").read_text()
    assert page.count("<figure ") == 4
    assert page.count('<figure class="kept"') == 3
    assert 'value="s0">a &#x27;clip&#x27; &amp; 比赛.mkv</option>' in page
    assert (
        '<p class="lead">3 of 4 frames are kept to train on; dropped: 1 black.' in page
    )
    assert "a &#x27;clip&#x27; &amp; 比赛_000000.000.png" in page
    assert "black (1)" in page
    assert read_image(sheet / "contact_sheet.png").shape[1] > 700
    assert all(
        path.parent == tmp_path / "sets" / "out"
        for path in image_paths(tmp_path / "sets" / "out", None)
    )
    assert [path.name for path in image_paths(sheet, None)] == ["contact_sheet.png"]


def test_an_extraction_that_keeps_no_frame_says_why(tmp_path: Path, capsys):
    clip = picture_clip(tmp_path / "clip.mkv", [BLACK, BLACK])
    with pytest.raises(UserError, match=r"all frames were dropped \(2 black\); see "):
        extract(tmp_path / "out", clip)
    assert "0 key frames of 1 videos" in capsys.readouterr().out


def test_a_manifest_of_another_program_is_not_overwritten(tmp_path: Path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "manifest.jsonl").write_text("mine\n")
    with pytest.raises(UserError, match="not a manifest"):
        extract(out, moving_clip(tmp_path / "clip.mkv"))
    assert (out / "manifest.jsonl").read_text() == "mine\n"


def candidate(seconds: float, score: float, seed: int) -> Candidate:
    hash_ = np.random.default_rng(seed).integers(0, 256, 32, dtype=np.uint8)
    scores = Scores(
        sharpness=score, detail=1, blockiness=0, contrast=200, brightness=128
    )
    image = np.zeros((4, 4, 3), np.uint8)
    return Candidate(
        f"{seconds}.png", seconds, image, scores, hash_, Crop(0, 0, 4, 4), 0
    )


def test_the_best_of_near_duplicates_is_kept():
    picker = Picker(Selection())
    offered = [
        candidate(0, 0.5, 0),
        candidate(1, 0.7, 0),
        candidate(2, 0.6, 0),
        candidate(3, 0.1, 1),
    ]
    dropped = [frame for one in offered for frame in picker.offer(one)]
    assert [(frame.seconds, frame.reason) for frame in dropped] == [
        (0, "like 1.png"),
        (2, "like 1.png"),
    ]
    assert [frame.seconds for frame in picker.finish()] == [1, 3]
    (late,) = picker.offer(candidate(100, 0.9, 0))
    assert late.reason == "like 1.png"


def test_a_key_frame_is_kept_before_frames_like_it_that_are_none():
    picker = Picker(Selection(window=1.0))
    before, same_time, key, after = (candidate(s, 0.8, 0) for s in (0, 1, 1.5, 2))
    key.is_key, key.scores = True, replace(key.scores, noise=20)
    assert key.scores.total < same_time.scores.total

    decided = []
    for frame in (before, same_time, key, after):
        decided += picker.offer(frame)
    decided += picker.finish()
    assert [frame.seconds for frame in decided if not frame.reason] == [0, 1.5]
    assert after.reason == f"like {before.file}"
