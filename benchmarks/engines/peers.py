"""A process that runs another engine on the same weights and input; see infer.py.

Its Python has torch, spandrel, onnx, openvino, onnxruntime and ncnn. Each engine is
prepared for exactly the input's size, as it is fastest.
"""

from functools import partial
from pathlib import Path

import numpy as np

from engines.cases import PEERS, SHIPPED, Run, arguments, serve

WRITE_ONNX = "write ONNX"
"""In the place of an engine: write the network as ONNX, for those that read it."""


def network(model: Path):  # noqa: ANN201 - torch is imported only where it is used
    """Return spandrel's network with the weights in a folder."""
    import torch
    from spandrel import ModelLoader

    with np.load(model / "weights.npz") as weights:
        tensors = {name: torch.from_numpy(weights[name]) for name in weights}
    loaded = ModelLoader(device="cpu").load_from_state_dict(tensors)
    return loaded.model.eval()


def write_onnx(model: Path) -> None:
    """Write network.onnx into a folder, for any size of image."""
    import torch

    names = {"input_names": ["x"], "output_names": ["y"]}
    size = {2: "height", 3: "width"}
    torch.onnx.export(
        network(model),
        (torch.rand(1, 3, 32, 32),),
        model / "network.onnx",
        dynamic_axes={"x": size},
        opset_version=17,
        dynamo=False,
        **names,
    )


def open_torch(engine: str, model: Path, images: np.ndarray, threads: int) -> Run:
    """Return torch's eager mode: as shipped, or channels-last, or with autocast too."""
    import torch

    torch.set_num_threads(threads)
    layout = torch.channels_last
    if engine == SHIPPED:
        layout = torch.contiguous_format
    module = network(model).to(memory_format=layout)
    half = partial(
        torch.autocast, "cpu", torch.bfloat16, enabled=engine == "torch autocast"
    )

    @torch.inference_mode()
    def run(images: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(images).to(memory_format=layout)
        with half():
            y = module(x)
        return y.float().contiguous().numpy()

    return run


def open_openvino(engine: str, model: Path, images: np.ndarray, threads: int) -> Run:
    """Return OpenVINO's CPU plugin."""
    import openvino

    core = openvino.Core()
    graph = core.read_model(model / "network.onnx")
    graph.reshape(list(images.shape))

    options = {
        "INFERENCE_PRECISION_HINT": "bf16" if engine == "OpenVINO bf16" else "f32",
        "INFERENCE_NUM_THREADS": str(threads),
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = core.compile_model(graph, "CPU", options)
    request = compiled.create_infer_request()

    def run(images: np.ndarray) -> np.ndarray:
        return request.infer([images])[0]

    return run


def open_onnxruntime(engine: str, model: Path, images: np.ndarray, threads: int) -> Run:
    """Return onnxruntime's CPU provider."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    for axis, name in ((2, "height"), (3, "width")):
        options.add_free_dimension_override_by_name(name, images.shape[axis])

    path = str(model / "network.onnx")
    session = onnxruntime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"]
    )
    return lambda images: session.run(None, {"x": images})[0]


def open_ncnn(engine: str, model: Path, images: np.ndarray, threads: int) -> Run:
    """Return ncnn: Winograd in all of them, weights and activations stored as named."""
    import ncnn

    net = ncnn.Net()
    net.opt.use_vulkan_compute = False
    net.opt.num_threads = threads
    half = engine == "ncnn fp16"
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = half
    net.opt.use_fp16_arithmetic = half
    net.opt.use_bf16_packed = net.opt.use_bf16_storage = engine == "ncnn bf16"
    if net.load_param(str(model / "network.param")):
        raise RuntimeError("ncnn refuses network.param")
    if net.load_model(str(model / "network.bin")):
        raise RuntimeError("ncnn refuses network.bin")

    def run(images: np.ndarray) -> np.ndarray:
        with net.create_extractor() as extractor:
            extractor.input("x", ncnn.Mat(images[0]))
            code, y = extractor.extract("y")
            if code:
                raise RuntimeError(f"ncnn fails with code {code}")
            return np.array(y)[None]

    return run


def main() -> None:
    """Serve calls until stdin ends."""
    args = arguments([WRITE_ONNX, *PEERS["fp32"], *PEERS["bf16"]])
    if args.engine == WRITE_ONNX:
        write_onnx(args.model)
        return

    families = {
        "torch": open_torch,
        "OpenVINO": open_openvino,
        "onnxruntime": open_onnxruntime,
        "ncnn": open_ncnn,
    }
    images = np.load(args.input)
    family = args.engine.split()[0]
    run = families[family](args.engine, args.model, images, args.threads)
    serve(run, images, args.output)


if __name__ == "__main__":
    main()
