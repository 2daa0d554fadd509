"""The end of a run by a one-break law (BNSL) of its earlier part."""

import math

import numpy as np
from jaxtyping import Bool

from zerosum.curves import LossCurve
from zerosum.deceleration import fit, law_forecast
from zerosum.deceleration.observed import up_to
from zerosum.scaling.table import LossTable


def one_break_errors(target: LossTable, last: Bool[np.ndarray, " n"]) -> tuple[list[float], int, str]:
    """Relative errors at the last losses of each run, how many earlier losses were fitted, and why there are none.

    last: [n] the rows to predict. The loss curves of a size are fitted where the table has them, else its other rows.
    """
    errors, used = [], 0
    if not np.isfinite(target.step).all():
        return [], 0, "no column step: a one-break law is a law of the step"
    for run in dict.fromkeys(target.run):
        own = np.array([name == run for name in target.run])
        curves, end = _early(target, own & ~last, run), target.rows(own & last)
        used += sum(len(curve.step) for curve in curves)
        if not all(len(curve.step) for curve in curves):
            return [], used, f"{run[:60]}: no loss before its last part"
        fits = [fit(curve, phase="whole") for curve in curves]
        for step, loss in zip(end.step.tolist(), end.loss.tolist(), strict=True):
            forecasts = [law_forecast(fitted, step) for fitted in fits]
            if lacks := next((one for one in forecasts if not math.isfinite(one.loss)), None):
                return [], used, lacks.reason
            errors.append(math.exp(float(np.mean(np.log([one.loss for one in forecasts])))) / loss - 1)
    return errors, used, ""


def _early(target: LossTable, rows: Bool[np.ndarray, " n"], run: str) -> list[LossCurve]:
    early = target.rows(rows & (target.step > 0))
    if len(early) and (curves := target.curves.get((float(early.N[0]), float(early.batch[0])), ())):
        return [up_to(curve, float(early.step.max())) for curve in curves]
    order = early.step.argsort()
    return [LossCurve(run, early.step[order], early.loss[order])]
