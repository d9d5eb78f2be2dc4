"""Record values and gradients of BasicSR's losses: tests/reference/losses.npz.

    PYTHONPATH=tests/helpers python tests/record/record_losses.py --basicsr PATH

PATH is a checkout of XPixelGroup/BasicSR. Needs torch and torchvision, on the CPU.
Inputs and VGG19's weights come from tests/helpers/formulas.py. BasicSR's artifact map
is a copy of that of LDL's authors.
"""

import argparse
import types
from collections.abc import Callable
from pathlib import Path

import basicsr_checkout
import formulas
import numpy as np
import sample_losses as sample
import torch
import torchvision

OUTPUT = Path(__file__).resolve().parents[1] / "reference" / "losses.npz"


def picture(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(formulas.picture(name, shape))


def with_gradient(
    loss: Callable, pred: torch.Tensor, *rest: object, part: int | None = None
) -> dict[str, np.ndarray]:
    """Return the loss of `pred` (or one part of it), and the gradient of its sum."""
    pred = pred.clone().requires_grad_()
    value = loss(pred, *rest) if part is None else loss(pred, *rest)[part]
    value.sum().backward()
    return {"value": value.detach().numpy(), "grad": pred.grad.numpy()}


def pixel(losses: types.ModuleType) -> dict[str, dict[str, np.ndarray]]:
    pred, target = picture("pred", sample.SHAPE), picture("target", sample.SHAPE)
    record = {}
    for kind, arguments in sample.PIXEL.items():
        for reduction in sample.REDUCTIONS:
            for name, shape in sample.WEIGHTS.items():
                weight = None if shape is None else picture("weight", shape)
                loss = getattr(losses, kind)(
                    loss_weight=0.7, reduction=reduction, **arguments
                )
                record[f"{kind}/{reduction}/{name}"] = with_gradient(
                    loss, pred, target, weight
                )
    return record


def gan(losses: types.ModuleType) -> dict[str, dict[str, np.ndarray]]:
    pred = torch.from_numpy(formulas.noise("answers", sample.GAN_SHAPE)) + 0.5
    record = {}
    for gan_type in sample.GAN_TYPES:
        loss = losses.GANLoss(gan_type, **sample.GAN)
        for real in (True, False):
            for disc in (True, False):
                record[f"{gan_type}/{real}/{disc}"] = with_gradient(
                    loss, pred, real, disc
                )
    return record


def artifact(loss_util: types.ModuleType) -> dict[str, dict[str, np.ndarray]]:
    gt, sr, ema = (picture(name, sample.ARTIFACT_SHAPE) for name in ("gt", "sr", "ema"))

    def loss(sr: torch.Tensor) -> torch.Tensor:
        weight = loss_util.get_refined_artifact_map(gt, sr, ema, 7)
        return torch.nn.functional.l1_loss(weight * sr, weight * gt)

    weight = loss_util.get_refined_artifact_map(gt, sr, ema, 7)
    return {"artifact": {**with_gradient(loss, sr), "map": weight.numpy()}}


def vgg19(pretrained: bool) -> torch.nn.Module:
    """Return torchvision's VGG19 with weights from the formula, not downloaded."""
    network = torchvision.models.vgg19(weights=None)
    shapes = {
        name: tensor.shape for name, tensor in network.features.state_dict().items()
    }
    tensors = formulas.weights(shapes, sample.VGG_GAIN)
    network.features.load_state_dict(
        {name: torch.from_numpy(tensor) for name, tensor in tensors.items()}
    )
    return network


def perceptual(
    checkout: Path, losses: types.ModuleType
) -> dict[str, dict[str, np.ndarray]]:
    basicsr_checkout.module(checkout, "archs.vgg_arch").vgg = types.SimpleNamespace(
        vgg19=vgg19
    )
    sr, gt = picture("sr", sample.VGG_SHAPE), picture("gt", sample.VGG_SHAPE)
    record = {}
    for name, arguments in sample.PERCEPTUAL.items():
        loss = losses.PerceptualLoss(sample.LAYER_WEIGHTS, **arguments)
        record[f"perceptual/{name}"] = with_gradient(loss, sr, gt, part=0)
        if arguments.get("style_weight"):
            record[f"style/{name}"] = with_gradient(loss, sr, gt, part=1)
    features = losses.PerceptualLoss(sample.LAYER_WEIGHTS).vgg(sr)
    record["features"] = {
        name: feature.detach().numpy()[:, ::16] for name, feature in features.items()
    }
    return record


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--basicsr", type=Path, required=True)
    checkout = parser.parse_args().basicsr
    losses = basicsr_checkout.module(checkout, "losses.basic_loss")
    record = {
        **pixel(losses),
        **gan(basicsr_checkout.module(checkout, "losses.gan_loss")),
        **artifact(basicsr_checkout.module(checkout, "losses.loss_util")),
        **perceptual(checkout, losses),
    }
    arrays = {
        f"{loss}/{name}": array
        for loss, parts in record.items()
        for name, array in parts.items()
    }
    np.savez_compressed(OUTPUT, **arrays)
    print(f"{OUTPUT}: {len(arrays)} arrays, {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
