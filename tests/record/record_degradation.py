"""Record results of BasicSR and Real-ESRGAN in tests/reference/degradation.npz.

    python tests/record/record_degradation.py --basicsr PATH --realesrgan PATH

The paths are checkouts of XPixelGroup/BasicSR and xinntao/Real-ESRGAN. Needs torch,
torchvision, scipy and OpenCV. Their modules are loaded by file, so neither has to be
installed. The whole chain is Real-ESRGAN's own `feed_data`; its random numbers are
logged as it draws them.

Two correct implementations may round a value that lies half-way between two steps
differently. So inputs are searched (by seed) until everything that the reference rounds
is farther from half-way than float32 arithmetic can move it.
"""

import argparse
import importlib.util
import json
import random
import sys
import types
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

OUTPUT = Path(__file__).resolve().parents[1] / "reference" / "degradation.npz"
ROUND, TENSOR_ROUND = torch.round, torch.Tensor.round
CHAIN_SIZE = (32, 40)
# Real-ESRGAN's, except a scale and resize ranges that suit so small an image.
OPTIONS = {
    "scale": 2,
    "gt_size": 32,
    "resize_prob": [0.2, 0.7, 0.1],
    "resize_range": [0.4, 1.5],
    "gaussian_noise_prob": 0.5,
    "noise_range": [1, 30],
    "poisson_scale_range": [0.05, 3],
    "gray_noise_prob": 0.4,
    "jpeg_range": [30, 95],
    "second_blur_prob": 0.8,
    "resize_prob2": [0.3, 0.4, 0.3],
    "resize_range2": [0.6, 1.2],
    "gaussian_noise_prob2": 0.5,
    "noise_range2": [1, 25],
    "poisson_scale_range2": [0.05, 2.5],
    "gray_noise_prob2": 0.4,
    "jpeg_range2": [30, 95],
}


class Margin:
    """The smallest distance of a rounded number from half-way, since the last reset."""

    def __init__(self):
        self.smallest = 1.0
        torch.round = lambda x: ROUND(self.watch(x))
        torch.Tensor.round = lambda x: TENSOR_ROUND(self.watch(x))

    def watch(self, x):
        self.smallest = min(self.smallest, (x - x.floor() - 0.5).abs().min().item())
        return x


class Log:
    """The random numbers of the reference, in order, since the log was made."""

    def __init__(self):
        self.choices, self.uniforms, self.batches, self.fields = [], [], [], []
        self.wrap(random, "choices", self.choices)
        self.wrap(random, "choice", self.choices)
        self.wrap(np.random, "uniform", self.uniforms)
        self.wrap(torch, "rand", self.batches)
        self.wrap(torch.Tensor, "uniform_", self.batches)
        # Rounded, so that float16 holds them exactly.
        self.wrap(torch, "randn", self.fields, lambda x: x.half().float())
        self.wrap(torch, "poisson", self.fields)

    @staticmethod
    def wrap(module, name: str, log: list, change=lambda x: x) -> None:
        original = getattr(getattr(module, name), "original", getattr(module, name))

        def logged(*args, **kwargs):
            value = change(original(*args, **kwargs))
            log.append(value.clone() if torch.is_tensor(value) else value)
            return value

        logged.original = original
        setattr(module, name, logged)

    def field(self, gray: torch.Tensor) -> np.ndarray:
        """Take the noise (N, 3, H, W) of one pass from the log.

        If any sample is gray, the gray noise was drawn before the color noise.
        """
        flags = gray.reshape(-1, 1, 1, 1) > 0
        field = self.fields.pop(0)
        if flags.any():
            field = torch.where(flags, field, self.fields.pop(0))
        return field.numpy()


