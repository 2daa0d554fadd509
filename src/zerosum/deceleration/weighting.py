"""Least squares whose weights follow from what the residuals show: noise that averages out in a bin, and the rest.

Letters: B weightings of the points, n points, q parameters.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from zerosum.deceleration.fit_errors import one_break_design
from zerosum.deceleration.points import Points
from zerosum.deceleration.varpro import Solutions, refine, solve

SHARES = np.linspace(0, 1, 20)  # on the way from the smallest tau^2 that is tried to the largest, in log


def least_squares(
    points: Points, cutoffs: Sequence[float], *, balanced: bool
) -> tuple[Float[np.ndarray, "B n"], Solutions]:
    """Weights and best one-break law for each cut-off. balanced: weights of `balanced_weights`; else all alike."""
    weights = np.stack([points.after(cutoff) for cutoff in cutoffs])
    alike = solve(points.x, points.y, weights)
    return rebalanced(points, weights, alike) if balanced else (weights, alike)


def rebalanced(
    points: Points, weights: Float[np.ndarray, "B n"], alike: Solutions
) -> tuple[Float[np.ndarray, "B n"], Solutions]:
    """Weights that follow from the residuals of a fit in which all points weigh alike, and the fits with them."""
    weights = weights.copy()
    noise, residuals = np.diag(points.noises[0]), points.y - alike.log_loss(points.x)
    for row, used in enumerate(weights > 0):
        if np.isfinite(alike.rss[row]):
            theta = (float(v[row]) for v in (alike.r_before, alike.r_d, alike.log_t_d, alike.log_f))
            design = one_break_design(points.x[used], *theta)
            weights[row, used] = balanced_weights(residuals[row, used], design, noise[used])
    return weights, refine(points.x, points.y, weights, alike)


def balanced_weights(
    residual: Float[np.ndarray, " n"], design: Float[np.ndarray, "n q"], noise: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Weights 1 / (variance of the noise + tau^2) of n points, with mean 1.

    tau^2: variance of what is not noise, so that the weighted sum of squares is its expectation n - q (Paule and Mandel
    1982). noise: variance [n] of the noise of each point.
    """
    n, q = design.shape
    least = float(noise.min())
    lowest, highest = 0.05 * least, max(100 * float(residual @ residual) / n, least)
    extra = np.append(0.0, lowest * (highest / lowest) ** SHARES)
    weight = 1 / (noise + extra[:, None])  # [tries n]
    moments = (design.T * weight[:, None]) @ design
    moments += np.eye(q) * (1e-12 * np.trace(moments, axis1=1, axis2=2)[:, None, None])  # where there is no bend
    on_design = (weight * residual) @ design
    fitted = np.linalg.solve(moments, on_design[..., None])[..., 0]
    excess = weight @ residual**2 - (on_design * fitted).sum(axis=1) - (n - q)
    below = int((excess <= 0).argmax()) if (excess <= 0).any() else len(excess) - 1
    tau2 = float(np.interp(0.0, excess[[below, below - 1]], extra[[below, below - 1]])) if below else 0.0
    best = 1 / (noise + tau2)
    return np.asarray(best / best.mean())
