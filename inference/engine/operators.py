"""The networks' operators (`ops.plain.Ops`) for one image, without Paddle."""

from collections.abc import Sequence

import numpy as np

from realesrgan_paddle.inference.engine import copies
from realesrgan_paddle.inference.engine.features import GROUP, Size, padded
from realesrgan_paddle.inference.engine.primitives import (
    BlockConvolution,
    BlockConvolutionSpec,
    PreparedWeights,
)
from realesrgan_paddle.inference.engine.recorder import Buffer, Recorder
from realesrgan_paddle.inference.engine.tensors import (
    Deferred,
    Features,
    Image,
    RepeatedImage,
    Weight,
)
from realesrgan_paddle.inference.engine.winograd import (
    RowConvolutionSpec,
    TransformedRows,
    biases_of,
    kinds_of,
    row_convolution,
)
from realesrgan_paddle.inference.tiles import spans
from realesrgan_paddle.ops.onednn.convolutions import leaky_relu
from realesrgan_paddle.ops.onednn.library import F32
from realesrgan_paddle.ops.onednn.primitives import BLOCK

DENSE_BLOCK_SCALE = 0.2
DENSE_BLOCK_SLOPE = 0.2
"""As in `ops.plain`, which imports Paddle."""
BAND_PIXELS = 2**15
"""Above so many input pixels, upsampled features are computed in bands of about so many.

They take 6 kB for each pixel of the input.
"""
BAND_PAD = 4
"""Rows computed on each side of a band: two upsampled and two other 3x3 convolutions."""


