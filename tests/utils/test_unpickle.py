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
    call,
    data,
    dtype,
    name,
    plain,
    refusal,
    state,
    torch_legacy,
    torch_zip,
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
    "os.system": (PROTO + call("os.system", SHELL) + b".", "wants 'os.system'"),
    "by its other name": (
        PROTO + call("posix.system", SHELL) + b".",
        "wants 'posix.system'",
    ),
    "eval": (PROTO + call("builtins.eval", PYTHON) + b".", "wants 'builtins.eval'"),
    "exec, python 2 name": (
        b"\x80\x02" + call("__builtin__.eval", PYTHON) + b".",
        "wants '__builtin__.eval'",
    ),
    "name from the stack": (
        PROTO + b"\x8c\x02os\x8c\x06system\x93(" + SHELL + b"tR.",
        "wants 'os.system'",
    ),
    "a chain of getattr": (
        PROTO + call("builtins.getattr", name("os.path"), plain("os")) + b".",
        "wants 'builtins.getattr'",
    ),
    "a dotted name": (
        PROTO + MODULE + b"\x8c\x0etouch.__call__\x93)R.",
        "wants 'evil_module.touch.__call__'",
    ),
    "only an import": (
        PROTO + MODULE + b"\x8c\x05touch\x93.",
        "wants 'evil_module.touch'",
    ),
    "INST": (b"\x80\x02(" + SHELL + b"ios\nsystem\n.", "wants 'os.system'"),
    "OBJ": (b"\x80\x02(" + name("os.system") + SHELL + b"o.", "wants 'os.system'"),
    "in an entry that is not read": (
        state(array(), call("os.system", SHELL)),
        "wants 'os.system'",
    ),
    "in a state": (
        PROTO + b"}" + call("os.system", SHELL) + b"b.",
        "wants 'os.system'",
    ),
    "in the arguments of an array": (
        PROTO + call("numpy.dtype", call("os.system", SHELL)) + b".",
        "wants 'os.system'",
    ),
    "in a persistent id": (
        PROTO + call("os.system", SHELL) + b"Q.",
        "wants 'os.system'",
    ),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("case", RUNS)
def test_code_is_refused_by_name_and_does_not_run(canary, tmp_path, case, container):
    pickled, message = RUNS[case]
    assert message in refusal(tmp_path / "w.pth", CONTAINERS[container](pickled))
    assert not canary.exists()
    assert "evil_module" not in sys.modules


@pytest.mark.parametrize(
    "case",
    ["os.system", "eval", "name from the stack", "only an import", "INST", "OBJ"],
)
def test_the_standard_unpickler_would_run_this_code(canary, case):
    with contextlib.suppress(pickle.UnpicklingError, AttributeError, TypeError):
        pickle.loads(RUNS[case][0])
    assert canary.exists()


def test_the_extension_registry_is_not_used(canary, tmp_path):
    """Codes that other libraries registered stand for a function without its name."""
    copyreg.add_extension("evil_module", "touch", 1)
    try:
        for opcode, number in ((b"\x82", "1"), (b"\x83", "2"), (b"\x84", "4")):
            code = b"\1".ljust(int(number), b"\0")
            message = refusal(tmp_path / "w.pdparams", PROTO + opcode + code + b")R.")
            assert f"uses the pickle opcode EXT{number}" in message
    finally:
        copyreg.remove_extension("evil_module", "touch", 1)
    assert not canary.exists()


