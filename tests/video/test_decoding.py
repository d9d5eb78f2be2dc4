import hashlib
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
from coded_clips import CODED, X264, coded_clip, times_by_ffmpeg
from made_clips import COUNT, TIMES

pytest.importorskip("av")

from realesrgan_paddle.inference.video.reading.decoders import Decoder
from realesrgan_paddle.inference.video.reading.frames import (
    DecodedFrame,
    Deinterlace,
    VideoPart,
    decode,
    deinterlaced,
)
from realesrgan_paddle.inference.video.reading.open_video import open_video
from realesrgan_paddle.inference.video.reading.source import (
    VideoSource,
    open_container,
    read_packets,
)
from realesrgan_paddle.utils.errors import UserError

B_FRAMES, GOP = 3, 12
"""Of the clips."""


def opened(path: Path) -> VideoSource:
    return open_video(path, detect_fields=False)


def digests(frames: Iterable[DecodedFrame]) -> list[tuple[int, int, bool, str]]:
    return [
        (frame.index, frame.time, frame.repeated, digest(frame.frame))
        for frame in frames
    ]


def digest(frame) -> str:
    return hashlib.sha256(frame.to_ndarray()).hexdigest()


def part(source: VideoSource, how: Deinterlace = "no") -> VideoPart:
    whole = deinterlaced(source, how)
    return VideoPart(how, whole, 0, len(whole.times))


def decoded(
    source: VideoSource,
    first: int = 0,
    last: int | None = None,
    deinterlace: Deinterlace = "no",
    **options,
):
    whole = part(source, deinterlace)
    last = whole.last if last is None else last
    return digests(decode(source, whole.cut(first, last), **options))


@pytest.fixture(scope="module")
def mp4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return coded_clip(tmp_path_factory.mktemp("mp4") / "clip.mp4", *X264)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory, mp4: Path) -> Path:
    """The clip with another sample in place of the bytes of one frame."""
    source = opened(mp4)
    sizes = source.packets.sizes
    start = mp4.read_bytes().index(b"mdat") + 4 + int(sizes[:31].sum())
    data = bytearray(mp4.read_bytes())
    data[start + 8 : start + int(sizes[31])] = b"\x55" * int(sizes[31] - 8)
    path = tmp_path_factory.mktemp("damaged") / "damaged.mp4"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("name", "options"), CODED.values(), ids=CODED.keys())
