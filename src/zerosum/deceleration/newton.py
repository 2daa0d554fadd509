"""Newton's method inside bounds, many searches side by side.

Gauss-Newton would be the usual choice for least squares, but the residuals of loss curves are smooth and not small
beside the curvature of the model: it needs hundreds of steps where Newton needs ten.

Letters: M searches side by side, q parameters of each.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

MAX_STEPS = 60
STILL = 1e-9  # log steps; a search that moves less has arrived
TINY = 1e-300

Derivatives = tuple[Float[np.ndarray, " M"], Float[np.ndarray, "M q"], Float[np.ndarray, "M q q"]]
Objective = Callable[[Int[np.ndarray, " M"], Float[np.ndarray, "M q"]], Derivatives]


def minimise(
    objective: Objective,
    point: Float[np.ndarray, "M q"],
    low: Float[np.ndarray, "M q"],
    high: Float[np.ndarray, "M q"],
) -> tuple[Float[np.ndarray, "M q"], Float[np.ndarray, " M"]]:
    """Damped Newton steps from each point until it stops moving; returns the end points and the values there.

    objective: (which of the searches, their points) -> values, gradients, Hessians. No step raises a value; a point
    whose value is not finite is not gone to.
    """
    point = point.copy()
    active = np.arange(len(point))
    goal, gradient, hessian = objective(active, point)
    damping = np.full(len(point), 1e-3)
    for _ in range(MAX_STEPS):
        at, least, most = point[active], low[active], high[active]
        trial = _step(at, gradient[active], hessian[active], damping[active], least, most)
        new_goal, new_gradient, new_hessian = objective(active, trial)
        better = new_goal <= goal[active]
        done = np.abs(trial - at).max(axis=1) < STILL
        accept = active[better]
        point[accept], goal[accept] = trial[better], new_goal[better]
        gradient[accept], hessian[accept] = new_gradient[better], new_hessian[better]
        damping[active] = np.where(better, damping[active] / 10, np.maximum(damping[active], 1e-6) * 10)
        active = active[~done]
        if len(active) == 0:
            break
    return point, goal


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
    g = np.where(rests, 0.0, gradient)
    moves = np.where(rests[:, :, None] | rests[:, None, :], 0.0, hessian)
    curvature, axes = np.linalg.eigh(moves)
    # Shift the curvature until it is positive.
    size = np.maximum(np.abs(curvature).max(axis=1), TINY)
    shift = np.maximum(-curvature[:, 0], 0.0) + (damping + 1e-12) * size
    along = np.einsum("mqk,mq->mk", axes, g) / np.maximum(curvature + shift[:, None], TINY)
    step = np.einsum("mqk,mk->mq", axes, along)
    trial: Float[np.ndarray, "M q"] = np.clip(point - np.clip(step, -1.0, 1.0), low, high)
    return trial
