"""Changes of losses from a remembered step to its double."""

import numpy as np
from jaxtyping import Float32

from zerosum.interference.labelled import PairInterference, measure_changes
from zerosum.monitor.measured import pair
from zerosum.monitor.probe import Probe
from zerosum.monitor.remembered import RememberedLosses
from zerosum.monitor.token_groups import TokenGroups


def double_changes(
    remembered: RememberedLosses,
    step: int,
    now: Float32[np.ndarray, "S T"],
    probe: Probe,
    seed: int,
    groups: TokenGroups | None = None,
) -> PairInterference | None:
    """Changes since the step whose double this is, of the tokens measured at both; None where there is no such step."""
    half = remembered.half_of(step)
    if half is None:
        return None
    before = remembered.losses[half]
    rows, columns = map(min, zip(before.shape, now.shape, strict=True))
    before, now = before[:rows, :columns], now[:rows, :columns]
    document = probe.documents(now)
    by_group = None if groups is None else groups.measure(before, now, document, seed)
    return pair(half, step, measure_changes(before, now, document, seed=seed), by_group)
