"""TensorRT through Paddle's predictor: the sizes that a graph's tensors take, and engines.

TensorRT builds an engine for a range of sizes, in minutes. Paddle notes the sizes in a
run without it, builds the engine when the graph is run next, and stores it.
"""

import hashlib
import os
from pathlib import Path

import numpy as np
import paddle
from paddle import inference

from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import make_folder

PRECISIONS = {
    "fp32": inference.PrecisionType.Float32,
    "fp16": inference.PrecisionType.Half,
}
"""What a GPU computes in, with TensorRT or without."""
WORKSPACE_BYTES = 1 << 30
"""GPU memory that TensorRT may use while it compares kernels; Paddle's own default."""
SMALLEST_PART = 3
"""Operators that TensorRT takes over at least together; Paddle's own default."""
SMALLEST_SIDE = 32
"""Sides of the smallest images that an engine takes [pixels], as the smallest tiles'."""


def check_available() -> None:
    """Raise UserError if this Paddle was built without TensorRT."""
    if not any(inference.get_trt_compile_version()):
        raise UserError(
            "--trt: the installed Paddle was built without TensorRT; install a build "
            "that has it (https://www.paddlepaddle.org.cn/install/quick), or leave --trt "
            "out"
        )


def collect_ranges(
    config: inference.Config, files: tuple[str, str], images: np.ndarray
) -> Path:
    """Return the file with the sizes of all tensors, from small images to `images`.

    It lies in a folder for this graph, size, GPU and Paddle, where the engine is stored
    too. That is in the user's cache, and not beside the graph: TensorRT trusts a stored
    engine, and a stranger's folder could bring one.

    Args:
        config: how the graph is run without TensorRT, on a GPU.
        files: the program and its weights.
        images: the largest images to be upscaled, float32 (N, 3, H, W).
    """
    ranges = _cache_folder(files, images.shape) / "shapes.pbtxt"
    if ranges.is_file():
        return ranges
    make_folder(ranges.parent)
    config.collect_shape_range_info(str(ranges))
    predictor = inference.create_predictor(config)

    # The size that is run most often is the one that TensorRT makes fastest.
    height, width = (min(SMALLEST_SIDE, side) for side in images.shape[2:])
    small = np.ascontiguousarray(images[:, :, :height, :width])
    (name,) = predictor.get_input_names()
    for batch in (small, images, images):
        predictor.get_input_handle(name).copy_from_cpu(batch)
        predictor.run()

    del predictor  # which writes the file
    return ranges


def enable(config: inference.Config, ranges: Path, precision: str) -> None:
    """Run the graph of `config` with TensorRT, in "fp32" or "fp16".

    Args:
        config: how it is run on a GPU.
        ranges: see `collect_ranges`.
        precision: what it computes in.
    """
    config.enable_tensorrt_engine(
        workspace_size=WORKSPACE_BYTES,
        max_batch_size=1,
        min_subgraph_size=SMALLEST_PART,
        precision_mode=PRECISIONS[precision],
        use_static=True,
        use_calib_mode=False,
    )
    config.set_optim_cache_dir(str(ranges.parent))
    config.enable_tuned_tensorrt_dynamic_shape(str(ranges), True)


def _cache_folder(files: tuple[str, str], shape: tuple[int, ...]) -> Path:
    """Return the folder for a graph and the greatest shape of its input."""
    key = hashlib.sha256()
    for file in files:
        key.update(Path(file).read_bytes())

    gpu = paddle.device.cuda.get_device_name(0)
    versions = inference.get_trt_compile_version()
    made_for = f"{shape} {gpu} {paddle.__version__} {versions}"
    key.update(made_for.encode())

    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    name = key.hexdigest()[:32]
    return Path(cache, "realesrgan-paddle", "tensorrt", name)
