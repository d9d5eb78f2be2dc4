"""The perceptual loss: distances of VGG19 features, in content and style.

Simonyan and Zisserman 2015, "Very Deep Convolutional Networks for Large-Scale Image
Recognition", table 1, column E. There are two families of weights. torchvision's and
Paddle's were trained on RGB in [0, 1], normalized by ImageNet's mean and deviation; the
authors' own, made with Caffe, on BGR in 0..255 less the mean.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import paddle
from paddle import Tensor
from paddle.nn import functional as F

from realesrgan_paddle.ops.plain import PLAIN, Ops
from realesrgan_paddle.options.schema.training import (
    VGG19_LAYERS,
    VGG19_NUMBERS,
    PerceptualLossOptions,
)
from realesrgan_paddle.utils.errors import UserError, did_you_mean
from realesrgan_paddle.utils.weights.reader import read_weights

Normalization = Literal["torchvision", "caffe"]
Weights = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Weight (out, in, 3, 3) and bias (out,) of each convolution, by layer."""

# Mean and deviation of ImageNet, RGB in [0, 1]: torchvision.transforms' documentation,
# "Normalize".
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

CAFFE_MEAN = (123.68, 116.779, 103.939)
"""The mean that the authors' network subtracts, here RGB in 0..255."""

CAFFE_STD = 0.226
"""The mean of IMAGENET_STD: see `_caffe_as_torchvision`."""

_CHANNELS = (3, 64, 64, 128, 128, *[256] * 4, *[512] * 8)
"""Channels before, between and after the convolutions."""

UNIT_NOISE_SIGNAL_TO_BIAS = 7.0
"""Between 1.6 (Caffe's VGG19) and 32 (torchvision's): see `recognize_normalization`."""


class VGG19:
    """Features of images before the ReLU; frozen: no gradient reaches the weights.

    Args:
        weights: of the layers up to the deepest one needed; deeper ones are ignored.
        layers: the layers whose features are returned, such as "conv5_4".
        mean: subtracted from R, G and B in [0, 1].
        std: R, G and B are divided by it then.
        range_norm: whether images are in [-1, 1] and are mapped to [0, 1] first.
        ops: operators that compute the features.
    """

    def __init__(
        self,
        weights: Weights,
        layers: Sequence[str],
        *,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        range_norm: bool = False,
        ops: Ops = PLAIN,
    ) -> None:
        self.layers = tuple(layer_name(layer) for layer in layers)
        deepest = max(VGG19_LAYERS.index(layer) for layer in self.layers)
        self.convolutions: dict[str, tuple[Tensor, Tensor]] = {}
        for name in VGG19_LAYERS[: deepest + 1]:
            weight, bias = weights[name]
            self.convolutions[name] = (paddle.to_tensor(weight), paddle.to_tensor(bias))
        self.mean = paddle.to_tensor(mean, dtype="float32").reshape([1, 3, 1, 1])
        self.std = paddle.to_tensor(std, dtype="float32").reshape([1, 3, 1, 1])
        self.range_norm = range_norm
        self.ops = ops

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        """Return the features of x (N, 3, H, W), RGB in [0, 1], by layer.

        "convB_C" is (N, channels, H / 2^(B-1), W / 2^(B-1)), rounded down, in the
        layout of `ops`.
        """
        ops = self.ops
        if self.range_norm:
            x = (x + 1) / 2
        x = ops.enter_normalized(x, self.mean, self.std)
        features = {}
        for name, (weight, bias) in self.convolutions.items():
            starts_block = name.endswith("_1")
            if starts_block and name != "conv1_1":
                x = ops.max_pool(x)
            if name in self.layers:
                features[name] = ops.conv(x, weight, bias)
                x = ops.leaky_relu(features[name], 0.0)  # ReLU
            else:
                x = ops.conv(x, weight, bias, slope=0.0)  # with its ReLU
        return features


