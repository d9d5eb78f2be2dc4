"""Mutations of weight files: torch, Paddle, safetensors, HDF5, ncnn."""

import json
import re
import struct
from random import Random

from mutate.anything import EXTREMES, extreme, mutate_bytes
from mutate.pickles import mutate_pickle, mutate_zip
from mutate.records import mutate_json
from realesrgan_paddle.utils.weights.torch_files import LEGACY_MAGIC


def mutate_weights(content: bytes, rng: Random) -> bytes:
    """Return a damaged or hostile version of a file of weights."""
    if rng.random() < 0.15:
        return mutate_bytes(content, rng)
    if content.startswith(b"PK"):
        return mutate_zip(content, rng)
    if content.startswith(LEGACY_MAGIC):
        return _legacy(content, rng)
    if content.startswith(b"\x80"):
        return mutate_pickle(content, rng)
    if content.startswith(b"7767517"):
        return mutate_param(content, rng)
    if content[8:9] == b"{":
        return mutate_safetensors(content, rng)
    return mutate_bytes(content, rng)  # HDF5, ncnn's .bin


def _legacy(content: bytes, rng: Random) -> bytes:
    """Change one of the pickles of torch's old format."""
    rest = content[len(LEGACY_MAGIC) :]
    return LEGACY_MAGIC + mutate_pickle(rest, rng)


def mutate_safetensors(content: bytes, rng: Random) -> bytes:
    """Change the header of a safetensors file, and keep its length right, mostly."""
    (length,) = struct.unpack_from("<Q", content)
    header, data = content[8 : 8 + length], content[8 + length :]
    try:
        entries = json.loads(header)
    except ValueError:
        return mutate_bytes(content, rng)

    if rng.random() < 0.1:
        entries["__metadata__"] = {str(n): "x" * 20 for n in range(300_000)}
    elif rng.random() < 0.5:
        _change_tensor(entries, rng)
    else:
        entries = mutate_json(entries, rng)
    header = json.dumps(entries).encode(errors="surrogatepass")
    if rng.random() < 0.1:
        header = mutate_bytes(header, rng)
    size = len(header) if rng.random() < 0.9 else extreme(rng, 8)
    return struct.pack("<Q", size) + header + data


def _change_tensor(entries: dict, rng: Random) -> None:
    """Change the type, shape, place or name of a tensor."""
    key = rng.choice(list(entries))
    one = entries[key]
    kinds = ["F64", "F16", "BF16", "BOOL", "I64", "U8", "F8_E4M3", "F4", "C64", ""]
    if "shape" not in one:
        one[rng.choice(("format", "x"))] = rng.choice(("pt", "\0\x1b[2J", "x" * 9999))
        return
    odd = rng.choice(EXTREMES)
    changes = [
        {"dtype": rng.choice(kinds)},
        {"shape": [odd, *one["shape"]]},
        {"shape": one["shape"][:-1]},
        {"shape": [1] * rng.choice((0, 33, 5000))},
        {"data_offsets": [0, odd]},
        {"data_offsets": [odd, odd]},
    ]
    one.update(rng.choice(changes))
    if rng.random() < 0.2:
        names = ("x" * 5000, "\x1b[2J", "a/b\n", "__metadata__", "\ud800")
        entries[rng.choice(names)] = one


def mutate_param(content: bytes, rng: Random) -> bytes:
    """Change numbers, layers and lines of an ncnn .param file."""
    lines = content.decode(errors="replace").split("\n")
    for _ in range(rng.choice((1, 2, 3))):
        index = rng.randrange(len(lines))
        values = [
            "",
            "x",
            "nan",
            "1e999",
            "1,2",
            "-1,5",
            "99999,1",
            *map(str, EXTREMES),
        ]
        value = rng.choice(values)
        pairs = re.findall(r"-?\d+=[^ ]*", lines[index])
        change = rng.randrange(6)
        if change <= 2 and pairs:
            key = rng.choice(("-23300", "-23310", "0", "1", "6", "9", "a"))
            key = key if change == 0 else pairs[0].partition("=")[0]
            lines[index] = lines[index].replace(rng.choice(pairs), f"{key}={value}", 1)
        elif change == 3:
            del lines[index]
        elif change == 4:
            lines[index:index] = [lines[index]] * rng.choice((1, 2, 3000))
        else:
            words = lines[index].split(" ")
            words[rng.randrange(len(words))] = value
            lines[index] = " ".join(words)
        lines = lines or [""]
    return "\n".join(lines).encode()
