"""Copies between images (C, H, W), features in one piece, and planes."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

from realesrgan_paddle.inference.engine.features import Planes, Size, padded, rounding
from realesrgan_paddle.inference.engine.recorder import Recorder
from realesrgan_paddle.ops.onednn.library import BYTES, DST, F32, SRC
from realesrgan_paddle.ops.onednn.primitives import (
    BLOCK,
    Copy,
    Shape,
    blocked,
    layout,
    nchw,
    reorder,
)

CACHE_SIZE = 64

PlanesType = TypeVar("PlanesType", bound=Planes)
_Layout = tuple[tuple[int, ...], tuple[int, ...], int]
"""Sizes, strides and dtype."""


@lru_cache(CACHE_SIZE)
def _copy(source: _Layout, target: _Layout) -> Copy:
    from_layout = layout(*source)
    to_layout = layout(*target)
    return reorder(from_layout, to_layout)


def _run(recorder: Recorder, source: _Layout, target: _Layout, x: int, y: int) -> None:
    copy = _copy(source, target)
    addresses = {SRC: x, DST: y}
    recorder.run(copy, addresses)


def _rows_of(planes: Planes, number: int) -> int:
    """Return how many rows of the image a plane has."""
    size = planes.size
    return len(range(number, size.height, size.planes))


@lru_cache(CACHE_SIZE)
def _to_blocks(shape: Shape) -> Copy:
    return reorder(nchw(shape), blocked(shape))


def block_image(recorder: Recorder, image: int, shape: Shape, whole: int) -> None:
    """Copy an image (1, C, H, W) to blocked features."""
    copy = _to_blocks(shape)
    addresses = {SRC: image, DST: whole}
    recorder.run(copy, addresses)


def split(recorder: Recorder, whole: int, dtype: int, planes: Planes) -> None:
    """Copy blocked features (C / BLOCK, H, W, BLOCK) to planes."""
    _between(recorder, whole, dtype, planes, to_planes=True)
    planes.clear_below()


def join(recorder: Recorder, planes: Planes, whole: int, dtype: int) -> None:
    """Copy planes to blocked features (C / BLOCK, H, W, BLOCK)."""
    _between(recorder, whole, dtype, planes, to_planes=False)


def _between(
    recorder: Recorder, whole: int, dtype: int, planes: Planes, *, to_planes: bool
) -> None:
    size = planes.size
    row = size.width * BLOCK
    block_bytes = size.height * row * BYTES[dtype]
    for number, address in enumerate(planes.addresses):
        rows = _rows_of(planes, number)
        in_whole = ((rows, row), (size.planes * row, 1), dtype)
        in_plane = ((rows, row), (row, 1), planes.dtype)
        begin = whole + number * row * BYTES[dtype]
        # One block after another: oneDNN refuses rows that reach into the next block.
        for block in range(padded(planes.channels) // BLOCK if rows else 0):
            there = begin + block * block_bytes
            here = address + block * size.rows * planes.row_bytes
            if to_planes:
                _run(recorder, in_whole, in_plane, there, here)
            else:
                _run(recorder, in_plane, in_whole, here, there)


def shuffle_to_image(
    recorder: Recorder, planes: Planes, scale: int, image: int
) -> None:
    """Copy planes, pixel-shuffled by `scale`, to an image (c, scale * H, scale * W).

    `planes` have c * scale**2 channels; scale 1 only changes the layout. Of scales above 1,
    2 and 4 are possible for RGB.
    """
    size = planes.size
    out_ch = planes.channels // scale**2
    out_width = scale * size.width
    out_row = scale * out_width
    channel_bytes = 4 * size.height * out_row
    for number, address in enumerate(planes.addresses):
        rows = _rows_of(planes, number)
        # Rows of the image whose channels lie in one block.
        together = min(scale, BLOCK // scale)
        shape = (rows, together, size.width, scale)
        strides = (size.width * BLOCK, scale, BLOCK, 1)
        source = (shape, strides, planes.dtype)
        strides = (size.planes * out_row, out_width, scale, 1)
        target = (shape, strides, F32)
        for first in range(0, out_ch * scale if rows else 0, together):
            channel, row = divmod(first, scale)
            block, offset = divmod(first * scale, BLOCK)
            begin = address + block * size.rows * planes.row_bytes
            begin += offset * BYTES[planes.dtype]
            end = image + channel * channel_bytes
            end += 4 * (number * out_row + row * out_width)
            _run(recorder, source, target, begin, end)


def double_columns(recorder: Recorder, planes: Planes, wide: Planes) -> None:
    """Copy each pixel of a row twice, and each row to two planes of `wide`."""
    shape = (planes.elements // BLOCK, BLOCK)
    source = (shape, (BLOCK, 1), planes.dtype)
    target = (shape, (2 * BLOCK, 1), wide.dtype)
    next_column = BLOCK * BYTES[wide.dtype]
    for number, address in enumerate(planes.addresses):
        even = wide.addresses[2 * number]
        odd = even + next_column
        _run(recorder, source, target, address, even)
        _run(recorder, source, target, address, odd)


def cut_rows(planes: PlanesType, begin: int, end: int) -> PlanesType:
    """Return the rows from `begin` to `end`, a multiple of the number of planes each."""
    size = planes.size
    first, last = begin // size.planes, end // size.planes
    part = type(planes)(
        planes.recorder,
        Size(min(end, size.height) - begin, size.width, size.planes),
        planes.channels,
        planes.dtype,
    )
    row = size.width * BLOCK
    shape = (padded(planes.channels) // BLOCK, last - first, row)
    source = (shape, (size.rows * row, row, 1), planes.dtype)
    target = (shape, (part.size.rows * row, row, 1), planes.dtype)
    offset = first * planes.row_bytes
    for x, y in zip(planes.addresses, part.addresses, strict=True):
        _run(planes.recorder, source, target, x + offset, y)
    return part


def concatenate(recorder: Recorder, parts: Sequence[Planes], result: Planes) -> None:
    """Copy the channels of all parts, which fill whole blocks, one after another."""
    for number, begin in enumerate(result.addresses):
        target = begin
        for part in parts:
            source = part.addresses[number]
            copy = rounding(part.elements, part.dtype, result.dtype)
            recorder.run(copy, {SRC: source, DST: target})
            target += part.elements * BYTES[result.dtype]


def shuffle_channels_last(
    recorder: Recorder, features: int, shape: Shape, scale: int, image: int
) -> None:
    """Copy features (H, W, C), pixel-shuffled, to an image (c, scale * H, scale * W)."""
    _, channels, height, width = shape
    out_row = scale * width
    sizes = (height, scale, width, scale)
    source = (sizes, (width * channels, scale, channels, 1), F32)
    target = (sizes, (scale * out_row, out_row, scale, 1), F32)
    for channel in range(channels // scale**2):
        begin = features + 4 * channel * scale**2
        end = image + 4 * channel * scale * height * out_row
        _run(recorder, source, target, begin, end)
