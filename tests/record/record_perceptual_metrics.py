"""Record the authors' LPIPS and DISTS: tests/reference/perceptual_metrics.npz.

    export PYTHONPATH=tests/helpers:.
    python tests/record/record_perceptual_metrics.py --weights weights

Needs torch, torchvision, lpips 0.1.4 and DISTS-pytorch 0.1 (`pip install --no-deps`),
on the CPU. Values and gradients with weights from the formula; and values with the
released weights, from the folder --weights, where lpips_alex.pdparams,
lpips_vgg.pdparams and dists.pdparams lie (`loss.metric_weights.fetch_metric_weights`
makes them). --metrics records some only and keeps what there is of the others.
lpips_squeeze is recorded without released weights where its file does not lie there.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import lpips
import numpy as np
import sample_perceptual_metrics as sample
import torch
import torchvision
from DISTS_pytorch import DISTS

from realesrgan_paddle.utils.weights.reader import read_weights

OUTPUT = Path(__file__).resolve().parents[1] / "reference" / "perceptual_metrics.npz"
Tensors = Mapping[str, np.ndarray]
Metric = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def untrained(build: Callable[..., torch.nn.Module]) -> Callable[..., torch.nn.Module]:
    """Return a function that builds a torchvision network without its weights."""
    return lambda pretrained: build(weights=None)


def load(network: torch.nn.Module, tensors: Tensors) -> None:
    """Fill the convolutions of `network` in their order."""
    convolutions = [
        m
        for m in network.modules()
        if isinstance(m, torch.nn.Conv2d) and m.bias is not None
    ]
    weights = [
        torch.from_numpy(v)
        for k, v in tensors.items()
        if k.startswith("features") and k.endswith("weight")
    ]
    biases = [
        torch.from_numpy(v)
        for k, v in tensors.items()
        if k.startswith("features") and k.endswith("bias")
    ]
    for convolution, weight, bias in zip(convolutions, weights, biases, strict=True):
        convolution.weight.data, convolution.bias.data = weight, bias


def lpips_of(net: str, tensors: Tensors) -> Metric:
    metric = lpips.LPIPS(net=net, pretrained=False, pnet_rand=True, verbose=False)
    load(metric.net, tensors)
    for i, layer in enumerate(metric.lins):
        layer.model[-1].weight.data = torch.from_numpy(tensors[f"lin{i}.weight"])
    return lambda sr, gt: metric(sr, gt, normalize=True).flatten()


def dists_of(tensors: Tensors) -> Metric:
    metric = DISTS(load_weights=False)
    load(metric, tensors)
    metric.alpha.data, metric.beta.data = (
        torch.from_numpy(tensors[name]) for name in ("alpha", "beta")
    )
    return lambda sr, gt: metric(sr, gt, require_grad=True)


def value_and_gradient(
    metric: Metric, sr: torch.Tensor, gt: torch.Tensor
) -> dict[str, np.ndarray]:
    sr = sr.clone().requires_grad_()
    value = metric(sr, gt)
    value.sum().backward()
    return {"value": value.detach().numpy(), "grad": sr.grad.numpy()}


def seeded(name: str) -> Tensors:
    """Return weights from the formula."""
    if name == "dists":
        return {**sample.network("vgg"), **sample.dists()}
    net = name.removeprefix("lpips_")
    return {**sample.network(net), **sample.linear(net)}


def open_metric(name: str, tensors: Tensors) -> Metric:
    if name == "dists":
        return dists_of(tensors)
    return lpips_of(name.removeprefix("lpips_"), tensors)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*(f"lpips_{net}" for net in sample.COMPARED), "dists"]
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--metrics", nargs="+", choices=names, default=names)
    args = parser.parse_args()
    folder = args.weights
    torchvision.models.alexnet = untrained(torchvision.models.alexnet)
    torchvision.models.vgg16 = untrained(torchvision.models.vgg16)
    torchvision.models.squeezenet1_1 = untrained(torchvision.models.squeezenet1_1)
    sr, gt = (torch.from_numpy(picture) for picture in sample.pictures())
    arrays = dict(np.load(OUTPUT)) if OUTPUT.exists() else {}
    for name in args.metrics:
        made = value_and_gradient(open_metric(name, seeded(name)), sr, gt)
        arrays[f"{name}/value"], arrays[f"{name}/grad"] = made["value"], made["grad"]
        path = folder / f"{name}.pdparams"
        if path.exists() or name != "lpips_squeeze":
            metric = open_metric(name, read_weights(path).select())
            arrays[f"{name}/released"] = value_and_gradient(metric, sr, gt)["value"]
    np.savez_compressed(OUTPUT, **arrays)
    print({name: array for name, array in arrays.items() if not name.endswith("grad")})
    print(f"{OUTPUT}: {len(arrays)} arrays, {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
