"""A run held out: what laws of the other runs predict for it, and how simpler predictions do."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from zerosum.scaling import HeldOut, ProtocolError
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.section import with_sentences
from zerosum.show.table import Column, Table, with_ends

TITLE = "A run held out"
PLACE = 75.5
HOW_TO_READ = (
    "Dots: losses of the held-out run. Line and band: what the law of the other runs predicts, with 95 % prediction "
    "intervals. Grey: the last 30 % of the run's tokens, on which the errors are measured."
)
USED = {
    "all-checkpoints": "all losses of other runs",
    "finals-only": "their final losses only",
    "nearest-3": "the 3 nearest sizes only",
    "one-break": "one-break law of this run",
}
ERROR = n.Form("error", "%", scale=100.0)


def absent(report: Report) -> str | None:
    return None if report.across(HeldOut) else ""


def headline(report: Report) -> str:
    return " ".join(sentences(report))


def sentences(report: Report) -> Iterator[str]:
    """One for each law: its error, how many losses its intervals hold, and how far it extrapolates."""
    for held in report.across(HeldOut):
        error = held.protocol[0].error
        if not error.known:
            yield f"Without {_run(held)}, {held.law} cannot predict it: {error.reason}."
            continue
        inside = sum(not loss.predicted.excludes(loss.loss) for loss in held.losses)
        far = "".join(f" {printable(reason.message, 300)}." for reason in held.reasons)
        yield (
            f"Without {_run(held)}, {held.law} predicts the last 30 % of it with a mean absolute error of "
            f"{n.written(error.value, None, ERROR)[0]} %; its 95 % prediction intervals hold {inside} of "
            f"{len(held.losses)} losses.{far}"
        )


def _run(held: HeldOut) -> str:
    more = f" and {len(held.runs) - 1} more" if len(held.runs) > 1 else ""
    return printable(held.runs[0], 40) + more


def answer(report: Report) -> Iterator[Table | str]:
    """Errors of all ways to predict, and why some have none."""
    yield replace(_errors(report), legend="")
    errors = [error for held in report.across(HeldOut) for error in held.protocol]
    known = {error.used for error in errors if error.error.known}
    why: dict[str, list[str]] = {}
    for used, reason in {error.used: error.error.reason for error in errors if error.used not in known}.items():
        why.setdefault(reason, []).append(USED[used])
    yield from (f"No error by {', '.join(used)}: {printable(reason, 300)}." for reason, used in why.items())


def tables(report: Report) -> Iterator[Table]:
    """Errors of all ways to predict; every loss of the held-out run."""
    yield _errors(report)
    D = n.in_words(max((loss.tokens for held in report.across(HeldOut) for loss in held.losses), default=1.0), "tokens")
    columns = (
        Column("law"),
        Column("run"),
        Column("tokens", "D", D.unit, D),
        Column("loss", "loss", "nats per token"),
        Column("predicted", "predicted", "nats per token", interval=True),
        Column("error", "error", "%", ERROR),
    )
    rows = tuple(
        (held.law, printable(loss.run, 60), loss.tokens, loss.loss, loss.predicted, loss.error)
        for held in report.across(HeldOut)
        for loss in held.losses
    )
    yield Table("scaling-held-out", "Losses held out", columns, rows, "Brackets: 95 % prediction intervals.")


def _errors(report: Report) -> Table:
    """One row for each way to predict, one column for each law."""
    laws = report.across(HeldOut)
    rows = tuple(_row(used, [held.protocol[k] for held in laws]) for k, used in enumerate(USED.values()))
    heads = tuple(Column(f"error_{held.law}", held.law, "error, %", ERROR) for held in laws)
    legend = "Mean absolute relative error on the last 30 % of the held-out run's tokens (Choshen et al. 2024)."
    return Table(
        "scaling-protocol", "Error by what is used", (Column("used"), Column("n", "losses"), *heads), rows, legend
    )


def _row(used: str, errors: list[ProtocolError]) -> tuple[Any, ...]:
    return (used, errors[0].n, *(one.error for one in errors))


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """For each law, losses of the held-out run and what was predicted."""
    laws = [held for held in report.across(HeldOut) if held.losses] or report.across(HeldOut)[:1]
    with d.style():
        fig, axes = d.panels(len(laws), layout, height=3.0, columns=2)
        for ax, held in zip(axes, laws, strict=True):
            if held.losses:
                _predicted(ax, held)
            else:
                d.say_empty(ax, held.protocol[0].error.reason)
        look = {"color": d.SERIES[0], "linestyle": "-"}
        d.legend_below(fig, [d.entry("measured", marker="o"), d.entry("predicted, 95 % interval", **look)], layout)
    return fig


def _predicted(ax: "d.Axes", held: HeldOut) -> None:
    for run in held.runs:
        losses = sorted((loss for loss in held.losses if loss.run == run), key=lambda loss: loss.tokens)
        tokens = [loss.tokens for loss in losses]
        look = d.RunStyle(d.SERIES[0], "", "-", None, 1.0)
        d.with_band(ax, tokens, [loss.predicted for loss in losses], look)
        ax.plot(tokens, [loss.loss for loss in losses], linestyle="", marker="o", color=d.INK, markersize=4)
        if len(losses) == 1:
            (predicted,) = (loss.predicted for loss in losses)
            low, high = predicted.interval or (predicted.value, predicted.value)
            ax.vlines(tokens, low, high, color=d.SERIES[0], linewidth=4, alpha=0.4)
            ax.plot(tokens, [predicted.value], color=d.SERIES[0], marker="_", markersize=14)
        else:
            ax.axvspan(0.7 * max(tokens), max(tokens), color=d.RANGE, zorder=0)
    every = [value for loss in held.losses for value in (loss.loss, *(loss.predicted.interval or ()))]
    d.log_axis(ax, "x", [loss.tokens for loss in held.losses], pad=1.25, most=5, write=n.params)
    d.log_axis(ax, "y", every, pad=1.01, most=6)
    ax.set_title(held.law)
    ax.set_xlabel("training tokens D")
    ax.set_ylabel("loss (nats per token)")


alt = with_sentences("Losses of the held-out run and what the laws of the other runs predict.", sentences)


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each held-out loss."""
    return [
        {"law": held.law, "run": loss.run, "N": loss.n_params, "D": loss.tokens, "loss": loss.loss}
        | with_ends("predicted", loss.predicted)
        | {"error": loss.error, "last": loss.last}
        for held in report.across(HeldOut)
        for loss in held.losses
    ]
