"""ESRGAN's dense block with a third fewer multiplications, in float32.

Features and gradients lie as in `ops.training.dense_block`, blocked, but with the
even rows of an image in one buffer and its odd rows in another. Four more buffers hold
the transformed rows that the convolutions of `ops.training.winograd_rows` take. A
feature's rows are transformed once, for all convolutions that take it. Only features are
kept for the backward pass.
"""

from collections.abc import Sequence
from functools import lru_cache

import paddle
from paddle import Tensor

from realesrgan_paddle.ops.onednn.library import (
    BINARY_ADD,
    BINARY_SUB,
    DIFF_DST,
    DIFF_SRC,
    DST,
    OneDNNError,
)
from realesrgan_paddle.ops.onednn.primitives import (
    BLOCK,
    Binary,
    binary,
    blocked,
    layout,
    reorder,
)
from realesrgan_paddle.ops.plain import DENSE_BLOCK_SLOPE
from realesrgan_paddle.ops.training.activations import leaky_relu_backward
from realesrgan_paddle.ops.training.dense_block import DenseBlockSpec, WeightMatrix
from realesrgan_paddle.ops.training.tensor_memory import empty, image_address
from realesrgan_paddle.ops.training.winograd_rows import (
    RowFilter,
    RowFilterSpec,
    RowWeightGradient,
    RowWeightGradientSum,
    StripRows,
)

CACHE_SIZE = 64
"""Dense blocks whose primitives are kept: one for each image size."""

MIN_PIXELS = 1024
"""In a smaller image, transforming weights costs more than multiplications save."""


