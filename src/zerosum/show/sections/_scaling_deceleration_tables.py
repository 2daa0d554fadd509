"""Tables of deceleration across sizes: the sizes, their laws, shares of the gain, and notes."""

from collections.abc import Iterator

from zerosum.estimate import Estimate
from zerosum.scaling import DecelerationAcrossSizes
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.table import Column, Table, Text, Value

MOST_SIZES = 8  # on one screen


def record(report: Report) -> DecelerationAcrossSizes:
    """What is shown of a report."""
    return report.across(DecelerationAcrossSizes)[0]


def tables(report: Report) -> Iterator[Table]:
    """Sizes, laws, shares of the gain, and notes."""
    across = record(report)
    yield sizes(across, short=False)
    yield _laws(across)
    yield _shares(across)
    notes = (*across.reasons, *(reason for law in across.laws for reason in law.reasons))
    if notes:
        rows = tuple((Text(reason.code), Text(printable(reason.message, 600))) for reason in notes)
        yield Table("scaling-deceleration-notes", "To keep in mind", (Column("code"), Column("note")), rows)


def sizes(across: DecelerationAcrossSizes, *, short: bool) -> Table:
    known = [row.t_d_tokens.value for row in across.sizes if row.t_d_tokens.known]
    tokens, words = bool(known), n.in_words(max(known, default=1.0), "tokens")
    more: tuple[Column, ...] = () if short else (Column("run"), Column("verdict"))
    columns = (
        Column("n_params", "N"),
        Column("L_d", unit="nats per token", form=n.L_D, interval=True),
        Column("t_d", unit="steps", form=n.T_D, interval=True),
        *((Column("t_d_tokens", "t_d", words.unit, words, interval=True),) if tokens else ()),
        Column("r_d", form=n.R_D, interval=True),
        *more,
    )
    rows = []
    shown = list(across.sizes)
    if short and len(shown) > MOST_SIZES:
        shown = [*shown[: MOST_SIZES // 2], *shown[-MOST_SIZES // 2 :]]
    for row in shown:
        N = Text(n.params(row.n_params), "" if row.in_laws else "not in the laws")
        numbers = [row.L_d, row.t_d, *([row.t_d_tokens] if tokens else []), row.r_d]
        values = [_without_interval(one) for one in numbers] if short else numbers
        names = () if short else (printable(" + ".join(row.runs), 200), ", ".join(dict.fromkeys(row.verdicts)))
        rows.append((N, *values, *names))
    legend = "" if short else "Brackets: 95 % intervals of the fits, which neighbouring sizes share in part."
    return Table("scaling-deceleration", "" if short else "Deceleration of each size", columns, tuple(rows), legend)


def _without_interval(one: Estimate) -> Value:
    """On one screen each size has one line."""
    return one.value if one.known else None


def _laws(across: DecelerationAcrossSizes) -> Table:
    columns = (
        Column("quantity"),
        Column("form"),
        Column("a", interval=True),
        Column("b", interval=True),
        Column("N0", form=n.PLAIN),
        Column("tau", "scatter"),
        Column("verdict"),
        Column("without", "b without one size"),
    )
    rows = tuple(
        (
            law.quantity, law.form, law.at_centre, law.exponent, n.params(law.N0), law.tau, law.verdict,
            Text(f"{min(law.without.values()):.3g} to {max(law.without.values()):.3g}" if law.without else "—"),
        )
        for law in across.laws
    )  # fmt: skip
    legend = (
        "Brackets: 95 % intervals. Scatter: standard deviation of sizes around the law beyond the errors of the fits."
    )
    return Table("scaling-deceleration-laws", "Laws over sizes", columns, rows, legend)


def _shares(across: DecelerationAcrossSizes) -> Table:
    names = ("L_d", "t_d", "r_d")
    columns = (
        Column("from"),
        Column("to"),
        Column("total", "difference", "nats per token", n.TERM, interval=True),
        *(Column(f"{name}_share", f"of it {name}", "%", n.PERCENT, interval=True) for name in names),
    )
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (n.params(gain.smaller), n.params(gain.larger), gain.total, *(gain.shares[name] for name in names))
        for gain in across.gains
    )
    legend = f"By the laws, at {length(across, across.gains[0].T)}. Brackets: 95 % intervals."
    return Table(
        "scaling-deceleration-shares", "Where the lower loss of larger models comes from", columns, rows, legend
    )


def length(across: DecelerationAcrossSizes, T: float) -> str:
    return f"{n.params(T)} tokens" if across.axis == "tokens" else f"step {n.count(round(T))}"
