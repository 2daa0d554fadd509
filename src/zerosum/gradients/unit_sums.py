"""|mu|^2, tr(Sigma), and the interval of their ratio, from gradients of whole sequences. Needs no torch.

Letters: u sequence of n_u tokens, c unit (document, or sequence) of n_c tokens, C units, N tokens; G_u, G_c, G sums of
token gradients, mu the expected gradient of a token. Products [C, C] are G_c . G_d.
"""

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from jaxtyping import Float, Float32, Int, Shaped
from scipy.special import stdtrit

LEVEL = 0.95
FEWEST_UNITS = 20
REMEDY = "Measure more sequences: --max-sequences"


@dataclass(frozen=True)
class Sequences:
    """Gradients of whole sequences. tokens: [u] n_u. squared: [u] |G_u|^2. sketch: [u, k], as of `SequenceSums`.

    total_squared: |G|^2. unit: [u] the document, or sequence, which is drawn at random. units: its name.
    """

    tokens: Int[np.ndarray, " u"]
    squared: Float[np.ndarray, " u"]
    sketch: Float32[np.ndarray, "u k"]
    total_squared: float
    unit: Shaped[np.ndarray, " u"]
    units: str


@dataclass(frozen=True)
class UnitSums:
    """tokens: [C] n_c. squared, tokens_squared: [C] sums over the sequences of a unit of |G_u|^2 and n_u^2.

    products: [C, C]. between: sum over pairs c != d of G_c . G_d, both orders.
    """

    tokens: Float[np.ndarray, " C"]
    squared: Float[np.ndarray, " C"]
    tokens_squared: Float[np.ndarray, " C"]
    products: Float[np.ndarray, "C C"]
    between: float

    @classmethod
    def of(cls, sequences: Sequences) -> "UnitSums":
        """The sums of each unit."""
        ids, index = np.unique(sequences.unit, return_inverse=True)
        C, n = len(ids), sequences.tokens.astype(np.float64)
        sketch = np.zeros((C, sequences.sketch.shape[1]))
        np.add.at(sketch, index, sequences.sketch.astype(np.float64))
        products = sketch @ sketch.T
        squared = np.bincount(index, sequences.squared)
        alone = np.bincount(index, np.square(sequences.sketch, dtype=np.float64).sum(1))
        # |G_c|^2 is exact but for products between sequences of one document
        np.fill_diagonal(products, squared + products.diagonal() - alone)
        between = sequences.total_squared - float(products.trace())
        return cls(np.bincount(index, n), squared, np.bincount(index, n**2), products, between)

    def estimates(self, left_out: bool = False) -> Float[np.ndarray, "2 ..."]:
        """trace and |mu|^2; left_out: [C] of each, with each unit left out in turn."""
        n, s, n2, between = (self.tokens, self.squared, self.tokens_squared, self.between)
        N, weight = n.sum(), n.sum() ** 2 - (n**2).sum()
        S, N2 = s.sum(), n2.sum()
        if left_out:
            rows = self.products.sum(1) - self.products.diagonal()
            rows = rows + (between - rows.sum()) / len(n)  # sketches' own error, which all units share
            between, S, N2 = between - 2 * rows, S - s, N2 - n2
            weight = (N - n) ** 2 - ((n**2).sum() - n**2)
            N = N - n
        with np.errstate(invalid="ignore", divide="ignore"):
            square = between / weight
            return np.array([(S - N2 * square) / N, square])

    def noise_alone(self) -> float:
        """Variance of |mu|^2 by products of noise with noise, which a jackknife counts twice: 2 tr(Sigma^2) / N^2."""
        n, products = self.tokens, self.products
        square = self.between / (n.sum() ** 2 - (n**2).sum())
        main = (products.sum(1) - products.diagonal()) / (n.sum() - n)
        rest = products - np.outer(main, n) - np.outer(n, main) + np.outer(n, n) * square
        np.fill_diagonal(rest, 0)
        return float(2 * (rest**2).sum() / (n.sum() ** 2 - (n**2).sum()) ** 2)


def ratio_interval(
    sums: UnitSums, trace: float, square: float, units: str
) -> tuple[tuple[float, float] | None, float, str]:
    """Ends of the ratio trace / square, its lower end also where there is no upper one, and why there is none."""
    C = len(sums.tokens)
    if C < 2:
        return None, nan, f"one {units}: noise is what differs between several. {REMEDY}"
    if not trace > 0:
        return None, nan, "no trainable parameter beside embedding and head has a gradient that differs"
    if C < FEWEST_UNITS:
        hidden = "" if square > 0 else "noise hides the gradient: "
        return None, nan, f"{hidden}{C} {units}s; an interval needs at least {FEWEST_UNITS}"
    left_out = sums.estimates(left_out=True)
    about = left_out - left_out.mean(1, keepdims=True)
    covariance = (C - 1) / C * about @ about.T
    noise, jackknifed = sums.noise_alone(), covariance[1, 1]
    covariance[1, 1] = max(jackknifed - noise, jackknifed / 2, noise / 2)
    t2 = float(stdtrit(C - 1, (1 + LEVEL) / 2)) ** 2
    estimates = np.array([trace, square])
    (c, b), (_, a) = np.outer(estimates, estimates) - t2 * covariance
    root = sqrt(max(b**2 - a * c, 0.0))
    if a > 0 and square > 0:
        low = max((b - root) / a, 0.0)
        return (low, (b + root) / a), low, ""
    low = float((b - root) / a) if a < 0 < c else 0.0
    return None, low, f"noise hides the gradient on these {C} {units}s: at least {low:,.0f} tokens. {REMEDY}"


def agreement(products: Float[np.ndarray, "C C"]) -> tuple[float, float]:
    """Mean cosine, and share of negative products, over pairs of different units; NaN where there is no pair."""
    i, j = np.triu_indices(len(products), 1)
    lengths = np.sqrt(np.maximum(products.diagonal(), 0))
    known = lengths[i] * lengths[j] > 0
    if not known.any():
        return nan, nan
    pairs = products[i, j][known]
    return float((pairs / (lengths[i] * lengths[j])[known]).mean()), float((pairs < 0).mean())
