"""Frames tell which packets they are from."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from made_clips import COUNT, TIMES

from realesrgan_paddle.inference.video.reading.decoders import Decoder
from realesrgan_paddle.inference.video.reading.packets import (
    open_container,
    read_packets,
)


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
