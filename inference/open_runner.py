"""What runs a network: which engine, in which precision, and why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from realesrgan_paddle.inference.engine.engine import Engine
from realesrgan_paddle.inference.engine.ranges import Ranges, read_ranges
from realesrgan_paddle.inference.graph.exported_files import (
    exported_files,
    is_exported,
    onnx_file,
)
from realesrgan_paddle.inference.graph.inference_yml import (
    Export,
    checked_export,
    read_tensors,
)
from realesrgan_paddle.inference.runners.graph_process import GraphRunner, load_static
from realesrgan_paddle.inference.runners.runner import Runner
from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.networks.recurrent_srvgg import RecurrentSRVGG
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.weights.read_generator import check_there
from realesrgan_paddle.models.weights.weight_options import AS_THEY_ARE, WeightOptions
from realesrgan_paddle.ops.onednn.library import OneDNNError, library
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.machine.devices import (
    DEVICES,
    core_count,
    has_bf16,
    pick_device,
    require_paddle,
    start_paddle,
)

ENGINES = ("auto", "onednn", "paddle", "openvino", "onnxruntime")
PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8")

FROM_WEIGHTS = "paddle from weights"
"""Paddle's dygraph mode, among the engines of `PRECISIONS_OF`."""
PRECISIONS_OF = {
    ("onednn", "cpu"): ("fp32", "bf16", "int8"),
    ("paddle", "cpu"): ("fp32", "bf16"),
    ("paddle", "gpu"): ("fp32", "fp16"),
    (FROM_WEIGHTS, "cpu"): ("fp32",),
    (FROM_WEIGHTS, "gpu"): ("fp32",),
    ("openvino", "cpu"): ("fp32", "bf16"),
    ("onnxruntime", "cpu"): ("fp32",),
}
"""{(engine, device): what it computes in}."""


@dataclass(frozen=True)
class Request:
    """What a caller of `open_runner` asks for."""

    engine: str
    precision: str
    device: str
    threads: int
    sixteen_bit: bool
    trt: bool

    @property
    def place(self) -> str:
        """Return "gpu" or "cpu"; UserError if it is "gpu" where there is none."""
        if self.device == "cpu":
            return "cpu"
        for_cpus = self.engine not in ("auto", "paddle")
        # A CPU build need not be imported, which takes seconds.
        if self.device == "auto" and (for_cpus or not _has_gpu_build()):
            return "cpu"
        start_paddle()
        return pick_device(self.device)[0]


def open_runner(
    model: str | Path,
    *,
    engine: str = "auto",
    precision: str = "auto",
    device: str = "auto",
    threads: int | None = None,
    sixteen_bit: bool = False,
    trt: bool = False,
    weights: WeightOptions = AS_THEY_ARE,
    exported: bool = False,
) -> Runner:
    """Return what runs `model`; its `device` says which engine, which precision and why.

    Args:
        model: a folder or file that tools/export_model.py wrote, a weight file, or the
            name of a released model.
        engine: one of `ENGINES`. "auto": the project's own ("onednn") if it knows the
            network and this CPU, else Paddle; on a system without it onnxruntime, if
            that is installed and the export has an inference.onnx.
        precision: one of `PRECISIONS`. "auto": bf16 where the CPU and the engine have
            it, else fp32. "int8" needs the file that tools/quantize.py writes.
        device: "auto", "cpu" or "gpu".
        threads: CPU threads; None: all cores of this process.
        sixteen_bit: images of 16 bits a sample are wanted, for which "auto" never takes
            bf16.
        trt: run an exported graph with TensorRT, on a GPU.
        weights: how weights are read, where `model` is no exported graph.
        exported: weights are refused.

    Raises:
        UserError: the model cannot be read, or the engine is not installed or has not
            the precision; the message says what can be had.
    """
    for name, value, known in (
        ("engine", engine, ENGINES),
        ("precision", precision, PRECISIONS),
        ("device", device, DEVICES),
    ):
        if value not in known:
            raise UserError(f"{name} {value!r}: known are {', '.join(known)}")
    if threads is not None and threads < 1:
        raise UserError(f"threads {threads}: must be 1 or more")

    threads = threads or core_count()
    request = Request(engine, precision, device, threads, sixteen_bit, trt)
    if exported or is_exported(model):
        return _open_exported(Path(model), request)
    return _open_weights(model, request, weights)


