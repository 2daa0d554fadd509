"""Loss curves that others wrote -> `LossCurve`. Knows file formats; knows nothing of fits or models.

A format is one file in `formats/`; column names live in `columns.py`, what is done to untidy rows in `cleaning.py`.
"""

from zerosum.curves._curve import LossCurve
from zerosum.curves._read import read_curve
from zerosum.curves._write import write_curve
from zerosum.curves.cleaning import clean_curve

__all__ = ["LossCurve", "clean_curve", "read_curve", "write_curve"]
