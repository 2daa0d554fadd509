"""`join_curves`: the logs that one run wrote before and after its restarts -> one curve."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from zerosum.curves._curve import LossCurve
from zerosum.curves._note import Note
from zerosum.curves.cleaning import OnRepeat, OnResume, clean_curve
from zerosum.errors import InputError


def join_curves(
    curves: Sequence[LossCurve], *, on_resume: OnResume = "last", on_repeat: OnRepeat | None = None
) -> LossCurve:
    """One curve of the parts of a run, in the order of their first steps; parts that begin alike as they are given.

    Steps trained twice are dropped, and a counter that starts again is continued where the loss goes on, as within one
    log (see `clean_curve`). Tokens and learning rates stay where every part has them.
    Raises InputError where a part does not belong to the others: its counter starts again and its loss is another.
    """
    if not curves:
        raise InputError("join: no curves. Give the logs of one run.")
    names = ", ".join(curve.name for curve in curves)
    intervals = [float(np.median(np.diff(curve.step))) if len(curve) > 1 else 0.0 for curve in curves]
    near = 2 * max(intervals)
    parts = sorted(curves, key=lambda curve: curve.step[0] // near if near else curve.step[0])
    ranges = "; ".join(f"{part.name}, steps {part.step[0]:g} to {part.step[-1]:g}" for part in parts)
    notes = (*(note for part in parts for note in part.cleaning), Note("joined-files", f"joined: {ranges}"))
    joined = clean_curve(
        curves[0].name,
        np.concatenate([part.step for part in parts]),
        np.concatenate([part.loss for part in parts]),
        tokens=_together([part.tokens for part in parts]),
        lr=_together([part.lr for part in parts]),
        source=curves[0].source,
        format=curves[0].format,
        notes=notes,
        columns=curves[0].columns,
        on_resume=on_resume,
        on_repeat=on_repeat,
    )
    if "several-jobs" in joined.cleaning_codes:
        why = next(note for note in joined.cleaning if getattr(note, "code", "") == "several-jobs")
        raise InputError(f"{names}: not the parts of one run ({why}). Join only logs that go on from each other.")
    return replace(joined, dropped=_summed([part.dropped for part in parts] + [joined.dropped]))


def _together(columns: Sequence[Float[np.ndarray, " _"] | None]) -> Float[np.ndarray, " n"] | None:
    there = [column for column in columns if column is not None]
    return np.concatenate(there) if len(there) == len(columns) else None


def _summed(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    causes = list(dict.fromkeys(cause for count in counts for cause in count))
    return {cause: sum(count.get(cause, 0) for count in counts) for cause in causes}
