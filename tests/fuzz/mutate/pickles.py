"""Mutations of pickles by opcode, and of the zip archives around torch's."""

import io
import pickletools
import struct
import zipfile
from random import Random

from hostile import call, name, plain

from mutate.anything import edited, extreme, mutate_bytes

GLOBALS = [
    "os.system",
    "builtins.eval",
    "builtins.getattr",
    "builtins.bytearray",
    "collections.OrderedDict",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy.dtype",
    "numpy.ndarray",
    "torch.FloatStorage",
    "torch.BFloat16Storage",
    "torch.Size",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_tensor_v2",
    "torch._tensor._rebuild_from_type_v2",
    "pytorch_lightning.callbacks.ModelCheckpoint",
]
OPCODES = [bytes([opcode.code.encode("latin-1")[0]]) for opcode in pickletools.opcodes]


def mutate_pickle(content: bytes, rng: Random) -> bytes:
    """Return a damaged or hostile version of a pickle."""
    if rng.random() < 0.1:
        return _slow(rng)
    try:
        operations = _split(content)
    except Exception:
        return mutate_bytes(content, rng)
    edits = [_change_number, _change_number, _change_global, _repeat, _move]
    edits += [_drop, _insert_opcode, _insert_call, _damage]
    return b"".join(edited(operations, edits, rng))


def _split(content: bytes) -> list[bytes]:
    """Return the operations of a pickle, with what follows it as the last one."""
    starts = [position for _, _, position in pickletools.genops(content)]
    ends = [*starts[1:], starts[-1] + 1]
    operations = [content[a:b] for a, b in zip(starts, ends, strict=True)]
    return [*operations, content[ends[-1] :]]


def _change_number(operations: list[bytes], rng: Random) -> None:
    numbers = [i for i, one in enumerate(operations) if one[:1] in (b"K", b"M", b"J")]
    if numbers:
        value = rng.choice((extreme(rng, 4), extreme(rng, 8), -1, -(2**62)))
        long = value.to_bytes(9, "little", signed=True)
        operations[rng.choice(numbers)] = b"\x8a\x09" + long


def _change_global(operations: list[bytes], rng: Random) -> None:
    found = [i for i, one in enumerate(operations) if one[:1] == b"c"]
    if found:
        operations[rng.choice(found)] = name(rng.choice(GLOBALS))


def _repeat(operations: list[bytes], rng: Random) -> None:
    start = rng.randrange(len(operations))
    part = operations[start : start + rng.choice((1, 2, 10))]
    copies = rng.choice((1, 3, 1000)) if sum(map(len, part)) < 1000 else 1
    operations[start:start] = part * copies


def _move(operations: list[bytes], rng: Random) -> None:
    one = operations.pop(rng.randrange(len(operations)))
    operations.insert(rng.randrange(len(operations) + 1), one)


def _drop(operations: list[bytes], rng: Random) -> None:
    del operations[rng.randrange(len(operations))]


def _insert_opcode(operations: list[bytes], rng: Random) -> None:
    one = rng.choice(OPCODES) + rng.randbytes(rng.choice((0, 1, 4)))
    copies = rng.choice((1, 1, 5000))
    operations.insert(rng.randrange(len(operations)), one * copies)


def _insert_call(operations: list[bytes], rng: Random) -> None:
    values = [plain(value) for value in ("touch hacked", -1, (), {}, None, 2**70)]
    arguments = rng.sample(values, rng.randrange(5))
    one = call(rng.choice(GLOBALS), *arguments)
    operations.insert(rng.randrange(len(operations)), one + rng.choice((b"", b"0")))


def _damage(operations: list[bytes], rng: Random) -> None:
    index = rng.randrange(len(operations))
    operations[index] = mutate_bytes(operations[index], rng)


def _slow(rng: Random) -> bytes:
    """Return a pickle of few megabytes whose parts are used again and again."""
    length, calls = rng.choice(((1000, 300), (1_000_000, 300_000), (100_000, 10_000)))
    big = b"(" + b"K\x01" * length + b"tq\x00"
    use = rng.choice(
        [
            name("torch._utils._rebuild_parameter") + b"h\x00R0",
            name("collections.OrderedDict") + b"(h\x00tR0",
            b"h\x00h\x00\x860",
            b"}h\x00h\x00s0",
            b"](h\x00h\x00e0",
        ]
    )
    return b"\x80\x02" + big + b"0" + use * calls + b"}."


def mutate_zip(content: bytes, rng: Random) -> bytes:
    """Return a damaged or hostile version of torch's archive."""
    if rng.random() < 0.25:
        return _change_directory(content, rng)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = {entry: archive.read(entry) for entry in archive.namelist()}
    except (zipfile.BadZipFile, EOFError, OSError):
        return mutate_bytes(content, rng)

    pickled = next((entry for entry in entries if entry.endswith("data.pkl")), None)
    others = [entry for entry in entries if entry != pickled]
    if pickled and rng.random() < 0.6:
        entries[pickled] = mutate_pickle(entries[pickled], rng)
    elif others and rng.random() < 0.5:
        entry = rng.choice(others)
        entries[entry] = mutate_bytes(entries[entry], rng)
    elif others:
        entries[rng.choice(others)] = bytes(rng.choice((0, 1 << 20, 1 << 28)))
    return _zipped(entries, rng)


def _zipped(entries: dict[str, bytes], rng: Random) -> bytes:
    largest = max(map(len, entries.values()), default=0)
    packed = largest > 1 << 22 or rng.random() < 0.1
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for entry, data in entries.items():
            odd = rng.choice(("../" + entry, entry.upper(), "/etc/x", "\\", "a\nb"))
            named = zipfile.ZipInfo(odd if rng.random() < 0.02 else entry)
            archive.writestr(named, data, method)  # not dated: the same file again
    return file.getvalue()


def _change_directory(content: bytes, rng: Random) -> bytes:
    """Change a field of an entry, in the archive's directory or before its data."""
    magic, fields = rng.choice(
        [
            (b"PK\x01\x02", ((8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2))),
            (b"PK\x01\x02", ((30, 2), (32, 2), (34, 2), (42, 4))),
            (b"PK\x03\x04", ((6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2))),
            (b"PK\x05\x06", ((4, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2))),
        ]
    )
    starts, at = [], content.find(magic)
    while at >= 0:
        starts.append(at)
        at = content.find(magic, at + 4)
    if not starts:
        return mutate_bytes(content, rng)
    changed = bytearray(content)
    for _ in range(rng.choice((1, 2))):
        field, size = rng.choice(fields)
        at = rng.choice(starts) + field
        kind = {2: "<H", 4: "<I"}[size]
        changed[at : at + size] = struct.pack(kind, extreme(rng, size))
    return bytes(changed)
