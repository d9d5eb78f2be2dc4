"""The adversarial losses of generator and discriminator, as in `basicsr.losses.gan_loss.GANLoss`."""

from dataclasses import dataclass
from typing import Literal

import paddle
from paddle import Tensor
from paddle.nn import functional as F

GANType = Literal["vanilla", "lsgan", "wgan", "wgan_softplus", "hinge"]


@dataclass(frozen=True)
class GANLoss:
    """A scalar that falls as the discriminator's answers come nearer to what they should be.

    vanilla: cross entropy of sigmoid(pred) with the label (Goodfellow et al. 2014; what
    Real-ESRGAN uses). lsgan: squared distance from the label (Mao et al. 2017). wgan:
    the negative mean for real, the mean for fake (Arjovsky et al. 2017). wgan_softplus:
    the same through softplus (the logistic loss of StyleGAN2). hinge: Lim and Ye 2017.

    The labels matter to vanilla and lsgan only. `loss_weight` applies to the
    generator's loss only.
    """

    gan_type: GANType = "vanilla"
    real_label_val: float = 1.0
    fake_label_val: float = 0.0
    loss_weight: float = 1.0

    def __call__(
        self, pred: Tensor, target_is_real: bool, is_disc: bool = False
    ) -> Tensor:
        """Return the loss of the discriminator's answers `pred` (any shape, logits).

        Args:
            pred: the answers.
            target_is_real: what `pred` should say. The generator asks for True about
                its own pictures.
            is_disc: whether the loss is the discriminator's.
        """
        loss = self._loss(pred, target_is_real, is_disc)
        return loss if is_disc else self.loss_weight * loss

    @staticmethod
    @paddle.no_grad()
    def accuracy(real: Tensor, fake: Tensor) -> Tensor:
        """Return the share of the discriminator's answers that are on the right side, a scalar; 0.5: it knows nothing.

        The border is midway between its mean answers to a picture and to what was
        generated of it: what the picture shows moves both, long before the
        discriminator has found out where 0 should be.

        Args:
            real: the answers to real pictures (N, C, ...), by each of C judges.
            fake: those to generated ones, in the same order.
        """
        axes = list(range(2, real.ndim))
        border = (real.mean(axes, keepdim=True) + fake.mean(axes, keepdim=True)) / 2
        right = [
            (real > border).astype("float32").mean(),
            (fake < border).astype("float32").mean(),
        ]
        return (right[0] + right[1]) / 2

    def _loss(self, pred: Tensor, target_is_real: bool, is_disc: bool) -> Tensor:
        towards_target = pred if target_is_real else -pred
        if self.gan_type == "wgan":
            return -towards_target.mean()
        if self.gan_type == "wgan_softplus":
            return F.softplus(-towards_target).mean()
        if self.gan_type == "hinge":
            return F.relu(1 - towards_target).mean() if is_disc else -pred.mean()
        label = paddle.full_like(
            pred, self.real_label_val if target_is_real else self.fake_label_val
        )
        if self.gan_type == "lsgan":
            return F.mse_loss(pred, label)
        if self.gan_type == "vanilla":
            return F.binary_cross_entropy_with_logits(pred, label)
        raise ValueError(
            f"gan_type {self.gan_type!r} is not vanilla, lsgan, wgan, wgan_softplus or hinge"
        )
