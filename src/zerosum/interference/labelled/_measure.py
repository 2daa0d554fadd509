"""Interference of one pair of checkpoints, whole and by group."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from zerosum.errors import InputError
from zerosum.estimate import number_or_reason, numbers_or_reasons
from zerosum.interference._groups import GroupSplit, split, sums_by_group
from zerosum.interference._measure import summarize
from zerosum.interference._pairs import Pair
from zerosum.interference._record import Interference
from zerosum.interference._sums import InterferenceSums
from zerosum.interference.labelled._change import Change, UnitName, Units, steps_of
from zerosum.interference.labelled._problems import excluded_steps
from zerosum.interference.labelled._text import TokenText
from zerosum.interference.labelled.groupings import Labels, label
from zerosum.record import Record

GROUP_DRAWS = 500  # of each group's interval: enough for its coverage, and there are many groups


@dataclass(frozen=True)
class NoiseFloor:
    """Numerical noise in the changes between two checkpoints, measured on a few sequences when the store was made.

    M: mean |difference| in nats of the same tokens and weights in batches composed in another way, or in float32 where
    the losses are not.
    D: the most that changes of this size could give. Where true changes all have one sign, noise of mean zero lowers no
    |sum x| and adds at most M to mean |x|, so that D is at most M over the measured mean |x|, and 1. NaN where unknown,
    with the reason. dtype: of the measurement, "" where the store does not say.
    """

    M: float
    D: float
    reason: str | None
    dtype: str = ""

    @classmethod
    def of(cls, change: Change, M: float) -> "NoiseFloor":
        """From the noise floors recorded for both checkpoints, or for the whole store. M: mean |change| of the pair."""
        steps, attrs = steps_of(change.store), change.store.attrs
        of_each = attrs.get("noise_floor_of_checkpoint")
        floors = list(of_each) if isinstance(of_each, list | tuple) and len(of_each) == len(steps) else []
        known = [_size(floors[steps.index(step)]) for step in (change.from_step, change.to_step)] if floors else []
        floor = max(known) if known and not any(map(math.isnan, known)) else _size(attrs.get("noise_floor"))
        if math.isnan(floor):
            return cls(floor, floor, "numerical noise was not measured when this store was made")
        return cls(floor, min(floor / M, 1.0) if M > 0 else 1.0, None, str(attrs.get("dtype") or ""))


def _size(value: Any) -> float:
    known = isinstance(value, int | float) and math.isfinite(value) and value >= 0
    return float(value) if known else float("nan")


FACTORS = ("C_between", "C_within", "C_between_null")


BY_DEFAULT = ("position", "token-frequency")
"""Groupings whose factors stand beside every D that nobody asked to split."""


@dataclass(frozen=True)
class SplitFactors:
    """How much of D one grouping explains. n_groups: of the grouping. C_between, C_within, C_between_null: see
    `GroupSplit`."""

    by: str
    n_groups: int
    C_between: float
    C_within: float
    C_between_null: float

    def to_json(self) -> dict[str, Any]:
        """by, n_groups and the factors."""
        factors = {name: getattr(self, name) for name in FACTORS}
        return {"by": self.by, "n_groups": self.n_groups} | numbers_or_reasons(factors, "every group nets to zero")


def split_factors(change: Change) -> tuple[SplitFactors, ...]:
    """The factors of every grouping of `BY_DEFAULT` that the store allows; nothing where no loss changed."""
    x, found = change.flat, []
    for by in BY_DEFAULT if x.any() else ():
        try:
            labels = label(by, change)
        except InputError:  # the store does not know its tokens
            continue
        groups = split(sums_by_group(x, labels.code))
        factors = (getattr(groups, name) for name in FACTORS)
        found.append(SplitFactors(by, len(groups.groups), *factors))
    return tuple(found)


@dataclass(frozen=True, repr=False)
class MeasuredGroups(Record):
    """Tokens split by one grouping. note: what its groups are. measured: each group, in the order of `split.groups`."""

    by: str
    note: str
    split: GroupSplit
    measured: tuple[Interference, ...]

    def to_json(self) -> dict[str, Any]:
        """The factors of the split, and each group with its numbers."""
        groups = [
            {
                "name": group.name,
                "w": group.w,
                **number_or_reason("net_share", group.net_share, "the net change is zero"),
                **measured.to_json(),
            }
            for group, measured in zip(self.split.groups, self.measured, strict=True)
        ]
        factors = {name: getattr(self.split, name) for name in FACTORS}
        return {"by": self.by, "by_note": self.note, "groups": groups} | numbers_or_reasons(
            factors, "every group nets to zero"
        )


@dataclass(frozen=True, repr=False)
class PairInterference(Record):
    """Interference of the loss changes between two steps.

    units: unit of the intervals and of the second null. one_sided: positions left out that have a loss at one of the
    two steps. groups: None where no grouping was asked for or nothing moved. problem: code of a problem with one of the
    checkpoints, which keeps the pair out of summaries; None where both are sound. between: factors of `BY_DEFAULT`.
    """

    from_step: int
    to_step: int
    measured: Interference
    units: UnitName
    one_sided: int
    noise_floor: NoiseFloor
    groups: MeasuredGroups | None
    problem: str | None = None
    between: tuple[SplitFactors, ...] = ()

    @property
    def steps(self) -> Pair:
        """Both steps, the earlier first."""
        return self.from_step, self.to_step

    def to_json(self) -> dict[str, Any]:
        """Steps, numbers, noise floor and groups, or why there are none."""
        noise = self.noise_floor
        floors = {"noise_floor": noise.M, "noise_floor_D": noise.D}
        return {
            "from_step": self.from_step,
            "to_step": self.to_step,
            **self.measured.to_json(),
            **({"problem": self.problem} if self.problem else {}),
            "units": self.units,
            "left_out": self.measured.left_out,
            "one_sided": self.one_sided,
            **numbers_or_reasons(floors, noise.reason or ""),
            "between": [factors.to_json() for factors in self.between],
            **(self.groups.to_json() if self.groups else self._no_groups()),
        }

    def _no_groups(self) -> dict[str, Any]:
        moved = self.measured.M > 0
        reason = "no groups were asked for: name some with --by" if moved else "no loss changed, so no group moved"
        return {"by": None, "by_reason": reason, "groups": []} | numbers_or_reasons(
            dict.fromkeys(FACTORS, math.nan), reason
        )


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
    wrong = excluded_steps(change.store)
    whole = summarize(InterferenceSums.of(x, unit), x, level=level, seed=seed)
    measured = replace(whole, left_out=change.left_out)
    return PairInterference(
        from_step=change.from_step,
        to_step=change.to_step,
        measured=measured,
        units=units.name,
        one_sided=change.one_sided,
        noise_floor=NoiseFloor.of(change, measured.M),
        groups=None if by is None else measure_groups(change, units, by, text, level=level, seed=seed),
        problem=wrong.get(change.from_step, wrong.get(change.to_step)),
        between=split_factors(change),
    )


def measure_groups(
    change: Change,
    units: Units,
    by: str,
    text: TokenText | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> MeasuredGroups | None:
    """The exact split of one change into groups, with R, D, M, nulls and interval of each; None where nothing moved.

    The parameters are those of `measure_pair`.
    """
    labels = label(by, change, text)
    return measure_labelled(change.flat, labels, change.of(units.id), by, level=level, seed=seed)


def measure_labelled(
    x: Float[np.ndarray, " N"],
    labels: Labels,
    unit: Shaped[np.ndarray, " N"],
    by: str,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> MeasuredGroups | None:
    """The exact split of changes x into groups; None where nothing moved.

    unit: resampling unit of each. by: name of the grouping. level, seed: as for `measure_pair`.
    """
    if not x.any():
        return None
    sums = {labels.names[int(code)]: part for code, part in sums_by_group(x, labels.code, unit).items()}
    each = tuple(summarize(part, level=level, draws=GROUP_DRAWS, seed=seed) for part in sums.values())
    return MeasuredGroups(by, labels.note, split(sums), each)
