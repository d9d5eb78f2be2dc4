"""A pickle reader that builds plain data and cannot do anything else.

A pickle is a program, and the standard unpickler runs it: it imports the modules that
the file names and calls what it finds there. Here `pickletools` decodes the opcodes,
and a small stack machine runs those that weight files need. A name in the file stays an
inert `Global`; nothing is imported. The only calls are those of the functions that the
caller put on the allow-list, each of which checks its arguments. All opcodes outside
`_ACTIONS` (those that make instances, use the extension registry, ...) are refused.

Own code, because no library reads pickles this way: `pickle.Unpickler` with its own
`find_class` still runs every opcode and allocates what they declare, and torch's
weights-only unpickler needs torch.
"""

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn, Protocol, runtime_checkable

Allowed = Mapping[str, Callable[..., object] | None]
"""Full name ("numpy.ndarray") -> function called in its place; None: never called."""

MAX_OPCODES = 2_000_000
"""A tensor takes about 50, so this is enough for 40,000 tensors."""

MAX_ARGUMENTS = 8
"""Of one call; torch's `_rebuild_tensor_v2` takes the most, 7.

A call copies its arguments, and a file may recall a long tuple for each call.
"""

MAX_KEY = 1024
"""Letters of a key; names of tensors have up to about 100.

Two equal texts are compared letter by letter, and a file may recall a long one often.
"""

LARGEST_NUMBER_KEY = 2**31
"""Of a number as key: optimizers number their parameters."""


class UnreadableError(Exception):
    """Why a file is not read: follows the file's path in the error line."""


class DamagedError(UnreadableError):
    """Why a file of a known format cannot be complete."""

    def __init__(self, reason: str) -> None:
        letters = [letter if letter.isprintable() else "?" for letter in reason[:100]]
        shown = "".join(letters)
        super().__init__(f"damaged or cut short ({shown}); download or copy it again")


@dataclass(frozen=True)
class Global:
    """A name that a pickle mentions and the allow-list holds; never looked up."""

    name: str


@runtime_checkable
class Stateful(Protocol):
    """A stand-in for an object whose state a pickle sets after making it."""

    def set_state(self, state: object) -> None:
        """Check and keep `state`."""


def unpickle(
    stream: BinaryIO,
    allowed: Allowed,
    persistent: Callable[[object], object] | None = None,
) -> object:
    """Return the content of the pickle at the position of `stream`.

    `stream` is left just behind the pickle.

    Args:
        stream: in memory, so that a declared length cannot allocate more than is there.
        allowed: the names that the pickle may mention.
        persistent: called with each persistent id (torch's references to storages);
            None refuses them.

    Returns:
        None, bool, int, float, str, bytes, tuple, list, dict, `Global`, and what the
            allowed functions return. Nesting may be deep, shared or cyclic: walk to a
            fixed depth, never recurse.

    Raises:
        UnreadableError: the pickle is damaged, mentions another name, or uses an opcode
            that weight files do not need.
    """
    machine = _Machine(allowed, persistent)
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if count == MAX_OPCODES:
                raise UnreadableError(
                    f"holds a pickle of more than {MAX_OPCODES:,} steps, "
                    "which no weight file needs"
                )
            action = _ACTIONS.get(opcode.name)
            if action is None:
                raise UnreadableError(
                    f"uses the pickle opcode {opcode.name}, which no weight file "
                    "needs; nothing was run"
                )
            action(machine, argument)
    except ValueError as error:  # how pickletools reports bytes that are no pickle
        raise DamagedError(str(error)) from None
    return machine.pop()


def is_short_key(key: object) -> bool:
    """Return whether `key` is short text or a small number, quickly hashed and compared.

    Hashing nested shared tuples would take forever.
    """
    if type(key) is int:
        return -LARGEST_NUMBER_KEY < key < LARGEST_NUMBER_KEY
    return type(key) is str and len(key) <= MAX_KEY


