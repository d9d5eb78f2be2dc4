"""A training batch, and the generator's losses against it: all but the adversarial one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from paddle import Tensor


@dataclass(frozen=True)
class Batch:
    """One training batch; all tensors are float32 RGB in [0, 1]."""

    lq: Tensor
    """Low-quality input, (N, 3, H / scale, W / scale)."""
    gt: Tensor
    """Ground truth, (N, 3, H, W)."""
    gt_usm: Tensor
    """Ground truth sharpened by an unsharp mask, (N, 3, H, W).

    `gt` itself where no loss takes it.
    """


Losses = dict[str, Tensor]
"""Scalars by the names that BasicSR reports them under (`l_g_pix`, `l_d_real`, ...)."""

ImageLoss = Callable[[Tensor, Tensor], Tensor]
"""Takes the output and its target, both (N, 3, H, W); returns a scalar."""


@dataclass(frozen=True)
class ReferenceLosses:
    """The weighted losses of the generator's output and a target; None: no such loss.

    Attributes:
        pixel: pixel loss.
        perceptual: returns the perceptual and the style loss, None for one of weight 0.
        artifact: LDL; takes the output, the target and the moving average's output.
        distillation: takes the output and the low-quality input, from which the teacher
            makes the target.
        distances: further losses, such as LPIPS, by the names they are reported under.
        pixel_usm: whether the target of `pixel` is the sharpened ground truth.
        perceptual_usm: the same for `perceptual`. The artifact loss always takes the
            unsharpened ground truth, as its authors' code does (LDL), and so do
            `distances`.
    """

    pixel: ImageLoss | None
    perceptual: (
        Callable[[Tensor, Tensor], tuple[Tensor | None, Tensor | None]] | None
    ) = None
    artifact: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None
    distillation: ImageLoss | None = None
    distances: Mapping[str, ImageLoss] = field(default_factory=dict)
    pixel_usm: bool = True
    perceptual_usm: bool = True

    def __call__(
        self, sr: Tensor, batch: Batch, ema: Callable[[Tensor], Tensor]
    ) -> Losses:
        """Return the losses of the output `sr`, (N, 3, H, W) RGB in [0, 1].

        Args:
            sr: what the generator made of `batch.lq`.
            batch: input and targets.
            ema: the generator's moving average, called only for the artifact loss.
        """
        losses: Losses = {}

        if self.pixel is not None:
            target = batch.gt_usm if self.pixel_usm else batch.gt
            losses["l_g_pix"] = self.pixel(sr, target)

        if self.perceptual is not None:
            target = batch.gt_usm if self.perceptual_usm else batch.gt
            perceptual, style = self.perceptual(sr, target)
            if perceptual is not None:
                losses["l_g_percep"] = perceptual
            if style is not None:
                losses["l_g_style"] = style

        if self.artifact is not None:
            losses["l_g_artifact"] = self.artifact(sr, batch.gt, ema(batch.lq))

        if self.distillation is not None:
            losses["l_g_distill"] = self.distillation(sr, batch.lq)

        for name, distance in self.distances.items():
            losses[name] = distance(sr, batch.gt)
        return losses
