"""The perceptual loss: distances of VGG19 features, in content and style."""

from collections.abc import Callable, Mapping
from typing import Literal

import paddle
from paddle import Tensor
from paddle.nn import functional as F

from realesrgan_paddle.loss.vgg import VGG19, layer_name, load_vgg19
from realesrgan_paddle.ops.plain import Ops
from realesrgan_paddle.options.schema.training import PerceptualLossOptions

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
