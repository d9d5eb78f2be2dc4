"""Animations: GIF, WebP and APNG, decoded frame by frame, written as the same kind."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from realesrgan_paddle.inference.pictures.metadata import Metadata
from realesrgan_paddle.inference.pictures.pixels import damage_named, mode_of
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.image_headers import LIMIT, max_image_bytes

SUFFIXES = {"GIF": (".gif",), "WEBP": (".webp",), "PNG": (".png", ".apng")}
"""Suffixes of each kind of animation, by Pillow's name of it; the first is the usual."""

_EXTENSION, _IMAGE = 0x21, 0x2C
"""What the blocks of a GIF begin with."""

OPAQUE_FROM = 128
"""GIF has no half-clear pixels: those of this alpha and more are kept as opaque."""


@dataclass(frozen=True)
class Animation:
    """An animation as its file holds it, and what its copy must repeat.

    Attributes:
        path: for errors.
        data: the file's content.
        kind: "GIF", "WEBP" or "PNG".
        first: the number of the first frame: 1 where an APNG has an image for viewers
            that show no animation.
        count: how many frames there are from `first` on.
        mode: Pillow's mode of all frames as they are decoded.
        loop: how often it is shown, 0 for ever; None: the file does not say.
    """

    path: str | Path
    data: bytes
    kind: str
    first: int
    count: int
    mode: str
    loop: int | None

    def frames(self) -> Iterator[tuple[np.ndarray, float]]:
        """Yield each frame, as a whole image of uint8 (H, W, ...), and its duration [ms].

        Raises:
            UserError: it is damaged.
        """
        file = io.BytesIO(self.data)
        end = self.first + self.count
        with Image.open(file) as image:
            for number in range(self.first, end):
                yield self._frame(image, number)

    def _frame(self, image: Image.Image, number: int) -> tuple[np.ndarray, float]:
        with damage_named(f"{self.path}, frame {number + 1}"):
            image.seek(number)
            image.load()  # only now WebP knows the duration
            upright = ImageOps.exif_transpose(image)
            converted = upright.convert(self.mode)
            pixels = np.array(converted)

        duration = image.info.get("duration", 0)
        return pixels, duration


def is_cut_short(gif: bytes) -> bool:
    """Return whether a GIF has no end mark; Pillow would leave out frames silently.

    GIF89a specification, appendix A.
    """
    flags = gif[10]
    place = 13 + _palette_bytes(flags)
    while place < len(gif):
        block = gif[place]
        if block == _EXTENSION:
            place += 2
        elif block == _IMAGE and place + 10 <= len(gif):
            flags = gif[place + 9]
            place += 11 + _palette_bytes(flags)  # and the size of its codes
        else:
            return block == _IMAGE  # else the end mark, or what nobody reads

        # Sub-blocks, each after its length; the last has none.
        while place < len(gif) and gif[place]:
            place += 1 + gif[place]
        place += 1
    return True


def _palette_bytes(flags: int) -> int:
    """Return the length of the palette of a GIF's header or image."""
    if not flags & 0x80:
        return 0
    bits = flags % 8 + 1
    return 3 << bits


def count_frames(data: bytes) -> int:
    """Return how many frames or pages an image file has that Pillow can open."""
    with Image.open(io.BytesIO(data)) as image:
        return getattr(image, "n_frames", 1)


def read_animation(
    image: Image.Image, count: int, data: bytes, path: str | Path
) -> Animation:
    """Return the animation of `count` frames in a file that Pillow opened as `image`.

    Raises:
        UserError: all frames together would be decoded to more than is allowed, or
            they are gray of 16 bits.
    """
    if image.mode.startswith("I"):  # Pillow would make white of most levels
        raise UserError(
            f"{path}: an animation of 16-bit gray; leave out --all_frames to upscale its "
            "first frame"
        )
    width, height = image.size
    limit = max_image_bytes()
    if count * width * height * 4 > limit:
        raise UserError(
            f"{path}: {count} frames of {width}x{height} pixels are more than "
            f"{limit // 10**6} MB; cut the animation into shorter ones, or set the "
            f"environment variable {LIMIT} to more megabytes"
        )

    first = 1 if image.info.get("default_image") else 0
    with damage_named(path):
        mode = "RGBA" if image.format == "GIF" else mode_of(image)
    loop = image.info.get("loop")
    kind = image.format or ""
    return Animation(path, data, kind, first, count - first, mode, loop)


def encode_animation(
    animation: Animation,
    frames: Sequence[np.ndarray],
    durations: Sequence[float],
    metadata: Metadata,
) -> bytes:
    """Return the content of a file of the same kind with other frames.

    GIF is given 256 colors a frame and no half-clear pixels, WebP is lossless.

    Args:
        animation: the input, for its kind and loops.
        frames: uint8, (H, W, ...), of one size.
        durations: of each frame [ms].
        metadata: what the result holds; a GIF holds none.
    """
    images = [Image.fromarray(frame) for frame in frames]
    options: dict[str, Any] = {"duration": list(durations)}
    if animation.loop is not None:
        options["loop"] = animation.loop

    if animation.kind == "GIF":
        images = [_for_gif(image) for image in images]
        if any(image.mode == "RGBA" for image in images):
            options["disposal"] = 2  # clears what the next frame does not cover
    else:
        options["icc_profile"] = metadata.profile or None
        options["exif"] = metadata.exif
    if animation.kind == "WEBP":
        options["lossless"] = True

    first, *others = images
    file = io.BytesIO()
    first.save(file, animation.kind, save_all=True, append_images=others, **options)
    return file.getvalue()


def _for_gif(image: Image.Image) -> Image.Image:
    """Return an RGBA frame with alpha 0 or 255, or as RGB if nothing is clear."""
    pixels = np.array(image)
    clear = pixels[..., 3] < OPAQUE_FROM
    if not clear.any():
        return image.convert("RGB")
    pixels[..., 3] = 255
    pixels[clear] = 0
    return Image.fromarray(pixels)