def load_vgg19(
    vgg_path: str | Path,
    layers: Sequence[str],
    *,
    use_input_norm: bool = True,
    range_norm: bool = False,
    normalization: Literal["auto", "torchvision", "caffe"] = "auto",
    ops: Ops = PLAIN,
) -> VGG19:
    """Return VGG19's features with the weights of `vgg_path`, of either family.

    The file holds torchvision's or Paddle's `vgg19` (with or without its classifier),
    PaddleClas's (such as the soccer project's Vgg19_features.pdparams), or the authors'
    network under any of these names.

    Args:
        vgg_path: .pth, .pdparams or .safetensors.
        layers: the layers to return, as "conv5_4" or by number ("34").
        use_input_norm: False if images are normalized already.
        range_norm: whether images are in [-1, 1] rather than [0, 1].
        normalization: the file's family; "auto" recognizes it from the weights.
        ops: operators that compute the features.

    Raises:
        UserError: there is no such file, or it does not hold VGG19; says how to get it.
    """
    weights = read_vgg19(vgg_path)
    family = normalization
    if family == "auto":
        family = recognize_normalization(weights)

    mean: Sequence[float] = IMAGENET_MEAN
    std: Sequence[float] = IMAGENET_STD
    if family == "caffe":
        weights = _caffe_as_torchvision(weights)
        mean, std = [m / 255 for m in CAFFE_MEAN], [CAFFE_STD] * 3
    if not use_input_norm:
        mean, std = [0.0] * 3, [1.0] * 3
    return VGG19(weights, layers, mean=mean, std=std, range_norm=range_norm, ops=ops)


def layer_name(key: str) -> str:
    """Return "conv5_4" for "conv5_4" and for "34", its number in `vgg19().features`.

    Raises:
        UserError: there is no such layer.
    """
    names = {number: name for name, number in VGG19_NUMBERS.items()}
    name = names.get(key, key)
    if name not in VGG19_LAYERS:
        raise UserError(
            f"VGG19 layer {key!r}: expected a convolution, {VGG19_LAYERS[0]} to "
            f"{VGG19_LAYERS[-1]}, or its number in torchvision's features"
            f"{did_you_mean(key, VGG19_LAYERS)}"
        )
    return name


def read_vgg19(path: str | Path) -> Weights:
    """Return the file's sixteen convolutions as float32; missing biases are zero.

    Raises:
        UserError: there is no such file, or it does not hold them.
    """
    if not Path(path).is_file():
        raise UserError(
            f"train.perceptual_opt.vgg_path: {path}: no such file. The perceptual loss "
            f"needs VGG19's weights, 550 MB: curl --create-dirs -Lo {path} "
            "https://paddle-hapi.bj.bcebos.com/models/vgg19.pdparams (Paddle's) or "
            "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth (torchvision's); "
            "or set vgg_path to the file you have, or leave perceptual_opt out"
        )
    tensors = read_weights(path).select()
    weights = {}
    for name, (in_ch, out_ch) in zip(VGG19_LAYERS, pairwise(_CHANNELS), strict=True):
        key = next((key for key in _keys(name) if f"{key}.weight" in tensors), None)
        weight = tensors.get(f"{key}.weight")
        if weight is None or weight.shape != (out_ch, in_ch, 3, 3):
            found = "missing" if weight is None else f"{list(weight.shape)}"
            raise UserError(
                f"{path}: not VGG19: {name} should be {[out_ch, in_ch, 3, 3]} and is "
                f"{found}; the vgg19 (without batch norm) of torchvision, Paddle, "
                "PaddleClas or Caffe is expected"
            )
        bias = tensors.get(f"{key}.bias", np.zeros(out_ch))
        weights[name] = (weight.astype(np.float32), bias.astype(np.float32))
    return weights


def _keys(name: str) -> tuple[str, ...]:
    """Return the names of a convolution in weight files."""
    number, block, place = VGG19_NUMBERS[name], name[4], name[6]
    return (
        f"features.{number}",  # torchvision, Paddle's vision models
        number,  # the features alone
        name,  # Caffe
        f"vgg_net.{name}",  # BasicSR
        f"_conv_block_{block}._conv_{place}",  # PaddleClas, the soccer project
    )


def recognize_normalization(weights: Weights) -> Normalization:
    """Return which input the weights were trained for, judged by the weights alone.

    Without its biases, a network of convolutions, ReLUs and poolings is homogeneous:
    its output is proportional to its input. If it was trained on inputs of deviation 1,
    unit noise gives signals far above its biases, down to the last layer. If it was
    trained on 0..255 (deviation about 58), the same noise gives signals 58 times
    smaller than in training, below its last biases. So the ratio of that signal to the
    bias (root mean squares, in conv5_4) tells the families apart: measured 1.6 for
    Caffe's VGG19 and 32 for torchvision's VGG16; no bias at all (PaddleClas) counts as
    torchvision's. The ratio does not change if one layer's output is scaled up and the
    next layer's weights are scaled down by the same factor.
    """
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((1, 3, 32, 32)).astype(np.float32)
    unbiased = {
        name: (weight, np.zeros_like(bias)) for name, (weight, bias) in weights.items()
    }
    last = VGG19_LAYERS[-1]
    network = VGG19(unbiased, [last], mean=[0.0] * 3, std=[1.0] * 3)

    signal = network(paddle.to_tensor(noise))[last].numpy()
    _, bias = weights[last]
    signal_power = np.square(signal).mean()
    bias_power = np.square(bias).mean()
    if signal_power > UNIT_NOISE_SIGNAL_TO_BIAS**2 * bias_power:
        return "torchvision"
    return "caffe"


