"""What a fit minimises: the sum of Huber(delta) of log residuals (Chinchilla's approach 3), or squares of residuals.

Letters: n points, p parameters, M searches side by side.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from jaxtyping import Float, Int

from zerosum.deceleration.newton import Derivatives, minimise
from zerosum.scaling.power_terms import PowerTerms

CHUNK = 40_000  # numbers in one array of M x n; larger ones leave the processor's cache
NEAR = 1e-3  # log steps; reweighted least squares comes closer by about a half at each step, Newton's method by squares


@dataclass(frozen=True)
class Objective:
    """sum_i weight_i rho(r_i), with r = log y_fit - log y, or y_fit - y without `in_log`.

    delta: rho is Huber's loss, r^2 / 2 up to |r| = delta and delta (|r| - delta / 2) beyond; infinite: squares.
    log_y, weight: [M n] of each search, or [1 n] of all of them.
    """

    terms: PowerTerms
    log_y: Float[np.ndarray, "#M n"]
    weight: Float[np.ndarray, "#M n"]
    delta: float
    in_log: bool = True

    def residual(self, theta: Float[np.ndarray, "M p"]) -> Float[np.ndarray, "M n"]:
        """r of each point."""
        value = self.terms.value(theta)
        return np.asarray(value - self.log_y if self.in_log else np.exp(value) - np.exp(self.log_y))

    def value(self, theta: Float[np.ndarray, "M p"]) -> Float[np.ndarray, " M"]:
        """The sum."""
        return np.asarray((self.weight * huber(self.residual(theta), self.delta)).sum(axis=1))

    def rows(self, which: Int[np.ndarray, " m"]) -> "Objective":
        """The same for some of the searches."""
        log_y, weight = (one if len(one) == 1 else one[which] for one in (self.log_y, self.weight))
        return replace(self, log_y=log_y, weight=weight)

    def derivatives(self, theta: Float[np.ndarray, "M p"], exact: bool) -> Derivatives:
        """Value, gradient and Hessian. exact: the Hessian; else the curvature of squares that touch rho from above
        (iteratively reweighted least squares), positive also where all residuals exceed delta."""
        parts = max(1, -(-len(theta) * self.terms.Z.shape[1] // CHUNK))
        chunks = np.array_split(np.arange(len(theta)), parts)
        results = [self.rows(chunk)._derivatives(theta[chunk], exact) for chunk in chunks]
        value, gradient, hessian = (np.concatenate(column) for column in zip(*results, strict=True))
        return value, gradient, hessian

    def _derivatives(self, theta: Float[np.ndarray, "M p"], exact: bool) -> Derivatives:
        y, J, share = self.terms.derivatives(theta)
        if self.in_log:
            r = y - self.log_y
        else:
            fitted = np.exp(y)
            r = fitted - np.exp(self.log_y)
            J = fitted[:, :, None] * J
        psi = self.weight * np.clip(r, -self.delta, self.delta)
        gradient = (psi[:, None] @ J)[:, 0]
        size = np.abs(r)
        if exact:
            curvature = self.weight * (size <= self.delta)
        else:
            curvature = self.weight * np.minimum(1.0, self.delta / np.maximum(size, 1e-300))
        hessian = np.swapaxes(J, 1, 2) @ (curvature[:, :, None] * J)
        if exact and self.in_log:
            hessian += self.terms.second(theta, share, psi)
        elif exact:
            hessian += self.terms.second(theta, share, psi * fitted)
            hessian += np.swapaxes(J, 1, 2) @ ((psi / fitted)[:, :, None] * J)
        return (self.weight * huber(r, self.delta)).sum(axis=1), gradient, hessian

    def minimised(
        self,
        start: Float[np.ndarray, "M p"],
        low: Float[np.ndarray, " p"] | Float[np.ndarray, "M p"],
        high: Float[np.ndarray, " p"] | Float[np.ndarray, "M p"],
    ) -> tuple[Float[np.ndarray, "M p"], Float[np.ndarray, " M"]]:
        """End points of searches and the values there.

        Reweighted least squares first, which goes far safely; then Newton's method, which arrives.
        """
        low, high = (np.broadcast_to(bound, start.shape) for bound in (low, high))
        start = np.clip(start, low, high)
        near, _ = minimise(
            lambda which: partial(self.rows(which).derivatives, exact=False), start, low, high, still=NEAR
        )
        return minimise(lambda which: partial(self.rows(which).derivatives, exact=True), near, low, high)


def huber(r: Float[np.ndarray, "*shape"], delta: float) -> Float[np.ndarray, "*shape"]:
    """r^2 / 2 up to |r| = delta, and delta (|r| - delta / 2) beyond.

    >>> huber(np.array([0.5, 2.0]), 1.0).tolist(), huber(np.array([2.0]), float("inf")).tolist()
    ([0.125, 1.5], [2.0])
    """
    size = np.abs(r)
    inside = np.minimum(size, delta)
    return np.asarray(inside * (size - inside / 2))
