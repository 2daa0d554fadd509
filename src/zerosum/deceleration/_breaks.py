"""`fit_breaks`: a loss curve -> the law with n breaks, for curves that bend more than once."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from zerosum.curves import LossCurve
from zerosum.deceleration._prepare import checked_level, prepare
from zerosum.deceleration._record import NATS, Phase, ProcedureName, intervals_or_reason
from zerosum.deceleration.fit_errors import METHOD, FitErrors, errors_of_points
from zerosum.deceleration.left_out import BLOCKS, leave_out
from zerosum.deceleration.models import left_out_error
from zerosum.deceleration.n_breaks import BreakSolutions, log_loss, solve_breaks
from zerosum.deceleration.reduced import hinge_and_slope
from zerosum.deceleration.weighting import least_squares
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
    interval_method: str = METHOD

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
    Numbers are NaN where too few points are left: 3 n + 4 are needed, and as many with a stretch left out for the
    criterion.

    Raises InputError for a number of breaks out of range, and as `fit` does.
    """
    if n not in range(1, MOST_BREAKS + 1):
        raise InputError(f"n {n!r}: not a number of breaks that can be told apart. Give 1 to {MOST_BREAKS}.")
    given = prepare(curve, procedure, cutoff, phase)
    points = given.points
    weight = least_squares(points, [given.cutoff], balanced=given.how.balanced)[0][0]
    used = weight > 0
    x, y = points.x[used], points.y[used]
    block = points.blocks(weight, BLOCKS)[used]
    solutions = solve_breaks(x, y, np.stack([weight[used], *leave_out(np.ones(len(x)), block)]), n)
    best, *refits = solutions.theta
    fitted, all_fitted = np.isfinite(solutions.rss[0]), np.isfinite(solutions.rss).all()
    residual = log_loss(best, x) - y if fitted else np.full(len(x), np.nan)
    errors = errors_of_points(points, weight, -residual, _design(best, x)) if fitted else None
    first = float(points.first_step[used][0]) if used.any() else float("nan")
    return Breaks(
        curve=curve,
        procedure=given.how.name,
        breaks=_breaks(solutions, errors, checked_level(level)),
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


def _breaks(solutions: BreakSolutions, errors: FitErrors | None, level: float) -> tuple[Break, ...]:
    """Every break of the first solution, with intervals from the errors of the fit."""
    log_L, K = solutions.log_loss_at_breaks, solutions.log_t.shape[1]
    breaks = []
    for k in range(K):
        with np.errstate(over="ignore", under="ignore"):
            t_d, L_d, f = (float(np.exp(value[0, k])) for value in (solutions.log_t, log_L, solutions.log_f))
        plain = Break(t_d, L_d, float(solutions.rates[0, k]), float(solutions.rates[0, k + 1]), f, {}, {})
        centres = np.array([solutions.log_t[0, k], log_L[0, k], solutions.rates[0, k + 1]])
        ends = np.full((3, 2), np.nan)
        if errors is not None:
            halves = errors.spread(_functionals(solutions, k)).half_widths(level)
            ends = np.column_stack([centres - halves, centres + halves])
        why = _not_located(solutions, k, errors, ends[0]) or _runs_into_another(solutions, k)
        with np.errstate(over="ignore"):
            ends[:2] = np.exp(ends[:2])
        intervals: dict[str, Interval | None] = {
            name: None if why else (float(low), float(high))
            for name, (low, high) in zip(("t_d", "L_d", "r_d"), ends, strict=True)
        }
        missing = {name: why or "the interval has no finite end" for name, ends in intervals.items()
                   if ends is None or not np.isfinite(ends).all()}  # fmt: skip
        breaks.append(replace(plain, intervals=intervals | dict.fromkeys(missing), interval_reasons=missing))
    return tuple(breaks)


def _design(theta: Float[np.ndarray, " p"], x: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n p"]:
    """Derivatives of `n_breaks.log_loss` by its parameters."""
    K = (len(theta) - 2) // 3
    c, log_t, width = theta[2 : 2 + K, None], theta[2 + K :: 2, None], np.exp(theta[3 + K :: 2, None])
    bend, slope = hinge_and_slope(x, log_t, width)
    places = np.stack([c * slope, c * ((x - log_t) * slope - bend)], axis=1).reshape(2 * K, -1)
    return np.concatenate([[np.ones_like(x)], [-x], -bend, places]).T


def _functionals(solutions: BreakSolutions, k: int) -> Float[np.ndarray, "3 p"]:
    """Derivatives of log t_k, of the log loss where the lines cross there, and of the rate after it."""
    theta, log_t, K = solutions.theta[0], solutions.log_t[0], solutions.log_t.shape[1]
    by = np.zeros((3, len(theta)))
    place = 2 + K + 2 * np.arange(k + 1)
    by[0, place[k]] = 1.0
    by[1, :2] = 1.0, -log_t[k]
    by[1, 2 : 2 + k] = log_t[:k] - log_t[k]
    by[1, place[:k]], by[1, place[k]] = theta[2 : 2 + k], -solutions.rates[0, k]
    by[2, 1 : 3 + k] = 1.0
    return by


def _not_located(
    solutions: BreakSolutions, k: int, errors: FitErrors | None, log_t_ends: Float[np.ndarray, "2"]
) -> str:
    """Why the k-th break has no interval; empty if it has."""
    if errors is None or not np.isfinite(solutions.rss[0]):
        return TOO_FEW
    if solutions.at_edge[0, k]:
        return "the break lies at the edge of the fitted range"
    if log_t_ends[0] < errors.x[0] or log_t_ends[1] > errors.x[-1]:
        return "the interval of its step reaches beyond the fitted range"
    others = np.delete(solutions.log_t[0], k)
    if ((log_t_ends[0] < others) & (others < log_t_ends[1])).any():
        return "the interval of its step holds another break: the two are not told apart"
    return ""


def _runs_into_another(solutions: BreakSolutions, k: int) -> str:
    """Two bends that overlap are one bend of another shape: the rate between them is never reached."""
    log_t, width = solutions.log_t[0], np.exp(solutions.log_f[0])
    for other in (k - 1, k + 1):
        if 0 <= other < len(log_t) and abs(log_t[other] - log_t[k]) < width[other] + width[k]:
            return f"its bend runs into that at step {np.exp(log_t[other]):.0f}: the rates are not told apart"
    return ""
