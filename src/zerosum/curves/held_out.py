"""Which loss of a run's log is its curve: that of the batches, or that of held-out text where it is logged densely.

A batch of few tokens makes its loss so noisy that no break is seen in it. The rule looks at steps alone, so that runs
of one recipe are all fitted to the same kind of loss.
"""

from typing import Any

from zerosum.curves._note import Note
from zerosum.curves.columns import Chooser

COLUMN = "held_out_loss"  # as our training names it
DENSE = 20  # steps with a held-out loss between a tenth of the last and the last
_TOO_LARGE = 1e300  # also of an integer that no float holds
Rows = list[dict[str, Any]]


def rows_of_the_curve(rows: Rows, choose: Chooser) -> Rows:
    """The rows with a held-out loss, and the choice of that column, where it is logged densely; else all rows.

    Nothing is chosen where the caller chose a loss. The choice is added to the notes of `choose`.
    """
    if choose.overrides.get("loss") is not None:
        return rows
    held_out = [row for row in rows if _is_finite(row.get(COLUMN)) and _is_finite(row.get("step"))]
    last = max((row["step"] for row in held_out), default=0)
    if sum(row["step"] > last / 10 for row in held_out) < DENSE:
        return rows
    choose.overrides = {**choose.overrides, "loss": COLUMN}
    text = f"the loss is that of held-out text, logged at {len(held_out)} of {len(rows)} steps"
    choose.notes.append(Note("series-chosen", f"{text}; --loss loss reads that of the batches"))
    return held_out


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _TOO_LARGE
