"""Finds a sharp late drop of the loss: a cooldown or a step-down of a learning rate that was not logged.

Only steps after a third of the run are looked at. A break there could not be measured anyway (see
`verdict.ROOM_AFTER`), so that nothing is lost when the fit stops where the drop starts.

Letters: b linear bins of the late run, c places s where a drop may start, p columns of the least squares.
"""

import numpy as np
from jaxtyping import Bool, Float

from zerosum.deceleration.rate_changes import RateChange

BINS, FROM = 120, 0.1  # linear bins between a tenth of the run and its end
EARLIEST = 1 / 3  # of the run
BEFORE, AFTER = 2.5, 1.6  # the window around s: from s / 2.5 on; for a step-down, up to 1.6 s
RAMP = 0.1  # log steps in which a step-down takes effect
FEWEST_BINS, FEWEST_BEFORE, FEWEST_AFTER = 40, 12, 4
STEEPER = 2.0  # log-log slope after the drop over that before it
DROP = 0.015  # of the loss
SURE = 6.0  # t value of the drop: far above chance, since the place is searched for


def find_late_drop(step: Float[np.ndarray, " n"], loss: Float[np.ndarray, " n"]) -> RateChange | None:
    """Where the loss starts to fall at least twice as fast as before in log-log slope, or falls to a lower line.

    step: [n] not falling. loss: [n] nats. None where there is no such place.
    For each place s, least squares on medians of linear bins (spikes do not count) of the law before s plus a drop:
    y = a + b u + k max(0, u), or y = a + b u + c u^2 + k min(1, max(0, u / 0.1)), with u = log(step / s).
    Of the places where the drop is steep, large and sure enough the surest is taken. A curve that flattens, by a break
    or a floor, has k > 0.
    """
    x, y = _bins(step, loss)
    if len(x) < FEWEST_BINS:
        return None
    first = max(FEWEST_BEFORE, int(np.searchsorted(x, x[-1] + np.log(EARLIEST))))
    places = np.arange(first, len(x) - FEWEST_AFTER, 2)
    u = x - x[places][:, None]  # [c b]
    window = u >= -np.log(BEFORE)
    sure = np.maximum(_steeper(u, y, window), _lower(u, y, window & (u <= np.log(AFTER))))
    sure = np.where((window & (u < 0)).sum(axis=1) >= FEWEST_BEFORE, sure, 0.0)
    if sure.max(initial=0.0) < SURE:
        return None
    start = float(np.exp(x[places[sure.argmax()]]))
    return RateChange("cooldown", start, float(step[-1]), likely=True)


def _bins(
    step: Float[np.ndarray, " n"], loss: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " b"], Float[np.ndarray, " b"]]:
    """Mean log step and median log loss of linear bins."""
    late = (step >= FROM * step[-1]) & (step > 0)
    t, y = step[late], np.log(loss[late])
    if len(t) < FEWEST_BINS:
        return np.zeros(0), np.zeros(0)
    edges = np.unique(np.searchsorted(t, np.linspace(t[0], t[-1], BINS + 1)[:-1]))
    counts = np.diff(edges, append=len(t))
    if counts.max() == 1:
        return np.log(t), y
    # Medians of all bins by one sort: np.median of each took a sixth of a whole fit.
    ordered = y[np.lexsort((y, np.repeat(np.arange(len(edges)), counts)))]
    middle = (ordered[edges + (counts - 1) // 2] + ordered[edges + counts // 2]) / 2
    return np.add.reduceat(np.log(t), edges) / counts, middle


def _steeper(u: Float[np.ndarray, "c b"], y: Float[np.ndarray, " b"], window: Bool[np.ndarray, "c b"]) -> np.ndarray:
    """t value of the change of slope at each place, 0 where it is not steep or not large enough."""
    drop = np.maximum(u, 0.0)
    coefficient, t = _last_coefficient(np.stack([np.ones_like(u), u, drop], axis=-1), y, window)
    slope, k = coefficient[:, 1], coefficient[:, 2]
    enough = (slope + k <= STEEPER * np.minimum(slope, 0.0)) & (k * u[:, -1] <= -DROP)
    return np.where(enough, t, 0.0)


def _lower(u: Float[np.ndarray, "c b"], y: Float[np.ndarray, " b"], window: Bool[np.ndarray, "c b"]) -> np.ndarray:
    """t value of the change of level at each place, 0 where it is not large enough."""
    ramp = np.clip(u / RAMP, 0.0, 1.0)
    coefficient, t = _last_coefficient(np.stack([np.ones_like(u), u, u * u, ramp], axis=-1), y, window)
    after = (window & (u > RAMP)).sum(axis=1)
    return np.where((coefficient[:, 3] <= -DROP) & (after >= FEWEST_AFTER), t, 0.0)


def _last_coefficient(
    A: Float[np.ndarray, "c b p"], y: Float[np.ndarray, " b"], window: Bool[np.ndarray, "c b"]
) -> tuple[Float[np.ndarray, "c p"], Float[np.ndarray, " c"]]:
    """Least squares of y in each window; minus the t value of the last column, errors widened for lag-1 correlation."""
    A = A * window[..., None]
    transposed = A.transpose(0, 2, 1)
    covariance = np.linalg.pinv(transposed @ A, hermitian=True)
    coefficient = (covariance @ (transposed @ y)[..., None])[..., 0]
    residual = np.where(window, y - (A @ coefficient[..., None])[..., 0], 0.0)
    power = np.maximum((residual**2).sum(axis=1), 1e-24)
    rho = np.clip((residual[:, 1:] * residual[:, :-1]).sum(axis=1) / power, 0.0, 0.9)
    freedom = np.maximum(window.sum(axis=1) - A.shape[-1], 1)
    error = np.sqrt(covariance[:, -1, -1] * power / freedom * (1 + rho) / (1 - rho))
    return coefficient, -coefficient[:, -1] / np.maximum(error, 1e-300)
