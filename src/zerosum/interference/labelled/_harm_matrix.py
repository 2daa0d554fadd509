"""Who harms whom: the change of the loss on the held-out tokens of each group by a step on the tokens of each group.

Letters: K groups, B batches. A cell is a row (whose training tokens) on a column (whose held-out tokens).
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from zerosum.estimate import Estimate, number_or_reason
from zerosum.interference._record import Interference
from zerosum.interference.labelled._checkpoint_steps import Unseen
from zerosum.missing import NO_STEP
from zerosum.record import Record

RowKind = Literal["group", "no-gradient", "all-tokens"]
ONE_TO_ONE = "each group has cells of its own noise, which raise it; the pairs have intervals"


@dataclass(frozen=True)
class HarmCell:
    """One row on one column. measured: the changes x of the column's tokens, of all batches together, N of them.

    delta_L: mean x with an interval for the choice of held-out texts and of batches; of one batch, of texts alone.
    of_batches: mean x of each batch, nats per token.
    """

    measured: Interference
    delta_L: Estimate
    of_batches: tuple[float, ...]


@dataclass(frozen=True)
class HarmRow:
    """kind: "group": tokens of the group `name`; "no-gradient": the step at a gradient of zero, which is momentum and
    decay; "all-tokens". cells: of each group, then of all held-out tokens; None where a group has no such tokens.
    """

    kind: RowKind
    name: str
    cells: tuple[HarmCell | None, ...]


@dataclass(frozen=True)
class HarmSplit:
    """Shares of all harm, sum max(x, 0), that fall on the tokens of the row's own group and on those of other groups.

    no_gradient: share of the step without gradient; None where it is no row. expected_inside: what `inside` would be
    were rows and columns independent, as a share of the harm of the groups' rows times that share.
    """

    inside: Estimate
    between: Estimate
    no_gradient: Estimate | None
    expected_inside: float


@dataclass(frozen=True)
class HarmPair:
    """first, second: places of two groups. difference: harm of the first on the second minus that of the second on the
    first, nats per token."""

    first: int
    second: int
    difference: Estimate


@dataclass(frozen=True, repr=False)
class HarmMatrix(Record):
    """Who harms whom at one checkpoint, grouped `by` a grouping; every step starts from its weights and moments.

    real: K rows of a real step on the tokens of one group alone, x being what it changes beyond the step without
    gradient, so that momentum, which all steps share, is in no row; then that step itself; then the step on all tokens.
    shares: one step on all tokens to first order, x = sum_j g_ij u_j: K rows with the share of each group in the
    update, then what the step does without gradient. The sum of these rows is the first-order change of that step.
    groups: K names, the columns. weights: of each group in the mixture that is trained on. train_tokens: tokens in the
    gradient of each row, the mean over batches. heldout_tokens, loss: of each column, and last of all tokens; nats.
    settings, notes, unseen: as in `CheckpointSteps`. harm_real, harm_shares: of the rows of both matrices. pairs: how
    far each two groups differ in what real steps on one do to the other.
    """

    source: str
    step: int | None
    by: str
    by_note: str
    settings: Mapping[str, Any]
    notes: tuple[str, ...]
    unseen: tuple[Unseen, ...]
    groups: tuple[str, ...]
    weights: tuple[float, ...]
    train_tokens: tuple[float, ...]
    heldout_tokens: tuple[int, ...]
    loss: tuple[float, ...]
    n_batches: int
    real: tuple[HarmRow, ...]
    shares: tuple[HarmRow, ...]
    harm_real: HarmSplit
    harm_shares: HarmSplit
    pairs: tuple[HarmPair, ...]

    # How pydantic stores it: not-a-number as a word.
    __pydantic_config__ = {"ser_json_inf_nan": "strings"}  # noqa: RUF012

    def cell(self, row: int, column: int) -> HarmCell | None:
        """What a real step on the group `row` alone adds to the loss of the group `column`."""
        return self.real[row].cells[column]

    def cells(self) -> Iterator[tuple[int, int, HarmCell]]:
        """(row, column, cell) of the K x K matrix of real steps, without what could not be measured."""
        K = len(self.groups)
        pairs = ((h, g, self.cell(h, g)) for h in range(K) for g in range(K))
        return ((h, g, cell) for h, g, cell in pairs if cell is not None)

    def first_order_sum(self, column: int) -> float:
        """First-order change of the column by the step on all tokens: the sum of the rows of `shares`."""
        cells = (row.cells[column] for row in self.shares)
        return math.fsum(cell.measured.delta_L for cell in cells if cell is not None)

    @property
    def asymmetry(self) -> Estimate:
        """`|A - A^T| / |A + A^T|` over cells off the diagonal: 0 where harm is mutual; NaN where nothing moves.

        With plain SGD it is 0 but for noise: two groups' gradients have one inner product.
        """
        A = {(h, g): cell.measured.delta_L for h, g, cell in self.cells()}
        both = [(A[h, g], A[g, h]) for h, g in A if h < g and (g, h) in A]
        apart, together = (math.hypot(*(a + sign * b for a, b in both)) if both else 0.0 for sign in (-1, 1))
        value = apart / together if together > 0 else math.nan
        return Estimate(value, reason=ONE_TO_ONE if together > 0 else "no two groups move each other")

    def to_json(self) -> dict[str, Any]:
        """Every cell of both matrices, and what they sum up to."""
        return {
            "source": self.source,
            "step": self.step,
            **({"step_reason": NO_STEP} if self.step is None else {}),
            "by": self.by,
            "by_note": self.by_note,
            "optimizer": dict(self.settings),
            "notes": list(self.notes),
            "unseen": [asdict(part) for part in self.unseen],
            "n_batches": self.n_batches,
            "groups": [self._group(k) for k in range(len(self.groups))],
            "real": [document for row in self.real for document in self._row(row)],
            "first_order": [document for row in self.shares for document in self._row(row)],
            "harm_real": _harm_to_json(self.harm_real),
            "harm_first_order": _harm_to_json(self.harm_shares),
            "asymmetry": self.asymmetry.to_json(),
            "pairs": [
                {"first": self.groups[pair.first], "second": self.groups[pair.second], **pair.difference.to_json()}
                for pair in self.pairs
            ],
        }

    def _group(self, k: int) -> dict[str, Any]:
        return {
            "name": self.groups[k],
            "weight": self.weights[k],
            "train_tokens": self.train_tokens[k],
            "heldout_tokens": self.heldout_tokens[k],
            **number_or_reason("loss", self.loss[k], "no held-out tokens"),
        }

    def _row(self, row: HarmRow) -> Iterator[dict[str, Any]]:
        for column, cell in zip((*self.groups, None), row.cells, strict=True):
            where = {"row": row.kind, "step_on": row.name or None, "measured_on": column}
            if not row.name:
                where["step_on_reason"] = f"not a step on one group: {row.kind}"
            if column is None:
                where["measured_on_reason"] = "all held-out tokens, not one group"
            if cell is not None:
                estimate = cell.delta_L
                numbers = {**cell.measured.to_json(), **estimate.flat("delta_L"), "of_batches": list(cell.of_batches)}
                yield where | numbers


def _harm_to_json(split: HarmSplit) -> dict[str, Any]:
    parts = {"inside": split.inside, "between": split.between, "no_gradient": split.no_gradient}
    document: dict[str, Any] = {name: part and part.to_json() for name, part in parts.items()}
    if split.no_gradient is None:
        document["no_gradient_reason"] = "there is no row of the step without gradient"
    return document | number_or_reason("expected_inside", split.expected_inside, "no row does any harm")
