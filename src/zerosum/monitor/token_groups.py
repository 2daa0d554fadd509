"""Groups of the held-out tokens: D, M and R of each, and how much of the cancelling happens between them.

Letters: S sequences of L = T + 1 ids, of which s, and t predictions of each, are measured; N of them have a loss.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float32, Int, Shaped

from zerosum.errors import InputError
from zerosum.interference.labelled import (
    Change,
    Labels,
    MeasuredGroups,
    choose_units,
    grouping_names,
    label,
    measure_labelled,
)
from zerosum.tokens import TokenSequences

BY_LOSS = ("first-loss", "initial-loss")
"""Groupings by losses: their groups would be others at every step."""
GIVEN = "given"
"""Name of groups whose labels are given."""


@dataclass(frozen=True)
class TokenGroups:
    """by: name of the grouping. code: [S, T] group of each predicted token, an index into the names of `labels`."""

    by: str
    labels: Labels
    code: Int[np.ndarray, "S T"]

    @classmethod
    def of(cls, groups: Any, probe_tokens: Any, ids: Int[np.ndarray, "S L"]) -> "TokenGroups":
        """groups: name of a grouping, or a label for each id, [S, L]. Raises InputError for any other."""
        if not isinstance(groups, str):
            return cls._of_labels(np.asarray(groups), ids)
        if groups in BY_LOSS or groups not in grouping_names():
            names = ", ".join(name for name in grouping_names() if name not in BY_LOSS)
            raise InputError(f"groups {groups!r}: not known here. Give labels, [S, L], or one of {names}.")
        change = _without_losses(probe_tokens if isinstance(probe_tokens, TokenSequences) else None, ids)
        labels = label(groups, change)
        code = np.full(change.kept.shape, -1)
        code[change.kept] = labels.code
        return cls(groups, labels, code)

    @classmethod
    def _of_labels(cls, groups: Shaped[np.ndarray, "..."], ids: Int[np.ndarray, "S L"]) -> "TokenGroups":
        if groups.shape != ids.shape:
            raise InputError(f"groups: labels of shape {groups.shape}, but the ids have {ids.shape}. Label each id.")
        names, code = np.unique(groups[:, 1:].ravel(), return_inverse=True)
        labels = Labels(code, tuple(map(str, names)), "labels that were given")
        return cls(GIVEN, labels, code.reshape(ids[:, 1:].shape))

    def measure(
        self,
        before: Float32[np.ndarray, "s t"],
        after: Float32[np.ndarray, "s t"],
        document: Int[np.ndarray, "s *t"] | None,
        seed: int,
    ) -> MeasuredGroups | None:
        """The split of the changes of the tokens that were measured; None where no loss changed."""
        kept = ~np.isnan(before)
        of_each = document if document is None or document.ndim == 2 else document[:, None]
        unit = np.broadcast_to(choose_units(of_each, len(before)).id, before.shape)[kept]
        labels = replace(self.labels, code=self.code[: len(before), : before.shape[1]][kept])
        return measure_labelled(after.astype(np.float64)[kept] - before[kept], labels, unit, self.by, seed=seed)


def _without_losses(tokens: TokenSequences | None, ids: Int[np.ndarray, "S L"]) -> Change:
    """The predicted tokens with what is known of them, in the form that groupings take."""
    import xarray as xr  # takes half a second, and only groups by name need it

    coordinates: dict[str, Any] = {"token": (("sequence", "position"), ids[:, 1:])}
    names: dict[str, list[str]] = {}
    if tokens is not None:
        dims = ("sequence", "position")[: tokens.document.ndim]
        coordinates["document"], names["documents"] = (dims, tokens.document), list(tokens.documents)
        if (domain := tokens.domain) is not None:
            coordinates["domain"], names["domains"] = (dims, domain), list(tokens.domains)
    shape = ids[:, 1:].shape
    unknown = np.full(shape, np.nan)
    return Change(xr.Dataset(coords=coordinates, attrs=names), 0, 1, unknown, unknown, ids[:, 1:] >= 0, 0)
