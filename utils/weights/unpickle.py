"""A pickle reader that builds plain data and can do nothing else.

A pickle is a program, and the standard unpickler runs it: it imports the modules that
the file names and calls what it finds there. Here `pickletools` decodes the opcodes and
a small machine runs the ones that weight files need. A name in the file stays an inert
`Global`; nothing is imported; the only calls are those of the functions that the caller
put on the allow-list, each of which checks its arguments. Opcodes outside `_ACTIONS`
(those that make instances, use the extension registry, ...) are refused.
"""

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn, Protocol, runtime_checkable

Allowed = Mapping[str, Callable[..., object] | None]
"""From a full name ("numpy.ndarray") to the function called in its place; None: a name that is only passed on."""

# a tensor takes about 50: 40,000 tensors; what comes later is no weight file
MAX_OPCODES = 2_000_000


class UnreadableError(Exception):
    """Why a file is not read: what follows the file's path in the line that the user sees."""


class DamagedError(UnreadableError):
    """Why a file of a known format cannot be whole."""

    def __init__(self, what: str) -> None:
        shown = "".join(
            letter if letter.isprintable() else "?" for letter in what[:100]
        )
        super().__init__(f"damaged or cut short ({shown}); download or copy it again")


@dataclass(frozen=True)
class Global:
    """A name that a pickle asked for and the allow-list holds. It is never looked up in a module."""

    name: str


@runtime_checkable
class Stateful(Protocol):
    """A stand-in that takes the state which pickles set after they have made an object."""

    def set_state(self, state: object) -> None:
        """Check and keep `state`."""


def unpickle(
    stream: BinaryIO,
    allowed: Allowed,
    persistent: Callable[[object], object] | None = None,
) -> object:
    """Return what the pickle at the position of `stream` holds; `stream` is left just behind it.

    Args:
        stream: an in-memory stream, so that a length the pickle declares cannot
            allocate more than is there.
        allowed: the names that the pickle may mention.
        persistent: called with each persistent id (torch's references to storages);
            None refuses them.

    Returns:
        None, bool, int, float, str, bytes, tuple, list, dict, `Global`, and what the
            allowed functions return.
        Nesting may be deep, shared or cyclic: walk to a fixed depth, never recurse.

    Raises:
        UnreadableError: the pickle is damaged, names something else, or uses an opcode
            that weight files do not need.
    """
    machine = _Machine(allowed, persistent)
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if count == MAX_OPCODES:
                raise UnreadableError(
                    f"holds a pickle of more than {MAX_OPCODES:,} steps, which no weight file needs"
                )
            action = _ACTIONS.get(opcode.name)
            if action is None:
                raise UnreadableError(
                    f"uses the pickle opcode {opcode.name}, which no weight file needs; nothing was run"
                )
            action(machine, argument)
    except ValueError as error:  # how pickletools reports bytes that are no pickle
        raise DamagedError(str(error)) from None
    return machine.pop()


class _Machine:
    """The stack machine of the pickle format, without the opcodes that reach outside it."""

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
        """Take the value on top of the stack."""
        if not self.stack:
            _malformed("it takes more than it made")
        return self.stack.pop()

    def top(self) -> Any:
        """Return the value on top of the stack and leave it there."""
        value = self.pop()
        self.push(value)
        return value

    def mark(self, _: None) -> None:
        """Remember the height of the stack."""
        self.marks.append(len(self.stack))

    def pop_to_mark(self) -> list[Any]:
        """Take all values above the last mark."""
        if not self.marks:
            _malformed("it has no mark")
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def tuple_of(self, count: int) -> None:
        """Replace the last `count` values by a tuple of them."""
        self.push(tuple([self.pop() for _ in range(count)][::-1]))

    def memoize(self, index: int | None) -> None:
        """Keep the value on top of the stack under a number, by default the next one."""
        self.memo[len(self.memo) if index is None else index] = self.top()

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
        for key in values[::2]:  # to hash a nest of shared tuples would take for ever
            if type(key) is not str and not (type(key) is int and abs(key) < 2**31):
                _malformed("a dict key is neither text nor a small number")
        target.update(zip(values[::2], values[1::2], strict=True))

    def mention(self, module_and_name: str) -> None:
        """Push a name as an inert `Global` if it is allowed."""
        name = module_and_name.replace(" ", ".", 1)
        if name not in self.allowed:
            raise UnreadableError(
                f"wants {name[:100]!r}, which no weight file needs; nothing was run; do not trust it"
            )
        self.push(Global(name))

    def mention_from_stack(self, _: None) -> None:
        """Push the name whose module and last part are on the stack."""
        name, module = self.pop(), self.pop()
        if type(name) is not str or type(module) is not str:
            _malformed("a name is no text")
        self.mention(f"{module} {name}")

    def reduce(self, _: None) -> None:
        """Call what the allow-list has for a name, with a tuple of arguments."""
        arguments, function = self.pop(), self.pop()
        call = self.allowed[function.name] if isinstance(function, Global) else None
        if call is None or type(arguments) is not tuple:
            _malformed("it calls what is no function")
        try:
            self.push(call(*arguments))
        except TypeError:
            _malformed(f"it calls {function.name} with other arguments than it takes")

    def build(self, _: None) -> None:
        """Hand a state to a stand-in; drop that of a dict (torch's `_metadata`, an attribute of an OrderedDict)."""
        state, target = self.pop(), self.top()
        if isinstance(target, Stateful):
            target.set_state(state)
        elif type(target) is not dict:
            _malformed("it sets the state of what has none")

    def refer(self, _: None) -> None:
        """Replace a persistent id by what it refers to."""
        if self.persistent is None:
            _malformed("it refers to data outside itself")
        self.push(self.persistent(self.pop()))

    def instance(self, module_and_name: str) -> NoReturn:
        """Refuse to make an instance, and say of what."""
        self.mention(module_and_name)
        _malformed("it makes an instance")


def _malformed(what: str) -> NoReturn:
    raise UnreadableError(f"holds a malformed pickle: {what}")


_Action = Callable[[_Machine, Any], None]
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
