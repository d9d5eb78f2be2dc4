"""Option files of other projects: their keys and values, without their text."""

from copy import deepcopy

KINDS = [
    "iso",
    "aniso",
    "generalized_iso",
    "generalized_aniso",
    "plateau_iso",
    "plateau_aniso",
]
CHANCES = [0.45, 0.25, 0.12, 0.03, 0.12, 0.03]
ADAM = {"type": "Adam", "lr": 1e-4, "weight_decay": 0, "betas": [0.9, 0.99]}
ADAM_OF_PADDLE = {
    "type": "Adam",
    "lr": 1e-4,
    "weight_decay": 0.0,
    "beta1": 0.9,
    "beta2": 0.99,
}

SYNTHESIS = {
    "resize_prob": [0.2, 0.7, 0.1],
    "resize_range": [0.15, 1.5],
    "gaussian_noise_prob": 0.5,
    "noise_range": [1, 30],
    "poisson_scale_range": [0.05, 3],
    "gray_noise_prob": 0.4,
    "jpeg_range": [30, 95],
    "second_blur_prob": 0.8,
    "resize_prob2": [0.3, 0.4, 0.3],
    "resize_range2": [0.3, 1.2],
    "gaussian_noise_prob2": 0.5,
    "noise_range2": [1, 25],
    "poisson_scale_range2": [0.05, 2.5],
    "gray_noise_prob2": 0.4,
    "jpeg_range2": [30, 95],
}
BLUR = {
    "kernel_list": KINDS,
    "kernel_prob": CHANCES,
    "sinc_prob": 0.1,
    "betag_range": [0.5, 4],
    "betap_range": [1, 2],
}
KERNELS = {
    "blur_kernel_size": 21,
    "blur_sigma": [0.2, 3],
    **BLUR,
    "blur_kernel_size2": 21,
    "blur_sigma2": [0.2, 1.5],
    **{f"{key}2": value for key, value in BLUR.items()},
    "final_sinc_prob": 0.8,
}
USM = {"l1_gt_usm": True, "percep_gt_usm": True, "gan_gt_usm": False}
READING = {
    "meta_info": "datasets/meta.txt",
    "io_backend": {"type": "disk"},
    "gt_size": 256,
    "use_hflip": True,
    "use_rot": False,
    "use_shuffle": True,
    "num_worker_per_gpu": 5,
    "batch_size_per_gpu": 12,
    "dataset_enlarge_ratio": 1,
    "prefetch_mode": None,
}
SYNTHETIC = {
    "name": "DF2K",
    "type": "RealESRGANDataset",
    "dataroot_gt": "datasets",
    **READING,
    **KERNELS,
}
PIXEL = {"type": "L1Loss", "loss_weight": 1.0, "reduction": "mean"}
LAYERS = {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1, "conv4_4": 1, "conv5_4": 1}
PERCEPTUAL = {
    "type": "PerceptualLoss",
    "layer_weights": LAYERS,
    "vgg_type": "vgg19",
    "use_input_norm": True,
    "perceptual_weight": 1.0,
    "style_weight": 0,
    "range_norm": False,
    "criterion": "l1",
}
GAN = {
    "type": "GANLoss",
    "gan_type": "vanilla",
    "real_label_val": 1.0,
    "fake_label_val": 0.0,
    "loss_weight": 0.1,
}
AROUND = {
    "logger": {
        "print_freq": 100,
        "save_checkpoint_freq": 5000.0,
        "use_tb_logger": True,
        "wandb": {"project": None, "resume_id": None},
    },
    "dist_params": {"backend": "nccl", "port": 29500},
}
SCHEDULE = {
    "scheduler": {"type": "MultiStepLR", "milestones": [400000], "gamma": 0.5},
    "total_iter": 400000,
    "warmup_iter": -1,
}


def realesrgan(scale=4):
    """Real-ESRGAN's train_realesrgan_x?plus.yml and finetune_realesrgan_x4plus.yml.

    With the validation that they have in comments.
    """
    return deepcopy(
        {
            "name": "train",
            "model_type": "RealESRGANModel",
            "scale": scale,
            "num_gpu": "auto",
            "manual_seed": 0,
            **USM,
            **SYNTHESIS,
            "gt_size": 256,
            "queue_size": 180,
            "datasets": {
                "train": SYNTHETIC,
                "val": {
                    "name": "validation",
                    "type": "PairedImageDataset",
                    "dataroot_gt": "gt",
                    "dataroot_lq": "lq",
                    "io_backend": {"type": "disk"},
                },
            },
            "network_g": {
                "type": "RRDBNet",
                "num_in_ch": 3,
                "num_out_ch": 3,
                "num_feat": 64,
                "num_block": 23,
                "num_grow_ch": 32,
                **({"scale": scale} if scale != 4 else {}),
            },
            "network_d": {
                "type": "UNetDiscriminatorSN",
                "num_in_ch": 3,
                "num_feat": 64,
                "skip_connection": True,
            },
            "path": {
                "pretrain_network_g": "g.pth",
                "param_key_g": "params_ema",
                "strict_load_g": True,
                "pretrain_network_d": "d.pth",
                "param_key_d": "params",
                "strict_load_d": True,
                "resume_state": None,
            },
            "train": {
                "ema_decay": 0.999,
                "optim_g": ADAM,
                "optim_d": ADAM,
                **SCHEDULE,
                "pixel_opt": PIXEL,
                "perceptual_opt": PERCEPTUAL,
                "gan_opt": GAN,
                "net_d_iters": 1,
                "net_d_init_iters": 0,
            },
            "val": {
                "val_freq": 5000.0,
                "save_img": True,
                "metrics": {
                    "psnr": {
                        "type": "calculate_psnr",
                        "crop_border": 4,
                        "test_y_channel": False,
                    }
                },
            },
            **AROUND,
        }
    )