def _open_exported(model: Path, request: Request) -> Runner:
    """Return a runner of an exported graph."""
    place = request.place
    if request.trt and (place != "gpu" or request.engine not in ("auto", "paddle")):
        raise UserError(
            "TensorRT runs a graph on a GPU, with engine paddle; leave --trt out"
        )
    if request.engine in ("openvino", "onnxruntime"):
        return _open_foreign(model, request, place)

    require_paddle()
    program, _ = exported_files(model)
    export = checked_export(program)
    load = partial(_load_exported, program, export, request)
    runner, why = _try_onednn(model, request, place, load)
    if runner is not None:
        return runner
    if request.engine == "auto" and place == "cpu" and _only_onnxruntime_is_fast(model):
        return _open_foreign(model, replace(request, engine="onnxruntime"), place, why)
    precision, reason = _precision("paddle", place, request)
    graph = load_static(
        model,
        device=request.device,
        threads=request.threads,
        precision=precision,
        trt=request.trt,
    )
    engine = "Paddle's predictor with TensorRT" if request.trt else "Paddle's predictor"
    return _described(graph, engine, why, precision, reason)


def _open_weights(
    model: str | Path, request: Request, weights: WeightOptions
) -> Runner:
    """Return a runner of the network in a weight file, or of a released model's name."""
    if request.engine in ("openvino", "onnxruntime") or request.trt:
        check_there(model)
        raise UserError(
            f"{model}: weights, which --engine onednn and paddle run; export them for the "
            "others with tools/export_model.py --onnx"
        )
    require_paddle()
    place = request.place
    load = partial(_load_weights, model, weights, request)
    runner, why = _try_onednn(model, request, place, load)
    if runner is not None:
        return runner

    precision, reason = _precision(FROM_WEIGHTS, place, request)
    start_paddle()
    # Imported here: Paddle takes seconds, and a graph's process loads its own.
    from realesrgan_paddle.inference.runners.dygraph_runner import load_dygraph

    fast = request.engine == "auto"
    dygraph = load_dygraph(model, weights, device=request.device, fast=fast)
    return _described(dygraph, "Paddle's dygraph mode", why, precision, reason)


def _only_onnxruntime_is_fast(model: Path) -> bool:
    """Return whether the engine is missing here, and onnxruntime can run `model`."""
    is_ready = onnx_file(model) is not None and find_spec("onnxruntime") is not None
    return is_ready and bool(_why_no_onednn())


def _open_foreign(
    model: Path, request: Request, place: str, why: str = "asked for"
) -> Runner:
    """Return a runner of an exported graph with OpenVINO or onnxruntime."""
    precision, reason = _precision(request.engine, place, request)
    path = onnx_file(model)
    if path is None and request.engine == "onnxruntime":
        raise UserError(
            f"{model}: has no inference.onnx, the one file that onnxruntime runs; write "
            "it with tools/export_model.py --onnx"
        )
    if path is None:
        path, _ = exported_files(model)
    checked_export(path)

    graph = GraphRunner(path, "cpu", request.threads, request.engine, precision)
    engine = f"{request.engine} on {path.name}"
    return _described(graph, engine, why, precision, reason)


class NotUsableError(UserError):
    """The engine cannot run this network here; the message says why."""


class Loaded(NamedTuple):
    """A network that the project's own engine may run."""

    network: Generator
    tensors: Mapping[str, np.ndarray]
    ranges: Ranges | None
    """Of the features, for int8."""


def _load_exported(program: Path, export: Export | str, request: Request) -> Loaded:
    """Return an exported network; NotUsableError if it is not known which it is."""
    if isinstance(export, str):
        raise NotUsableError(export)
    tensors = read_tensors(program, export)
    ranges = None
    if request.precision == "int8" and isinstance(export.network, SRVGGNetCompact):
        ranges = read_ranges(program, export.network)
    return Loaded(export.network, tensors, ranges)


def _load_weights(
    model: str | Path, weights: WeightOptions, request: Request
) -> Loaded:
    """Return the network of weights, which has no ranges."""
    network, tensors = weights.read(model)
    if request.precision == "int8" and isinstance(network, SRVGGNetCompact):
        raise UserError(
            f"{model}: weights, and int8 is had with exported models; export them with "
            "tools/export_model.py, then run tools/quantize.py"
        )
    return Loaded(network, tensors, None)


