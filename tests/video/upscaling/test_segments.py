"""The folder of segments: whose it is, what it keeps, what is left of it."""

import json
import multiprocessing
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from made_clips import AAC, FFV1, X264, YUV420, made, of_format, pattern, tone
from read_back import NEEDED, read_back
from upscaled import lossless, repeated, upscale_clip

from realesrgan_paddle.inference.tiles import Cut
from realesrgan_paddle.inference.tiling.plan import TilePlan
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.inference.video.frame_upscaler import tile_plan_from
from realesrgan_paddle.inference.video.plan import make_plan
from realesrgan_paddle.inference.video.reading.open_video import open_video
from realesrgan_paddle.inference.video.settings import VideoSettings
from realesrgan_paddle.inference.video.upscale_video import job_record
from realesrgan_paddle.inference.video.writing.segments import (
    Segment,
    SegmentFolder,
    cut_into_segments,
)
from realesrgan_paddle.utils.errors import UserError

JOB = {"input": "clip.mp4", "frames": [0, 20]}
SEGMENTS = [Segment(0, 0, 10), Segment(1, 10, 20)]
SETTINGS = {**lossless(".mp4"), "segment_seconds": 0.2}


CUT = [
    ([], 5, []),
    ([7], 5, [1]),
    (list(range(10)), 5, [5, 5]),
    (list(range(11)), 5, [5, 5, 1]),
    ([0, 4, 5, 6, 30, 31, 50], 5, [2, 2, 2, 1]),
    ([-3, -1, 1, 3, 5], 4, [2, 2, 1]),
    ([0, 100, 200], 1, [1, 1, 1]),
    (list(range(10)), 1000, [10]),
]
"""When frames are shown, the ticks of a segment, and how many frames each one has."""


def test_a_segment_ends_where_its_time_is_over():
    for times, ticks, lengths in CUT:
        segments = cut_into_segments(times, ticks)
        assert [each.last - each.first for each in segments] == lengths
        assert [each.number for each in segments] == list(range(len(lengths)))
        frames = [n for each in segments for n in range(each.first, each.last)]
        assert frames == list(range(len(times)))


@pytest.fixture
def parts(tmp_path: Path) -> SegmentFolder:
    return SegmentFolder(Path("clip.mp4"), tmp_path / "result.mp4", SEGMENTS)


def hold(
    parts: SegmentFolder, job: dict[str, Any] = JOB, *, done: int = 0
) -> dict[str, Any]:
    """Hold the folder as a run does that is over after `done` segments."""
    with parts.held(job, lambda: {"tile": 128}) as decided:
        for segment in SEGMENTS[:done]:
            parts.path(segment).write_bytes(segment.name.encode())
            parts.add(segment)
    return decided


def refused(parts: SegmentFolder, job: dict[str, Any] = JOB) -> str:
    """Return why the folder is refused; nothing in it is touched."""
    before = {path: path.read_bytes() for path in parts.folder.iterdir()}
    with pytest.raises(UserError) as caught:
        hold(parts, job)
    left = {path: path.read_bytes() for path in parts.folder.iterdir()}
    left.pop(parts.folder / "lock", None)
    before.pop(parts.folder / "lock", None)
    assert left == before
    message = str(caught.value)
    assert message.startswith(str(parts.folder))
    assert "\n" not in message
    return message


def test_what_was_decided_holds_for_the_runs_that_follow(parts: SegmentFolder):
    assert hold(parts, done=1) == {"tile": 128}
    with parts.held(JOB, lambda: pytest.fail("is decided")) as decided:
        assert decided == {"tile": 128}
        assert parts.missing() == (SEGMENTS[1:], [])
        parts.path(SEGMENTS[1]).write_bytes(b"nut")
        parts.remove()
    assert not parts.folder.exists()


def test_segments_that_are_not_as_they_were_written_are_missing(parts: SegmentFolder):
    hold(parts, done=2)
    first, second = (parts.path(each) for each in SEGMENTS)
    whole = first.read_bytes()
    first.write_bytes(whole[:-1])
    assert parts.missing() == (SEGMENTS[:1], [first.name])

    first.write_bytes(second.read_bytes())
    second.write_bytes(whole)
    assert parts.missing() == (SEGMENTS, [first.name, second.name])

    (parts.folder / "rows.jsonl").write_bytes(b"\xff nothing\n{}\n[]\n" * 9)
    assert parts.missing() == (SEGMENTS, [])


def test_a_run_that_did_nothing_leaves_nothing(parts: SegmentFolder):
    hold(parts)
    assert not parts.folder.exists()

    with pytest.raises(ArithmeticError), parts.held(JOB, lambda: {}):
        raise ArithmeticError
    assert not parts.folder.exists()


