"""The Inception network of FID: 2,048 features of an image.

Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision", in the
variant of the TensorFlow file inception-2015-12-05, with which FID is reported; features
equal those of mseitzer/pytorch-fid (`src/pytorch_fid/inception.py`), which BasicSR uses
too. It differs from torchvision's network: averages leave out the padding, and the last
block has a maximum in place of an average.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import paddle
from paddle import Tensor
from paddle.nn import functional as F

from realesrgan_paddle.loss.metric_weights import fetch_metric_weights
from realesrgan_paddle.ops.plain import Ops
from realesrgan_paddle.utils.weights.reader import read_weights

SIDE = 299
"""Side to which images are resized [pixels]."""


class Inception:
    """Features of images; no gradient reaches them.

    Args:
        tensors: "NAME.weight" (out, in, k, k) and "NAME.bias" (out,) of each layer of
            `metric_weights.inception_layers()`.
        ops: operators that compute the convolutions.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray], ops: Ops) -> None:
        self._ops = ops
        self._weights = {}
        for name in tensors:
            self._weights[name] = paddle.to_tensor(tensors[name])

    @paddle.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Return the features (N, 2048) of images (N, 3, H, W), RGB in [0, 1].

        They are resized to 299 x 299 first: bilinear between pixel centers, without
        antialiasing, as in pytorch-fid (torch's `interpolate`).
        """
        if images.shape[2:] != [SIDE, SIDE]:
            images = F.interpolate(images, size=[SIDE, SIDE], mode="bilinear")

        x = self._ops.enter(2 * images - 1)
        x = self._stem(x)
        for name in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
            x = self._block_a(x, name)
        x = self._block_b(x, "Mixed_6a")
        for name in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
            x = self._block_c(x, name)
        x = self._block_d(x, "Mixed_7a")
        x = self._block_e(x, "Mixed_7b", pooled=self._average(x))
        x = self._block_e(x, "Mixed_7c", pooled=self._maximum(x))
        return self._ops.leave(x).mean([2, 3])

    def _stem(self, x: Tensor) -> Tensor:
        x = self._conv(x, "Conv2d_1a_3x3", stride=2)
        x = self._conv(x, "Conv2d_2a_3x3", padded=False)
        x = self._conv(x, "Conv2d_2b_3x3")
        x = self._ops.max_pool(x, 3)
        x = self._conv(x, "Conv2d_3b_1x1")
        x = self._conv(x, "Conv2d_4a_3x3", padded=False)
        return self._ops.max_pool(x, 3)

    def _block_a(self, x: Tensor, name: str) -> Tensor:
        one = self._branch(x, name, "branch1x1")
        five = self._branch(x, name, "branch5x5_1", "branch5x5_2")
        three = self._branch(
            x, name, "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"
        )
        pooled = self._branch(self._average(x), name, "branch_pool")
        return self._ops.concat([one, five, three, pooled])

    def _block_b(self, x: Tensor, name: str) -> Tensor:
        three = self._branch(x, name, "branch3x3", stride=2)
        double = self._branch(
            x, name, "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3", stride=2
        )
        return self._ops.concat([three, double, self._ops.max_pool(x, 3)])

    def _block_c(self, x: Tensor, name: str) -> Tensor:
        one = self._branch(x, name, "branch1x1")
        seven = self._branch(x, name, "branch7x7_1", "branch7x7_2", "branch7x7_3")
        double = [f"branch7x7dbl_{i}" for i in range(1, 6)]
        twice = self._branch(x, name, *double)
        pooled = self._branch(self._average(x), name, "branch_pool")
        return self._ops.concat([one, seven, twice, pooled])

    def _block_d(self, x: Tensor, name: str) -> Tensor:
        three = self._branch(x, name, "branch3x3_1", "branch3x3_2", stride=2)
        seven = [f"branch7x7x3_{i}" for i in range(1, 5)]
        both = self._branch(x, name, *seven, stride=2)
        return self._ops.concat([three, both, self._ops.max_pool(x, 3)])

    def _block_e(self, x: Tensor, name: str, *, pooled: Tensor) -> Tensor:
        one = self._branch(x, name, "branch1x1")
        three = self._branch(x, name, "branch3x3_1")
        double = self._branch(x, name, "branch3x3dbl_1", "branch3x3dbl_2")
        parts = [
            one,
            self._branch(three, name, "branch3x3_2a"),
            self._branch(three, name, "branch3x3_2b"),
            self._branch(double, name, "branch3x3dbl_3a"),
            self._branch(double, name, "branch3x3dbl_3b"),
            self._branch(pooled, name, "branch_pool"),
        ]
        return self._ops.concat(parts)

    def _branch(self, x: Tensor, block: str, *layers: str, stride: int = 1) -> Tensor:
        """Return x through layers of a block, the last of them with `stride`."""
        *first, last = layers
        for layer in first:
            x = self._conv(x, f"{block}.{layer}")
        return self._conv(x, f"{block}.{last}", stride=stride)

    def _conv(
        self, x: Tensor, name: str, *, stride: int = 1, padded: bool = True
    ) -> Tensor:
        """Return x through a layer and its ReLU: of the same size, if padded.

        One with a stride of 2 is never padded.
        """
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        height, width = weight.shape[2:]
        if height != width:
            x, weight = self._side_by_side(x, weight)
            height = 1

        padding = height // 2 if padded and stride == 1 else 0
        return self._ops.conv(
            x, weight, bias, stride=stride, padding=padding, slope=0.0
        )

    def _side_by_side(self, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and weight of a 1 x 1 convolution equal to a 1 x k or k x 1.

        `Ops` has square ones only. The k pixels under the kernel become k times the
        channels of one pixel.
        """
        out, in_ch, height, width = weight.shape
        taps = height * width
        weight = weight.reshape([out, in_ch, taps]).transpose([0, 2, 1])

        plain = self._ops.leave(x)
        rows, columns = plain.shape[2:]
        half_height, half_width = height // 2, width // 2
        padded = F.pad(plain, [half_width, half_width, half_height, half_height])
        shifted = []
        for down in range(height):
            for right in range(width):
                part = padded[:, :, down : down + rows, right : right + columns]
                shifted.append(part)

        stacked = self._ops.enter(paddle.concat(shifted, 1))
        return stacked, weight.reshape([out, taps * in_ch, 1, 1])

    def _average(self, x: Tensor) -> Tensor:
        """Return the mean of the 3 x 3 pixels around each, padding left out."""
        plain = F.avg_pool2d(self._ops.leave(x), 3, stride=1, padding=1)
        return self._ops.enter(plain)

    def _maximum(self, x: Tensor) -> Tensor:
        """Return the largest of the 3 x 3 pixels around each."""
        plain = F.max_pool2d(self._ops.leave(x), 3, stride=1, padding=1)
        return self._ops.enter(plain)


def load_inception(folder: str | Path = "weights", *, ops: Ops) -> Inception:
    """Return the network with the released weights, fid_inception.pdparams in `folder`.

    The file is made first if it does not exist.

    Raises:
        UserError: it cannot be made; says what to do.
    """
    path = fetch_metric_weights("fid_inception", folder)
    return Inception(read_weights(path).select(), ops)
