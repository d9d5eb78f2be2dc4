"""Plot titles of the losses, by the names under which a run reports them."""

import math

DISCRIMINATOR_LOSSES = "discriminator losses (untrained: ln 2)"
DISCRIMINATOR_OUTPUTS = "discriminator outputs (above 0: real)"

LOSS_TITLES = {
    "l_g_pix": "pixel loss (l_g_pix)",
    "l_g_percep": "perceptual loss (l_g_percep)",
    "l_g_style": "style loss (l_g_style)",
    "l_g_gan": "adversarial loss of the generator (l_g_gan)",
    "l_g_artifact": "artifact loss (l_g_artifact)",
    "l_g_lpips": "LPIPS as a loss (l_g_lpips)",
    "l_g_dists": "DISTS as a loss (l_g_dists)",
    "l_g_color": "color loss (l_g_color)",
    "l_g_grid": "grid loss (l_g_grid)",
    "l_g_distill": "distillation loss (l_g_distill)",
    "l_d_real": DISCRIMINATOR_LOSSES,
    "l_d_fake": DISCRIMINATOR_LOSSES,
    "out_d_real": DISCRIMINATOR_OUTPUTS,
    "out_d_fake": DISCRIMINATOR_OUTPUTS,
}
"""Curves of one title are drawn into one panel."""

REFERENCE_LEVELS = {DISCRIMINATOR_LOSSES: math.log(2), DISCRIMINATOR_OUTPUTS: 0.0}
"""Value of an untrained discriminator with the vanilla GAN loss, by title."""
