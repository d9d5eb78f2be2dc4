"""What runs a network: Paddle's eager mode (dygraph) on weights, or its inference engine on an exported graph.

Both are called alike: float32 RGB (N, 3, H, W) in [0, 1] gives (N, 3, scale * H, scale
* W), not clipped, as NumPy arrays. They raise MemoryError where a picture does not fit.
"""

from pathlib import Path

import numpy as np
import paddle
from paddle import inference, nn

from realesrgan_paddle.models.networks.build import build
from realesrgan_paddle.models.networks.specs import GeneratorSpec, describe
from realesrgan_paddle.models.weights.assign import load_state
from realesrgan_paddle.models.weights.read_generator import read_generator
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.file_kinds import failed_download
from realesrgan_paddle.utils.machine.devices import core_count, pick_device

MODEL_NAME = "inference.pdmodel"
EXPORT_FIRST = "export one with tools/export_model.py"
# oneDNN keeps what it compiled for this many input shapes; pictures of ever new sizes
# would fill the memory.
ONEDNN_SHAPES = 10
# What these look for to fuse an upscaler does not have, and the first two take time
# that grows with the square of the graph: RealESRGAN_x4plus loads in 3 s without them,
# in 60 s with them, and runs as fast.
SLOW_PASSES = (
    "conv_elementwise_add_onednn_fuse_pass",  # Paddle 3
    "conv_elementwise_add_mkldnn_fuse_pass",  # Paddle 2
    "conv_bn_fuse_pass",
    "conv_eltwiseadd_bn_fuse_pass",
)
GPU_POOL_MB = 100  # grows as needed


class DygraphRunner:
    """Run a network in eager mode; `scale` is its enlargement, `device` says where and why."""

    def __init__(self, network: nn.Layer, scale: int, device: str = "") -> None:
        network.eval()
        self.network = network
        self.scale = scale
        self.device = device

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return what the network makes of `images`."""
        with paddle.no_grad():
            return self.network(paddle.to_tensor(images)).numpy()


def require_rgb(spec: GeneratorSpec, source: str) -> None:
    """Raise UserError unless the network takes and gives RGB, which is all that pictures are made of here."""
    if (spec.num_in_ch, spec.num_out_ch) != (3, 3):
        raise UserError(
            f"{source}: {describe(spec)}; only networks from RGB to RGB can enlarge pictures"
        )


def load_dygraph(
    model: str | Path, *, block: int | None = None, device: str = "auto"
) -> DygraphRunner:
    """Return a runner of the network whose weights are in the file, or have the released name, `model`.

    Args:
        model: see `read_generator`.
        block: number of RRDB blocks that the weights must have; None for no
            expectation.
        device: "auto", "cpu" or "gpu"; becomes Paddle's current device.
    """
    if is_exported(model):
        raise UserError(
            f"{model}: an exported model, not weights; run it with tools/infer.py"
        )
    spec, tensors = read_generator(model, block)
    require_rgb(spec, str(model))
    chosen, reason = pick_device(device)
    paddle.set_device(chosen)
    network = build(spec)
    load_state(network, tensors, source=str(model))
    return DygraphRunner(network, spec.scale, f"{chosen} ({reason})")


def is_exported(model: str | Path) -> bool:
    """Return whether `model` means an exported graph: a `.pdmodel` file, or a folder with one or with its PIR form."""
    folder = Path(model)
    return folder.suffix == ".pdmodel" or any(
        (folder / name).is_file() for name in (MODEL_NAME, "inference.json")
    )


def load_runner(
    model: str | Path, *, device: str = "auto", threads: int | None = None
) -> "DygraphRunner | StaticRunner":
    """Return what runs `model`, an exported graph or weights; see `load_static` and `load_dygraph`."""
    if is_exported(model):
        return load_static(model, device=device, threads=threads)
    return load_dygraph(model, device=device)


class StaticRunner:
    """Run an exported graph with paddle.inference; `scale` is its enlargement, found by trying it.

    Args:
        program: the `.pdmodel` file.
        weights: the `.pdiparams` file.
        chosen: "cpu" (with oneDNN) or "gpu".
        threads: CPU threads.
        device: says where it runs and why.
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
        """Return what the graph makes of `images`."""
        # At its first run a predictor lets tensors share memory; where a larger picture
        # comes later, each takes its own (realesr-animevideov3, 640x448 pixels: 0.7 GB
        # against 4.5 GB). So that one gets a new predictor.
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
        """Return the enlargement of a 4x4 picture: 4 is a multiple of all that a network may ask for."""
        config = inference.Config(*self.files)
        config.disable_glog_info()
        config.disable_gpu()
        config.disable_mkldnn()
        config.switch_ir_optim(False)  # quick to load, slow to run
        predictor = inference.create_predictor(config)
        inputs, outputs = predictor.get_input_names(), predictor.get_output_names()
        if len(inputs) != 1 or len(outputs) != 1:
            raise UserError(
                f"{len(inputs)} inputs and {len(outputs)} outputs; an upscaler has one of each"
            )
        shape = _run(predictor, np.zeros((1, 3, 4, 4), np.float32)).shape
        if (
            len(shape) != 4
            or shape[:2] != (1, 3)
            or shape[2] != shape[3]
            or shape[2] % 4
            or not shape[2]
        ):
            raise UserError(
                f"makes {shape} of (1, 3, 4, 4); an upscaler makes (1, 3, 4 * scale, 4 * scale)"
            )
        return shape[2] // 4


