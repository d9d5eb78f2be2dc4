"""What may be found of a run, how it is said, and what to do about it: one table.

It is found at a report (the discriminator), at a validation (drift) or at the end (the
verdict).
"""

from typing import NamedTuple

from realesrgan_paddle.utils.paired import FEWEST_UNITS

FEWEST_IMAGES = 5
"""The smallest set that a network was measured to gain from: the quickstart's frames."""
HELPFUL = 100
"""Iterations from which a gain was measured: docs/measurements.md, "Few minutes"."""


class Finding(NamedTuple):
    """What is said, and what to do."""

    said: str
    advice: str

    def line(self, *details: str, instead: str = "") -> str:
        """Return such as "colors have shifted: DETAIL, DETAIL; try ...".

        `instead` is better advice in this case.
        """
        amounts = f": {', '.join(details)}" if details else ""
        return f"{self.said}{amounts}; {instead or self.advice}"


# Of a network, against the one that the run started from and the ground truth.
COLORS = Finding(
    "colors have shifted",
    "check that datasets.train shows what is validated and has the right colors (BT.601 "
    "taken for BT.709, or the reverse, looks like that); try a lower train.optim_g.lr, "
    "a larger train.pixel_opt.loss_weight or an earlier checkpoint",
)
SHARP = Finding(
    "images are too sharp",
    "try targets that are not sharpened (l1_gt_usm: false, percep_gt_usm: false, for "
    "RealESRNetModel gt_usm: false), a smaller train.gan_opt.loss_weight or an earlier "
    "checkpoint",
)
BLURRED = Finding(
    "images are too blurred",
    "try a milder degradation, a larger weight of the perceptual or the adversarial loss "
    "or an earlier checkpoint",
)
WORSE = Finding(
    "images became worse",
    "check that datasets.train shows what is validated; try a lower train.optim_g.lr, a "
    "smaller train.gan_opt.loss_weight, more varied images or an earlier checkpoint",
)
GRIDDED = Finding(
    "a regular grid shows",
    "try the grid loss (train.grid_opt.type=GridLoss) or a larger weight of it, more "
    "iterations (train.total_iter) on more images, a lower train.optim_g.lr, a smaller "
    "train.lpips_opt.loss_weight or an earlier checkpoint",
)
FORGETS = Finding("on general ones it became worse", "train on some of these, too")
SOFTER = Finding(
    "it is softer on your real images than before",
    "match the degradation to them: realesrgan-paddle train --recipe auto "
    "--lq REAL, or realesrgan-paddle degrade --fit REAL",
)

# Of a whole run.
TOO_LONG = Finding(
    "the last one was trained for too long or at too high a train.optim_g.lr",
    "export the best one",
)
FEW_UNITS = Finding(
    "there is too little to tell",
    f"at least {FEWEST_UNITS} moments or clips must be held out: take more frames or more "
    "footage, or validate on other clips (datasets.val)",
)
STILL_IMPROVES = Finding("the last validation is the best", "raise train.total_iter")
NO_GAIN = Finding(
    "it gained nothing",
    "train on more, and more varied, images, or with a lower train.optim_g.lr; for the "
    "eye, with train.lpips_opt or a GAN",
)

# Of the discriminator's losses.
CANNOT_TELL = Finding(
    "the discriminator cannot tell real from generated images",
    "the adversarial loss teaches nothing; try a higher train.optim_d.lr, "
    "train.net_d_init_iters (train it alone first), or a trained "
    "path.pretrain_network_d",
)
TELLS_AT_ONCE = Finding(
    "the discriminator tells real from generated images without effort",
    "its gradient says little; try a lower train.optim_d.lr, gan_gt_usm: false, or train "
    "longer without a GAN first (RealESRNetModel)",
)
NOT_SEPARATED = Finding(
    "warm-up: the discriminator does not separate real from generated images",
    "the generator is trained from now on; if l_d_real and l_d_fake stay near their "
    "first values, try a longer train.net_d_init_iters or a higher train.optim_d.lr",
)


def few_images(count: int) -> str:
    """Return the advice that comes before all others where few images are trained on.

    "" where there are `FEWEST_IMAGES` or more.
    """
    if count >= FEWEST_IMAGES:
        return ""
    return (
        f"train on more images, of many shots: fewer than {FEWEST_IMAGES}, here "
        f"{count}, were never measured to suffice"
    )