def load(name: str, path: Path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def load_references(basicsr: Path, realesrgan: Path):
    """Return BasicSR's modules for degradation, JPEG, images; Real-ESRGAN's model.

    That is degradations.py, diffjpeg.py, img_process_util.py and realesrgan_model.py.
    """
    for name in (
        "basicsr",
        "basicsr.data",
        "basicsr.utils",
        "basicsr.models",
        "basicsr.models.srgan_model",
    ):
        sys.modules[name] = types.ModuleType(name)
    degradations = load(
        "basicsr.data.degradations", basicsr / "basicsr/data/degradations.py"
    )
    load("basicsr.data.transforms", basicsr / "basicsr/data/transforms.py")
    load("basicsr.utils.registry", basicsr / "basicsr/utils/registry.py")
    diffjpeg = load("basicsr.utils.diffjpeg", basicsr / "basicsr/utils/diffjpeg.py")
    images = load(
        "basicsr.utils.img_process_util", basicsr / "basicsr/utils/img_process_util.py"
    )
    sys.modules["basicsr.utils"].DiffJPEG = diffjpeg.DiffJPEG
    sys.modules["basicsr.utils"].USMSharp = images.USMSharp
    sys.modules["basicsr.models.srgan_model"].SRGANModel = object
    real_esrgan = load(
        "realesrgan_model", realesrgan / "realesrgan/models/realesrgan_model.py"
    )
    return degradations, diffjpeg, images, real_esrgan


def picture(
    rng: np.random.RandomState, height: int, width: int, count: int = 1
) -> np.ndarray:
    """Return uint8 (count, 3, height, width): soft waves with grain, no flat areas."""
    y, x = np.mgrid[:height, :width]
    waves = []
    for _ in range(3 * count):
        across = x * rng.uniform(0.05, 0.6)
        down = y * rng.uniform(-0.6, 0.6)
        waves.append(np.sin(across + down + rng.uniform(0, 6)))
    shape = (count, 3, height, width)
    image = 128 + 80 * np.reshape(waves, shape) + rng.normal(0, 15, shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image.astype(np.float32) / 255)


def record_kernels(degradations, out: dict) -> None:
    """Keys `<function>_<size>_<parameters>`, as in kernels.py, hold float64 kernels."""
    shapes = [
        (7, 0.2, 0.2, 0.0),
        (21, 2.7, 2.7, 0.0),
        (21, 3.0, 0.6, 0.7),
        (13, 0.4, 1.9, -2.9),
    ]
    for size, sx, sy, theta in shapes:
        name = f"{size}_{sx}_{sy}_{theta}"
        iso = sx == sy
        out[f"gaussian_kernel_{name}"] = degradations.bivariate_Gaussian(
            size, sx, sy, theta, isotropic=iso
        )
        for beta in (0.5, 3.3):
            out[f"generalized_gaussian_kernel_{name}_{beta}"] = (
                degradations.bivariate_generalized_Gaussian(
                    size, sx, sy, theta, beta, isotropic=iso
                )
            )
            out[f"plateau_kernel_{name}_{beta}"] = degradations.bivariate_plateau(
                size, sx, sy, theta, beta, isotropic=iso
            )
    for size, cutoff in ((7, 1.1), (13, 0.63), (21, 3.1)):
        out[f"sinc_kernel_{size}_{cutoff}"] = degradations.circular_lowpass_kernel(
            cutoff, size, pad_to=False
        )


def record_blur(degradations, images, out: dict) -> None:
    """Only red channels are recorded, here and in `record_resize`."""
    image = picture(np.random.RandomState(1), 48, 80, count=2)
    sinc = degradations.circular_lowpass_kernel(0.9, 21)
    aniso = degradations.bivariate_Gaussian(21, 4.0, 0.8, 0.5, isotropic=False)
    kernel = np.stack([sinc, aniso]).astype(np.float32)
    out["image"] = image
    out["blur_kernel"] = kernel
    out["blur"] = images.filter2D(tensor(image), torch.from_numpy(kernel))[
        :, :1
    ].numpy()
    out["usm_image"] = usm_image = picture(np.random.RandomState(2), 64, 80)
    out["usm"] = images.USMSharp()(tensor(usm_image))[:, :1].numpy()


def record_resize(out: dict) -> None:
    """Keys `resize_<mode>_<factor>` and `resize_<mode>_<height>x<width>`."""
    image = tensor(out["image"][:1, :1])
    for mode in ("area", "bilinear", "bicubic"):
        for factor in (0.15, 0.731, 1.0, 1.377):
            out[f"resize_{mode}_{factor}"] = F.interpolate(
                image, scale_factor=factor, mode=mode
            ).numpy()
        for size in ((12, 20), (30, 93)):
            out[f"resize_{mode}_{size[0]}x{size[1]}"] = F.interpolate(
                image, size=size, mode=mode
            ).numpy()


def record_noise(degradations, margin: Margin, out: dict) -> None:
    """Gaussian and poisson noise; the first sample in color, the second gray."""
    gray = torch.tensor([0.0, 1.0])
    image = picture(np.random.RandomState(7), 24, 40, count=2)
    image[0] //= 16  # few levels, so fewer photons
    log = Log()
    result = degradations.add_gaussian_noise_pt(
        tensor(image), torch.tensor([7.5, 24.0]), gray_noise=gray
    )
    out["noise_image"] = image
    out["gaussian_field"] = log.field(gray).astype(np.float16)
    out["gaussian"] = result.numpy()

    margin.smallest = 1.0
    log = Log()
    result = degradations.add_poisson_noise_pt(
        tensor(image), torch.tensor([0.4, 2.2]), gray_noise=gray
    )
    out["poisson_counts"] = log.field(gray).astype(np.uint16)
    out["poisson"] = result.numpy()
    assert margin.smallest > 1e-4, (
        "a luma half-way between two levels: take another seed for the image"
    )


def record_jpeg(diffjpeg, margin: Margin, out: dict) -> None:
    quality = np.array([12.5, 50, 93.7], np.float32)
    jpeg = diffjpeg.DiffJPEG(differentiable=False)
    for seed in range(1000):
        image = picture(np.random.RandomState(seed), 24, 41, count=3)
        margin.smallest = 1.0
        with torch.no_grad():
            result = jpeg(tensor(image), quality=torch.from_numpy(quality.copy()))
        if margin.smallest > 2e-4:
            break
    else:
        raise RuntimeError("no image without a coefficient near half-way")
    out["jpeg_image"], out["jpeg_quality"], out["jpeg"] = image, quality, result.numpy()


def run_chain(real_esrgan, degradations, seed: int) -> dict:
    """Run Real-ESRGAN's `feed_data`; return its input, kernels, log and result."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    gt = picture(np.random.RandomState(seed), *CHAIN_SIZE, count=2)
    mixed = [
        degradations.bivariate_plateau(21, 1.5, 0.7, 0.4, 1.4, isotropic=False),
        degradations.bivariate_Gaussian(21, 1.2, 1.2, 0),
        degradations.circular_lowpass_kernel(1.6, 13, pad_to=21),
    ]
    kernels = np.stack([mixed, mixed[::-1]], axis=1)  # (3, 2, 21, 21)
    kernels = kernels.astype(np.float32)
    # Not sharpened (USM is recorded alone; its window needs more rows), not cropped,
    # and without the pool.
    real_esrgan.paired_random_crop = lambda gts, lq, *_: (gts, lq)
    run = types.SimpleNamespace(is_train=True, opt=OPTIONS, device="cpu")
    run.usm_sharpener = lambda image: image
    run._dequeue_and_enqueue = lambda: None
    jpeg = real_esrgan.DiffJPEG(differentiable=False)
    # Contiguous: on the CPU, the blur after it cannot view its result otherwise.
    run.jpeger = lambda image, quality: jpeg(image, quality).contiguous()
    names = ("kernel1", "kernel2", "sinc_kernel")
    data = {
        "gt": tensor(gt),
        **dict(zip(names, torch.from_numpy(kernels), strict=True)),
    }
    log = Log()
    with torch.no_grad():
        real_esrgan.RealESRGANModel.feed_data(run, data)
    return {"gt": gt, "kernels": kernels, "log": log, "lq": run.lq.numpy()}


def read_pass(log: Log, suffix: str) -> tuple[dict, np.ndarray]:
    """Take the draws of one pass from `log`, named as in `PassParams`, and its noise."""
    (updown,) = log.choices.pop(0)
    factor = 1.0 if updown == "keep" else log.uniforms.pop(0)
    gaussian = log.uniforms.pop(0) < OPTIONS["gaussian_noise_prob" + suffix]
    low, high = OPTIONS[("noise_range" if gaussian else "poisson_scale_range") + suffix]
    strength, gray, quality = (log.batches.pop(0) for _ in range(3))
    gray = (gray < OPTIONS["gray_noise_prob" + suffix]).float()
    draws = {
        "factor": factor,
        "mode": log.choices.pop(0),
        "gaussian": gaussian,
        "strength": (strength * (high - low) + low).tolist(),
        "gray": (gray > 0).tolist(),
        "quality": quality.tolist(),
    }
    return draws, log.field(gray)


def read_draws(log: Log) -> tuple[dict, list[np.ndarray]]:
    """Return the draws of a run, named as in `DegradationParams`, and the noise of both passes."""
    first, first_field = read_pass(log, "")
    second_blur = log.uniforms.pop(0) < OPTIONS["second_blur_prob"]
    second, second_field = read_pass(log, "2")
    draws = {"first": first, "second": second, "second_blur": second_blur}
    draws |= {"final_mode": log.choices.pop(0), "jpeg_last": log.uniforms.pop(0) < 0.5}
    assert not (log.choices or log.uniforms or log.batches or log.fields)
    return draws, [first_field, second_field]


def record_chains(real_esrgan, degradations, margin: Margin, out: dict) -> None:
    """Two runs that together take every branch; `chain<i>_draws` is json."""
    for number, wanted in enumerate(((True, False, True), (False, True, False))):
        for seed in range(5000):
            margin.smallest = 1.0
            run = run_chain(real_esrgan, degradations, seed)
            draws, fields = read_draws(run["log"])
            first, second = draws["first"], draws["second"]
            branches = (first["gaussian"], second["gaussian"], draws["jpeg_last"])
            one_gray = sum(first["gray"]) == sum(second["gray"]) == 1
            safe = draws["second_blur"] and margin.smallest > 3e-5
            if branches == wanted and one_gray and safe:
                break
        else:
            raise RuntimeError("no such run; loosen the margin")
        out |= {f"chain{number}_{key}": run[key] for key in ("gt", "kernels", "lq")}
        out[f"chain{number}_lq"] = np.rint(run["lq"] * 255).astype(np.uint8)
        for name, field in zip(("first", "second"), fields, strict=True):
            gaussian = draws[name]["gaussian"]
            out[f"chain{number}_{name}_field"] = field.astype(
                np.float16 if gaussian else np.uint16
            )
        out[f"chain{number}_draws"] = np.array(json.dumps(draws))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--basicsr", required=True, type=Path)
    parser.add_argument("--realesrgan", required=True, type=Path)
    args = parser.parse_args()
    margin = Margin()
    degradations, diffjpeg, images, real_esrgan = load_references(
        args.basicsr, args.realesrgan
    )
    out: dict[str, np.ndarray] = {}
    record_kernels(degradations, out)
    record_blur(degradations, images, out)
    record_resize(out)
    record_noise(degradations, margin, out)
    record_jpeg(diffjpeg, margin, out)
    record_chains(real_esrgan, degradations, margin, out)
    np.savez_compressed(OUTPUT, **out)
    print(f"{OUTPUT}: {len(out)} arrays, {OUTPUT.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
