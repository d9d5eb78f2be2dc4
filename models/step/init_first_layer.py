"""First weights with which a new discriminator separates real from generated sooner."""

import paddle

from realesrgan_paddle.models.networks.unet_discriminator import UNetDiscriminatorSN

GAIN = 40.0
"""Factor on the first layer's zero-mean filters.

Measured: those filters, as `models.networks.convolutions.conv` initializes them, respond to
photographs (45 images) with a standard deviation of 0.02 to 0.03; times 40 it is about
1.
"""


@paddle.no_grad()
def init_first_layer(discriminator: UNetDiscriminatorSN) -> None:
    """Make the first layer ignore flat color and respond to detail, with variance 1.

    Generated and real images differ in fine detail, which is a hundredth of the
    brightness. The usual initial filters mostly pass brightness, and layers with
    spectral norm cannot amplify what little detail is left, so it takes hundreds of
    iterations until the logits differ at all. Zero-mean filters are a kind of
    whitening; initial weights with responses of variance 1 are Mishkin and Matas's
    2016, "All you need is a good init".
    """
    weight = discriminator.conv0.weight
    mean = weight.mean([2, 3], keepdim=True)
    weight.set_value(GAIN * (weight - mean))
