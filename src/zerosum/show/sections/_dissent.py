"""What the sections on dissent share: the record they show, names of places, numbers in words, rows for CSV."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from zerosum.dissent import NUMBERS, PLACES, VECTORS, Dissent, DissentOverTraining, PartForces, Place, Spread
from zerosum.estimate import Estimate
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.sections._single_run import absent_of_several, record_of
from zerosum.show.table import with_ends

FORM = n.Form("dissent", digits=4, most=4)  # near 1, the distance to it counts
NAMES: dict[Place, str] = {
    "token": "tokens, mean",
    "rows": "head rows, mean",
    "head": "head, one vector",
    "body": "body, one vector",
}
OF_PARTS = ("numel", *NUMBERS, "norm_attraction", "norm_repulsion")
Row = dict[str, Any]


def measured(report: Report) -> DissentOverTraining:
    """The record that is shown."""
    return record_of(report, DissentOverTraining)


def none(report: Report) -> str | None:
    """Why there is nothing to show, for every section on dissent: no run, or several, have it."""
    return absent_of_several(report, DissentOverTraining)


def cell(estimate: Estimate) -> Estimate:
    """A number of dissent in a table. Why it has no interval is said once, below the tables."""
    return replace(estimate, reason="") if estimate.known and not estimate.interval else estimate


def in_line(estimate: Estimate) -> str:
    """A number of dissent and its interval in a sentence."""
    return n.text(estimate.value, estimate.interval, FORM)


def loss(checkpoint: Dissent) -> str:
    """Mean loss with its interval, in a sentence."""
    estimate = checkpoint.loss.estimate
    return n.text(estimate.value, estimate.interval, n.LOSS)


def whole_body(checkpoint: Dissent) -> list[PartForces]:
    """All parameters of the body as one part, to stand below the layers; empty where the body is frozen."""
    return [] if checkpoint.body is None else [PartForces("whole body", "body", checkpoint.body)]


def checkpoint_rows(over: DissentOverTraining) -> Iterator[Row]:
    """One row for each checkpoint."""
    facts = ("step", "tokens_seen", "N", "n_sequences", "units", "n_units")
    for checkpoint in over.checkpoints:
        row: Row = {fact: getattr(checkpoint, fact) for fact in facts}
        row |= _spread("loss", checkpoint.loss) | _spreads("token", checkpoint.token)
        for place in VECTORS:
            row |= {f"{place}_{name}": checkpoint.estimate(place, name).value for name in NUMBERS}
        row |= _spreads("rows", checkpoint.rows)
        yield row | ({} if checkpoint.head is None else {"n_unlabelled": checkpoint.n_unlabelled})


def frequency_rows(over: DissentOverTraining) -> Iterator[Row]:
    """One row for each checkpoint and class of label frequency."""
    for checkpoint in over.checkpoints:
        for labels in checkpoint.frequency:
            row: Row = {"step": checkpoint.step, "label_count": labels.name, "n_labels": labels.n_labels}
            yield row | _spreads("token", labels.token) | _spreads("rows", labels.rows)


def part_rows(checkpoint: Dissent, parts: Iterable[PartForces]) -> Iterator[Row]:
    """One row for each parameter or layer of a checkpoint."""
    for part in parts:
        numbers = part.to_json()
        row: Row = {"step": checkpoint.step, "name": printable(part.name), "kind": part.kind}
        yield row | {name: numbers[name] for name in OF_PARTS}


def place_rows(over: DissentOverTraining) -> Iterator[Row]:
    """One row for each checkpoint: N, loss, and the dissent of each place with its interval."""
    for checkpoint in over.checkpoints:
        row: Row = {"step": checkpoint.step, "N": checkpoint.N, **with_ends("loss", checkpoint.loss.estimate)}
        for place in PLACES:
            row |= with_ends(place, checkpoint.estimate(place))
        yield row


def _spreads(place: str, spreads: Mapping[str, Spread]) -> Row:
    return {key: value for name, spread in spreads.items() for key, value in _spread(f"{place}_{name}", spread).items()}


def _spread(name: str, spread: Spread) -> Row:
    row: Row = with_ends(name, spread.estimate)
    row |= {f"{name}_{percent}%": value for percent, value in spread.quantiles.items()}
    return row | {f"{name}_N": spread.N, f"{name}_left_out": spread.left_out}
