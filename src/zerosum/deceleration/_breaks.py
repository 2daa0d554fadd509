"""`fit_breaks`: a loss curve -> the law with n breaks, for curves that bend more than once."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from zerosum.curves import LossCurve
from zerosum.deceleration import jackknife
from zerosum.deceleration._prepare import checked_level, prepare
from zerosum.deceleration._record import NATS, Phase, ProcedureName, intervals_or_reason
from zerosum.deceleration.autocorrelation import widening
from zerosum.deceleration.models import left_out_error
from zerosum.deceleration.n_breaks import BreakSolutions, log_loss, solve_breaks
from zerosum.errors import InputError
from zerosum.estimate import Estimate, Interval, number_or_reason, numbers_or_reasons
from zerosum.record import Record

MOST_BREAKS = 5
TOO_FEW = "too few points for this many breaks"


@dataclass(frozen=True)
class Break:
    """One bend of the curve. t_d: steps. L_d: nats, where the straight lines before and after it cross.

    r_before, r_d: log-log rates of these lines; positive while the loss falls. f: width, in log steps.
    intervals: "t_d", "L_d", "r_d" -> (low, high), or None with the cause in `interval_reasons`.
    """

    t_d: float
    L_d: float
    r_before: float
    r_d: float
    f: float
    intervals: dict[str, Interval | None]
    interval_reasons: dict[str, str]

    def estimate(self, name: str) -> Estimate:
        """One number with its interval, or the reason why there is none; r_before and f have none."""
        interval = self.intervals.get(name)
        reason = "" if interval else self.interval_reasons.get(name, "no interval is computed for it")
        unit = {"t_d": "steps", "L_d": NATS}.get(name, "")
        return Estimate(float(getattr(self, name)), interval, reason, unit=unit)

    def to_json(self) -> dict[str, Any]:
        """As a JSON document; a number that cannot be given is null with a reason beside it."""
        numbers = {name: getattr(self, name) for name in ("t_d", "L_d", "r_before", "r_d", "f")}
        return numbers_or_reasons(numbers, TOO_FEW) | {
            "intervals": intervals_or_reason(self.intervals, self.interval_reasons)
        }


@dataclass(frozen=True, repr=False)
class Breaks(Record):
    """The law with n breaks, in the order of steps. log_b: log nats at step 1, on the first line.

    rsle: root mean squared difference of log losses over the n_bins points fitted; it falls with every break more.
    criterion: the same on stretches left out of the fit; compare it between numbers of breaks, smaller is better.
    """

    curve: LossCurve
    procedure: ProcedureName
    breaks: tuple[Break, ...]
    log_b: float
    rsle: float
    criterion: float
    n_points: int
    n_bins: int
    first_step: float
    last_step: float
    cutoff: float
    interval_level: float
    interval_method: str = jackknife.METHOD

    @property
    def n_params(self) -> int:
        """Two for the first line, three for each break."""
        return 2 + 3 * len(self.breaks)

    def predict(self, step: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Loss in nats at each step. NaN where the step is not above 0."""
        c = [bend.r_d - bend.r_before for bend in self.breaks]
        pairs = [value for bend in self.breaks for value in (np.log(bend.t_d), np.log(bend.f))]
        theta = np.array([self.log_b, self.breaks[0].r_before, *c, *pairs])
        return np.asarray(np.exp(log_loss(theta, np.log(np.where(step > 0, step, np.nan)))))

    def to_json(self) -> dict[str, Any]:
        """As a JSON document; a number that cannot be given is null with a reason beside it."""
        out: dict[str, Any] = {"name": self.curve.name, "source": self.curve.source, "procedure": self.procedure}
        for name in ("n_params", "n_points", "n_bins", "last_step", "cutoff", "interval_level", "interval_method"):
            out[name] = getattr(self, name)
        out |= number_or_reason("first_step", self.first_step, "no points above the cut-off")
        out |= numbers_or_reasons({name: getattr(self, name) for name in ("log_b", "rsle", "criterion")}, TOO_FEW)
        return out | {"breaks": [one.to_json() for one in self.breaks]}