def _try_onednn(
    model: str | Path, request: Request, place: str, load: Callable[[], Loaded]
) -> tuple[Runner | None, str]:
    """Return a runner of the project's own engine, or None and why Paddle runs `model`.

    Raises:
        UserError: the engine, or int8, is asked for and cannot be used.
    """
    if request.engine == "paddle":
        return None, "asked for"
    if request.engine == "auto" and place == "gpu":
        return None, "auto: on a GPU"

    precision, reason = _precision("onednn", place, request)
    try:
        runner = _open_engine(load(), precision, request.threads)
    except NotUsableError as error:
        # Nothing else has int8.
        if request.engine == "onednn" or precision == "int8":
            raise UserError(f"{model}: {error}") from error
        return None, f"auto: {error}"
    why = "auto: a network that it knows"
    if request.engine == "onednn":
        why = "asked for"
    if precision == "int8" and isinstance(runner.description, RecurrentSRVGG):
        reason += "; each frame of a video alone, without the state"
    return _described(runner, "the oneDNN engine", why, precision, reason), ""


def _open_engine(loaded: Loaded, precision: str, threads: int) -> Engine:
    """Return the engine; NotUsableError if oneDNN cannot compute the network here."""
    if reason := _why_no_onednn():
        raise NotUsableError(
            f"the oneDNN engine is not available on this system: {reason}"
        )
    network, tensors, ranges = loaded
    try:
        return Engine(network, tensors, precision, threads, ranges=ranges)
    except OneDNNError as error:
        raise NotUsableError(f"the engine cannot run it: {error}") from error


def _why_no_onednn() -> str:
    """Return why Paddle's oneDNN cannot be had on this system, or ""."""
    try:
        library()
    except OneDNNError as error:
        return str(error)
    return ""


def _precision(engine: str, place: str, request: Request) -> tuple[str, str]:
    """Return what `engine` shall compute in, and why.

    Raises:
        UserError: it has not what is asked for; names what can be had.
    """
    possible: Sequence[str] = PRECISIONS_OF.get((engine, place), ())
    if not possible:
        raise UserError(
            f"engine {engine!r} computes on a CPU only; use --device cpu, or --engine "
            "paddle"
        )
    if request.precision == "auto":
        return _automatic(engine, possible, request)

    if request.precision not in possible:
        elsewhere = [
            f"engine {other} on a {device}"
            for (other, device), precisions in PRECISIONS_OF.items()
            if request.precision in precisions
        ]
        raise UserError(
            f"precision {request.precision!r}: engine {engine} on a {place} has "
            f"{' and '.join(possible)}; {request.precision} is had with "
            f"{', '.join(elsewhere) or 'no engine'}"
        )
    if request.precision == "bf16" and not has_bf16():
        raise UserError(
            "precision 'bf16': this CPU does not multiply in it (avx512_bf16, amx_bf16); "
            "use fp32"
        )
    return request.precision, "asked for"


def _automatic(
    engine: str, possible: Sequence[str], request: Request
) -> tuple[str, str]:
    """Return bf16 where it is fast and nobody sees it, else fp32; and why."""
    if "bf16" not in possible:
        return "fp32", "auto: it has no bf16"
    if engine == "paddle":
        return "fp32", "auto: what bf16 does to this graph is not known"
    if request.sixteen_bit:
        return "fp32", "auto: images may have 16 bits"
    if not has_bf16():
        return "fp32", "auto: the CPU has no bf16"
    return "bf16", "auto: the CPU has it, and images have 8 bits"


def _described(
    runner: Runner, engine: str, why: str, precision: str, reason: str
) -> Runner:
    """Return `runner`, whose `device` then tells all that was chosen."""
    runner.device += f", with {engine} ({why}), in {precision} ({reason})"
    return runner


def _has_gpu_build() -> bool:
    """Return whether the installed Paddle may be a build for GPUs, without its import.

    Its file `version/__init__.py` is read, in a hundredth of the time that a search of
    the installed packages takes. Where it does not tell, Paddle has to be asked.
    """
    paddle = find_spec("paddle")
    if paddle is None or paddle.origin is None:
        return False
    version = Path(paddle.origin).with_name("version") / "__init__.py"
    return (
        not version.is_file()
        or "\ncuda_version     = 'False'\n" not in version.read_text()
    )
