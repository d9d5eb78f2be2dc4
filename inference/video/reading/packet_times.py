"""Which packets become frames, in which order, and when each frame is shown.

Times in files are missing, repeated or wrong, and decoders drop, hold back and conceal. So
a frame is not known by its time but by its packet, which each decoder hands on to the
frame. The packets' times tell the order of display if the first 64 packets, decoded,
confirm it; else all are decoded once.
"""

from bisect import bisect
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from realesrgan_paddle.inference.video.reading.decoders import careful_decoder
from realesrgan_paddle.inference.video.reading.source import (
    NO_TIME,
    Jump,
    PacketTable,
    VideoSource,
    open_container,
    read_packets,
)

STRETCH = 64
"""Packets at the beginning that are decoded, to see whether each becomes a frame."""

MAX_DELAY = 16
"""Frames that H.264 and HEVC may hold back to bring them into the order of display."""

MAX_WRONG = 0.1
"""Share of steps back in time that single glitches may have; in guessed times it is a
quarter and more."""

GLITCH_FRAMES = 4
"""Frames with too early times that are taken for wrong ones, not for another clock."""


@dataclass(frozen=True)
class PacketOrder:
    """The packets that become frames.

    Attributes:
        shown: their numbers in the order of display.
        first_frame: PyAV's VideoFrame, the first that can be decoded; None: none can.
        lost: frames at the beginning that need others from before the recording.
    """

    shown: np.ndarray
    first_frame: Any
    lost: int


def find_order(path: Path, stream: int, packets: PacketTable) -> PacketOrder:
    """Return which packets become frames, in the order of display.

    The packets' times tell, if the decoder confirms it at the beginning. Else all are
    decoded once: some streams have two packets for a frame, or several frames in one,
    or times that are not those of the display.
    """
    seen = _decode(path, stream, STRETCH)
    if seen.first_frame is None:
        seen = _decode(path, stream, None)

    lost = _undecodable_start(packets, seen)
    expected = _by_time(packets)
    expected = _without(expected, set(lost.tolist()))

    if _times_are_sound(packets, expected) and _confirms(seen, expected, lost):
        return PacketOrder(expected, seen.first_frame, len(lost))

    seen = _decode(path, stream, None)
    return PacketOrder(_with_damaged(packets, seen, lost), seen.first_frame, len(lost))


def without_cut(order: PacketOrder, packets: PacketTable) -> PacketOrder:
    """Return an order without the packets that are not to be shown any more."""
    is_left_out = packets.discarded[order.shown]
    shown = order.shown[~is_left_out]
    return replace(order, shown=shown)


@dataclass(frozen=True)
class _Decoded:
    """What a decoder made of the packets."""

    numbers: list[int]
    """Of the packets whose frames came out, in that order."""
    damaged: set[int]
    """Numbers of the packets with errors."""
    first_frame: Any
    count: int
    """Packets that it was given."""


def _decode(path: Path, stream: int, limit: int | None) -> _Decoded:
    """Decode the first `limit` packets, or all."""
    numbers: list[int] = []
    first_frame = None

    with open_container(path) as container:
        picture = container.streams[stream]
        packets = islice(read_packets(container, picture), limit)
        with careful_decoder(path, picture) as decoder:
            for packet in chain(packets, [None]):
                for number, frame in decoder.decode(packet):
                    numbers.append(number)
                    if first_frame is None and number not in decoder.damaged:
                        first_frame = frame
            return _Decoded(numbers, decoder.damaged, first_frame, decoder.number)


def _by_time(packets: PacketTable) -> np.ndarray:
    """Return the packets that are to be shown, ordered by their times."""
    is_shown = ~packets.discarded
    shown = np.flatnonzero(is_shown)
    order = np.argsort(packets.times[shown], kind="stable")
    return shown[order]