def fit_breaks(
    curve: LossCurve,
    n: int,
    *,
    procedure: ProcedureName = "robust",
    cutoff: float | int | None = None,
    phase: Phase | None = None,
    level: float = 0.95,
) -> Breaks:
    """Fit the law with n breaks: log L = log b - c_0 log t - sum_k c_k f_k log(1 + (t/d_k)^(1/f_k)).

    n: 1 to 5. procedure, cutoff, phase, level: as for `fit`. Source of the law: Caballero et al. 2023, a = 0. With
    n = 1 the numbers are those of `fit` (procedure "robust"). Of procedure "paper" only the points are taken.
    Numbers are NaN where too few points are left: 3 n + 4 are needed, and as many with a stretch left out.

    Raises InputError for a number of breaks out of range, and as `fit` does.
    """
    if n not in range(1, MOST_BREAKS + 1):
        raise InputError(f"n {n!r}: not a number of breaks that can be told apart. Give 1 to {MOST_BREAKS}.")
    given = prepare(curve, procedure, cutoff, phase)
    points, weight = given.points, given.points.after(given.cutoff)
    used = weight > 0
    x, y = points.x[used], points.y[used]
    block = points.blocks(weight, jackknife.BLOCKS)[used]
    ones = np.ones(len(x))
    solutions = solve_breaks(x, y, np.stack([ones, *jackknife.leave_out(ones, block)]), n)
    best, *refits = solutions.theta
    fitted, all_fitted = np.isfinite(solutions.rss[0]), np.isfinite(solutions.rss).all()
    residual = log_loss(best, x) - y if fitted else np.full(len(x), np.nan)
    first = float(points.first_step[used][0]) if used.any() else float("nan")
    return Breaks(
        curve=curve,
        procedure=given.how.name,
        breaks=_breaks(solutions, checked_level(level), widening(residual, points.log_bin[used])),
        log_b=float(solutions.log_b[0]),
        rsle=float(np.sqrt(np.mean(residual**2))) if fitted else float("nan"),
        criterion=left_out_error(log_loss, refits, x, y, block) if all_fitted else float("nan"),
        n_points=int((given.fitted.step >= first).sum()),
        n_bins=len(x),
        first_step=first,
        last_step=given.last_step,
        cutoff=given.cutoff,
        interval_level=level,
    )


def _breaks(solutions: BreakSolutions, level: float, widen: float) -> tuple[Break, ...]:
    """Every break of the first solution, with intervals from the others."""
    log_L = solutions.log_loss_at_breaks
    breaks = []
    for k in range(solutions.log_t.shape[1]):
        with np.errstate(over="ignore", under="ignore"):
            t_d, L_d, f = (float(np.exp(value[0, k])) for value in (solutions.log_t, log_L, solutions.log_f))
        plain = Break(t_d, L_d, float(solutions.rates[0, k]), float(solutions.rates[0, k + 1]), f, {}, {})
        why = _not_comparable(solutions, k) or _runs_into_another(solutions, k)
        intervals: dict[str, Interval | None] = dict.fromkeys(("t_d", "L_d", "r_d"))
        if not why:
            for name, values in (
                ("t_d", solutions.log_t[:, k]),
                ("L_d", log_L[:, k]),
                ("r_d", solutions.rates[:, k + 1]),
            ):
                low, high = jackknife.jackknife_interval(float(values[0]), values[1:], level, widen)
                with np.errstate(over="ignore"):
                    intervals[name] = (low, high) if name == "r_d" else (float(np.exp(low)), float(np.exp(high)))
        missing = {name: why or "the interval has no finite end" for name, ends in intervals.items()
                   if ends is None or not np.isfinite(ends).all()}  # fmt: skip
        breaks.append(replace(plain, intervals=intervals | dict.fromkeys(missing), interval_reasons=missing))
    return tuple(breaks)


def _not_comparable(solutions: BreakSolutions, k: int) -> str:
    """Why the refits give no interval for the k-th break; empty if they do."""
    if not np.isfinite(solutions.rss).all():
        return TOO_FEW
    of = len(solutions.rss) - 1
    for row, (edges, log_t) in enumerate(zip(solutions.at_edge, solutions.log_t, strict=True)):
        where = f"with stretch {row} of {of} left out the break" if row else "the break"
        if edges[k]:
            return f"{where} lies at the edge of the fitted range"
        if np.abs(log_t - solutions.log_t[0, k]).argmin() != k or np.abs(log_t[k] - solutions.log_t[0]).argmin() != k:
            return f"{where} is not found again"
    return ""


def _runs_into_another(solutions: BreakSolutions, k: int) -> str:
    """Two bends that overlap are one bend of another shape: the rate between them is never reached."""
    log_t, width = solutions.log_t[0], np.exp(solutions.log_f[0])
    for other in (k - 1, k + 1):
        if 0 <= other < len(log_t) and abs(log_t[other] - log_t[k]) < width[other] + width[k]:
            return f"its bend runs into that at step {np.exp(log_t[other]):.0f}: the rates are not told apart"
    return ""
