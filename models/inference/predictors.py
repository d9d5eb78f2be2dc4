"""What runs a network: Paddle's dygraph on weights, or paddle.inference on an exported graph.

Both are called alike: float32 RGB (N, 3, H, W) in [0, 1] gives (N, 3, scale * H,
scale * W), not clipped, as NumPy arrays. They raise MemoryError if an image does not
fit.
"""

from pathlib import Path

import numpy as np
import paddle
from paddle import inference, nn

from realesrgan_paddle.models.inference.graph_check import check_operators
from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.weights.assign import load_weights
from realesrgan_paddle.models.weights.read_generator import read_generator
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.file_kinds import failed_download
from realesrgan_paddle.utils.files.regular import check_utf8, open_regular
from realesrgan_paddle.utils.machine.devices import core_count, pick_device

MODEL_NAME = "inference.pdmodel"
EXPORT_FIRST = "export one with tools/export_model.py"
ONEDNN_SHAPES = 10
"""oneDNN caches compiled primitives of so many input shapes; each new size adds one."""
SLOW_PASSES = (
    "conv_elementwise_add_onednn_fuse_pass",  # Paddle 3
    "conv_elementwise_add_mkldnn_fuse_pass",  # Paddle 2
    "conv_bn_fuse_pass",
    "conv_eltwiseadd_bn_fuse_pass",
)
"""Passes that find nothing to fuse in an upscaler.

The first two take time quadratic in the graph's size: RealESRGAN_x4plus loads in 3 s
without them, in 60 s with them, and runs as fast.
"""
GPU_POOL_MB = 100
"""Initial GPU memory pool; it grows as needed."""
PROGRAM_TAG = b"\x0a"
"""The first byte of a ProgramDesc (its first field); Paddle crashes on others."""


class DygraphRunner:
    """Runs a network in dygraph mode.

    Attributes:
        scale: its upscaling factor.
        device: where it runs, and why.
    """

    def __init__(self, network: nn.Layer, scale: int, device: str = "") -> None:
        network.eval()
        self.network = network
        self.scale = scale
        self.device = device

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the upscaled images."""
        with paddle.no_grad():
            return self.network(paddle.to_tensor(images)).numpy()


def require_rgb(network: Generator, source: str) -> None:
    """Raise UserError unless the network's input and output are RGB, as images are."""
    if (network.num_in_ch, network.num_out_ch) != (3, 3):
        raise UserError(
            f"{source}: {network}; only networks from RGB to RGB can upscale images"
        )


def load_dygraph(
    model: str | Path, *, block: int | None = None, device: str = "auto"
) -> DygraphRunner:
    """Return a runner of the network in a weight file, or of a released model's name.

    Args:
        model: see `read_generator`.
        block: number of RRDB blocks that the weights must have; None: any.
        device: "auto", "cpu" or "gpu"; becomes Paddle's current device.
    """
    if is_exported(model):
        raise UserError(
            f"{model}: an exported model, not weights; run it with tools/infer.py"
        )
    description, tensors = read_generator(model, block)
    require_rgb(description, str(model))

    chosen, reason = pick_device(device)
    paddle.set_device(chosen)
    network = Network(description)
    load_weights(network, tensors, source=str(model))
    return DygraphRunner(network, description.scale, f"{chosen} ({reason})")


def is_exported(model: str | Path) -> bool:
    """Return whether `model` is a `.pdmodel` file or a folder with an exported graph."""
    if Path(model).suffix == ".pdmodel":
        return True
    names = (MODEL_NAME, "inference.json")
    return any(Path(model, name).is_file() for name in names)


def load_runner(
    model: str | Path, *, device: str = "auto", threads: int | None = None
) -> "DygraphRunner | StaticRunner":
    """Return a runner of an exported graph (`load_static`) or weights (`load_dygraph`)."""
    if is_exported(model):
        return load_static(model, device=device, threads=threads)
    return load_dygraph(model, device=device)


