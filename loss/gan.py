"""The GAN losses of generator and discriminator, those of BasicSR's `GANLoss`."""

from dataclasses import dataclass
from typing import Literal

import paddle
from paddle import Tensor
from paddle.nn import functional as F

GANType = Literal["vanilla", "lsgan", "wgan", "wgan_softplus", "hinge"]


@dataclass(frozen=True)
class GANLoss:
    """A scalar that falls as the discriminator's predictions approach their target.

    * vanilla: cross entropy of sigmoid(pred) with the label (Goodfellow et al. 2014;
      Real-ESRGAN's loss).
    * lsgan: squared distance from the label (Mao et al. 2017).
    * wgan: the negative mean for real, the mean for fake (Arjovsky et al. 2017).
    * wgan_softplus: the same through softplus (the logistic loss of StyleGAN2).
    * hinge: Lim and Ye 2017.

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
        """Return the loss of the discriminator's predictions.

        Args:
            pred: logits of any shape.
            target_is_real: what `pred` should say. The generator passes True for its
                own images.
            is_disc: whether this is the discriminator's loss.
        """
        loss = self._loss(pred, target_is_real, is_disc)
        return loss if is_disc else self.loss_weight * loss

    @staticmethod
    @paddle.no_grad()
    def accuracy(real: Tensor, fake: Tensor) -> Tensor:
        """Return the share of correct predictions, a scalar; 0.5 is chance.

        A prediction is correct on the right side of the midpoint between the mean
        predictions for a real image and for its generated version, not of 0: the
        image's content shifts both, long before the discriminator has learned where 0
        should be.

        Args:
            real: predictions for real images (N, C, ...), of C discriminators.
            fake: predictions for generated images, in the same order.
        """
        axes = list(range(2, real.ndim))
        real_mean = real.mean(axes, keepdim=True)
        fake_mean = fake.mean(axes, keepdim=True)
        midpoint = (real_mean + fake_mean) / 2
        real_correct = (real > midpoint).astype("float32").mean()
        fake_correct = (fake < midpoint).astype("float32").mean()
        return (real_correct + fake_correct) / 2

    def _loss(self, pred: Tensor, target_is_real: bool, is_disc: bool) -> Tensor:
        towards_target = pred if target_is_real else -pred
        if self.gan_type == "wgan":
            return -towards_target.mean()
        if self.gan_type == "wgan_softplus":
            return F.softplus(-towards_target).mean()
        if self.gan_type == "hinge":
            return F.relu(1 - towards_target).mean() if is_disc else -pred.mean()

        value = self.real_label_val if target_is_real else self.fake_label_val
        label = paddle.full_like(pred, value)
        if self.gan_type == "lsgan":
            return F.mse_loss(pred, label)
        if self.gan_type == "vanilla":
            return F.binary_cross_entropy_with_logits(pred, label)
        raise ValueError(
            f"gan_type {self.gan_type!r} is not vanilla, lsgan, wgan, wgan_softplus or "
            "hinge"
        )
