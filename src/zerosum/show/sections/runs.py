"""Every run in one row: its size, the loss it reached, and how much cancelled at its beginning and end."""

import math
from collections.abc import Sequence

from zerosum.estimate import Estimate
from zerosum.interference.labelled import StoreFindings
from zerosum.runs import RunFacts
from zerosum.show import changes
from zerosum.show import numbers as n
from zerosum.show.report import Report
from zerosum.show.table import Column, Table

TITLE = "Every run"
PLACE = 80


def absent(report: Report) -> str | None:
    return None if report.each(RunFacts) else ""


def tables(report: Report) -> Sequence[Table]:
    columns = (
        Column("run"),
        Column("n_params", "parameters"),
        Column("seed", on=("page", "csv", "json")),
        Column("steps", on=("page", "latex", "csv", "json")),
        Column("tokens_per_step", "tokens per step", on=("page", "csv", "json")),
        Column("final_loss", "held-out loss", "nats per token", n.LOSS, interval=True),
        Column("D_first", "D, first pair", form=n.D, interval=True),
        Column("D_last", "D, last pair", form=n.D, interval=True),
    )
    rows = []
    for run, label in zip(report.runs, report.labels, strict=True):
        facts, findings = run.get(RunFacts), run.get(StoreFindings)
        if facts:
            trained = (label, facts.n_params, run.seed, facts.steps, facts.tokens_per_step)
            rows.append((*trained, _final_loss(findings), *_ends(findings)))
    n_tokens = changes.numbers_of_tokens(report, changes.PAIRS)
    of = f" of N = {' or '.join(map(n.count, n_tokens))} token losses" if n_tokens else ""
    legend = (
        "Held-out loss: at the last checkpoint. "
        f"D: share of all movement{of} that cancels, over the first and the last pair of checkpoints."
    )
    return [Table("runs", "Every run", columns, tuple(rows), legend)]


def _final_loss(findings: StoreFindings | None) -> Estimate:
    return findings.mean_losses[-1].loss if findings and findings.mean_losses else _unknown()


def _ends(findings: StoreFindings | None) -> tuple[Estimate, Estimate]:
    pairs = changes.measured(findings, changes.PAIRS) if findings else []
    return (pairs[0][2].estimate("D"), pairs[-1][2].estimate("D")) if pairs else (_unknown(), _unknown())


def _unknown() -> Estimate:
    return Estimate(math.nan, reason="not measured")
