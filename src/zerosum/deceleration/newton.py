"""Newton's method inside bounds, many searches side by side.

Gauss-Newton would be the usual choice for least squares, but the residuals of loss curves are smooth and not small
beside the curvature of the model: it needs hundreds of steps where Newton needs ten.

Letters: M searches side by side, q parameters of each.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

MAX_STEPS = 60
STILL = 1e-7  # log steps; after a Newton step, the error is of its square
ROUNDING = 1e-14  # of a value, relative; near the end steps change a value by less, and still come closer
TINY = 1e-300

Derivatives = tuple[Float[np.ndarray, " M"], Float[np.ndarray, "M q"], Float[np.ndarray, "M q q"]]
Objective = Callable[[Float[np.ndarray, "M q"]], Derivatives]


def minimise(
    objective: Callable[[Int[np.ndarray, " M"]], Objective],
    start: Float[np.ndarray, "M q"],
    low: Float[np.ndarray, "M q"],
    high: Float[np.ndarray, "M q"],
    still: float = STILL,
    steps: int = MAX_STEPS,
) -> tuple[Float[np.ndarray, "M q"], Float[np.ndarray, " M"]]:
    """Damped Newton steps from each start until it stops moving; returns the end points and the values there.

    objective: which of the searches -> a function of their points that gives values, gradients and Hessians. still: log
    steps; a search that moves less has arrived. steps: the most that are made. No step raises a value by more than
    rounding; points with a non-finite value are rejected.
    """
    end, value = start.copy(), np.empty(len(start))
    active, point, damping = np.arange(len(start)), start.copy(), np.full(len(start), 1e-3)
    derivatives = objective(active)
    goal, gradient, hessian = derivatives(point)
    for _ in range(steps):
        trial = _step(point, gradient, hessian, damping, low, high)
        moves = np.abs(trial - point).max(axis=1) >= still
        new_goal, new_gradient, new_hessian = derivatives(trial)
        better = new_goal <= goal + ROUNDING * np.abs(goal)
        point[better], goal[better] = trial[better], new_goal[better]
        gradient[better], hessian[better] = new_gradient[better], new_hessian[better]
        damping = np.where(better, damping / 10, np.maximum(damping, 1e-6) * 10)
        if moves.all():
            continue
        end[active], value[active] = point, goal
        active = active[moves]
        if len(active) == 0:
            return end, value
        derivatives = objective(active)
        state = (point, goal, gradient, hessian, damping, low, high)
        point, goal, gradient, hessian, damping, low, high = (values[moves] for values in state)
    end[active], value[active] = point, goal
    return end, value


def _step(
    point: Float[np.ndarray, "M q"],
    gradient: Float[np.ndarray, "M q"],
    hessian: Float[np.ndarray, "M q q"],
    damping: Float[np.ndarray, " M"],
    low: Float[np.ndarray, "M q"],
    high: Float[np.ndarray, "M q"],
) -> Float[np.ndarray, "M q"]:
    """The next trial point. A parameter on its bound that wants further out rests, so that the others still move."""
    rests = ((point <= low) & (gradient > 0)) | ((point >= high) & (gradient < 0))
    if rests.any():
        gradient = np.where(rests, 0.0, gradient)
        hessian = np.where(rests[:, :, None] | rests[:, None, :], 0.0, hessian)
    curvature, axes = np.linalg.eigh(hessian)
    # Shift the curvature until it is positive.
    lowest = curvature[:, 0]
    size = np.maximum(np.maximum(curvature[:, -1], -lowest), TINY)
    shift = np.maximum(-lowest, 0.0) + (damping + 1e-12) * size
    along = (gradient[:, None] @ axes)[:, 0] / np.maximum(curvature + shift[:, None], TINY)
    step = (axes @ along[..., None])[..., 0]
    trial: Float[np.ndarray, "M q"] = np.minimum(np.maximum(point - np.clip(step, -1.0, 1.0), low), high)
    return trial