def test_a_part_is_as_in_the_whole(
    tmp_path: Path, name: str, options: tuple, monkeypatch: pytest.MonkeyPatch
):
    clip = coded_clip(tmp_path / name, *options)
    source = opened(clip)
    timeline = source.timeline
    assert timeline.times == times_by_ffmpeg(clip)
    assert source.remarks == []
    whole = decoded(source)
    assert [frame[0] for frame in whole] == list(range(len(timeline.times)))
    assert [frame[1] for frame in whole] == timeline.times
    assert not any(frame[2] for frame in whole)

    given = []
    decode_one = Decoder.decode

    def counted(self: Decoder, packet):
        given.append(packet)
        return decode_one(self, packet)

    monkeypatch.setattr(Decoder, "decode", counted)
    end = len(whole)
    for first in (1, end // 3, end // 2, 3 * end // 4, end - 1):
        assert (
            decoded(source, first, first + 4 if first + 4 < end else end)
            == (whole[first : first + 4])
        )

    given.clear()
    decoded(source, end - 1)
    if source.packets.keys.sum() > 3:
        assert len(given) < 0.9 * end  # a key frame was sought


def test_frames_are_right_where_a_container_misleads(mp4: Path):
    source = opened(mp4)
    packets = replace(source.packets, times=source.packets.times + 7)
    elsewhere = replace(source, packets=packets)
    assert decoded(elsewhere, 80, 85) == decoded(source, 80, 85)


def test_a_file_that_changed_is_refused(tmp_path: Path, mp4: Path):
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(mp4.read_bytes())
    source = opened(clip)
    coded_clip(clip, "-c:v", "mpeg4")
    with pytest.raises(UserError, match="changes while it is read"):
        decoded(source)


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_a_decoder_without_memory_for_its_threads_says_so(mp4: Path):
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from realesrgan_paddle.inference.video.reading.decoders import Decoder\n"
        "from realesrgan_paddle.inference.video.reading.source import open_container\n"
        "with open_container(Path(sys.argv[1])) as container:\n"
        "    stream = container.streams.video[0]\n"
        "    stream.codec_context.thread_count = 16\n"
        "    used = int(Path('/proc/self/statm').read_text().split()[0]) * 4096\n"
        "    limit = used + (24 << 20)  # of a thread: 8 MB\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "    try:\n"
        "        Decoder(stream, 0)\n"
        "    except MemoryError:\n"
        "        sys.exit(7)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, mp4], check=False)
    assert done.returncode == 7


def test_a_damaged_frame_stops(damaged: Path):
    frames = []
    source = opened(damaged)
    with pytest.raises(UserError) as caught:
        frames.extend(decode(source, part(source)))

    number = int(source.frames[31])
    assert [frame.index for frame in frames] == list(range(number))
    assert f"frame {number} ({source.time_code(number)})" in str(caught.value)
    assert "--bad_frames repeat" in str(caught.value)


def test_the_frame_before_a_damaged_one_is_repeated(damaged: Path, mp4: Path):
    source = opened(damaged)
    number = int(source.frames[31])
    remarks: list[str] = []
    found = decoded(source, bad_frames="repeat", remark=remarks.append)

    assert [frame[:2] for frame in found] == list(enumerate(source.timeline.times))
    assert found[number][2]
    assert found[number][3] == found[number - 1][3]
    assert f"frame {number} (" in remarks[0] or f"frames {number} to" in remarks[0]

    # What does not refer to it is as it was.
    right = decoded(opened(mp4))
    assert found[: number - B_FRAMES] == right[: number - B_FRAMES]
    assert found[number + GOP :] == right[number + GOP :]
    for first in (number - 1, number, number + 1, number + 10, number + 30):
        some = decoded(source, first, first + 3, bad_frames="repeat")
        assert some == found[first : first + 3]


def test_the_frame_after_stands_for_the_first(tmp_path: Path):
    other_first = ("-vf", "negate=enable='eq(n,0)'")
    clip = coded_clip(tmp_path / "clip.mkv", "-c:v", "mjpeg", *other_first, seconds=0.4)
    sizes = opened(clip).packets.sizes
    data = clip.read_bytes()
    start = data.index(b"\xff\xd8\xff")
    end = start + int(sizes[0])
    clip.write_bytes(data[:start] + b"\x00" * (end - start) + data[end:])

    first, second, *_ = decoded(opened(clip), bad_frames="repeat")
    assert first[2] and not second[2]
    assert first[3] == second[3]


def test_another_size_within_a_video_is_refused(tmp_path: Path):
    small = coded_clip(tmp_path / "a.ts", *X264, seconds=1)
    large = coded_clip(tmp_path / "b.ts", *X264, seconds=1, size="96x64")
    joined = tmp_path / "joined.ts"
    joined.write_bytes(small.read_bytes() + large.read_bytes())
    with pytest.raises(UserError, match=r"frame 25 \(0:00:0.*96x64.* before 64x48"):
        decoded(opened(joined))


@pytest.fixture(scope="module")
def woven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("woven") / "woven.mkv"
    weave = "tinterlace=interleave_top,setfield=tff,setparams=colorspace=bt709"
    return coded_clip(path, "-vf", weave, "-c:v", "ffv1", "-g", 3, seconds=4)


@pytest.mark.parametrize(("how", "per_frame"), [("frame", 1), ("field", 2)])
def test_deinterlaced_frames(woven: Path, how: Deinterlace, per_frame: int):
    source = replace(opened(woven), field_order="tff")
    timeline = deinterlaced(source, how)
    found = decoded(source, deinterlace=how)
    assert [frame[0] for frame in found] == list(range(50 * per_frame))
    assert [frame[1] for frame in found] == timeline.times
    assert len({frame[3] for frame in found}) == 50 * per_frame

    for first in (0, 1, 7, 40, 41, 50 * per_frame - 1):
        one = decoded(source, first, first + 1, deinterlace=how)
        assert one == found[first : first + 1]

    frame = next(decode(source, part(source, how).cut(0, 1))).frame
    assert (frame.format.name, int(frame.colorspace)) == (source.pixel_format, 1)


def test_fields_are_shown_at_double_rate(woven: Path):
    source = opened(woven)
    assert (
        deinterlaced(source, "frame") == source.timeline == deinterlaced(source, "no")
    )

    fields = deinterlaced(source, "field")
    seconds = [time * fields.time_base for time in fields.times]
    frame_seconds = [time * source.timeline.time_base for time in source.timeline.times]
    assert seconds[::2] == frame_seconds
    assert seconds[1] == (frame_seconds[0] + frame_seconds[1]) / 2
    assert fields.rate == 2 * source.timeline.rate
    assert (
        fields.end * fields.time_base == source.timeline.end * source.timeline.time_base
    )


def test_closing_closes_the_file(mp4: Path):
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("open files are not listed here")
    source = opened(mp4)
    frames = decode(source, part(source))
    next(frames)
    assert mp4 in open_files()
    frames.close()
    assert mp4 not in open_files()


def open_files() -> list[Path]:
    return [link.resolve() for link in Path("/proc/self/fd").iterdir()]


def numbers_of(clip: Path) -> Iterator[list[int]]:
    """Yield the numbers of the frames that come out after each packet."""
    with open_container(clip) as container:
        stream = container.streams.video[0]
        decoder = Decoder(stream, 0)
        for packet in read_packets(container, stream):
            yield [number for number, _ in decoder.decode(packet)]
        yield [number for number, _ in decoder.decode(None)]


def test_decoders_of_one_process_do_not_take_each_others_numbers(tmp_path: Path):
    clip = tmp_path / "25.mp4"
    TIMES[clip.name].make(clip)

    numbers = numbers_of(clip)
    found = next(numbers) + next(numbers)
    assert not found, "this decoder has no frame for a packet before the next"
    for _ in numbers_of(clip):
        pass
    assert sorted(chain(*numbers)) == list(range(COUNT))