HUGE = 2**40
MALFORMED = {
    "an instance of an allowed name": (
        PROTO + name("numpy.dtype") + b")\x81.",
        "opcode NEWOBJ,",
    ),
    "the same with keywords": (
        PROTO + name("numpy.dtype") + b")}\x92.",
        "opcode NEWOBJ_EX,",
    ),
    "an out-of-band buffer": (b"\x80\x05\x97.", "opcode NEXT_BUFFER,"),
    "a set": (PROTO + b"\x8f.", "opcode EMPTY_SET,"),
    "protocol 0": (PROTO + b"I1\n.", "opcode INT,"),
    "a type that is only a name": (
        PROTO + call("numpy.ndarray", plain((HUGE,))) + b".",
        "calls what is no function",
    ),
    "a call of text": (
        PROTO + plain("os.system") + b")R.",
        "calls what is no function",
    ),
    "arguments that are no tuple": (
        PROTO + name("collections.OrderedDict") + b"]R.",
        "calls what is no function",
    ),
    "too many arguments": (
        PROTO + call("_codecs.encode", *[plain("a")] * 3) + b".",
        "other arguments",
    ),
    "another encoding": (
        PROTO + call("_codecs.encode", plain("a"), plain("zip")) + b".",
        "encodes text",
    ),
    "a tuple of a list": (
        PROTO + call("builtins.tuple", b"]") + b".",
        "calls tuple with something else than a tuple",
    ),
    "pairs that are none": (
        PROTO + call("collections.OrderedDict", b"]Na") + b".",
        "no pairs",
    ),
    "items that are no list": (
        PROTO + call("collections.OrderedDict", plain("ab")) + b".",
        "no pairs",
    ),
    "a subclass of ndarray": (
        PROTO
        + call(
            "numpy.core.multiarray._reconstruct",
            plain("numpy.matrix"),
            plain((0,)),
            data(b"b"),
        )
        + b".",
        "something else than plain numbers",
    ),
    "an array of objects": (
        state(array(kind=dtype("O8"))),
        "something else than plain numbers",
    ),
    "an array of text": (
        state(array(kind=dtype("U2"))),
        "something else than plain numbers",
    ),
    "an array of void": (
        state(array(kind=dtype("V4"))),
        "something else than plain numbers",
    ),
    "a dtype of a list": (
        PROTO + call("numpy.dtype", b"]") + b".",
        "something else than plain numbers",
    ),
    "records": (
        state(array(kind=dtype("f4", (3, "<", None, ("a",), None, -1, -1, 0)))),
        "something else than plain numbers",
    ),
    "a subarray": (
        state(array(kind=dtype("f4", (3, "<", (HUGE,), None, None)))),
        "something else than plain numbers",
    ),
    "a byte order that is none": (
        state(array(kind=dtype("f4", (3, "x", None, None, None)))),
        "plain numbers",
    ),
    "an array without a dtype": (
        state(array(kind=plain("f4"))),
        "something else than plain numbers",
    ),
    "a huge shape": (state(array((HUGE,))), f"an array of {4 * HUGE:,} bytes has 8"),
    "a product that overflows": (state(array((2**32, 2**32, 4))), "impossible shape"),
    "a size that overflows": (state(array((2**62,))), "impossible shape"),
    "an empty array of huge extent": (
        state(array((0, HUGE, HUGE), b"")),
        "impossible shape",
    ),
    "a negative size": (state(array((-2,))), "impossible shape"),
    "a size that is no number": (state(array((2.0,))), "impossible shape"),
    "a truth value for a size": (state(array((True, 2))), "impossible shape"),
    "too many dimensions": (state(array((1,) * 40 + (2,))), "impossible shape"),
    "fewer bytes": (state(array((3,))), "an array of 12 bytes has 8"),
    "more bytes": (state(array((1,))), "an array of 4 bytes has 8"),
    "bytes spelled with Greek letters": (
        state(array(content=b"").replace(data(b"") + b"tb", plain("αβγδεζηθ") + b"tb")),
        "beyond Latin-1",
    ),
    "an odd state of an array": (
        state(array() + b"Nb"),
        "something else than plain numbers",
    ),
    "the state of text": (
        PROTO + plain("a") + b"Nb.",
        "sets the state of what has none",
    ),
    "a tuple as key": (
        PROTO + b"}(" + plain((1, 2)) + b"Nu.",
        "neither short text nor a small number",
    ),
    "a huge number as key": (
        PROTO + b"}(" + plain(2**61 - 1) + b"Nu.",
        "neither short text nor a small number",
    ),
    "a long key": (
        PROTO + b"}(" + plain("k" * 1025) + b"Nu.",
        "neither short text nor a small number",
    ),
    "a long key in pairs": (
        PROTO
        + call("collections.OrderedDict", b"]" + plain("k" * 1025) + b"N\x86a")
        + b".",
        "no pairs",
    ),
    "a call with a long tuple": (
        PROTO + name("builtins.tuple") + b"(" + b"N" * 9 + b"tR.",
        "calls builtins.tuple with more than 8 values",
    ),
    "items of a list": (PROTO + b"](NNu.", "items of what is no dict"),
    "an odd number of items": (PROTO + b"}(Nu.", "items of what is no dict"),
    "an item appended to a dict": (PROTO + b"}Na.", "appends to what is no list"),
    "an empty stack": (PROTO + b".", "takes more than it made"),
    "no mark": (PROTO + b"t.", "has no mark"),
    "a memo that is empty": (PROTO + b"h\x07.", "recalls what it did not keep"),
    "a name that is no text": (PROTO + b"NN\x93.", "a name is no text"),
    "a name with control characters": (
        PROTO + b"cos\x1b[2J\nsystem\n.",
        "wants 'os\\x1b[2J.system'",
    ),
    "bytes beyond the end": (
        PROTO + b"\x8e" + struct.pack("<Q", 2**60) + b"abc",
        "damaged or cut short",
    ),
    "text beyond the end": (
        PROTO + b"X" + struct.pack("<I", 2**32 - 1) + b"abc",
        "damaged or cut short",
    ),
    "a negative length": (
        PROTO + b"\x8b" + struct.pack("<i", -5) + b"abc",
        "damaged or cut short",
    ),
    "text that is no utf-8": (PROTO + b"\x8c\x01\xff.", "damaged or cut short"),
    "an unknown opcode": (PROTO + b"\xff.", "damaged or cut short"),
    "no end": (PROTO + b"}", "damaged or cut short"),
    "not a dict": (PROTO + b"].", "holds no dict of tensors"),
    "no tensors": (state(plain(1)), "holds no tensors; its entries are 'k0'"),
    "a dict that holds itself": (
        PROTO + b"}q\0" + plain("params") + b"h\0s.",
        "holds no tensors",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_pickles_are_refused(tmp_path, case):
    pickled, message = MALFORMED[case]
    assert message in refusal(tmp_path / "w.pdparams", pickled)


def test_a_persistent_id_outside_torch_files_is_refused(tmp_path):
    assert "refers to data outside itself" in refusal(
        tmp_path / "w.pdparams", PROTO + plain("storage") + b"Q."
    )


KEEP, RECALL = b"q\xc8", b"h\xc8"  # memo 200; texts take the lower ones


def again(value: bytes, use: bytes = RECALL, times: int = 1000) -> bytes:
    """Return the pickle of a dict with a value, kept, and `times` uses of it."""
    items = b"".join(plain(f"k{index}") + use for index in range(times))
    return PROTO + b"}(" + plain("first") + value + KEEP + items + b"u."


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
    "a parameter of a repeated list of parts": (
        state(array((1,), bytes(4)))[:-2]
        + plain("UnpackBigParamInfor@@")
        + b"}("
        + plain("k1")
        + b"}("
        + plain("OriginShape")
        + plain((1,))
        + plain("slices")
        + b"]("
        + b"N" * 9
        + plain("k0")
        + plain("k1")
        + b"eu"
        + KEEP
        + plain("k2")
        + RECALL
        + b"uu.",
        "the parts of 'k1' are not all there",
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
        PROTO + b"Nr\xff\xff\xff\xff.",
        "holds no dict",
    ),
    "a hundred thousand levels": (
        PROTO + b"]" * 100_000 + b"a" * 99_999 + b".",
        "holds no dict",
    ),
    "a hundred thousand tuples": (
        PROTO + b")" + b"\x85" * 100_000 + b".",
        "holds no dict",
    ),
    "a billion laughs": (
        PROTO + b"]" + KEEP + (b"](" + RECALL * 10 + b"e" + KEEP) * 9 + b".",
        "holds no dict",
    ),
    "a key that takes forever to hash": (
        PROTO
        + b"]()"
        + KEEP
        + (RECALL + RECALL + b"\x86" + KEEP) * 64
        + b"e}"
        + RECALL
        + b"Ns.",
        "neither short text nor a small number",
    ),
}


@pytest.mark.parametrize("case", BOMBS)
def test_small_files_do_not_grow_in_memory(tmp_path, case):
    content, message = BOMBS[case]
    tracemalloc.start()
    try:
        assert message in refusal(tmp_path / "w.pdparams", content)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10e6 + 12 * len(content)


def test_the_number_of_opcodes_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr("realesrgan_paddle.utils.weights.unpickle.MAX_OPCODES", 1000)
    assert "more than 1,000 steps" in refusal(
        tmp_path / "w.pdparams", PROTO + b"](" + b"N" * 1000 + b"e."
    )


def test_every_truncation_is_refused(tmp_path):
    whole = state(array(), array((3,), bytes(12)))
    for end in range(len(whole)):
        refusal(tmp_path / "w.pdparams", whole[:end])


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
    (tmp_path / "w.pdparams").write_bytes(
        PROTO + call("collections.OrderedDict", pairs) + b"."
    )
    assert read_weights(tmp_path / "w.pdparams").select()["w"].tolist() == [0, 0]
