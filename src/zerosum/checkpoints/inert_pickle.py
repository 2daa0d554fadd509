"""Read what a pickle says without executing it: nothing is imported, and no class or function is ever called.

Standard pickle, and torch with `weights_only`, either run or refuse a pickle of other objects. This reader follows the
opcodes with a stack of its own; where the pickle would make an object or call something, it notes the name.
"""

import pickletools
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LARGEST = 1_000_000  # bytes of a pickle that is read


@dataclass(eq=False)
class Inert:
    """An object that the pickle would make. name: of its class or function. arguments: of the call. state: of it."""

    name: str
    arguments: Any = ()
    state: Any = None

    def __repr__(self) -> str:
        return f"Inert({self.name!r})"  # what it holds may be nested without end


def read_inert(file: Path) -> Any:
    """What the pickle in a file that `torch.save` wrote says. Raises ValueError where it is damaged or too large."""
    try:
        with zipfile.ZipFile(file) as archive:
            (info,) = (info for info in archive.infolist() if info.filename.endswith("/data.pkl"))
            if info.file_size > LARGEST:
                raise ValueError(f"a pickle of {info.file_size:,} bytes")
            return _Reader().read(archive.read(info))
    except Exception as error:  # damaged files can make zipfile and pickletools raise almost any error
        raise ValueError(f"not the file of a torch.save ({type(error).__name__})") from error


class _Reader:
    """The stack of a pickle, the places marked in it, and its memo."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def read(self, content: bytes) -> Any:
        """The object that the pickle describes."""
        for opcode, argument, _ in pickletools.genops(content):
            name = opcode.name
            if name == "STOP":
                return self.stack[-1]
            if name in _ACTIONS:
                _ACTIONS[name](self, argument)
            elif opcode.arg is not None and not opcode.stack_before and len(opcode.stack_after) == 1:
                self.stack.append(argument)  # a number or a text
            elif name not in ("PROTO", "FRAME"):
                raise ValueError(f"opcode {name}")
        raise ValueError("no end")

    def pop(self, number: int) -> list[Any]:
        """The last values of the stack, removed from it."""
        if number > len(self.stack):
            raise ValueError("an empty stack")
        values = self.stack[len(self.stack) - number :]
        del self.stack[len(self.stack) - number :]
        return values

    def pop_mark(self) -> list[Any]:
        """The values since the last mark, removed from the stack."""
        return self.pop(len(self.stack) - self.marks.pop())

    def make(self, values: list[Any]) -> None:
        """Note an object: a class or function, and its arguments."""
        made, *arguments = values
        self.stack.append(Inert(made.name if isinstance(made, Inert) else "", tuple(arguments)))

    def set_items(self, items: list[Any]) -> None:
        """Entries of the dictionary on the stack; those that are not named by a text are left out."""
        if isinstance(self.stack[-1], dict):
            pairs = zip(items[::2], items[1::2], strict=True)
            self.stack[-1].update({key: value for key, value in pairs if isinstance(key, str)})

    def append(self, items: list[Any]) -> None:
        """Entries of the list on the stack."""
        if isinstance(self.stack[-1], list):
            self.stack[-1].extend(items)

    def set_state(self, state: Any) -> None:
        """The state of the object on the stack."""
        if isinstance(self.stack[-1], Inert):
            self.stack[-1].state = state

    def remember(self, place: int) -> None:
        """Put what is on the stack into the memo."""
        self.memo[place] = self.stack[-1]


def _dictionary(reader: _Reader, items: list[Any]) -> None:
    reader.stack.append({})
    reader.set_items(items)


_ACTIONS: dict[str, Callable[[_Reader, Any], Any]] = {
    "NONE": lambda r, _: r.stack.append(None),
    "NEWTRUE": lambda r, _: r.stack.append(True),
    "NEWFALSE": lambda r, _: r.stack.append(False),
    "EMPTY_DICT": lambda r, _: r.stack.append({}),
    "EMPTY_LIST": lambda r, _: r.stack.append([]),
    "EMPTY_SET": lambda r, _: r.stack.append([]),
    "EMPTY_TUPLE": lambda r, _: r.stack.append(()),
    "MARK": lambda r, _: r.marks.append(len(r.stack)),
    "POP": lambda r, _: r.pop(1),
    "POP_MARK": lambda r, _: r.pop_mark(),
    "DUP": lambda r, _: r.stack.append(r.stack[-1]),
    "TUPLE": lambda r, _: r.stack.append(tuple(r.pop_mark())),
    "TUPLE1": lambda r, _: r.stack.append(tuple(r.pop(1))),
    "TUPLE2": lambda r, _: r.stack.append(tuple(r.pop(2))),
    "TUPLE3": lambda r, _: r.stack.append(tuple(r.pop(3))),
    "LIST": lambda r, _: r.stack.append(r.pop_mark()),
    "FROZENSET": lambda r, _: r.stack.append(r.pop_mark()),
    "DICT": lambda r, _: _dictionary(r, r.pop_mark()),
    "APPEND": lambda r, _: r.append(r.pop(1)),
    "APPENDS": lambda r, _: r.append(r.pop_mark()),
    "ADDITEMS": lambda r, _: r.append(r.pop_mark()),
    "SETITEM": lambda r, _: r.set_items(r.pop(2)),
    "SETITEMS": lambda r, _: r.set_items(r.pop_mark()),
    "GLOBAL": lambda r, name: r.stack.append(Inert(name.replace(" ", "."))),
    "STACK_GLOBAL": lambda r, _: r.stack.append(Inert(".".join(map(str, r.pop(2))))),
    "INST": lambda r, name: r.make([Inert(name.replace(" ", ".")), *r.pop_mark()]),
    "OBJ": lambda r, _: r.make(r.pop_mark()),
    "NEWOBJ": lambda r, _: r.make(r.pop(2)),
    "NEWOBJ_EX": lambda r, _: r.make(r.pop(3)),
    "REDUCE": lambda r, _: r.make(r.pop(2)),
    "BUILD": lambda r, _: r.set_state(r.pop(1)[0]),
    "PERSID": lambda r, _: r.stack.append(Inert("")),
    "BINPERSID": lambda r, _: r.make([*r.pop(1)]),
    "MEMOIZE": lambda r, _: r.remember(len(r.memo)),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), lambda r, place: r.remember(place)),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda r, place: r.stack.append(r.memo[place])),
    **dict.fromkeys(("EXT1", "EXT2", "EXT4"), lambda r, _: r.stack.append(Inert(""))),
}
