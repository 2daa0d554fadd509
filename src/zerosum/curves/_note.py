"""Notes of a reader on what it changed: a sentence for people, with a code for programs."""

from typing import Literal

NoteCode = Literal[
    "rows-dropped",
    "trained-twice",
    "sorted",
    "gap",
    "already-thinned",
    "joined",
    "interpolated",
    "tokens-left-out",
    "lr-left-out",
    "column-chosen",
    "converted",
    "damaged",
    "cut-off",
    "several-files",
    "other-logs",
    "entries-ignored",
    "averaged",
    "counted-from-0",
    "counted-in-tokens",
    "steps-counted",
    "text-log",
    "numerals",
    "series-chosen",
    "ranks-averaged",
    "steps-of-epochs",
    "steps-continued",
    "several-jobs",
    "joined-files",
    "diverged",
    "unit-doubtful",
    "not-numbers",
    "other",
]

# What a reader had to decide for the user, or doubts: said on the first screen, since another choice is another curve.
DECIDED: frozenset[NoteCode] = frozenset(
    {
        "series-chosen",
        "ranks-averaged",
        "steps-of-epochs",
        "steps-continued",
        "several-jobs",
        "joined-files",
        "steps-counted",
        "text-log",
        "diverged",
        "unit-doubtful",
    }
)


class Note(str):
    """One sentence, which is a plain string everywhere, and its code.

    >>> note = Note("trained-twice", "resumed once: 10 rows dropped")
    >>> note.startswith("resumed"), note.code
    (True, 'trained-twice')
    """

    __slots__ = ("code",)
    code: NoteCode

    def __new__(cls, code: NoteCode, message: str) -> "Note":
        note = super().__new__(cls, message)
        note.code = code
        return note

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        return self.code, str(self)  # for copies and pickles


def left_out(axis: str, why: str) -> Note:
    """The note that tokens or the learning rate were left out of a curve.

    >>> left_out("tokens", "missing in 3 of 9 rows")
    'tokens left out: missing in 3 of 9 rows'
    """
    return Note("tokens-left-out" if axis == "tokens" else "lr-left-out", f"{axis} left out: {why}")


def code_of(sentence: str) -> NoteCode:
    """The code of a note; "other" for a plain string."""
    return sentence.code if isinstance(sentence, Note) else "other"
