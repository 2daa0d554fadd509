"""The gradient noise scale, from the gradients of whole sequences. Needs no torch.

Letters: u sequence of n_u tokens, c unit (document, or sequence) of n_c tokens, C units, N tokens; G_u, G_c, G sums of
token gradients, mu the expected gradient of a token, B the noise scale. Products [C, C] are G_c . G_d.
"""

from dataclasses import dataclass
from math import inf, isfinite, nan, sqrt
from typing import Any

from zerosum.estimate import Estimate, number_or_reason, numbers_or_reasons
from zerosum.gradients.unit_sums import FEWEST_UNITS, LEVEL, Sequences, UnitSums, agreement, ratio_interval

CONFLICT_RATE_NULL = 0.5
"""Share of pairs in conflict where gradients are noise alone: the sign of an inner product is then a coin flip."""
GAUSSIAN_ERROR = 0.05  # of 1 - D
GAUSSIAN_FORM = "Gaussian form, for these tokens"
UNKNOWN_NOISE = "measured by an earlier version. Measure it again: zerosum gradients RUN --data TEXTS"
AS_NOISE, MORE, LESS = COMPARED = ("as-noise", "more-than-noise", "less-than-noise")
NUMBERS = ("noise_scale", "D_grad_noise", "D_grad_null_unit")
METHOD = "Fieller's interval, jackknife over {units}s, Student's t"


@dataclass(frozen=True)
class NoiseScale:
    """B = tr(Sigma) / |mu|^2 in tokens: in a batch of B tokens, noise is as large as the gradient.

    noise_scale: McCandlish et al. 2018's B_simple, arXiv 1812.06162, over the parameters that D_grad is of: a batch of
    whole sequences like these, b tokens in all, has a mean gradient whose squared error is |mu|^2 B / b. Tokens of a
    sequence are not independent, so tr(Sigma) comes from sequences: (sum_u |G_u|^2 - sum_u n_u^2 |mu|^2) / N, where a
    sequence's expected gradient is n_u mu. |mu|^2 is estimated without bias from products between different units,
    (|G|^2 - sum_c |G_c|^2) / (N^2 - sum_c n_c^2), and can be negative: where it is not clear that it is above 0,
    there is no noise scale, and at_least is the lower end of its interval, in tokens. NaN where that is not known.
    gradient_squared: |mu|^2, trace: tr(Sigma), both per token. tokens_per_sequence: sum_u n_u^2 / N.
    D_grad_null_unit: D_grad if the sum over each sequence had a random sign, so that there is noise alone.
    D_grad_noise: D_grad of independent sequences of this noise scale, N tokens in all; both in Gaussian form.
    mean_cosine, conflict_rate: over pairs of different units, the latter the share with a negative product, whose null
    is conflict_rate_null. n_units, units: what is independent of each other. tokens_per_unit: their mean size.
    """

    N: int
    noise_scale: float
    at_least: float
    gradient_squared: float
    trace: float
    tokens_per_sequence: float
    D_grad_null_unit: float
    D_grad_noise: float
    mean_cosine: float
    conflict_rate: float
    n_units: int
    units: str
    tokens_per_unit: float
    intervals: dict[str, tuple[float, float]]
    reasons: dict[str, str]
    conflict_rate_null: float = CONFLICT_RATE_NULL

    def estimate(self, name: str) -> Estimate:
        """One of NUMBERS with its interval, or why it has none."""
        ends, unit = self.intervals.get(name), "tokens" if name == "noise_scale" else ""
        method = METHOD.format(units=self.units) if ends else ""
        return Estimate(getattr(self, name), ends, self.reasons.get(name, ""), self.N, "tokens", unit, LEVEL, method)

    def compared(self, D_grad: float) -> str:
        """Code: what D_grad says beside the noise scale: one of COMPARED; "" where that is not known.

        Differences below 5 % of 1 - D are left to the Gaussian form.
        """
        if not (isfinite(self.D_grad_noise) and isfinite(D_grad)):
            return ""
        low, high = self.intervals.get("D_grad_noise", (self.D_grad_noise, self.D_grad_noise))
        if 1 - D_grad < (1 - high) * (1 - GAUSSIAN_ERROR):
            return MORE
        return LESS if 1 - D_grad > (1 - low) * (1 + GAUSSIAN_ERROR) else AS_NOISE

    def to_json(self) -> dict[str, Any]:
        """For scripts: null with a reason where there is no number. Intervals are with those of other numbers."""
        numbers = {name: getattr(self, name) for name in ("gradient_squared", "trace", "mean_cosine", "conflict_rate")}
        return {
            **numbers_or_reasons({name: getattr(self, name) for name in NUMBERS}, self.reasons),
            "noise": {
                **number_or_reason("noise_scale_at_least", self.at_least, "no interval"),
                **numbers_or_reasons(numbers, f"one {self.units}"),
                **{name: getattr(self, name) for name in ("conflict_rate_null", "n_units", "units")},
                **{name: getattr(self, name) for name in ("tokens_per_unit", "tokens_per_sequence")},
            },
        }


def noise_scale(sequences: Sequences, D_grad: float = nan, left_by_noise: float = nan) -> NoiseScale:
    """See `NoiseScale`. Interval: Fieller's for the ratio; none with fewer than 20 units.

    D_grad: of the same tokens. left_by_noise: 1 - D_grad of sequences with random signs, over 1 - D_grad.
    """
    sums = UnitSums.of(sequences)
    C, N = len(sums.tokens), float(sums.tokens.sum())
    trace, square = (float(value) for value in sums.estimates())
    ends, at_least, why = ratio_interval(sums, trace, square, sequences.units)
    unclear = not (square > 0 and trace > 0) or (ends is None and C >= FEWEST_UNITS)
    B, per_sequence = nan if unclear else trace / square, float(sums.tokens_squared.sum() / N)
    D_alone = 1 - left_by_noise * (1 - D_grad)

    def D_noise(B: float) -> float:
        """1 - D_grad is larger than with random signs by the root of what the expected squares of sums are."""
        return 1 - (1 - D_alone) * sqrt((1 + N / B) / (1 + per_sequence / B))

    low, high = ends or (at_least, inf)
    intervals = {"noise_scale": ends} if ends else {}
    intervals |= {"D_grad_noise": (D_noise(low), D_noise(high))} if low > 0 and isfinite(D_alone) else {}
    reasons = {"noise_scale": why, "D_grad_noise": why, "D_grad_null_unit": GAUSSIAN_FORM}
    reasons |= {} if isfinite(D_alone) else dict.fromkeys(("D_grad_noise", "D_grad_null_unit"), "D_grad is not known")
    mean_cosine, conflict_rate = agreement(sums.products)
    return NoiseScale(
        N=int(N),
        noise_scale=B,
        at_least=at_least,
        gradient_squared=square,
        trace=trace,
        tokens_per_sequence=per_sequence,
        D_grad_null_unit=D_alone,
        D_grad_noise=D_noise(inf if unclear else B) if trace > 0 else nan,
        mean_cosine=mean_cosine,
        conflict_rate=conflict_rate,
        n_units=C,
        units=sequences.units,
        tokens_per_unit=N / C,
        intervals=intervals,
        reasons={name: reason for name, reason in reasons.items() if name not in intervals and reason},
    )