class StaticRunner:
    """Runs an exported graph with paddle.inference.

    Args:
        program: the `.pdmodel` file.
        weights: the `.pdiparams` file.
        chosen: "cpu" (with oneDNN) or "gpu".
        threads: CPU threads.
        device: where it runs, and why; for messages.

    Attributes:
        scale: its upscaling factor, found by running it once.
    """

    def __init__(
        self, program: Path, weights: Path, chosen: str, threads: int, device: str = ""
    ) -> None:
        self.files = (str(program), str(weights))
        self.chosen = chosen
        self.threads = threads
        self.device = device
        self._largest = 0
        self._predictor: inference.Predictor | None = None
        self.scale = self._find_scale()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the upscaled images."""
        # In its first run a predictor lets tensors share memory. If a larger image comes
        # later, each takes its own (realesr-animevideov3, 640x448 pixels: 4.5 GB instead
        # of 0.7 GB), so that one gets a new predictor.
        if images.size > self._largest:
            self._predictor = None
            self._predictor = inference.create_predictor(self._config())
            self._largest = images.size
        return _run(self._predictor, images)

    def _config(self) -> inference.Config:
        config = inference.Config(*self.files)
        config.disable_glog_info()
        config.enable_memory_optim()
        for name in SLOW_PASSES:
            config.delete_pass(name)

        if self.chosen == "gpu":
            config.enable_use_gpu(GPU_POOL_MB, 0)
        else:
            config.disable_gpu()
            config.enable_mkldnn()
            config.set_mkldnn_cache_capacity(ONEDNN_SHAPES)
            config.set_cpu_math_library_num_threads(self.threads)
        return config

    def _find_scale(self) -> int:
        """Return the upscaling factor of a 4x4 image: every network takes multiples of 4."""
        config = inference.Config(*self.files)
        config.disable_glog_info()
        config.disable_gpu()
        config.disable_mkldnn()
        config.switch_ir_optim(False)  # quick to load, slow to run
        predictor = inference.create_predictor(config)

        inputs, outputs = predictor.get_input_names(), predictor.get_output_names()
        if len(inputs) != 1 or len(outputs) != 1:
            raise UserError(
                f"{len(inputs)} inputs and {len(outputs)} outputs; an upscaler has one of "
                "each"
            )

        shape = _run(predictor, np.zeros((1, 3, 4, 4), np.float32)).shape
        scale = shape[-1] // 4
        if scale < 1 or shape != (1, 3, 4 * scale, 4 * scale):
            raise UserError(
                f"makes {shape} of (1, 3, 4, 4); an upscaler makes "
                "(1, 3, 4 * scale, 4 * scale)"
            )
        return scale


def _run(predictor: inference.Predictor, images: np.ndarray) -> np.ndarray:
    (input_name,) = predictor.get_input_names()
    (output_name,) = predictor.get_output_names()
    predictor.get_input_handle(input_name).copy_from_cpu(images)
    predictor.run()
    return predictor.get_output_handle(output_name).copy_to_cpu()


def load_static(
    model: str | Path, *, device: str = "auto", threads: int | None = None
) -> StaticRunner:
    """Return a runner of an exported graph; on a CPU it computes with oneDNN.

    Args:
        model: a folder with inference.pdmodel and inference.pdiparams, or a `.pdmodel`
            file with its `.pdiparams` beside it. Any Paddle may have written them.
        device: "auto", "cpu" or "gpu".
        threads: CPU threads; None: all cores of this process.

    Raises:
        UserError: a file is missing or damaged, the graph is no upscaler, or it has
            operators that no upscaler needs.
    """
    if threads is not None and threads < 1:
        raise UserError(f"threads {threads}: must be 1 or more")
    program, weights = _exported_files(Path(model))
    check_operators(program)
    chosen, reason = pick_device(device)
    threads = threads or core_count()

    try:
        return StaticRunner(program, weights, chosen, threads, f"{chosen} ({reason})")
    except UserError as error:
        raise UserError(f"{program}: {error}") from error
    # Paddle has no exception of its own for a damaged file.
    except (RuntimeError, ValueError, IndexError) as error:
        raise UserError(
            f"{program} or {weights.name} is damaged: {_summary(error)}; {EXPORT_FIRST}"
        ) from error


def _exported_files(model: Path) -> tuple[Path, Path]:
    """Return the paths of the program and its weights; UserError if one is none."""
    if model.is_file() and model.suffix != ".pdmodel":
        raise UserError(
            f"{model}: not an exported model; {EXPORT_FIRST}, or run weights with "
            "tools/predict.py"
        )
    program = model if model.suffix == ".pdmodel" else model / MODEL_NAME
    weights = program.with_suffix(".pdiparams")

    if not program.exists():
        hint = ""
        if program.with_suffix(".json").is_file():
            hint = " (the .json beside it is Paddle 3's own format, which its oneDNN cannot run)"
        raise UserError(f"{program}: no such file{hint}; {EXPORT_FIRST}")
    if not weights.exists():
        raise UserError(f"{weights}: no such file; {EXPORT_FIRST}")

    check_utf8(program)  # Paddle opens it
    if _head(program)[:1] != PROGRAM_TAG:
        raise UserError(f"{program}: not a Paddle program; {EXPORT_FIRST}")
    _head(weights)
    return program, weights


def _head(path: Path) -> bytes:
    """Return the first bytes of a file; UserError if they are those of another kind."""
    with open_regular(path) as file:
        head = file.read(512)
    # A graph without weights has an empty .pdiparams.
    if head and (other_kind := failed_download(head)):
        raise UserError(f"{path}: {other_kind}")
    return head


def _summary(error: Exception) -> str:
    """Return the one line of Paddle's page-long messages that gives the reason."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    for line in lines:
        if line.startswith("("):
            return line
    return lines[0] if lines else type(error).__name__
