"""Finds the columns of step, loss, tokens and learning rate, by the names in `column_names.py`."""

import re
import shlex
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from zerosum.curves._note import Note, left_out
from zerosum.curves.column_names import ALIASES, HELPERS, LAST_RESORTS, STAND_INS
from zerosum.errors import InputError

_LR_OF_OPTIMIZER = re.compile(r"lr_\w*(?:adam|sgd|lion|muon|lamb|adafactor|sophia)\w*(?:/(?:pg1|group0))?")
_AXIS_OF = {
    name: axis
    for table in (HELPERS, LAST_RESORTS, STAND_INS, ALIASES)
    for axis, names in table.items()
    for name in names
    if name not in ("train", "d")  # of lists and published curves only
}
TENSORBOARD_EXPORT = {"wall_time", "step", "value"}  # one tag, which only the file's name tells
_BOX = re.compile(r"^(metrics?|scalars?|logs?|stats)/")
NEEDED = ("step", "loss")
_LOSS_TAG = re.compile(r"(?<![a-z])(loss|nll|ce|xent|cross_?entropy|bpb)(?![a-z])|loss")
_OTHER_TAG = re.compile(
    r"(?<![a-z])(lr|rate|val|valid|validation|eval|test|scale|aux|z_loss|ppl|perplexity|norm)(?![a-z])"
)


class Chooser:
    """Picks the columns of one source as `choose_columns` does, and keeps notes on the choice.

    where: of which rows, by column and value. rows_chosen: set by whoever chose them; not all formats have such rows.
    every: how many steps each loss stands for, in a log without steps.
    """

    def __init__(
        self,
        source: str,
        overrides: Mapping[str, str | None],
        where: Mapping[str, str] = MappingProxyType({}),
        every: int | None = None,
    ):
        self.source, self.overrides, self.where, self.every = source, overrides, where, every
        self.notes: list[Note] = []
        self.rows_chosen = False

    def __call__(self, names: Sequence[str]) -> dict[str, str]:
        """Map each axis to the source's own name for it."""
        chosen = choose_columns(names, self.source, self.overrides)
        for axis, name in chosen.items():
            others = [other for other in names if plain(other) in STAND_INS.get(axis, ()) and other != name]
            if others and self.overrides.get(axis) is None:
                self.notes.append(
                    Note("column-chosen", f"the {axis} is {name!r}; {others[0]!r} is there too and was not used")
                )
        if plain(chosen["loss"]) == "value" and self.overrides.get("loss") is None:
            self.notes.append(_exported_tag(chosen["loss"], self.source))
        if chosen["step"] == chosen.get("tokens"):
            self.notes.append(
                Note(
                    "counted-in-tokens",
                    f"the steps are tokens ({chosen['step']!r}): what is told in steps is told in tokens",
                )
            )
        for axis in ALIASES:
            candidates = [] if axis in chosen else matching(axis, names)
            if candidates:
                self.notes.append(
                    left_out(axis, f"it could be any of {_listed(candidates)}; choose one with {axis}=NAME")
                )
        return chosen


def _exported_tag(column: str, source: str) -> Note:
    """A note on the tag of TensorBoard's CSV export. Raises InputError where the file's name says it is no loss."""
    in_name = re.search(r"tag-(.+?)(?:\.csv)?$", source)
    if in_name is None:
        text = f"the loss is {column!r} of TensorBoard's CSV export, which does not name its tag"
        return Note("column-chosen", text)
    tag = in_name[1]
    name = plain(tag)
    if not _LOSS_TAG.search(name) or _OTHER_TAG.search(name):
        raise InputError(
            f"{source}: the tag in the file's name, {tag[:60]!r}, is no training loss. Give the export of the loss; "
            f"to read it all the same say loss={column} (--loss {column})."
        )
    return Note("column-chosen", f"the loss is {column!r}; the tag in the file's name is {tag[:60]!r}")