def _run(predictor: inference.Predictor, images: np.ndarray) -> np.ndarray:
    predictor.get_input_handle(predictor.get_input_names()[0]).copy_from_cpu(images)
    predictor.run()
    return predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()


def load_static(
    model: str | Path, *, device: str = "auto", threads: int | None = None
) -> StaticRunner:
    """Return a runner of an exported graph; on a CPU it computes with oneDNN.

    Args:
        model: a folder with inference.pdmodel and inference.pdiparams, or the path of a
            `.pdmodel` whose `.pdiparams` lies beside it. Any Paddle may have written
            them.
        device: "auto", "cpu" or "gpu".
        threads: CPU threads, all cores of this process for None.

    Raises:
        UserError: a file is missing or damaged, or the graph is no upscaler.
    """
    if threads is not None and threads < 1:
        raise UserError(f"threads {threads}: must be 1 or more")
    program, weights = _exported_files(Path(model))
    chosen, reason = pick_device(device)
    try:
        return StaticRunner(
            program, weights, chosen, threads or core_count(), f"{chosen} ({reason})"
        )
    except UserError as error:
        raise UserError(f"{program}: {error}") from error
    except (
        RuntimeError,
        ValueError,
        IndexError,
    ) as error:  # Paddle has no exception of its own for a bad file
        raise UserError(
            f"{program} or {weights.name} is damaged: {_summary(error)}; {EXPORT_FIRST}"
        ) from error


def _exported_files(model: Path) -> tuple[Path, Path]:
    """Return the paths of the program and its weights after seeing that both are there and look right."""
    if model.is_file() and model.suffix != ".pdmodel":
        raise UserError(
            f"{model}: not an exported model; {EXPORT_FIRST}, or run weights with tools/predict.py"
        )
    program = model if model.suffix == ".pdmodel" else model / MODEL_NAME
    weights = program.with_suffix(".pdiparams")
    for path in (program, weights):
        if not path.is_file():
            newer = program.with_suffix(".json").is_file() and path is program
            hint = (
                " (the .json beside it is Paddle 3's own format, which its oneDNN cannot run)"
                if newer
                else ""
            )
            raise UserError(f"{path}: no such file{hint}; {EXPORT_FIRST}")
    for path in (program, weights):
        with path.open("rb") as file:
            head = file.read(512)
        if head and (
            instead := failed_download(head)
        ):  # a graph without weights has an empty .pdiparams
            raise UserError(f"{path}: {instead}")
        if (
            path is program and head[:1] != b"\x0a"
        ):  # the tag of ProgramDesc's first field; others crash Paddle
            raise UserError(f"{path}: not a Paddle program; {EXPORT_FIRST}")
    return program, weights


def _summary(error: Exception) -> str:
    """Return the one telling line of Paddle's page-long messages."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next(
        (line for line in lines if line.startswith("(")),
        lines[0] if lines else type(error).__name__,
    )