def _undecodable_start(packets: PacketTable, seen: _Decoded) -> np.ndarray:
    """Return the packets at the beginning whose frames need others that are not there.

    Those before the first key frame, and those shown before it, as in a recording that
    begins in the middle of a broadcast.
    """
    key = _first(packets.keys)
    key_time = packets.times[key]

    leading = packets.times < key_time
    leading[:key] = True
    leading[packets.discarded] = False
    leading[seen.count :] = False

    whole = set(seen.numbers)
    whole -= seen.damaged
    return _without(np.flatnonzero(leading), whole)


def _first(flags: np.ndarray) -> int:
    """Return the index of the first true one; 0 if there is none."""
    return int(np.argmax(flags))


def _times_are_sound(packets: PacketTable, expected: np.ndarray) -> bool:
    """Return whether times can be those of the display.

    That is, none is missing, none is repeated, decoding times do not go back, and no
    frame is shown so long before those decoded before it that no decoder could do it.
    """
    times = packets.times[expected]
    if (times == NO_TIME).any() or (np.diff(times) <= 0).any():
        return False

    decoding = packets.decoding_times[packets.decoding_times != NO_TIME]
    if (np.diff(decoding) < 0).any():
        return False

    positions = np.argsort(np.argsort(expected))
    delays = positions - np.arange(len(expected))
    return bool((delays <= MAX_DELAY).all())


def _confirms(seen: _Decoded, expected: np.ndarray, lost: np.ndarray) -> bool:
    """Return whether the decoded frames are the expected ones, but for damaged ones."""
    gone = seen.damaged.difference(seen.numbers)
    gone.update(lost.tolist())
    came = np.array(seen.numbers, np.int64)
    early = expected[expected < seen.count]

    came = _without(came, gone)
    early = _without(early, gone)
    return np.array_equal(came, early)


def _without(numbers: np.ndarray, gone: set[int]) -> np.ndarray:
    """Return the numbers that are not in `gone`, in their order."""
    left_out = list(gone)
    is_gone = np.isin(numbers, left_out)
    return numbers[~is_gone]


def _with_damaged(packets: PacketTable, seen: _Decoded, lost: np.ndarray) -> np.ndarray:
    """Return the packets of the frames that came out, and the damaged ones.

    A damaged packet that became no frame takes its place by its number: before the
    first frame of a later packet.
    """
    left_out = set(lost.tolist())
    came = np.array(seen.numbers, np.int64)
    shown = _without(came, left_out)

    silent = seen.damaged.difference(seen.numbers, left_out)
    for number in sorted(silent):
        if packets.discarded[number]:
            continue
        is_later = shown > number
        position = _first(is_later) if is_later.any() else len(shown)
        shown = np.insert(shown, position, number)
    return shown


@dataclass(frozen=True)
class FrameTimes:
    """When each frame is shown.

    Attributes:
        times: of each frame [ticks], strictly ascending.
        step: the usual time from one to the next [ticks].
        jumps: where the file's clock goes back.
        mended: how many times were not those of the file, jumps aside.
    """

    times: list[int]
    step: int
    jumps: list[Jump]
    mended: int


def frame_times(
    packets: PacketTable, order: PacketOrder, ticks: Fraction, avi: bool
) -> FrameTimes:
    """Return when the frames are shown.

    Args:
        packets: of the picture stream.
        order: of the frames.
        ticks: of a frame, as the file tells; 0: it does not.
        avi: the file is an AVI, which stores no times of display.
    """
    times = packets.times[order.shown]
    if avi or _are_guessed(packets, order):
        times = _output_times(packets, order, ticks)

    step = _usual_step(times, ticks)
    if (times == NO_TIME).any():
        times = np.arange(len(times)) * step

    if (np.diff(times) > 0).all():
        return FrameTimes(times.tolist(), step, [], 0)
    return _mend(times.tolist(), step)


def _are_guessed(packets: PacketTable, order: PacketOrder) -> bool:
    """Return whether times of display are missing, or often go back.

    libavformat guesses times that a container does not store. Where H.264 is in one
    that was not made for it, the guess is wrong; the times of decoding ascend then.
    """
    times = packets.times[order.shown]
    if (times == NO_TIME).any():
        return True

    in_file_order = np.sort(order.shown)
    decoding_steps = np.diff(packets.decoding_times[in_file_order])
    backward = np.count_nonzero(np.diff(times) <= 0)
    is_often = bool(backward > MAX_WRONG * len(times))
    return is_often and bool(np.all(decoding_steps > 0))


