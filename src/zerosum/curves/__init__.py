"""Reads loss logs of many formats into a `LossCurve`. Knows file formats; knows nothing of fits or models.

A format is one file in `formats/`; names of columns live in `column_names.py`, the cleaning of rows in `cleaning.py`.
"""

from zerosum.curves._curve import LossCurve
from zerosum.curves._join import join_curves
from zerosum.curves._logged import logged_under
from zerosum.curves._note import DECIDED, Note, code_of
from zerosum.curves._read import log_files, read_curve
from zerosum.curves._tokens_axis import by_tokens, tokens_per_step
from zerosum.curves._write import write_curve
from zerosum.curves.cleaning import clean_curve

__all__ = [
    "DECIDED",
    "LossCurve",
    "Note",
    "by_tokens",
    "clean_curve",
    "code_of",
    "join_curves",
    "log_files",
    "logged_under",
    "read_curve",
    "tokens_per_step",
    "write_curve",
]
