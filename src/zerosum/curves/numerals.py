"""Columns of numbers that were written as text: digit grouping, decimal commas, and words among the numbers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from zerosum.curves._note import Note
from zerosum.curves.columns import NEEDED
from zerosum.errors import InputError

MOST_WORDS = 0.02  # of a needed column: a header repeated, a "diverged". More is another way to write numbers.
COUNTS = ("step", "tokens")  # whole numbers, which may be grouped; losses and rates have decimals
MISSING = {"", "nan", "+nan", "-nan", "none", "null"}

_DIGIT = re.compile(r"\d")
_GROUPS_OF_BLANKS = re.compile(r"[-+]?\d{1,3}(?:[ \u00a0\u2009\u202f'\u2019]\d{3})+(?:[.,]\d*)?")
_BLANK = set(" \u00a0\u2009\u202f'\u2019")
_BLANKS = str.maketrans(dict.fromkeys(_BLANK))
# By decimal mark: digits, in groups of three between the other mark or in none, and decimals.
_WRITTEN = {
    ".": re.compile(r"[-+]?(?:[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)"),
    ",": re.compile(r"[-+]?(?:[1-9]\d{0,2}(?:\.\d{3})+(?:,\d*)?|(?:\d+(?:,\d*)?|,\d+)(?:[eE][-+]?\d+)?)"),
}
_INFINITE = re.compile(r"[-+]?inf(?:inity)?", re.IGNORECASE)
_OTHER = {".": ",", ",": "."}
_SCALED = re.compile(r"([-+]?(?:\d+(?:\.\d*)?|\.\d+))\s?([kKMBGT])")
_SCALES = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12}


@dataclass
class Numerals:
    """Reads the columns of one source: losses and rates first, since they show the decimal mark.

    label: for messages. notes: receives a note for each thing that a user should know. comma: whether decimals may
    stand after a comma, as where the columns are separated by something else. decimal: the mark, where it is known.
    """

    label: str
    notes: list[Note]
    comma: bool = False
    decimal: str = "."

    def read(self, axis: str, name: str, values: Sequence[Any]) -> Float[np.ndarray, " n"]:
        """The numbers of one column, NaN where there is none.

        Raises InputError where a text can be read as two numbers, or where more than 2 % of the values of a column
        that every curve needs are no numbers.
        """
        written = [value.strip() for value in values if isinstance(value, str) and _DIGIT.search(value)]
        mark = self._decimal_mark(axis, name, written)
        numbers = np.array([as_number(_plain(value, mark)) for value in values], dtype=np.float64)
        if axis not in COUNTS and any(mark in text for text in written):
            self.decimal = mark
        self._tell(name, written, mark)
        self._count_words(axis, name, values, numbers)
        return numbers

    def _decimal_mark(self, axis: str, name: str, written: list[str]) -> str:
        """The decimal mark of a column, "." or ","."""
        whole = "\n".join(written)
        texts = [_without_blanks(text) for text in written] if set(whole) & _BLANK else written
        marks = {mark for mark in _WRITTEN if mark in whole}
        fits = [mark for mark, pattern in _WRITTEN.items() if all(map(pattern.fullmatch, texts))] if marks else []
        if len(fits) == 2:
            fits = self._mark_of_groups(axis, marks)
            if not fits:
                self._refuse_two_readings(name, written, texts)
        if fits == [","] and "," in marks and not self.comma:
            return "."
        return fits[0] if fits else "."

    def _mark_of_groups(self, axis: str, marks: set[str]) -> list[str]:
        """The decimal mark of a column in which all marks stand before exactly three digits; [] where not known."""
        if len(marks) == 2:
            return []
        (mark,) = marks
        if axis in COUNTS:  # counts have no decimals: what is known for a decimal mark cannot stand here
            return [self.decimal] if self.decimal == _OTHER[mark] else []
        return [mark] if mark == "." or self.comma else []

    def _refuse_two_readings(self, name: str, written: list[str], texts: list[str]) -> None:
        k = next(k for k, text in enumerate(texts) if "." in text or "," in text)
        grouped, fraction = texts[k].replace(",", "").replace(".", ""), texts[k].replace(",", ".")
        raise InputError(
            f"{self.label}: {written[k][:30]!r} in {name[:60]!r} can be read as {grouped[:30]} (digits in groups) "
            f"or as {float(fraction):g} (decimals). Write such numbers without groups, or choose another column."
        )

    def _tell(self, name: str, written: list[str], mark: str) -> None:
        other, name = _OTHER[mark], name[:60]
        grouped = next((text for text in written if other in text and _WRITTEN[mark].fullmatch(text)), None)
        blanks = next((text for text in written if _GROUPS_OF_BLANKS.fullmatch(text)), None)
        if blanks or grouped:
            text = (blanks or grouped or "")[:30]
            self.notes.append(
                Note("numerals", f"{name!r} has its digits in groups: {text!r} is {as_number(_plain(text, mark)):g}")
            )
        rounded = next((text for text in written if scaled(text) is not None), None) if mark == "." else None
        if rounded:
            text = f"{name!r} has rounded numbers: {rounded[:30]!r} is {scaled(rounded):,.15g}"
            self.notes.append(Note("numerals", text))
        decimals = next((text for text in written if "," in text), None) if mark == "," else None
        if decimals:
            self.notes.append(
                Note(
                    "numerals",
                    f"{name!r} has decimal commas: {decimals[:30]!r} is {as_number(_plain(decimals, mark)):g}",
                )
            )

    def _count_words(self, axis: str, name: str, values: Sequence[Any], numbers: Float[np.ndarray, " n"]) -> None:
        no_numbers = np.flatnonzero(np.isnan(numbers)).tolist()
        words = [k for k in no_numbers if not _is_missing(values[k])]
        if not words:
            return
        there, first = len(values) - len(no_numbers) + len(words), str(values[words[0]]).strip()[:30]
        if axis in NEEDED and len(words) > MOST_WORDS * there:
            raise InputError(
                f"{self.label}: {len(words)} of {there} values of {name[:60]!r} are not numbers (first: {first!r} in "
                f"row {words[0] + 1}). Mend them, or choose another column with {axis}=NAME (--{axis} NAME)."
            )
        self.notes.append(
            Note(
                "not-numbers", f"{len(words)} value{'s' * (len(words) > 1)} of {name!r} not a number (first: {first!r})"
            )
        )


def as_number(value: Any) -> float:
    """A logged value as a number; NaN where it is none. Strings count ("nan", "inf"), truth values do not.

    Whole numbers beyond the range of floating point are infinite.

    >>> as_number("3.5"), as_number(True), as_number("diverged")
    (3.5, nan, nan)
    """
    if isinstance(value, np.integer | np.floating):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return float("nan")
    try:
        return float(value)
    except ValueError:
        return float("nan")
    except OverflowError:
        return float("-inf") if isinstance(value, int) and value < 0 else float("inf")


def scaled(text: str) -> float | None:
    """The number that a text with a unit of thousands stands for; None where it is no such text.

    >>> scaled("1.2K"), scaled("105.00M"), scaled("12.0min")
    (1200.0, 105000000.0, None)
    """
    written = _SCALED.fullmatch(text)
    return float(f"{float(written[1]) * _SCALES[written[2]]:.15g}") if written else None


def may_be_grouped(counts: Float[np.ndarray, " n"]) -> bool:
    """Whether numbers that were read as fractions could have been thousands: 1.000, 1.001, ...

    >>> may_be_grouped(np.array([999, 1.0, 1.001])), may_be_grouped(np.array([0.5, 1.0025]))
    (True, False)
    """
    present = counts[np.isfinite(counts)]
    return bool((np.abs(present) < 10_000).all() and np.allclose(present * 1_000, np.round(present * 1_000), atol=1e-6))


def is_number(text: str) -> bool:
    """Whether a field is a number in any writing that `Numerals` reads, NaN included."""
    text = _without_blanks(text.strip())
    return text.lower() in MISSING - {"", "none", "null"} or any(
        pattern.fullmatch(text) for pattern in (*_WRITTEN.values(), _INFINITE)
    )


def _is_missing(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in MISSING
    return value is None or isinstance(value, float)  # a float that is no number is NaN


def _without_blanks(text: str) -> str:
    return text.translate(_BLANKS) if _GROUPS_OF_BLANKS.fullmatch(text) else text


def _plain(value: Any, mark: str) -> Any:
    """A text as Python writes numbers, where it is a number with this decimal mark; anything else as it is."""
    if not isinstance(value, str):
        return value
    text = _without_blanks(value.strip())
    if _WRITTEN[mark].fullmatch(text):
        return text.replace(_OTHER[mark], "").replace(",", ".")
    if mark == "." and (number := scaled(text)) is not None:
        return number
    return value if mark == "." or not _DIGIT.search(text) else ""