class _Machine:
    """The stack machine of the pickle format, without opcodes that reach outside it.

    A step takes time in proportion to its own bytes, or to what it takes off the stack.
    So a file takes time in proportion to its size.
    """

    def __init__(
        self, allowed: Allowed, persistent: Callable[[object], object] | None
    ) -> None:
        self.allowed = allowed
        self.persistent = persistent
        self.stack: list[object] = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}

    def push(self, value: object) -> None:
        """Put a value on the stack."""
        self.stack.append(value)

    def pop(self) -> Any:
        """Remove and return the top of the stack."""
        if not self.stack:
            _malformed("it takes more than it made")
        return self.stack.pop()

    def top(self) -> Any:
        """Return the top of the stack without removing it."""
        value = self.pop()
        self.push(value)
        return value

    def mark(self, _: None) -> None:
        """Remember the height of the stack."""
        self.marks.append(len(self.stack))

    def pop_to_mark(self) -> list[Any]:
        """Remove and return all values above the last mark."""
        if not self.marks:
            _malformed("it has no mark")
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def tuple_of(self, count: int) -> None:
        """Replace the last `count` values by a tuple of them."""
        values = [self.pop() for _ in range(count)]
        values.reverse()
        self.push(tuple(values))

    def memoize(self, index: int | None) -> None:
        """Keep the top of the stack under a number, by default the next one."""
        if index is None:
            index = len(self.memo)
        self.memo[index] = self.top()

    def recall(self, index: int) -> None:
        """Push the value kept under a number."""
        if index not in self.memo:
            _malformed("it recalls what it did not keep")
        self.push(self.memo[index])

    def extend(self, values: list[Any]) -> None:
        """Append values to the list on top of the stack."""
        target = self.top()
        if type(target) is not list:
            _malformed("it appends to what is no list")
        target.extend(values)

    def set_items(self, values: list[Any]) -> None:
        """Set key, value, key, value, ... in the dict on top of the stack."""
        target = self.top()
        if type(target) is not dict or len(values) % 2:
            _malformed("it sets items of what is no dict")
        keys, items = values[::2], values[1::2]
        for key in keys:
            if not is_short_key(key):
                _malformed("a dict key is neither short text nor a small number")
        target.update(zip(keys, items, strict=True))

    def mention(self, module_and_name: str) -> None:
        """Push a name as an inert `Global` if it is allowed."""
        name = module_and_name.replace(" ", ".", 1)
        if name not in self.allowed:
            raise UnreadableError(
                f"wants {name[:100]!r}, which no weight file needs; nothing was run; "
                "do not trust it"
            )
        self.push(Global(name))

    def mention_from_stack(self, _: None) -> None:
        """Push the name whose module and last part are on the stack."""
        name, module = self.pop(), self.pop()
        if type(name) is not str or type(module) is not str:
            _malformed("a name is no text")
        self.mention(f"{module} {name}")

    def reduce(self, _: None) -> None:
        """Call the allow-list's function for a name, with a tuple of arguments."""
        arguments, function = self.pop(), self.pop()
        call = self.allowed[function.name] if isinstance(function, Global) else None
        if call is None or type(arguments) is not tuple:
            _malformed("it calls what is no function")
        if len(arguments) > MAX_ARGUMENTS:
            _malformed(
                f"it calls {function.name} with more than {MAX_ARGUMENTS} values"
            )
        try:
            self.push(call(*arguments))
        except TypeError:
            _malformed(f"it calls {function.name} with other arguments than it takes")

    def build(self, _: None) -> None:
        """Set the state of a stand-in; ignore that of a dict.

        An OrderedDict of torch has such a state, its attribute `_metadata`.
        """
        state, target = self.pop(), self.top()
        if isinstance(target, Stateful):
            target.set_state(state)
        elif type(target) is not dict:
            _malformed("it sets the state of what has none")

    def refer(self, _: None) -> None:
        """Replace a persistent id by the object that it refers to."""
        if self.persistent is None:
            _malformed("it refers to data outside itself")
        self.push(self.persistent(self.pop()))

    def instance(self, module_and_name: str) -> NoReturn:
        """Refuse to make an instance, naming its class."""
        self.mention(module_and_name)
        _malformed("it makes an instance")


def _malformed(problem: str) -> NoReturn:
    raise UnreadableError(f"holds a malformed pickle: {problem}")


_Action = Callable[[_Machine, Any], None]

# Opcodes whose decoded argument is the value itself.
_DATA = (
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
)

_ACTIONS: dict[str, _Action] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda machine, _: None),
    **dict.fromkeys(_DATA, _Machine.push),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "MARK": _Machine.mark,
    "TUPLE": lambda machine, _: machine.push(tuple(machine.pop_to_mark())),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "APPEND": lambda machine, _: machine.extend([machine.pop()]),
    "APPENDS": lambda machine, _: machine.extend(machine.pop_to_mark()),
    "SETITEM": lambda machine, _: machine.set_items(
        [machine.pop(), machine.pop()][::-1]
    ),
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_to_mark()),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine.memoize),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.recall),
    "GLOBAL": _Machine.mention,
    "STACK_GLOBAL": _Machine.mention_from_stack,
    "INST": _Machine.instance,
    "REDUCE": _Machine.reduce,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.refer,
}