def test_segments_of_another_job_are_refused_and_kept(parts: SegmentFolder):
    hold(parts, done=1)
    for key, value in (("input", "other.mp4"), ("frames", [5, 20]), ("crf", 12)):
        message = refused(parts, {**JOB, key: value})
        assert f": {key} was " in message
        assert "remove the folder" in message


def test_the_folder_of_a_stranger_is_refused_and_kept(parts: SegmentFolder):
    parts.folder.mkdir()
    (parts.folder / "photo.png").write_bytes(b"mine")
    assert "photo.png" in refused(parts)


def test_what_a_stranger_put_beside_segments_stays(parts: SegmentFolder):
    hold(parts, done=2)
    (parts.folder / "notes.txt").write_text("mine")
    (parts.folder / "000007.nut").write_text("not of this job")
    parts.remove()
    left = sorted(path.name for path in parts.folder.iterdir())
    assert left == ["000007.nut", "notes.txt"]


def test_what_was_kept_but_not_noted_is_removed(parts: SegmentFolder):
    hold(parts, done=2)
    (parts.folder / "frame-00000019.npy").write_bytes(b"killed before its row")
    (parts.folder / "frame-00000020.npy").write_text("not of this job")
    parts.remove()
    left = [path.name for path in parts.folder.iterdir()]
    assert left == ["frame-00000020.npy"]


def test_a_row_is_not_lost_behind_one_that_was_cut(parts: SegmentFolder):
    hold(parts, done=1)
    with (parts.folder / "rows.jsonl").open("a") as file:
        file.write('{"id": "frame-000000')
    parts.path(SEGMENTS[1]).write_bytes(b"nut")
    parts.add(SEGMENTS[1])
    assert parts.missing() == ([], [])


def test_an_empty_folder_is_taken(parts: SegmentFolder):
    parts.folder.mkdir()
    assert hold(parts, done=1) == {"tile": 128}


DAMAGED = (
    *(b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000),
    b'{"input": "clip.mp4", "frames": [0, 20]}',
    b'{"input": "clip.mp4", "frames": [0, 20], "decided": 3}',
    b" " * (1 << 21) + b"{}",
)
"""Contents of a job.json that a run of `JOB` has not written."""


def test_a_damaged_job_is_refused(parts: SegmentFolder):
    hold(parts, done=1)
    for content in DAMAGED:
        (parts.folder / "job.json").write_bytes(content)
        message = refused(parts)
        assert "job.json: damaged" in message
        assert len(message) < 1000


@NEEDED
def test_damaged_decisions_are_refused(tmp_path: Path, short_clip: Path):
    stop_after(tmp_path, short_clip, 2)
    path = tmp_path / "result.mp4.parts" / "job.json"
    job = json.loads(path.read_text())
    for decided in ({}, {"rows": {"length": "a"}, "columns": {}}):
        path.write_text(json.dumps({**job, "decided": decided}))
        with pytest.raises(UserError, match=r"job\.json: damaged.* remove its folder"):
            upscale_clip(short_clip, tmp_path / "result.mp4", **SETTINGS)


def test_links_and_pipes_are_not_read(parts: SegmentFolder, tmp_path: Path):
    parts.folder.mkdir()
    os.mkfifo(parts.folder / "job.json")
    with pytest.raises(UserError, match=r"job\.json"):
        hold(parts)


def _hold_for(parts: SegmentFolder, held: Any, over: Any) -> None:
    with parts.held(JOB, dict):
        parts.path(SEGMENTS[0]).write_bytes(b"nut")
        held.set()
        over.wait(30)


def test_two_processes_do_not_work_on_one_video(parts: SegmentFolder):
    context = multiprocessing.get_context("fork")
    held, over = context.Event(), context.Event()
    process = context.Process(target=_hold_for, args=(parts, held, over))
    process.start()
    try:
        assert held.wait(30)
        assert "another process works on this video" in refused(parts)
    finally:
        over.set()
        process.join(30)
    hold(parts, done=1)


@pytest.fixture(scope="module")
def short_clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    moving = pattern(also=YUV420, count=20)
    made(*moving, *tone(seconds=0.8), *X264, "-bf", 2, *AAC)(path)
    return path


@pytest.fixture(scope="module")
def undisturbed(short_clip: Path, tmp_path_factory):
    target = tmp_path_factory.mktemp("undisturbed") / "result.mp4"
    upscale_clip(short_clip, target, **SETTINGS)
    return read_back(target)


def stop_after(folder: Path, source: Path, segments: int) -> None:
    """Leave so many segments of a run that ended."""

    def stop(images):
        if len(list(folder.glob("result.mp4.parts/0*.nut"))) == segments:
            raise KeyboardInterrupt
        return repeated(images)

    with pytest.raises(KeyboardInterrupt):
        Upscaler(stop, 2).video(
            source, folder / "result.mp4", VideoSettings(**SETTINGS)
        )