def choose_columns(names: Sequence[str], source: str, overrides: Mapping[str, str | None]) -> dict[str, str]:
    """Map "step", "loss" and, where there, "tokens", "lr" and the axes of HELPERS to the source's own column names.

    names: the columns as the source spells them. overrides: what the caller chose, by axis, or None.
    Raises InputError where a column is missing, or where two could be meant: it lists the choices.

    >>> choose_columns(["_step", "train/loss", "val/loss"], "a.csv", {})
    {'step': '_step', 'loss': 'train/loss'}
    """
    chosen = {}
    for axis in ALIASES:
        wanted = overrides.get(axis)
        candidates = [_named(wanted, names, source, axis)] if wanted is not None else matching(axis, names)
        if len(candidates) > 1 and axis in NEEDED:
            raise InputError(
                f"{source}: the {axis} could be any of {_listed(candidates)}. "
                f"Choose one with {axis}=NAME (--{axis} NAME)."
            )
        if not candidates and axis in NEEDED:
            raise InputError(
                f"{source}: no column is known as the {axis}; there are {_listed(names)}. {_remedy(axis, names)}"
            )
        if len(candidates) == 1:
            chosen[axis] = candidates[0]
    for axis, known in HELPERS.items():
        candidates = [name for name in names if plain(name) in known and name not in chosen.values()]
        if len(candidates) == 1:
            chosen[axis] = candidates[0]
    return chosen


def _remedy(axis: str, names: Sequence[str]) -> str:
    tokens = matching("tokens", names) if axis == "step" else []
    if len(tokens) == 1:
        return f"To count in tokens in the place of steps say step={tokens[0]} (--step {shlex.quote(tokens[0])})."
    count = ", or count the losses with every=N (--every N)" if axis == "step" else ""
    return f"Name it with {axis}=NAME (--{axis} NAME){count}."


def _named(wanted: str, names: Sequence[str], source: str, axis: str) -> str:
    exact = [name for name in names if name == wanted]
    matches = exact or [name for name in names if name.strip() == wanted.strip()]
    if not matches:
        raise InputError(
            f"{source}: no column {_short(wanted)} for the {axis}; there are {_listed(names)}. Choose one."
        )
    if len(matches) > 1:
        raise InputError(f"{source}: {len(matches)} columns are called {_short(wanted)}. Rename all but one of them.")
    return matches[0]


def matching(axis: str, names: Sequence[str]) -> list[str]:
    """The names that are known for an axis; stand-ins only where there is no other."""
    own = [name for name in names if plain(name) in ALIASES[axis]]
    stand_ins = STAND_INS.get(axis, ())
    if axis == "loss" and {plain(name) for name in names} == TENSORBOARD_EXPORT:
        stand_ins += ("value",)
    own = own or [name for name in names if plain(name) in stand_ins]
    return own or [name for name in names if plain(name) in LAST_RESORTS.get(axis, ())]


@lru_cache(4_096)
def axis_of(name: str) -> str | None:
    """What a name is known for: "step", "loss", "tokens", "lr", or an axis of HELPERS; None for any other.

    >>> axis_of("Learning Rate"), axis_of("batch"), axis_of("grad_norm")
    ('lr', 'step', None)
    """
    return _AXIS_OF.get(plain(name))


def plain(name: str) -> str:
    """A name in its normal spelling: lower case, `/` between its parts, `_` between its words.

    W&B's CSV export says "run name - train/loss", with __MIN and __MAX columns beside it that match no alias. Loops of
    one's own put all they log into an object "metrics".

    >>> plain("fox - Train.CE-Loss")
    'train/ce_loss'
    """
    words = name.rsplit(" - ", 1)[-1].strip().lower()
    words = _BOX.sub("", re.sub(r"[\s-]", "_", words.replace(".", "/")))
    return "lr_adamw" if _LR_OF_OPTIMIZER.fullmatch(words) else words


def _short(name: str) -> str:
    return repr(name if len(name) <= 60 else name[:57] + "...")


def _listed(names: Sequence[str], most: int = 20) -> str:
    shown = ", ".join(_short(name) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "") if names else "none"
