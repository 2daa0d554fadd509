"""Branches of one checkpoint on other orders of the data, from a store of per-token losses of each branch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zerosum.errors import InputError
from zerosum.estimate import number_or_reason
from zerosum.interference._branches import BranchAgreement, branch_agreement
from zerosum.interference._measure import measure
from zerosum.interference._record import Interference
from zerosum.interference.labelled._change import Store, UnitName, change_between, same_tokens, units_of
from zerosum.interference.labelled._text import TokenText
from zerosum.interference.labelled.groupings import label
from zerosum.record import Record

ESTIMATES = ("systematic_share", "D_inf", "correlation", "harm_in_all")
GROUP_DRAWS = 500


@dataclass(frozen=True, repr=False)
class Branches(Record):
    """Branches from `from_step` to `to_step`, each on an order of the data of its own.

    names: of the branches. each: interference of the changes of each branch. mean: of their mean, token by token.
    whole: what the branches have in common. by, by_note: the grouping, None without. groups: the same for the tokens of
    each group. units: what the intervals resample.
    """

    from_step: int
    to_step: int
    names: tuple[str, ...]
    each: tuple[Interference, ...]
    mean: Interference
    whole: BranchAgreement
    units: UnitName
    by: str | None = None
    by_note: str = ""
    groups: tuple[tuple[str, BranchAgreement], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Steps, what the branches have in common, each branch, and the groups."""
        return {
            "from_step": self.from_step,
            "to_step": self.to_step,
            "units": self.units,
            **_agreement_to_json(self.whole),
            "mean": self.mean.to_json(),
            "each": [{"name": name, **one.to_json()} for name, one in zip(self.names, self.each, strict=True)],
            "by": self.by,
            **({} if self.by else {"by_reason": "no groups were asked for"}),
            "groups": [{"name": name, **_agreement_to_json(group)} for name, group in self.groups],
        }


def _agreement_to_json(agreement: BranchAgreement) -> dict[str, Any]:
    finite = [None if np.isnan(value) else value for value in agreement.correlations]
    return {
        **{name: getattr(agreement, name).to_json() for name in ESTIMATES},
        **number_or_reason("harm_by_chance", agreement.harm_by_chance, "no token got worse"),
        **number_or_reason("noise_directions", agreement.noise_directions, _directions_unknown(agreement)),
        "correlations": finite,
        "M_k": list(agreement.M_k),
        "A_k": list(agreement.A_k),
        "D_k": [None if np.isnan(value) else value for value in agreement.D_k],
        "delta_L": agreement.delta_L,
        "N": agreement.N,
        "n_units": agreement.n_units,
    }


def _directions_unknown(agreement: BranchAgreement) -> str:
    return "more than these branches can count" if len(agreement.M_k) > 2 else "two branches do not show them"


def measure_branches(
    stores: Mapping[str, Store],
    from_step: int,
    to_step: int,
    *,
    by: str | None = None,
    text: TokenText | None = None,
    seed: int = 0,
) -> Branches:
    """What branches have in common. stores: per-token losses of each branch, by its name, at both steps.

    by, text: a grouping and what decodes tokens for it, as in `measure_pair`. seed: of the bootstrap.
    Raises InputError for fewer than two branches, or where they were measured on other tokens.
    """
    if len(stores) < 2:
        raise InputError(f"{len(stores)} branch: nothing to compare it with. Give at least 2.")
    first, *others = stores.values()
    if not all(same_tokens(first, other) for other in others):
        raise InputError("the branches were measured on different tokens. Delete their zerosum/ folders, start again.")
    changes = [change_between(store, from_step, to_step) for store in stores.values()]
    units = units_of(first)
    unit = np.broadcast_to(units.id, changes[0].kept.shape)
    x = np.stack([change.x for change in changes])
    groups: tuple[tuple[str, BranchAgreement], ...] = ()
    note = ""
    if by is not None:
        labels = label(by, changes[0], text)
        note = labels.note
        code = np.full(changes[0].kept.shape, -1)
        code[changes[0].kept] = labels.code
        groups = tuple(
            (name, branch_agreement(x, unit, code == number, draws=GROUP_DRAWS, seed=seed))
            for number, name in enumerate(labels.names)
            if (code == number).any()
        )
    return Branches(
        from_step=from_step,
        to_step=to_step,
        names=tuple(stores),
        each=tuple(measure(one, unit, seed=seed) for one in x),
        mean=measure(x.mean(0), unit, seed=seed),
        whole=branch_agreement(x, unit, seed=seed),
        units=units.name,
        by=by,
        by_note=note,
        groups=groups,
    )
