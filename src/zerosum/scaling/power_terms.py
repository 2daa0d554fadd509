"""Laws that are sums of power terms: log y = q log sum_k exp(o_k + Z_k theta).

Chinchilla's law is this with q = 1 and theta = (log A, log B, log E, alpha, beta): each term's logarithm is linear in
theta, which gives exact derivatives for all laws at once.

Letters: K terms, n points, p parameters, M searches side by side.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class PowerTerms:
    """The terms of a law at n points.

    Z: [K n p] of theta in the logarithm of each term. offset: [K n]. power: which parameter is q; None: q is 1.
    """

    Z: Float[np.ndarray, "K n p"]
    offset: Float[np.ndarray, "K n"]
    power: int | None = None

    def value(self, theta: Float[np.ndarray, "M p"]) -> Float[np.ndarray, "M n"]:
        """log y of each theta at each point."""
        log_sum, _ = self._softmax(theta)
        return log_sum if self.power is None else theta[:, self.power, None] * log_sum

    def paired(self, theta: Float[np.ndarray, "n p"]) -> Float[np.ndarray, " n"]:
        """log y of the first theta at the first point, of the second at the second, and so on."""
        z = np.einsum("knp,np->kn", self.Z, theta) + self.offset
        top = z.max(axis=0)
        log_sum = top + np.log(np.exp(z - top).sum(axis=0))
        return np.asarray(log_sum if self.power is None else theta[:, self.power] * log_sum)

    def derivatives(
        self, theta: Float[np.ndarray, "M p"]
    ) -> tuple[Float[np.ndarray, "M n"], Float[np.ndarray, "M n p"], Float[np.ndarray, "M K n"]]:
        """log y, its gradient in theta, and the share of each term in the sum."""
        log_sum, share = self._softmax(theta)
        J = self._mean_Z(share)
        if self.power is None:
            return log_sum, J, share
        q = theta[:, self.power, None]
        J = q[:, :, None] * J
        J[:, :, self.power] += log_sum
        return q * log_sum, J, share

    def second(
        self, theta: Float[np.ndarray, "M p"], share: Float[np.ndarray, "M K n"], weight: Float[np.ndarray, "M n"]
    ) -> Float[np.ndarray, "M p p"]:
        """Sum over points of weight times the second derivatives of log y."""
        M, (K, n, p) = len(theta), self.Z.shape
        scaled = weight if self.power is None else weight * theta[:, self.power, None]
        products = (self.Z[:, :, :, None] * self.Z[:, :, None, :]).reshape(K * n, p * p)
        mean = self._mean_Z(share)
        H = ((scaled[:, None] * share).reshape(M, K * n) @ products).reshape(M, p, p)
        H -= np.swapaxes(mean, 1, 2) @ (scaled[:, :, None] * mean)
        if self.power is not None:
            cross = (weight[:, None] @ mean)[:, 0]
            H[:, self.power] += cross
            H[:, :, self.power] += cross
        return np.asarray(H)

    def _softmax(self, theta: Float[np.ndarray, "M p"]) -> tuple[Float[np.ndarray, "M n"], Float[np.ndarray, "M K n"]]:
        K, n, p = self.Z.shape
        z = (theta @ self.Z.reshape(K * n, p).T).reshape(len(theta), K, n) + self.offset
        top = z.max(axis=1)
        e = np.exp(z - top[:, None])
        total = e.sum(axis=1)
        return top + np.log(total), e / total[:, None]

    def _mean_Z(self, share: Float[np.ndarray, "M K n"]) -> Float[np.ndarray, "M n p"]:
        """Sum over terms of share times Z, most of which is 0."""
        mean = np.zeros((len(share), self.Z.shape[2], self.Z.shape[1]))
        for k, j in np.argwhere(self.Z.any(axis=1)).tolist():
            mean[:, j] += share[:, k] * self.Z[k, :, j]
        return np.swapaxes(mean, 1, 2)