@NEEDED
@pytest.mark.parametrize("deleted", ["000001.nut", "000000.nut", "000002.nut"])
def test_segments_that_were_deleted_are_made_again(
    tmp_path: Path, short_clip: Path, undisturbed, deleted: str
):
    stop_after(tmp_path, short_clip, 3)
    (tmp_path / "result.mp4.parts" / deleted).unlink()
    outcome, _ = upscale_clip(short_clip, tmp_path / "result.mp4", **SETTINGS)
    assert outcome.resumed == 10
    assert [path.name for path in tmp_path.iterdir()] == ["result.mp4"]

    found = read_back(tmp_path / "result.mp4")
    assert (found.images == undisturbed.images).all()
    assert [s.packets for s in found.streams] == [
        s.packets for s in undisturbed.streams
    ]


@NEEDED
def test_other_settings_do_not_go_on(tmp_path: Path, short_clip: Path):
    stop_after(tmp_path, short_clip, 2)
    for changed, named in (
        ({"crf": 30}, r"encoding was {'crf': \d+}, and is {'crf': 30} now"),
        ({"start": 0.2}, "frames was"),
        ({"segment_seconds": 0.4}, "segment_seconds was"),
        ({"height": 50}, "encoding was"),
    ):
        with pytest.raises(UserError, match=named):
            upscale_clip(short_clip, tmp_path / "result.mp4", **{**SETTINGS, **changed})

    # The same as at first still does.
    outcome, _ = upscale_clip(short_clip, tmp_path / "result.mp4", **SETTINGS)
    assert outcome.resumed == 10


@NEEDED
@pytest.mark.parametrize("pixel_format", ["yuva420p", "yuv420p"])
def test_transparency_upscaled_otherwise_does_not_go_on(tmp_path, pixel_format):
    of_format(pixel_format, *FFV1, count=2)(tmp_path / "clip.mkv")
    settings = VideoSettings(codec="ffv1")
    plan = make_plan(open_video(tmp_path / "clip.mkv"), tmp_path / "a.mkv", settings, 2)
    upscalers = Upscaler(repeated, 2), Upscaler(repeated, 2, alpha_upsampler="bicubic")
    usual, bicubic = (job_record(plan, each, settings) for each in upscalers)
    changed = {"alpha_upsampler": "bicubic"} if pixel_format == "yuva420p" else {}
    assert bicubic == usual | changed
    assert "alpha_upsampler" not in usual, "earlier versions did not write it"


@NEEDED
def test_a_run_with_other_cores_goes_on(tmp_path: Path, short_clip: Path, monkeypatch):
    """What an encoder makes depends on its threads: they stay those of the first run."""
    cores = "realesrgan_paddle.inference.video.plan.core_count"
    monkeypatch.setattr(cores, lambda: 3)
    upscale_clip(short_clip, tmp_path / "whole.mp4", **SETTINGS)
    stop_after(tmp_path, short_clip, 2)
    monkeypatch.setattr(cores, lambda: 1)
    outcome, _ = upscale_clip(short_clip, tmp_path / "result.mp4", **SETTINGS)
    assert outcome.resumed == 10
    results = [(tmp_path / name).read_bytes() for name in ("whole.mp4", "result.mp4")]
    assert results[0] == results[1]


@NEEDED
def test_another_input_or_network_does_not_go_on(tmp_path: Path, short_clip: Path):
    source = tmp_path / "source" / "clip.mp4"
    source.parent.mkdir()
    shutil.copy(short_clip, source)
    stop_after(tmp_path, source, 2)

    def other(images):
        return 1 - repeated(images)

    target, settings = tmp_path / "result.mp4", VideoSettings(**SETTINGS)
    with pytest.raises(UserError, match="network's output was"):
        Upscaler(other, 2).video(source, target, settings)

    content = bytearray(source.read_bytes())
    content[-1] ^= 1
    source.write_bytes(content)
    with pytest.raises(UserError, match="input's content was"):
        upscale_clip(source, target, **SETTINGS)


def test_tiles_come_back_from_plain_values_or_are_refused():
    plan = TilePlan(Cut(64, 32, 8, 2), Cut(96, 0, 0, 1))
    record = asdict(plan)
    assert tile_plan_from(record) == plan

    rows = record["rows"]
    for wrong in (
        *(None, [], {}, {"length": 64}, rows | {"more": 1}),
        *(rows | {"length": 0}, rows | {"tile": -32}, rows | {"multiple": 0}),
        *(rows | {"tile": 32.0}, rows | {"length": True}, rows | {"pad": "8"}),
    ):
        with pytest.raises(ValueError, match="tiles"):
            tile_plan_from(record | {"rows": wrong})
    with pytest.raises(ValueError, match="rows and columns"):
        tile_plan_from({"rows": rows})