def _output_times(
    packets: PacketTable, order: PacketOrder, ticks: Fraction
) -> np.ndarray:
    """Return when a decoder gives out the frames: when it is given the next packet.

    At the beginning it holds some back, so at the end as many are still to come.
    """
    given = np.sort(packets.decoding_times[order.shown])
    first_out = order.first_frame.dts
    if first_out is None or given[0] == NO_TIME:
        return given

    held = np.count_nonzero(given < first_out)
    step = _usual_step(given, ticks)
    to_come = np.arange(1, held + 1) * step
    to_come += given[-1]
    return np.concatenate([given[held:], to_come])


def _usual_step(times: np.ndarray, ticks: Fraction) -> int:
    steps = np.diff(times)
    steps = steps[steps > 0]
    if len(steps):
        return max(1, int(np.median(steps)))
    return max(1, round(ticks))


def _mend(found: list[int], step: int) -> FrameTimes:
    """Return strictly ascending times for any.

    A time that is too late or too early is moved between its neighbors. While times
    stand still, each frame is a tick after the other. Where times go back and stay
    back, the clock is another one: the next frame follows one step later, and all
    others by that clock.
    """
    times = found[:1]
    jumps: list[Jump] = []
    shift = mended = 0
    latest = found[0]

    for index in range(1, len(found)):
        coming = found[index : index + 1 + GLITCH_FRAMES]
        if max(coming) + shift < latest:
            latest = times[-1] + step
            shift = latest - found[index]
            jumps.append(Jump(found[index - 1], found[index], shift))
            times.append(latest)
            continue

        time = _between(times[-1], [time + shift for time in coming])
        mended += time != found[index] + shift
        latest = max(latest, min(time, found[index] + shift))
        times.append(time)
    return FrameTimes(times, step, jumps, mended)


def _between(before: int, coming: list[int]) -> int:
    """Return a time after `before` for the first of the times that are coming."""
    time, *others = coming
    later = [other for other in others if other > before]
    if not later:
        return max(time, before + 1)

    # Of two times in the wrong order, the one that most others contradict is wrong.
    overtaken = sum(other < time for other in others)
    is_too_late = 2 * overtaken > len(others)
    is_too_late &= len(later) == len(others)

    middle = (before + min(later)) // 2
    if is_too_late or time <= before:
        time = middle
    return max(time, before + 1)


class FileClock:
    """Tells what is added to the times of other packets where a file's clock went back.

    It follows the picture through the file. Sound lies in the file near the picture that
    it is heard with. So of all offsets the one is right that brings its time nearest to
    the picture's.
    """

    def __init__(self, source: VideoSource) -> None:
        self._source = source
        self._unit = source.timeline.time_base
        self._offsets = sorted({0, *(jump.shift for jump in source.jumps)})
        self._packets = 0
        self._shown = source.timeline.times[0]

    def follow(self) -> None:
        """Go on by a packet of the picture."""
        frame = self._source.frames[self._packets]
        self._packets += 1
        if frame >= 0:
            self._shown = self._source.timeline.times[frame]

    def offset(self, packet: Any) -> Fraction:
        """Return what is added to the time of a packet of another stream [s]."""
        ticks = packet.dts if packet.pts is None else packet.pts
        if ticks is None or len(self._offsets) == 1:
            return Fraction(0)

        time = ticks * packet.time_base
        wanted = self._shown - time / self._unit
        after = bisect(self._offsets, wanted)
        first = max(0, after - 1)
        around = self._offsets[first : after + 1]

        def distance(offset: int) -> Fraction:
            """Return how far an offset is from the wanted one [ticks]."""
            return abs(offset - wanted)

        nearest = min(around, key=distance)
        return nearest * self._unit