class RowBuffers:
    """Buffers that lie one after another, each with some rows of all channels.

    A buffer holds one row of each pair: the even rows of an image, its odd rows, or one
    of the four kinds of transformed rows.

    Attributes:
        buffer_floats: size of one buffer.
    """

    def __init__(self, channels: int, pairs: int, width: int) -> None:
        self.row = BLOCK * width
        self.channel_bytes = 4 * pairs * width
        self.buffer_bytes = channels * self.channel_bytes
        self.buffer_floats = self.buffer_bytes // 4

        self.subtract_row = binary(BINARY_SUB, self.row)
        self.zeros = paddle.zeros([self.row])

    def addresses(self, begin: int, count: int, channel: int = 0) -> list[int]:
        """Return the addresses of a channel in the first `count` buffers."""
        size = self.buffer_bytes
        first = begin + channel * self.channel_bytes
        return list(range(first, first + count * size, size))

    def transform(self, features: int, transformed: int, begin: int, end: int) -> None:
        """Fill four buffers with d0 - d2, d1 + d2, d2 - d1, d3 - d1.

        Args:
            features: address of two buffers, of even and odd rows.
            transformed: address of the four buffers.
            begin: first channel to transform.
            end: channel after the last.
        """
        elements = (end - begin) * self.channel_bytes // 4
        row = 4 * self.row
        even, odd = self.addresses(features, 2, begin)
        d0_d2, d1_d2, d2_d1, d3_d1 = self.addresses(transformed, 4, begin)

        add = _elementwise(BINARY_ADD, elements)
        add(even, odd, d1_d2)
        subtract = _elementwise(BINARY_SUB, elements)
        subtract(odd, even, d2_d1)

        # d0 are the odd rows, one pair earlier; d3 the even rows, one pair later.
        subtract = _elementwise(BINARY_SUB, elements - self.row)
        subtract(odd, odd + row, d0_d2 + row)
        subtract(even + row, even, d3_d1)

        # At the top and the bottom of an image these are rows of another channel;
        # zeros belong there.
        zeros = self.zeros.data_ptr()
        block = BLOCK * self.channel_bytes
        for i in range((end - begin) // BLOCK):
            top = i * block
            bottom = top + block - row
            self.subtract_row(zeros, odd + top, d0_d2 + top)
            self.subtract_row(zeros, even + bottom, d3_d1 + bottom)


@lru_cache(256)
def _elementwise(kind: int, elements: int) -> Binary:
    return binary(kind, elements)


class WinogradDenseBlock:
    """The primitives of a dense block, for one image at a time: a `DenseBlock`.

    Attributes:
        forward: the convolutions, with their activations.
        backward: make the gradients of x and each xi.
        weight_gradients: those of each convolution.
        activation_backward: the gradient of a leaky ReLU's even (or odd) rows, from its
            output.
    """

    def __init__(self, spec: DenseBlockSpec) -> None:
        self.spec = spec
        self.pairs = spec.height // 2
        self.buffers = RowBuffers(spec.buffer_channels, self.pairs, spec.width)
        self.weight_matrix = WeightMatrix(spec)
        self._create_copies()

        self.forward: list[RowFilter] = []
        self.backward: list[RowFilter] = []
        self.weight_gradients: list[RowWeightGradient] = []
        last = spec.convolutions - 1
        for i in range(spec.convolutions):
            slope = 1.0 if i == last else DENSE_BLOCK_SLOPE
            in_ch, out_ch = spec.in_channels[i], spec.out_channels[i]
            self.forward.append(RowFilter(self._filter_spec(in_ch, out_ch, slope)))
            self.backward.append(self._backward_filter(i))
            gradient = RowWeightGradient(self._filter_spec(in_ch, out_ch))
            self.weight_gradients.append(gradient)

        half_image = self.pairs * spec.width
        self.activation_backward = leaky_relu_backward(
            spec.num_grow_ch * half_image, DENSE_BLOCK_SLOPE
        )

    def enter(self, image: int, buffers: int) -> None:
        """Copy the rows of an NHWC image to the first channels of two buffers."""
        even, odd = self.buffers.addresses(buffers, 2)
        self.copy_rows(image, even)
        self.copy_rows(image + self.image_row_bytes, odd)

    def add(self, even: int, odd: int, image: int) -> None:
        """Add rows of the first channels to those of an NHWC image."""
        self.add_rows(even, image)
        self.add_rows(odd, image + self.image_row_bytes)

    def weights_for_backward(self, weights: Sequence[Tensor]) -> list[Tensor]:
        """Return, transformed, the parts of the weights that take x and each xi."""
        # A convolution's gradient is the convolution with the flipped weight.
        matrix = self.weight_matrix.filled(weights).flip([2, 3])
        parts = []
        for convolve, column in zip(
            self.backward, self.spec.feature_offsets, strict=True
        ):
            offset = 4 * 9 * column
            parts.append(convolve.transformed(matrix.data_ptr() + offset))
        return parts

    def empty_features(self, images: int) -> Tensor:
        """See `DenseBlock`."""
        return empty([images, 2 * self.buffers.buffer_floats])

    def convolve(
        self,
        x: Tensor,
        features: Tensor,
        out: Tensor,
        weights: Sequence[Tensor],
        biases: Sequence[Tensor],
    ) -> None:
        """See `DenseBlock`."""
        spec, buffers = self.spec, self.buffers
        in_channels = spec.in_channels
        *convolutions, last_convolution = self.forward

        transformed_weights = []
        for convolve, weight in zip(self.forward, weights, strict=True):
            transformed_weights.append(convolve.transformed(weight.data_ptr()))

        # four buffers of transformed rows, two of scratch, two for the last convolution
        memory = empty([8 * buffers.buffer_floats])
        addresses = buffers.addresses(memory.data_ptr(), 8)
        rows = addresses[:4]
        scratch, _, last_even, last_odd = addresses[4:]

        for n in range(x.shape[0]):
            image_features = image_address(features, n)
            self.enter(image_address(x, n), image_features)
            buffers.transform(image_features, rows[0], 0, spec.num_feat)

            for i, convolve in enumerate(convolutions):
                begin, end = in_channels[i], in_channels[i + 1]
                even, odd = buffers.addresses(image_features, 2, begin)
                convolve(rows, transformed_weights[i], biases[i], scratch, even, odd)
                buffers.transform(image_features, rows[0], begin, end)

            last_convolution(
                rows, transformed_weights[-1], biases[-1], scratch, last_even, last_odd
            )
            self.add(last_even, last_odd, image_address(out, n))

    def gradients(
        self,
        dy: Tensor,
        features: Tensor,
        dx: Tensor,
        weights: Sequence[Tensor],
        learns: Sequence[bool],
    ) -> list[Tensor | None]:
        """See `DenseBlock`."""
        sums: list[RowWeightGradientSum | None] = []
        strips = dy.shape[0]  # an image is one strip
        for i, primitives in enumerate(self.weight_gradients):
            learn = any(learns[2 * i : 2 * i + 2])
            sums.append(RowWeightGradientSum(primitives, strips) if learn else None)
        self._convolve_gradients(dy, features, dx, weights, sums)

        found: list[Tensor | None] = []
        for total, shape in zip(sums, self.spec.weight_shapes, strict=True):
            found += (None, None) if total is None else total.result(shape)
        return found

    def _convolve_gradients(
        self,
        dy: Tensor,
        features: Tensor,
        dx: Tensor,
        weights: Sequence[Tensor],
        sums: Sequence[RowWeightGradientSum | None],
    ) -> None:
        """Add the gradient through the convolutions to `dx`, the weights' to `sums`."""
        spec, buffers = self.spec, self.buffers
        feature_offsets = spec.feature_offsets
        later_channels = spec.later_channels
        transformed_weights = self.weights_for_backward(weights)

        # two buffers of gradients, four of their transformed rows, four of those of the
        # features, two of scratch, two for the gradient of x
        memory = empty([14 * buffers.buffer_floats])
        addresses = buffers.addresses(memory.data_ptr(), 14)
        gradients, rows, feature_rows = addresses[0], addresses[2:6], addresses[6:10]
        scratch, _, dx_even, dx_odd = addresses[10:]

        for n in range(dy.shape[0]):
            self.enter(image_address(dy, n), gradients)
            buffers.transform(gradients, rows[0], 0, spec.num_feat)

            # from x4, the feature used last, to x1
            image_features = image_address(features, n)
            for i in range(spec.convolutions - 1, 0, -1):
                begin = later_channels[i]
                dyi = buffers.addresses(gradients, 2, begin)
                self.backward[i](rows, transformed_weights[i], None, scratch, *dyi)

                xi = buffers.addresses(image_features, 2, feature_offsets[i])
                for x_rows, dy_rows in zip(xi, dyi, strict=True):
                    self.activation_backward(
                        {DST: x_rows, DIFF_DST: dy_rows, DIFF_SRC: dy_rows}
                    )
                buffers.transform(gradients, rows[0], begin, begin + spec.num_grow_ch)

            self.backward[0](
                rows, transformed_weights[0], None, scratch, dx_even, dx_odd
            )
            self.add(dx_even, dx_odd, image_address(dx, n))

            if any(sums):
                buffers.transform(
                    image_features, feature_rows[0], 0, spec.buffer_channels
                )
            for total, offset in zip(sums, spec.gradient_offsets, strict=True):
                if total is not None:
                    even, odd = buffers.addresses(gradients, 2, offset)
                    transformed = buffers.addresses(rows[0], 4, offset)
                    total.add_strip(feature_rows, StripRows(transformed, even, odd))

    def _create_copies(self) -> None:
        """Create the copies between every second row of an image and a buffer."""
        channels, width = self.spec.num_feat, self.spec.width
        row = width * channels
        self.image_row_bytes = 4 * row

        shape = (1, channels, self.pairs, width)
        strides = (self.pairs * 2 * row, 1, 2 * row, channels)
        in_image = layout(shape, strides)
        in_buffer = blocked(shape)
        self.copy_rows = reorder(in_image, in_buffer)
        self.add_rows = reorder(in_buffer, in_image, add=True)

    def _filter_spec(
        self, in_ch: int, out_ch: int, slope: float = 1.0, *, has_bias: bool = True
    ) -> RowFilterSpec:
        width = self.spec.width
        return RowFilterSpec(
            self.pairs, width, in_ch, out_ch, slope, has_bias, in_blocks=True
        )

    def _backward_filter(self, i: int) -> RowFilter:
        """Return what makes the gradient of x (i = 0) or of xi."""
        spec = self.spec
        in_ch = spec.later_channels[i]
        out_ch = spec.feature_channels[i]
        # in the matrix of weights, turned around: its columns are the outputs
        row_stride, column_stride, _, _ = self.weight_matrix.strides
        return RowFilter(
            self._filter_spec(in_ch, out_ch, has_bias=False),
            strides=(column_stride, row_stride),
        )


@lru_cache(CACHE_SIZE)
def winograd_dense_block(spec: DenseBlockSpec) -> WinogradDenseBlock:
    """Return the dense block's primitives, created once."""
    return WinogradDenseBlock(spec)


@lru_cache(CACHE_SIZE)
def winograd_dense_block_pays_off(spec: DenseBlockSpec) -> bool:
    """Return whether this dense block is faster so on this CPU.

    Its channels are multiples of BLOCK.
    """
    if spec.height % 2 or spec.height * spec.width < MIN_PIXELS:
        return False

    # Only this implementation fuses what comes after a convolution; the others are
    # slow.
    try:
        block = winograd_dense_block(spec)
    except OneDNNError:
        return False
    filters = [*block.forward, *block.backward]
    return all(part.implementation.startswith("jit:avx512") for part in filters)
