"""Partial result over some sequences; partial results over different sequences of one model add up.

Letters: S sequences of all, s of a share, T predicted positions, i token, j coordinate; p_ij = g_ij u_j.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from zerosum.gradients._sampled import SampledMass
from zerosum.gradients._sequence_sums import SequenceSums

PER_TOKEN = ("first_order", "loss_after", "l1", "l2_squared", "moved")


@dataclass
class Share:
    """rows: [s] numbers of the sequences.

    net, mass: parameter -> sum_i g_ij, sum_i |g_ij|, float64; a sample has no mass. per_token: name from PER_TOKEN ->
    [s, T] float64, NaN where it is not known: first-order change and loss after the update (nats), sum_j |g_ij|,
    sum_j g_ij^2, sum_j |p_ij|. within: parameter or layer -> sum_i |sum_j p_ij| over its coordinates j, nats; for a
    sample it is computed from the sampled tokens. n_formed: token gradients that were formed. sequences: gradients of
    whole sequences, in the order of rows.
    """

    rows: Int64[np.ndarray, " s"]
    net: dict[str, Any]
    mass: dict[str, Any]
    per_token: dict[str, Float[np.ndarray, "s T"]]
    within: dict[str, float]
    n_formed: int
    sample: SampledMass | None = None
    sequences: SequenceSums | None = None
    notes: list[str] = field(default_factory=list)

    def add(self, other: "Share") -> "Share":
        """Add another partial result, in place, so that no third copy of the sums is held."""
        for sums, others in ((self.net, other.net), (self.mass, other.mass)):
            for name, value in others.items():
                sums[name] += value.to(sums[name])
        self.rows = np.concatenate([self.rows, other.rows])
        self.per_token = {
            name: np.concatenate([values, other.per_token[name]]) for name, values in self.per_token.items()
        }
        self.within = {name: value + other.within[name] for name, value in self.within.items()}
        self.n_formed += other.n_formed
        if self.sample is not None and other.sample is not None:
            self.sample = SampledMass.merge([self.sample, other.sample])
        if self.sequences is not None and other.sequences is not None:
            self.sequences.add(other.sequences)
        self.notes = list(dict.fromkeys([*self.notes, *other.notes]))
        return self

    def in_place(self, name: str, sequences: int) -> Float[np.ndarray, "S T"]:
        """Per-token numbers, each placed at its sequence's number among all S; NaN for sequences not in this part."""
        values = self.per_token[name]
        whole = np.full((sequences, values.shape[1]), np.nan)
        whole[self.rows] = values
        return whole
