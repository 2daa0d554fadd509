"""Losses of many runs, one row each: N parameters, D training tokens, loss in nats per token."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from zerosum.curves import LossCurve
from zerosum.scaling.columns import NOT_STATED
from zerosum.scaling.reason import Reason

NORMAL = 1.959964  # 97.5 % quantile of the normal distribution


@dataclass(frozen=True)
class LossTable:
    """n rows, in the order in which they were given.

    run: name of the run of each row. N: parameters. D: training tokens. loss: nats per token. loss_low, loss_high: ends
    of its 95 % interval, NaN where not given. step, batch, lr: optimizer steps, tokens per step and learning rate, NaN
    where not given.
    seeds: runs averaged in each row. seed_sd: standard deviation of log loss between seeds of one size, with seed_df
    degrees of freedom; NaN without seeds. N_is: what N counts. unit_given: the unit before conversion. curves: by N and
    batch, the loss curves of which rows are means.
    """

    run: tuple[str, ...]
    N: Float[np.ndarray, " n"]
    D: Float[np.ndarray, " n"]
    loss: Float[np.ndarray, " n"]
    loss_low: Float[np.ndarray, " n"]
    loss_high: Float[np.ndarray, " n"]
    step: Float[np.ndarray, " n"]
    batch: Float[np.ndarray, " n"]
    lr: Float[np.ndarray, " n"]
    seeds: Int[np.ndarray, " n"]
    seed_sd: float = math.nan
    seed_df: int = 0
    N_is: str = NOT_STATED
    unit_given: str = "nats"
    source: str = "table"
    notes: tuple[Reason, ...] = ()
    curves: Mapping[tuple[float, float], tuple[LossCurve, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.run)

    @property
    def sizes(self) -> Float[np.ndarray, " sizes"]:
        """The different N, rising."""
        return np.unique(self.N)

    @property
    def run_number(self) -> Int[np.ndarray, " n"]:
        """Number of each row's run, from 0 in order of first appearance."""
        order = {name: k for k, name in enumerate(dict.fromkeys(self.run))}
        return np.array([order[name] for name in self.run])

    @property
    def own_error(self) -> float:
        """Standard error of log loss by the rows' own 95 % intervals, root mean square; 0 where none is given."""
        squares = ((np.log(self.loss_high) - np.log(self.loss_low)) / (2 * NORMAL)) ** 2
        given = squares[np.isfinite(squares)]
        return math.sqrt(float(given.mean())) if len(given) else 0.0

    def rows(self, which: Any) -> "LossTable":
        """The table of some rows: indices or a mask."""
        places = np.arange(len(self))[which]
        arrays = ("N", "D", "loss", "loss_low", "loss_high", "step", "batch", "lr", "seeds")
        chosen: dict[str, Any] = {name: getattr(self, name)[places] for name in arrays}
        return replace(self, run=tuple(self.run[k] for k in places), **chosen)
