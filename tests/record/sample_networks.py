"""The networks that tests/record/record_networks.py records and test_networks.py rebuilds."""

# of tests/helpers/formulas.py: keeps signals through leaky ReLUs, so that every layer
# matters
GAIN = 1.6

GENERATORS = {
    "rrdbnet_x4": (
        "RRDBNet",
        {"scale": 4, "num_feat": 8, "num_block": 2, "num_grow_ch": 4},
        (12, 20),
    ),
    "rrdbnet_x2": (
        "RRDBNet",
        {"scale": 2, "num_feat": 8, "num_block": 1, "num_grow_ch": 4},
        (14, 18),
    ),
    "rrdbnet_x1": (
        "RRDBNet",
        {"scale": 1, "num_feat": 8, "num_block": 1, "num_grow_ch": 4},
        (48, 80),
    ),
    "srvgg_x4_prelu": (
        "SRVGGNetCompact",
        {"upscale": 4, "num_feat": 8, "num_conv": 3, "act_type": "prelu"},
        (9, 13),
    ),
    "srvgg_x3_relu": (
        "SRVGGNetCompact",
        {"upscale": 3, "num_feat": 8, "num_conv": 2, "act_type": "relu"},
        (12, 10),
    ),
    "srvgg_x2_leakyrelu": (
        "SRVGGNetCompact",
        {"upscale": 2, "num_feat": 8, "num_conv": 2, "act_type": "leakyrelu"},
        (12, 10),
    ),
}
DISCRIMINATORS = {
    "unet": {"num_feat": 4},
    "unet_no_skip": {"num_feat": 4, "skip_connection": False},
}
DISCRIMINATOR_INPUT = (1, 3, 24, 40)

RELEASED = {
    "realesr-animevideov3.pth": (
        "SRVGGNetCompact",
        {"num_feat": 64, "num_conv": 16, "upscale": 4},
    ),
    "realesr-general-x4v3.pth": (
        "SRVGGNetCompact",
        {"num_feat": 64, "num_conv": 32, "upscale": 4},
    ),
    "RealESRGAN_x4plus_anime_6B.pth": (
        "RRDBNet",
        {"scale": 4, "num_feat": 64, "num_block": 6, "num_grow_ch": 32},
    ),
}
RELEASED_INPUT = (16, 24)
