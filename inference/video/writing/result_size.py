"""How large the frames of a result are, and how its samples become light."""

from dataclasses import replace
from pathlib import Path

from realesrgan_paddle.inference.tiling.result import scaled_size
from realesrgan_paddle.inference.video.colors import MATRICES
from realesrgan_paddle.inference.video.settings import (
    MOST_SIDE,
    VideoSettings,
)
from realesrgan_paddle.inference.video.source import (
    BT709,
    UNKNOWN,
    ColorTags,
    VideoSource,
)
from realesrgan_paddle.inference.video.writing.encoding import subsampling
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.ffmpeg import is_hd


def result_size(
    source: VideoSource,
    settings: VideoSettings,
    outscale: float,
    pixel_format: str,
    remarks: list[str],
) -> tuple[int, int]:
    """Return (width, height) of the result, as the pixel format allows them.

    Args:
        source: the video.
        settings: what is asked for; its width and height go before `outscale`.
        outscale: the upscaling factor.
        pixel_format: of the result.
        remarks: gets a line if the size asked for is changed.

    Raises:
        UserError: the result would be too large.
    """
    width, height = settings.width, settings.height
    if width is None and height is None:
        width, height = scaled_size(source.width, source.height, outscale)
    elif width is None and height is not None:
        width, height = scaled_size(source.width, source.height, height / source.height)
    elif height is None and width is not None:
        width, height = scaled_size(source.width, source.height, width / source.width)
    asked = (width or 0, height or 0)

    size = _fitting(asked, pixel_format)
    if max(size) > MOST_SIDE:
        raise UserError(
            f"{source.path}: the result would have {asked[0]}x{asked[1]} pixels, more "
            f"than {MOST_SIDE} on a side, which no encoder takes; lower --outscale, or "
            "give --height"
        )
    if size != asked:
        remarks.append(
            f"{asked[0]}x{asked[1]} made {size[0]}x{size[1]}, for {pixel_format} "
            "has a chroma sample for each two columns or lines"
        )
    return size


def result_colors(
    source: VideoSource, size: tuple[int, int], pixel_format: str, remarks: list[str]
) -> tuple[ColorTags, int]:
    """Return the tags of the result, and the AVColorSpace that players take.

    They are the source's, except for the place of chroma samples, which is that of H.264.
    A player guesses the matrix of an untagged video from its size: where it would guess
    another one for the result, the matrix is told.
    """
    tags = replace(source.colors, chroma_location="left")
    matrix = source.matrix
    is_rgb = source.pixel_format.startswith(("rgb", "bgr", "gbr", "pal", "arg", "abg"))
    if is_rgb and pixel_format.startswith("yuv"):
        matrix = BT709
        return replace(tags, matrix=matrix), matrix
    if tags.matrix == UNKNOWN and is_hd(*size) != is_hd(source.width, source.height):
        tags = replace(tags, matrix=matrix)
        remarks.append(
            "it has no tag of its color matrix: by its size players take it for "
            f"{MATRICES[matrix]}, and the result, whose size is another, is tagged so"
        )
    return tags, matrix


def check_target(source: Path, target: Path) -> None:
    """Raise UserError if the result would replace its source."""
    if target.exists() and target.samefile(source):
        raise UserError(f"{target}: the input; name another file for the result")


def _fitting(size: tuple[int, int], pixel_format: str) -> tuple[int, int]:
    """Return the nearest size, not smaller, of which each chroma sample is whole."""
    columns, lines = subsampling(pixel_format)
    width, height = size
    width += -width % columns
    height += -height % lines
    return width, height