def realesrnet(scale=4):
    """Real-ESRGAN's train_realesrnet_x?plus.yml."""
    options = realesrgan(scale)
    for key in (*USM, "network_d", "val"):
        del options[key]
    del options["datasets"]["val"]
    options["path"] = {k: v for k, v in options["path"].items() if not k.endswith("_d")}
    options["train"] = {
        "ema_decay": 0.999,
        "optim_g": {**ADAM, "lr": 2e-4},
        **SCHEDULE,
        "pixel_opt": PIXEL,
    }
    return {**options, "model_type": "RealESRNetModel", "gt_usm": True}


def realesrgan_pairs():
    """Real-ESRGAN's finetune_realesrgan_x4plus_pairdata.yml."""
    options = realesrgan()
    for key in (*SYNTHESIS, "gt_size", "queue_size"):
        del options[key]
    pairs = {
        "name": "DIV2K",
        "type": "RealESRGANPairedDataset",
        "dataroot_gt": "hr",
        "dataroot_lq": "lr",
    }
    return {
        **options,
        "high_order_degradation": False,
        "datasets": {"train": {**pairs, **READING}},
        "val": None,
    }


def soccer_realesrgan():
    """The soccer project's train_realesrgan_x4plus.yml.

    It has PaddleGAN's spellings, and synthesis keys in two places.
    """
    options = realesrgan()
    options |= {"num_gpu": 0, "auto_resume": False, "val": None}
    train = {
        **options["datasets"]["train"],
        **USM,
        **SYNTHESIS,
        "batch_size_per_gpu": 20,
    }
    options["datasets"] = {"train": train}
    options["path"]["experiments_root"] = "experiments"
    options["train"]["optim_g"] = options["train"]["optim_d"] = ADAM_OF_PADDLE
    perceptual = {
        **PERCEPTUAL,
        "vgg_path": "vgg.pdparams",
        "out_layer_name": list(LAYERS),
        "reduction": "mean",
    }
    perceptual["layer_weights"] = {"2": 0.1, "7": 0.1, "16": 1, "25": 1, "34": 1}
    perceptual["norm_img"] = perceptual.pop("range_norm")
    options["train"]["perceptual_opt"] = perceptual
    return options


def soccer_realesrnet():
    """The soccer project's train_realesrnet_x4plus.yml.

    It has a discriminator's optimizer without a discriminator.
    """
    options = realesrnet()
    options |= {"num_gpu": 0, "auto_resume": False}
    options["datasets"]["train"] |= {
        "gt_usm": True,
        **SYNTHESIS,
        "batch_size_per_gpu": 45,
    }
    options["path"]["experiments_root"] = "experiments"
    options["train"] |= {"optim_g": ADAM_OF_PADDLE, "optim_d": ADAM_OF_PADDLE}
    return options


def ancestor_realesrgan():
    """The soccer project's ancestor.

    It has duplicate keys, two values of num_gpu, and a queue_size that is no multiple
    of the batch size.
    """
    options = soccer_realesrgan()
    options["datasets"]["train"] |= {
        "scale": 4,
        "num_gpu": 1,
        "manual_seed": 0,
        "gt_usm": True,
    }
    options["datasets"]["train"]["batch_size_per_gpu"] = 8
    options["train"]["perceptual_opt"]["layer_weights"] = LAYERS
    options["train"]["perceptual_opt"]["range_norm"] = options["train"][
        "perceptual_opt"
    ].pop("norm_img")
    return options


def soccer_lq():
    """The soccer project's generate_lq_data.yml."""
    return {
        "scale": 4,
        "dataroot_gt": "datasets/GT",
        "meta_info": "meta.txt",
        **USM,
        **SYNTHESIS,
        **KERNELS,
    }


OPTION_FILES = {
    "realesrgan": realesrgan(),
    "realesrgan_x2": realesrgan(2),
    "realesrnet": realesrnet(),
    "realesrnet_x2": realesrnet(2),
    "pairs": realesrgan_pairs(),
    "soccer_realesrgan": soccer_realesrgan(),
    "soccer_realesrnet": soccer_realesrnet(),
    "ancestor": ancestor_realesrgan(),
}
