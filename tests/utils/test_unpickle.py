"""Hostile pickles: nothing is imported, called or allocated as they ask."""

import contextlib
import copyreg
import pickle
import struct
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hostile import (
    PROTO,
    array,
    assert_all_refused,
    call,
    data,
    dtype,
    name,
    plain,
    refusal,
    state,
    torch_legacy,
    torch_zip,
    whole,
)

from realesrgan_paddle.utils.weights.reader import read_weights

CONTAINERS = {
    "pdparams": lambda pickled: pickled,
    "torch_zip": lambda pickled: torch_zip(pickled, {}),
    "torch_legacy": lambda pickled: torch_legacy(pickled, {}),
}


@pytest.fixture
def canary(tmp_path, monkeypatch) -> Path:
    """A file that code from a pickle would make by a shell, by eval or by an import."""
    path = tmp_path / "canary"
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    source = (
        "from pathlib import Path\n"
        "def touch():\n    Path('canary').touch()\n    return {}\n"
        "touch()\n"
    )
    (tmp_path / "evil_module.py").write_text(source)
    yield path
    sys.modules.pop("evil_module", None)


SHELL = plain("touch canary")
PYTHON = plain("open('canary', 'w')")
MODULE = b"\x8c\x0bevil_module"
RUNS = {
    "os.system": (whole(call("os.system", SHELL)), "wants 'os.system'"),
    "by its other name": (
        whole(call("posix.system", SHELL)),
        "wants 'posix.system'",
    ),
    "eval": (whole(call("builtins.eval", PYTHON)), "wants 'builtins.eval'"),
    "exec, python 2 name": (
        b"\x80\x02" + call("__builtin__.eval", PYTHON) + b".",
        "wants '__builtin__.eval'",
    ),
    "name from the stack": (
        whole(b"\x8c\x02os\x8c\x06system\x93(" + SHELL + b"tR"),
        "wants 'os.system'",
    ),
    "a chain of getattr": (
        whole(call("builtins.getattr", name("os.path"), plain("os"))),
        "wants 'builtins.getattr'",
    ),
    "a dotted name": (
        whole(MODULE + b"\x8c\x0etouch.__call__\x93)R"),
        "wants 'evil_module.touch.__call__'",
    ),
    "only an import": (
        whole(MODULE + b"\x8c\x05touch\x93"),
        "wants 'evil_module.touch'",
    ),
    "INST": (b"\x80\x02(" + SHELL + b"ios\nsystem\n.", "wants 'os.system'"),
    "OBJ": (b"\x80\x02(" + name("os.system") + SHELL + b"o.", "wants 'os.system'"),
    "in an entry that is not read": (
        state(array(), call("os.system", SHELL)),
        "wants 'os.system'",
    ),
    "in a state": (
        whole(b"}" + call("os.system", SHELL) + b"b"),
        "wants 'os.system'",
    ),
    "in the arguments of an array": (
        whole(call("numpy.dtype", call("os.system", SHELL))),
        "wants 'os.system'",
    ),
    "in a persistent id": (
        whole(call("os.system", SHELL) + b"Q"),
        "wants 'os.system'",
    ),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_code_is_refused_by_name_and_does_not_run(canary, tmp_path, container):
    for case, (pickled, message) in RUNS.items():
        file = CONTAINERS[container](pickled)
        assert message in refusal(tmp_path / "w.pth", file, case), case
        assert not canary.exists(), case
        assert "evil_module" not in sys.modules, case


def test_the_standard_unpickler_would_run_this_code(canary):
    cases = (
        "os.system",
        "eval",
        "name from the stack",
        "only an import",
        "INST",
        "OBJ",
    )
    for case in cases:
        with contextlib.suppress(pickle.UnpicklingError, AttributeError, TypeError):
            pickle.loads(RUNS[case][0])
        assert canary.exists(), case
        canary.unlink()


def test_the_extension_registry_is_not_used(canary, tmp_path):
    """Codes that other libraries registered stand for a function without its name."""
    copyreg.add_extension("evil_module", "touch", 1)
    try:
        for opcode, number in ((b"\x82", "1"), (b"\x83", "2"), (b"\x84", "4")):
            code = b"\1".ljust(int(number), b"\0")
            message = refusal(tmp_path / "w.pdparams", whole(opcode + code + b")R"))
            assert f"uses the pickle opcode EXT{number}" in message
    finally:
        copyreg.remove_extension("evil_module", "touch", 1)
    assert not canary.exists()


HUGE = 2**40
MALFORMED = {
    "opcode NEWOBJ,": {
        "an instance of an allowed name": whole(name("numpy.dtype") + b")\x81"),
    },
    "opcode NEWOBJ_EX,": {
        "the same with keywords": whole(name("numpy.dtype") + b")}\x92"),
    },
    "opcode NEXT_BUFFER,": {
        "an out-of-band buffer": b"\x80\x05\x97.",
    },
    "opcode EMPTY_SET,": {
        "a set": whole(b"\x8f"),
    },
    "opcode INT,": {
        "protocol 0": whole(b"I1\n"),
    },
    "calls what is no function": {
        "a type that is only a name": whole(call("numpy.ndarray", plain((HUGE,)))),
        "a call of text": whole(plain("os.system") + b")R"),
        "arguments that are no tuple": whole(name("collections.OrderedDict") + b"]R"),
    },
    "other arguments": {
        "too many arguments": whole(call("_codecs.encode", *[plain("a")] * 3)),
    },
    "encodes text": {
        "another encoding": whole(call("_codecs.encode", plain("a"), plain("zip"))),
    },
    "calls tuple with something else than a tuple": {
        "a tuple of a list": whole(call("builtins.tuple", b"]")),
    },
    "no pairs": {
        "pairs that are none": whole(call("collections.OrderedDict", b"]Na")),
        "items that are no list": whole(call("collections.OrderedDict", plain("ab"))),
        "a long key in pairs": whole(
            call("collections.OrderedDict", b"]" + plain("k" * 1025) + b"N\x86a")
        ),
    },
    "something else than plain numbers": {
        "a subclass of ndarray": whole(
            call(
                "numpy.core.multiarray._reconstruct",
                plain("numpy.matrix"),
                plain((0,)),
                data(b"b"),
            )
        ),
        "an array of objects": state(array(kind=dtype("O8"))),
        "an array of text": state(array(kind=dtype("U2"))),
        "an array of void": state(array(kind=dtype("V4"))),
        "a dtype of a list": whole(call("numpy.dtype", b"]")),
        "records": state(
            array(kind=dtype("f4", (3, "<", None, ("a",), None, -1, -1, 0)))
        ),
        "a subarray": state(array(kind=dtype("f4", (3, "<", (HUGE,), None, None)))),
        "a byte order that is none": state(
            array(kind=dtype("f4", (3, "x", None, None, None)))
        ),
        "an array without a dtype": state(array(kind=plain("f4"))),
        "an odd state of an array": state(array() + b"Nb"),
    },
    f"an array of {4 * HUGE:,} bytes has 8": {
        "a huge shape": state(array((HUGE,))),
    },
    "impossible shape": {
        "a product that overflows": state(array((2**32, 2**32, 4))),
        "a size that overflows": state(array((2**62,))),
        "an empty array of huge extent": state(array((0, HUGE, HUGE), b"")),
        "a negative size": state(array((-2,))),
        "a size that is no number": state(array((2.0,))),
        "a truth value for a size": state(array((True, 2))),
        "too many dimensions": state(array((1,) * 40 + (2,))),
    },
    "an array of 12 bytes has 8": {
        "fewer bytes": state(array((3,))),
    },
    "an array of 4 bytes has 8": {
        "more bytes": state(array((1,))),
    },
    "beyond Latin-1": {
        "bytes spelled with Greek letters": state(
            array(content=b"").replace(data(b"") + b"tb", plain("αβγδεζηθ") + b"tb")
        ),
    },
    "sets the state of what has none": {
        "the state of text": whole(plain("a") + b"Nb"),
    },
    "neither short text nor a small number": {
        "a tuple as key": whole(b"}(" + plain((1, 2)) + b"Nu"),
        "a huge number as key": whole(b"}(" + plain(2**61 - 1) + b"Nu"),
        "a long key": whole(b"}(" + plain("k" * 1025) + b"Nu"),
    },
    "calls builtins.tuple with more than 8 values": {
        "a call with a long tuple": whole(
            name("builtins.tuple") + b"(" + b"N" * 9 + b"tR"
        ),
    },
    "items of what is no dict": {
        "items of a list": whole(b"](NNu"),
        "an odd number of items": whole(b"}(Nu"),
    },
    "appends to what is no list": {
        "an item appended to a dict": whole(b"}Na"),
    },
    "takes more than it made": {
        "an empty stack": whole(b""),
    },
    "has no mark": {
        "no mark": whole(b"t"),
    },
    "recalls what it did not keep": {
        "a memo that is empty": whole(b"h\x07"),
    },
    "a name is no text": {
        "a name that is no text": whole(b"NN\x93"),
    },
    "wants 'os\\x1b[2J.system'": {
        "a name with control characters": whole(b"cos\x1b[2J\nsystem\n"),
    },
    "damaged or cut short": {
        "bytes beyond the end": PROTO + b"\x8e" + struct.pack("<Q", 2**60) + b"abc",
        "text beyond the end": PROTO + b"X" + struct.pack("<I", 2**32 - 1) + b"abc",
        "a negative length": PROTO + b"\x8b" + struct.pack("<i", -5) + b"abc",
        "text that is no utf-8": whole(b"\x8c\x01\xff"),
        "an unknown opcode": whole(b"\xff"),
        "no end": PROTO + b"}",
    },
    "holds no dict of tensors": {
        "not a dict": whole(b"]"),
    },
    "holds no tensors; its entries are 'k0'": {
        "no tensors": state(plain(1)),
    },
    "holds no tensors": {
        "a dict that holds itself": whole(b"}q\0" + plain("params") + b"h\0s"),
    },
}


def test_malformed_pickles_are_refused(tmp_path):
    assert_all_refused(tmp_path / "w.pdparams", MALFORMED)


def test_a_persistent_id_outside_torch_files_is_refused(tmp_path):
    assert "refers to data outside itself" in refusal(
        tmp_path / "w.pdparams", whole(plain("storage") + b"Q")
    )


KEEP, RECALL = b"q\xc8", b"h\xc8"  # memo 200; texts take the lower ones


def again(value: bytes, use: bytes = RECALL) -> bytes:
    """Return the pickle of a dict with a value, kept, and a thousand uses of it."""
    items = b"".join(plain(f"k{index}") + use for index in range(1000))
    return whole(b"}(" + plain("first") + value + KEEP + items + b"u")


MEGABYTE = bytes(2**20)
BIG_ARRAY = array((2**18,), MEGABYTE)
BOMBS = {
    "one array a thousand times": (
        again(BIG_ARRAY),
        "declare more than 4 times as many",
    ),
    "one group a thousand times": (
        again(b"}(" + plain("x") + BIG_ARRAY + b"u"),
        "declare more than 4 times as many",
    ),
    "one dict of numbers a thousand times": (
        again(
            b"}(" + b"".join(plain(f"k{index}") + b"N" for index in range(2000)) + b"u"
        ),
        "holds more than ",
    ),
    "bytes made of text a thousand times": (
        again(
            b"X" + struct.pack("<I", 2**20) + MEGABYTE,
            call("_codecs.encode", RECALL, plain("latin1")),
        ),
        "holds no tensors",
    ),
    "arrays made of text a thousand times": (
        again(
            b"X" + struct.pack("<I", 2**20) + MEGABYTE,
            array((2**18,), b"").replace(
                data(b"") + b"tb",
                call("_codecs.encode", RECALL, plain("latin1")) + b"tb",
            ),
        ),
        "declare more than 4 times as many",
    ),
    "arrays of nothing in a group a thousand times": (
        again(
            b"}("
            + plain("x")
            + array((0,), b"")
            + b"q\xc9"
            + b"".join(plain(f"k{index}") + b"h\xc9" for index in range(1000))
            + b"u"
        ),
        "declare more than 4 times as many",
    ),
    "a tuple copied a thousand times": (
        again(b"(" + b"N" * 100_000 + b"t", call("builtins.tuple", RECALL)),
        "holds no tensors",
    ),
    "pairs copied a thousand times": (
        again(
            b"]("
            + b"".join(plain(f"k{index}") + b"N\x86" for index in range(10_000))
            + b"e",
            call("collections.OrderedDict", RECALL),
        ),
        "holds no tensors",
    ),
    "a memo index of four thousand million": (
        whole(b"Nr\xff\xff\xff\xff"),
        "holds no dict",
    ),
    "a hundred thousand levels": (
        whole(b"]" * 100_000 + b"a" * 99_999),
        "holds no dict",
    ),
    "a hundred thousand tuples": (
        whole(b")" + b"\x85" * 100_000),
        "holds no dict",
    ),
    "a billion laughs": (
        whole(b"]" + KEEP + (b"](" + RECALL * 10 + b"e" + KEEP) * 9),
        "holds no dict",
    ),
    "a key that takes forever to hash": (
        whole(
            b"]()"
            + KEEP
            + (RECALL + RECALL + b"\x86" + KEEP) * 64
            + b"e}"
            + RECALL
            + b"Ns"
        ),
        "neither short text nor a small number",
    ),
}


def test_small_files_do_not_grow_in_memory(tmp_path):
    for case, (content, message) in BOMBS.items():
        tracemalloc.start()
        try:
            assert message in refusal(tmp_path / "w.pdparams", content, case), case
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 10e6 + 12 * len(content), case


def test_the_number_of_opcodes_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr("realesrgan_paddle.utils.weights.unpickle.MAX_OPCODES", 1000)
    assert "more than 1,000 steps" in refusal(
        tmp_path / "w.pdparams", whole(b"](" + b"N" * 1000 + b"e")
    )


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("numpy_1", [True, False], ids=["numpy_1", "numpy_2"])
def test_numpys_pickles_are_read(tmp_path, protocol, numpy_1):
    arrays = {
        "float32": np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "big_endian": np.arange(3, dtype=">i4"),
        "scalar": np.array(3),
        "empty": np.empty((0, 2), np.float16),
        "bool": np.array([True, False]),
        "every_byte": np.arange(256, dtype=np.uint8),
    }
    pickled = pickle.dumps(
        {**arrays, "psnr": np.float64(30), "iter": 5, "list": [1, None, "a"]}, protocol
    )
    if (
        protocol < 4
    ):  # there a name ends with a line; later its length is part of the pickle
        names = (b"numpy._core.", b"numpy.core.")
        pickled = pickled.replace(*names) if numpy_1 else pickled.replace(*names[::-1])
    (tmp_path / "w.pdparams").write_bytes(pickled)
    found = read_weights(tmp_path / "w.pdparams").select()
    assert found.keys() == arrays.keys()
    for key, expected in arrays.items():
        assert found[key].dtype == expected.dtype.newbyteorder("=")
        assert found[key].flags.c_contiguous
        assert found[key].flags.writeable
        np.testing.assert_array_equal(found[key], expected)


def test_python_2_pickles_of_ordered_dicts_are_read(tmp_path):
    pairs = b"](](" + plain("w") + array() + b"ee"
    (tmp_path / "w.pdparams").write_bytes(whole(call("collections.OrderedDict", pairs)))
    assert read_weights(tmp_path / "w.pdparams").select()["w"].tolist() == [0, 0]
