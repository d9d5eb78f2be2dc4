"""Record what idealo's ISR computes: tests/reference/isr.npz and tests/reference/isr/.

    PYTHONPATH=tests/helpers python tests/record/record_isr.py --isr PATH --npm PATH

PATH of --isr is a checkout of idealo/image-super-resolution, of --npm the unpacked
@upscalerjs/esrgan-legacy 1.0.0. Needs tensorflow 2.15 and h5py. The tiny networks have
random weights, which Keras itself writes as HDF5 into tests/reference/isr/.
"""

import argparse
import json
import sys
import types
from pathlib import Path

import formulas
import numpy as np
from sample_isr import NETWORKS, RELEASED, RELEASED_SIZE, SIZE

REFERENCE = Path(__file__).resolve().parents[1] / "reference"


def load_isr(checkout: Path):
    """Return ISR's RDN and RRDN; its package's __init__, which loads a trainer, is not run."""
    package = types.ModuleType("ISR")
    package.__path__ = [str(checkout / "ISR")]
    sys.modules["ISR"] = package

    from ISR.models.rdn import RDN
    from ISR.models.rrdn import RRDN

    return RDN, RRDN


def dequantized(folder: Path) -> dict[str, np.ndarray]:
    """Return the weights of a TensorFlow.js model, {"LAYER/kernel": array}."""
    manifest = json.loads((folder / "model.json").read_text())["weightsManifest"]
    data = (folder / "group1-shard1of1.bin").read_bytes()

    weights, start = {}, 0
    for entry in manifest[0]["weights"]:
        count = int(np.prod(entry["shape"]))
        steps = np.frombuffer(data, np.uint8, count, start).reshape(entry["shape"])
        quantization = entry["quantization"]
        values = steps * quantization["scale"] + quantization["min"]
        weights[entry["name"]] = values.astype(np.float32)
        start += count
    return weights


def run(network, size) -> np.ndarray:
    """Return the network's output (1, 3, H, W) for a drawn input of `size`."""
    image = formulas.picture("input", (1, 3, *size)).transpose(0, 2, 3, 1)
    output = network.model.predict(image.astype(np.float32), verbose=0)
    return output.transpose(0, 3, 1, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--isr", type=Path, required=True)
    parser.add_argument("--npm", type=Path, required=True)
    args = parser.parse_args()

    RDN, RRDN = load_isr(args.isr)
    record = {}
    (REFERENCE / "isr").mkdir(exist_ok=True)

    for number, (name, (kind, arguments, upscaling)) in enumerate(NETWORKS.items()):
        if kind == "RDN":
            network = RDN(arch_params=arguments, upscaling=upscaling)
        else:
            network = RRDN(arch_params=arguments)
        random = np.random.default_rng(number)
        for weight in network.model.weights:
            weight.assign(random.normal(scale=0.15, size=weight.shape))
        network.model.save_weights(REFERENCE / "isr" / f"{name}.hdf5")
        record[name] = run(network, SIZE)

    released = {
        "psnr-small": RDN(arch_params={"C": 3, "D": 10, "G": 64, "G0": 64, "x": 2}),
        "gans": RRDN(arch_params={"C": 4, "D": 3, "G": 32, "G0": 32, "T": 10, "x": 4}),
    }
    for name in RELEASED:
        weights = dequantized(args.npm / "models" / name)
        for weight in released[name].model.weights:
            weight.assign(weights.pop(weight.name.removesuffix(":0")))
        assert not weights, f"{name}: not used: {sorted(weights)}"
        record[name] = run(released[name], RELEASED_SIZE)

    np.savez_compressed(REFERENCE / "isr.npz", **record)


if __name__ == "__main__":
    main()
