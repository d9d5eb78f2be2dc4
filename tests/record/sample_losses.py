"""The losses that record_losses.py records and test_losses.py and test_vgg.py check."""

SHAPE = (2, 3, 12, 16)
REDUCTIONS = ("none", "mean", "sum")
WEIGHTS = {"unweighted": None, "weight_1": (2, 1, 12, 16), "weight_3": SHAPE}
PIXEL = {"L1Loss": {}, "MSELoss": {}, "CharbonnierLoss": {"eps": 1e-3}}

GAN_TYPES = ("vanilla", "lsgan", "wgan", "wgan_softplus", "hinge")
GAN = {"real_label_val": 0.9, "fake_label_val": 0.1, "loss_weight": 0.3}
GAN_SHAPE = (2, 1, 8, 10)

ARTIFACT_SHAPE = (2, 3, 24, 20)

VGG_GAIN = 1.4
VGG_SHAPE = (1, 3, 32, 40)
LAYER_WEIGHTS = {
    "conv1_2": 0.1,
    "conv2_2": 0.1,
    "conv3_4": 1.0,
    "conv4_4": 1.0,
    "conv5_4": 1.0,
}  # Real-ESRGAN's
PERCEPTUAL = {
    "l1": {"criterion": "l1", "style_weight": 10.0},
    "l2": {"criterion": "l2", "style_weight": 100.0, "perceptual_weight": 0.5},
    "fro": {"criterion": "fro", "style_weight": 1.0},
    "range_norm": {"range_norm": True},
    "no_input_norm": {"use_input_norm": False},
}
