"""Interference of one pair of checkpoints, whole and by group."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from zerosum.interference._groups import GroupSplit, split, sums_by_group
from zerosum.interference._measure import summarize
from zerosum.interference._record import Interference
from zerosum.interference._sums import InterferenceSums
from zerosum.interference.labelled._change import Change, UnitName, Units
from zerosum.interference.labelled._text import TokenText
from zerosum.interference.labelled.groupings import label

GROUP_DRAWS = 500  # of each group's interval: enough for its coverage, and there are many groups


@dataclass(frozen=True)
class NoiseFloor:
    """What numerical noise alone would measure, from two runs over the same tokens with the same weights.

    M: mean size of such a change, in nats. D: their destructive interference. NaN where unknown, with the reason.
    """

    M: float
    D: float
    reason: str | None

    @classmethod
    def of(cls, attrs: Mapping[str, Any]) -> "NoiseFloor":
        """From what a store says of itself: `noise_floor`, as M or as {M, D}."""
        said = attrs.get("noise_floor")
        said = said if isinstance(said, Mapping) else {"M": said}
        M, D = (_finite(said.get(name)) for name in ("M", "D"))
        unknown = "numerical noise was not measured when this store was made"
        return cls(M, D, unknown if math.isnan(M) else None)


def _finite(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else float("nan")


@dataclass(frozen=True)
class MeasuredGroups:
    """A split by one grouping. note: what the groups are. measured: of each group, in the order of `split.groups`."""

    by: str
    note: str
    split: GroupSplit
    measured: tuple[Interference, ...]


@dataclass(frozen=True)
class PairInterference:
    """Interference of the loss changes between two steps.

    units: what intervals and the second null resample. one_sided: of the positions left out, those that have a loss at
    one of the steps. groups: None where none were asked for or nothing moved.
    """

    from_step: int
    to_step: int
    measured: Interference
    units: UnitName
    one_sided: int
    noise_floor: NoiseFloor
    groups: MeasuredGroups | None


def measure_pair(
    change: Change,
    units: Units,
    by: str | None = None,
    text: TokenText | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> PairInterference:
    """R, D, M with N, nulls and interval of one change, and its exact split into groups.

    by: a name of `grouping_names()`. text: decodes tokens, for groups that need it. level: of the intervals. seed: of
    the bootstrap and the Monte Carlo null.
    """
    x, unit = change.flat, change.of(units.id)
    whole = summarize(InterferenceSums.of(x, unit), x, level=level, seed=seed)
    measured = replace(whole, left_out=change.left_out)
    groups = None
    if by is not None:
        labels = label(by, change, text)
        if measured.M > 0:
            sums = {labels.names[int(code)]: part for code, part in sums_by_group(x, labels.code, unit).items()}
            each = tuple(summarize(part, level=level, draws=GROUP_DRAWS, seed=seed) for part in sums.values())
            groups = MeasuredGroups(by, labels.note, split(sums), each)
    return PairInterference(
        from_step=change.from_step,
        to_step=change.to_step,
        measured=measured,
        units=units.name,
        one_sided=change.one_sided,
        noise_floor=NoiseFloor.of(change.store.attrs),
        groups=groups,
    )