def _caffe_as_torchvision(weights: Weights) -> Weights:
    """Return Caffe's network for RGB inputs of deviation 1.

    The first convolution's input channels are reversed. The features come out 57.63
    times smaller: dividing the input and all biases by one number divides all features
    by it and changes nothing else. With this number, 255 * 0.226, the features are as
    large as torchvision's, so that layer weights mean the same with both.
    """
    scale = np.float32(255 * CAFFE_STD)
    rgb = {}
    for name, (weight, bias) in weights.items():
        rgb[name] = (weight, bias / scale)
    weight, bias = rgb["conv1_1"]
    rgb["conv1_1"] = (np.ascontiguousarray(weight[:, ::-1]), bias)
    return rgb


Criterion = Literal["l1", "l2", "fro"]


def _frobenius(a: Tensor, b: Tensor) -> Tensor:
    return paddle.linalg.norm((a - b).flatten())


_DISTANCES: dict[Criterion, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": F.l1_loss,
    "l2": F.mse_loss,
    "fro": _frobenius,
}


class PerceptualLoss:
    """Weighted distances of VGG19 features and of their Gram matrices.

    Johnson et al. 2016, "Perceptual Losses for Real-Time Style Transfer and
    Super-Resolution"; features before the ReLU: Wang et al. 2018, "ESRGAN", section
    3.3; the interface: BasicSR's `PerceptualLoss`.

    Args:
        layer_weights: weight by layer, as {"conv5_4": 1.0}; the layers that `vgg` was
            loaded for.
        vgg: the features; see `loss.vgg.load_vgg19`.
        perceptual_weight: factor on the content loss; 0 leaves it out.
        style_weight: factor on the style loss; 0 leaves it out.
        criterion: mean absolute ("l1") or squared ("l2") difference, or the norm of the
            difference ("fro").
    """

    def __init__(
        self,
        layer_weights: Mapping[str, float],
        vgg: VGG19,
        *,
        perceptual_weight: float = 1.0,
        style_weight: float = 0.0,
        criterion: Criterion = "l1",
    ) -> None:
        self.layer_weights = {
            layer_name(key): weight for key, weight in layer_weights.items()
        }
        self.vgg = vgg
        self.perceptual_weight = perceptual_weight
        self.style_weight = style_weight
        self.distance = _DISTANCES[criterion]

    def __call__(self, sr: Tensor, gt: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return the content and the style loss of sr; None for a weight of 0.

        Both images are (N, 3, H, W), RGB in [0, 1].
        """
        # The targets first, while nothing is kept for the backward pass.
        with paddle.no_grad():
            targets = self.vgg(gt)
        features = self.vgg(sr)

        content = style = None
        if self.perceptual_weight > 0:
            distance = self._weighted_distance(features, targets)
            content = self.perceptual_weight * distance
        if self.style_weight > 0:
            distance = self._weighted_distance(
                self._grams(features), self._grams(targets)
            )
            style = self.style_weight * distance
        return content, style

    def _weighted_distance(
        self, features: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> Tensor:
        return sum(
            weight * self.distance(features[layer], targets[layer])
            for layer, weight in self.layer_weights.items()
        )

    def _grams(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the Gram matrix of each layer, (N, C, C)."""
        grams = {}
        for name, feature in features.items():
            grams[name] = _gram(self.vgg.ops.leave(feature))
        return grams


def _gram(feature: Tensor) -> Tensor:
    """Return the Gram matrix (N, C, C) of (N, C, H, W), divided by C * H * W."""
    channels, height, width = feature.shape[1:]
    rows = feature.flatten(2)
    columns = rows.transpose([0, 2, 1])
    products = paddle.bmm(rows, columns)
    return products / (channels * height * width)


def open_perceptual_loss(options: PerceptualLossOptions, ops: Ops) -> PerceptualLoss:
    """Return the VGG19 loss; UserError if VGG19's weights are missing."""
    vgg = load_vgg19(
        options.vgg_path,
        list(options.layer_weights),
        use_input_norm=options.use_input_norm,
        range_norm=options.range_norm,
        ops=ops,
    )
    return PerceptualLoss(
        options.layer_weights,
        vgg,
        perceptual_weight=options.perceptual_weight,
        style_weight=options.style_weight,
        criterion=options.criterion,
    )
