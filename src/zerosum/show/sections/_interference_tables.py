"""The CSV tables of per-token losses, of every run of a report: pairs, groups, persistence, moved."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from zerosum.interference.labelled import PairInterference, StoreFindings
from zerosum.show.report import Report
from zerosum.show.table import Table

Row = dict[str, Any]


def script_tables(report: Report) -> Iterator[Table]:
    """Groups, agreement of signs, and tokens and documents that moved most, at every pair; empty ones are left out."""
    captions = {
        "groups": ("Groups of tokens at every pair of checkpoints", _groups),
        "persistence": ("Agreement of signs between pairs of checkpoints", _persistence),
        "moved": ("Tokens and documents that lost and gained most at every pair", _moved),
    }
    for name, (caption, rows_of) in captions.items():
        rows: list[Row] = [
            {"source": label, "from_step": pair.from_step, "to_step": pair.to_step} | row
            for label, findings in report.each(StoreFindings)
            for pair in findings.found.pairs
            for row in rows_of(findings, pair)
        ]
        if rows:
            yield Table(name, caption, (), ()).with_csv(rows)


def pair_rows(report: Report) -> list[Row]:
    """One row for each pair of checkpoints, as in JSON."""
    return [
        {"source": label} | flat(pair.to_json())
        for label, findings in report.each(StoreFindings)
        for pair in findings.found.pairs
    ]


def _groups(_: StoreFindings, pair: PairInterference) -> list[Row]:
    if pair.groups is None:
        return []
    return [{"by": pair.groups.by} | flat(group) for group in pair.groups.to_json()["groups"]]


def _persistence(findings: StoreFindings, pair: PairInterference) -> list[Row]:
    rows = []
    for later in findings.found.persistence:
        if later.first == pair.steps:
            steps = {"later_from_step": later.second[0], "later_to_step": later.second[1]}
            shared = {"shares_checkpoint": later.shares_checkpoint}
            rows.append(steps | shared | flat(later.found.to_json()))
    return rows


def _moved(findings: StoreFindings, pair: PairInterference) -> list[Row]:
    return [flat(row.to_json()) for row in findings.found.moved.get(pair.steps, ())]


def flat(document: Mapping[str, Any]) -> Row:
    """Numbers and words of a document; an interval becomes columns `<name>_low` and `<name>_high`.

    Text of the data (`text`, `context`) stands as a JSON string, so that its line breaks and quotes survive.
    """
    row: Row = {}
    for name, value in document.items():
        if name == "interval":
            row |= _ends(value or {})
        elif name in ("text", "context"):
            row[name] = json.dumps(value)
        elif isinstance(value, bool | int | float | str | None):
            row[name] = value
    return row


def _ends(interval: Mapping[str, Any]) -> Row:
    row: Row = {}
    for name, value in interval.items():
        if isinstance(value, list):
            row |= {f"{name}_low": value[0], f"{name}_high": value[1]}
    return row | {"n_units": interval.get("n_units"), "interval_level": interval.get("level")}
