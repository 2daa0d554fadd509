"""`write_curve`: a `LossCurve` -> a plain CSV that reads back as the same numbers."""

import re
from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import Float

from zerosum.atomic import write_text
from zerosum.curves._curve import LossCurve
from zerosum.curves.numerals import COUNTS
from zerosum.errors import InputError

_GROUPED = re.compile(r"-?\d{1,3}\.\d{3}", re.ASCII)


def write_curve(curve: LossCurve, path: str | PathLike[str]) -> None:
    """Write `step,tokens,loss,lr` as CSV, all or nothing; tokens and lr only where the curve has them.

    Every number is written with as many digits as it takes to read back the same.
    Raises InputError where the file cannot be written.
    """
    given = {"step": curve.step, "tokens": curve.tokens, "loss": curve.loss, "lr": curve.lr}
    columns = {name: _written(values) for name, values in given.items() if values is not None}
    for name in columns.keys() & set(COUNTS):  # 1.125 of a count reads as 1125, too
        columns[name] = [f"{text}0" if _GROUPED.fullmatch(text) else text for text in columns[name]]
    lines = [",".join(columns), *map(",".join, zip(*columns.values(), strict=True)), ""]
    try:
        write_text(Path(path), "\n".join(lines))
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path}: cannot be written ({cause}). Check the folder and its permissions.") from None


def _written(values: Float[np.ndarray, " n"]) -> list[str]:
    # Steps and tokens are whole numbers, which people expect to see without ".0"; repr is exact for all others.
    whole = bool((np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) < 2**53)).all())
    return [str(value) for value in (values.astype(np.int64) if whole else values).tolist()]