class EngineOps:
    """`ops.plain.Ops` on `Features` of one image; what is missing is not needed.

    Args:
        recorder: notes what is computed.
        dtype: that convolutions multiply in, F32 or BF16.
        prepared: weights as the primitives want them, by name; filled as they are needed.
    """

    def __init__(
        self,
        recorder: Recorder,
        dtype: int,
        prepared: dict[tuple[str, int], PreparedWeights],
    ) -> None:
        self.recorder = recorder
        self.dtype = dtype
        self.prepared = prepared

    def enter(self, x: Image | RepeatedImage | Features) -> Image | Features:
        """Return x: the first convolution reads it as it is."""
        if not isinstance(x, RepeatedImage):
            return x
        channels, height, width = x.image.array.shape
        image = Image(self.recorder, channels, x.scale * height, x.scale * width)
        self.recorder.call(image.array.fill, 0)
        return image + x

    def features_of(self, x: Image) -> Image | Features:
        """Return an image as features, whose convolution is faster; not of few channels."""
        _, channels, height, width = x.shape
        if channels < BLOCK:
            return x
        out = Features(self.recorder, Size(height, width, GROUP), channels, F32)
        copies.split(self.recorder, self._in_blocks(x).address, F32, out)
        return out

    def leave(self, x: Features | Deferred) -> Image:
        """Return features as an image."""
        if isinstance(x, Deferred):
            return self._in_bands(x)
        return self.pixel_shuffle(x, 1)

    def conv(
        self,
        x: Features | Image | Deferred,
        weight: Weight,
        bias: Weight | None = None,
        *,
        padding: int = 1,
        slope: float = 1.0,
    ) -> Features | Deferred:
        """See `Ops`."""
        added = bias or _zeros(weight)
        if isinstance(x, Deferred):
            return x.then(lambda part: self._conv(part, weight, added, None, slope))
        return self._conv(x, weight, added, None, slope)

    def conv_prelu(
        self, x: Features | Image, weight: Weight, bias: Weight, slopes: Weight
    ) -> Features:
        """See `Ops`."""
        return self._conv(x, weight, bias, slopes, 1.0)

    def _conv(
        self,
        x: Features | Image,
        weight: Weight,
        bias: Weight,
        slopes: Weight | None,
        slope: float,
    ) -> Features:
        out_ch, in_ch, kernel_size, _ = weight.array.shape
        if isinstance(x, Image) or kernel_size != 3:
            return self._direct(x, weight, bias, slopes, slope)

        # Sums with other features, and the channels that become SRVGGNetCompact's pixels,
        # stay float32: in bfloat16 they would make most of the error.
        is_hidden = slope != 1 or slopes is not None
        dtype = self.dtype if is_hidden or out_ch < BLOCK else F32
        out = Features(self.recorder, x.size, out_ch, dtype if is_hidden else F32)
        weights = self._row_weights(weight, bias, slopes, dtype)
        spec = RowConvolutionSpec(
            in_ch=in_ch,
            out_ch=out_ch,
            rows=x.size.rows,
            width=x.size.width,
            dtype=dtype,
            out_dtype=out.dtype,
            slope=slope,
            has_slopes=slopes is not None,
        )
        convolve = row_convolution(spec)
        for group in range(x.size.planes // GROUP):
            rows = TransformedRows(self.recorder, x, in_ch, dtype)
            rows.add(x, group)
            first = group * GROUP
            convolve(self.recorder, rows, weights, out.addresses[first : first + GROUP])
        out.clear_below()
        return out

    def _direct(
        self,
        x: Features | Image,
        weight: Weight,
        bias: Weight,
        slopes: Weight | None,
        slope: float,
    ) -> Features:
        """Convolve, in float32, an image or with a kernel that is not 3x3."""
        out_ch, in_ch, *kernel = weight.array.shape
        if isinstance(x, Image):
            size = Size(x.shape[2], x.shape[3], GROUP)
        else:
            size = x.size

        # oneDNN reads few channels as they lie in an image, and many in blocks.
        is_plain = isinstance(x, Image) and in_ch < BLOCK
        source = x.buffer if isinstance(x, Image) and is_plain else self._in_blocks(x)

        key = (weight.name, F32)
        if key not in self.prepared:
            self.prepared[key] = PreparedWeights(
                [weight.array],
                [bias.array],
                None if slopes is None else slopes.array,
                F32,
                is_plain,
            )
        spec = BlockConvolutionSpec(
            in_ch=in_ch,
            out_ch=out_ch,
            rows=size.height,
            width=size.width,
            dtype=F32,
            out_dtype=F32,
            steps=tuple(leaky_relu(slope)),
            has_slopes=slopes is not None,
            kernel=(kernel[0], kernel[1]),
            plain_input=is_plain,
        )
        whole = Buffer(self.recorder, 4 * padded(out_ch) * size.height * size.width)
        convolve = BlockConvolution(spec)
        convolve(self.recorder, source.address, self.prepared[key], 0, whole.address)
        out = Features(self.recorder, size, out_ch, F32)
        copies.split(self.recorder, whole.address, F32, out)
        return out

    def _in_blocks(self, x: Features | Image) -> Buffer:
        """Copy all of an image or of features to blocks of channels, in float32."""
        if isinstance(x, Image):
            _, channels, height, width = x.shape
        else:
            channels, height, width = x.channels, x.size.height, x.size.width
        blocks = Buffer(self.recorder, 4 * padded(channels) * height * width)
        if isinstance(x, Image):
            copies.block_image(self.recorder, x.address, x.shape, blocks.address)
        else:
            copies.join(self.recorder, x, blocks.address, F32)
        return blocks

    def _row_weights(
        self,
        weight: Weight,
        bias: Weight,
        slopes: Weight | None,
        dtype: int,
        factor: float = 1.0,
    ) -> PreparedWeights:
        key = (weight.name, dtype)
        if key not in self.prepared:
            self.prepared[key] = PreparedWeights(
                kinds_of(factor * weight.array),
                biases_of(factor * bias.array),
                None if slopes is None else slopes.array,
                dtype,
            )
        return self.prepared[key]

    def dense_block(
        self,
        x: Features,
        convolutions: Sequence[tuple[Weight, Weight]],
        *,
        slope: float = DENSE_BLOCK_SLOPE,
    ) -> Features:
        """See `Ops`."""
        last_weight, _ = convolutions[-1]
        rows = TransformedRows(self.recorder, x, last_weight.array.shape[1], self.dtype)
        rows.add(x)

        for weight, bias in convolutions[:-1]:
            out_ch = weight.array.shape[0]
            grown = Features(self.recorder, x.size, out_ch, self.dtype)
            self._grow(rows, weight, bias, grown, slope)
            rows.add(grown)

        out = Features(self.recorder, x.size, x.channels, F32)
        self._grow(rows, *convolutions[-1], out, 1.0, DENSE_BLOCK_SCALE, x.addresses)
        return out

    def _grow(
        self,
        rows: TransformedRows,
        weight: Weight,
        bias: Weight,
        out: Features,
        slope: float,
        factor: float = 1.0,
        added: Sequence[int] = (),
    ) -> None:
        weights = self._row_weights(weight, bias, None, self.dtype, factor)
        spec = RowConvolutionSpec(
            rows.channels,
            out.channels,
            rows.rows,
            rows.width,
            self.dtype,
            out.dtype,
            slope,
            adds=bool(added),
        )
        row_convolution(spec)(self.recorder, rows, weights, out.addresses, added)
        out.clear_below()

    def conv_upsampled(
        self,
        x: Features | Deferred,
        weight: Weight,
        bias: Weight,
        *,
        mode: str = "nearest",
        slope: float = 1.0,
    ) -> Features | Deferred:
        """See `Ops`."""
        if isinstance(x, Features) and _is_large(x.size):
            x = Deferred(x)
        if isinstance(x, Deferred):
            return x.then(lambda part: self._upsample(part, weight, bias, slope))
        return self._upsample(x, weight, bias, slope)

    def _upsample(
        self, x: Features, weight: Weight, bias: Weight, slope: float
    ) -> Features:
        """Convolve features twice as large: only columns are copied, rows read twice."""
        x = x.rounded_to(self.dtype)
        wide = Features(
            self.recorder, x.size.doubled(), x.channels, self.dtype, share=2
        )
        copies.double_columns(self.recorder, x, wide)
        return self._conv(wide, weight, bias, None, slope)

    def _in_bands(self, x: Deferred) -> Image:
        """Compute what was deferred, some rows at a time, and return the image."""
        source = x.source
        height, width = source.size.height, source.size.width
        band = max(GROUP, BAND_PIXELS // width)
        image = None
        for span in spans(GROUP * source.size.rows, band, BAND_PAD, GROUP):
            features = copies.cut_rows(source, span.window_start, span.window_stop)
            part_height = features.size.height
            for step in x.steps:
                features = step(features)
            result = self.pixel_shuffle(features, 1)

            scale = result.array.shape[1] // part_height
            if image is None:
                channels = len(result.array)
                image = Image(self.recorder, channels, scale * height, scale * width)
            target = image.array[:, span.target(scale)]
            kept = result.array[:, span.kept(scale)][:, : target.shape[1]]
            self.recorder.call(np.copyto, target, kept)
        assert image is not None
        return image

    def add(self, x: Features, y: Features) -> Features:
        """See `Ops`."""
        return x + y

    def concat(self, tensors: Sequence[Features]) -> Features:
        """See `Ops`."""
        channels = sum(features.channels for features in tensors)
        result = Features(self.recorder, tensors[0].size, channels, F32)
        copies.concatenate(self.recorder, tensors, result)
        return result

    def pixel_shuffle(self, x: Features, scale: int) -> Image:
        """See `Ops`."""
        out_ch = x.channels // scale**2
        size = x.size
        image = Image(self.recorder, out_ch, scale * size.height, scale * size.width)
        copies.shuffle_to_image(self.recorder, x, scale, image.address)
        return image

    def pixel_unshuffle(self, x: Image, scale: int) -> Image:
        """See `Ops`."""
        channels, full_height, full_width = x.array.shape
        height = full_height // scale
        width = full_width // scale
        image = Image(self.recorder, channels * scale**2, height, width)

        by_pixel = x.array.reshape(channels, height, scale, width, scale)
        source = by_pixel.transpose(0, 2, 4, 1, 3)
        target = image.array.reshape(source.shape)
        self.recorder.call(np.copyto, target, source)
        return image

    def nearest_upsample(self, x: Image, scale: int) -> RepeatedImage:
        """See `Ops`."""
        return RepeatedImage(x, scale)

    def clip(self, x: Image, most: float) -> Image:
        """See `Ops`; in place."""
        self.recorder.call(np.clip, x.array, -most, most, x.array)
        return x


def _zeros(weight: Weight) -> Weight:
    """Return the bias of a convolution that has none."""
    return Weight(f"zeros of {weight.name}", np.zeros(len(weight.array), np.float32))


def _is_large(size: Size) -> bool:
    """Return whether what is upsampled must be computed in bands."""
    is_upsampled = size.planes > GROUP
    return size.height * size.width > BAND_PIXELS and not is_upsampled
