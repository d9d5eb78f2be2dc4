"""Small ncnn networks, written like those of ncnn's converter."""

import struct

from sample_weights import sample_weights


def convolution_line(name, weight, activation=""):
    parameters = f"0={weight.shape[0]} 1=3 4=1 5=1 6={weight.size}"
    return f"Convolution {name} 1 1 a b {parameters}{activation}"


def convolution_bytes(weight, bias, half):
    data = weight.astype("<f2").tobytes() if half else weight.astype("<f4").tobytes()
    tag = struct.pack("<I", 0x01306B47 if half else 0)
    return tag + data + b"\0" * (-len(data) % 4) + bias.tobytes()


def write_pair(folder, lines, data):
    """Write net.param and net.bin into `folder` and return the path of the first."""
    header = f"7767517\n{len(lines)} 99\n"
    (folder / "net.param").write_text(header + "\n".join(lines) + "\n")
    (folder / "net.bin").write_bytes(data)
    return folder / "net.param"


def srvgg_parts(spec, half=True):
    """Return (tensors, lines of a .param, bytes of a .bin) of an SRVGGNetCompact."""
    weights = sample_weights(spec)
    lines, data = ["Input in 0 1 data", "Split s 1 2 data a b"], b""
    for name, array in weights.items():
        if array.ndim == 4:
            lines.append(convolution_line(name, array))
            data += convolution_bytes(
                array, weights[name.replace("weight", "bias")], half
            )
        elif name.endswith("weight"):
            lines.append(f"PReLU {name} 1 1 a b 0={array.size}")
            data += array.tobytes()
    factor = f"{spec.upscale}.000000e+00"
    lines += [
        f"PixelShuffle p 1 1 a b 0={spec.upscale}",
        f"Interp i 1 1 b c 0=1 1={factor} 2={factor}",
    ]
    return weights, [*lines, "BinaryOp add 2 1 b c output"], data


def rrdb_parts(spec, half=True):
    """Return (tensors, lines of a .param, bytes of a .bin) of an RRDBNet."""
    weights = sample_weights(spec)
    lines, data = ["Input in 0 1 data"], b""
    for name in spec.layers():
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        in_dense_block = ".rdb" in name and not name.endswith("conv5")
        leaky = name in ("conv_up1", "conv_up2", "conv_hr") or in_dense_block
        if name.startswith("conv_up"):
            lines.append("Interp i 1 1 a b 0=1 1=2.000000e+00 2=2.000000e+00")
        lines.append(
            convolution_line(
                name, weight, " 9=2 -23310=1,2.000000e-01" if leaky else ""
            )
        )
        if name.endswith("conv5"):
            lines.append("Eltwise e 2 1 a b c 0=1 -23301=2,2.000000e-01,1.000000e+00")
        data += convolution_bytes(weight, bias, half)
    return weights, lines, data
