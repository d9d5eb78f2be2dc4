"""Record what BasicSR's networks make of fixed inputs: tests/reference/networks.npz.

    PYTHONPATH=tests/helpers python tests/record/record_networks.py --basicsr PATH --weights FOLDER

PATH is a checkout of XPixelGroup/BasicSR. FOLDER holds the released
realesr-animevideov3.pth, realesr-general-x4v3.pth and RealESRGAN_x4plus_anime_6B.pth.
Needs torch, on the CPU. The inputs, and the weights of the tiny networks, come from
tests/helpers/formulas.py; only outputs and gradients are kept.
"""

import argparse
from pathlib import Path

import basicsr_checkout
import formulas
import numpy as np
import sample_networks
import torch

OUTPUT = Path(__file__).resolve().parents[1] / "reference" / "networks.npz"
ARCHS = {
    "RRDBNet": "archs.rrdbnet_arch",
    "SRVGGNetCompact": "archs.srvgg_arch",
    "UNetDiscriminatorSN": "archs.discriminator_arch",
}


def build(checkout: Path, kind: str, arguments: dict) -> torch.nn.Module:
    return getattr(basicsr_checkout.module(checkout, ARCHS[kind]), kind)(
        **{"num_in_ch": 3, **arguments}
    )


def fill(network: torch.nn.Module) -> None:
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    tensors = formulas.weights(shapes, sample_networks.GAIN)
    network.load_state_dict(
        {name: torch.from_numpy(tensor) for name, tensor in tensors.items()}
    )


def run(network: torch.nn.Module, size: tuple[int, int]) -> np.ndarray:
    with torch.no_grad():
        return network.eval()(
            torch.from_numpy(formulas.picture("input", (1, 3, *size)))
        ).numpy()


def discriminator(network: torch.nn.Module) -> dict[str, np.ndarray]:
    """Three training forwards, of which the last is differentiated, then one evaluation."""
    network.train()
    x = torch.from_numpy(
        formulas.picture("input", sample_networks.DISCRIMINATOR_INPUT)
    ).requires_grad_()
    for _ in range(3):
        out = network(x)
    (
        out * torch.from_numpy(formulas.noise("output gradient", out.shape))
    ).sum().backward()
    record = {"out": out, "x.grad": x.grad, "eval": network.eval()(x)}
    record |= {
        f"{name}.grad": parameter.grad for name, parameter in network.named_parameters()
    }
    record |= dict(network.named_buffers())
    return {name: tensor.detach().numpy() for name, tensor in record.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--basicsr", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    args = parser.parse_args()
    record = {}
    for name, (kind, arguments, size) in sample_networks.GENERATORS.items():
        network = build(args.basicsr, kind, {"num_out_ch": 3, **arguments})
        fill(network)
        record[name] = run(network, size)
    for name, arguments in sample_networks.DISCRIMINATORS.items():
        network = build(args.basicsr, "UNetDiscriminatorSN", arguments)
        fill(network)
        record |= {
            f"{name}/{key}": array for key, array in discriminator(network).items()
        }
    for file, (kind, arguments) in sample_networks.RELEASED.items():
        network = build(args.basicsr, kind, {"num_out_ch": 3, **arguments})
        groups = torch.load(args.weights / file, map_location="cpu", weights_only=True)
        network.load_state_dict(groups.get("params_ema", groups.get("params")))
        record[file] = run(network, sample_networks.RELEASED_INPUT)
    np.savez_compressed(OUTPUT, **record)
    print(f"{OUTPUT}: {len(record)} arrays, {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
