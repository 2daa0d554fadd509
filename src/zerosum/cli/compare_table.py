"""`zerosum compare` on a terminal: the fits of the runs, and how the difference of each to the first splits up."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zerosum.cli.compare import Pair, Run
from zerosum.cli.fit_table import BELIEVED, EXPLAIN, STYLES
from zerosum.cli.terminal import WIDE, estimate, labelled, overview, screen
from zerosum.show.logs import terms
from zerosum.show.names import printable
from zerosum.show.numbers import decimals, number

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from zerosum.deceleration import Comparison, Term

TERMS = {
    "L_d": "loss at the break, L_d",
    "t_d": "where the break comes, t_d",
    "r_d": "rate after the break, r_d",
    "T": "how far it was trained, T",
    "reached_minus_fit": "what the fits leave over",
}
LOWER_HIGHER = {
    "L_d": ("a lower loss at the break", "a higher loss at the break"),
    "t_d": ("an earlier break", "a later break"),
    "r_d": ("a faster fall after the break", "a slower fall after the break"),
    "T": ("longer training", "shorter training"),
    "reached_minus_fit": ("what the fits leave over", "what the fits leave over"),
}
SMALL = 0.1  # of what the terms move: of a smaller total they are no shares to speak of


def show(runs: Sequence[Run], pairs: Sequence[Pair], axis: str) -> None:
    """Print it all; `runs` are those that could be fitted, the first of them the one compared with."""
    from rich.padding import Padding
    from rich.text import Text

    console = screen()
    wide = console.width >= WIDE
    named = [(run.label, f"{run.analysis.fit.curve.name}: {run.analysis.fit.curve.source}") for run in runs]
    console.print(labelled(named))
    unit = "steps" if axis == "steps" else "M tokens"
    headings = (
        "run",
        "verdict",
        f"t_d\n{unit}",
        "L_d\nnats/token",
        "r_d\nlog-log",
        f"T\n{unit}",
        "reached\nnats/token",
    )
    console.print(overview(headings, [_numbers(run, axis, wide) for run in runs], console.width))
    for pair in pairs:
        heading = f"\n{pair.b.label} minus {pair.a.label}: {printable(pair.comparison.b)} against "
        console.print(Text(heading + printable(pair.comparison.a), style="bold"))
        rows = [("in words", sentence) for sentence in _sentences(pair)]
        rows += [("note", note) for note in pair.notes]
        for part in ([_terms(pair.comparison)] if pair.comparison.terms else []) + [labelled(rows)]:
            console.print(Padding(part, (0, 0, 0, 2), expand=False))
    console.print(Text("\n" + _legend([pair.comparison for pair in pairs]), style="dim"))
    console.print(Text("why each verdict: zerosum fit with the same sources; " + EXPLAIN, style="dim"))


def _numbers(run: Run, axis: str, wide: bool) -> "list[Text]":
    """Label, verdict, t_d, L_d, r_d, T and the loss reached; dashes where the verdict forbids to use a number."""
    from rich.text import Text

    from zerosum.curves import tokens_per_step

    fit = run.analysis.fit
    unit = tokens_per_step(fit.curve) / terms.MILLION if axis == "tokens" else 1.0
    cells = [Text(run.label), Text(fit.verdict, style=STYLES.get(fit.verdict, ""))]
    for name, scale in (("t_d", unit), ("L_d", 1.0), ("r_d", 1.0)):
        ends = fit.intervals.get(name)
        scaled = (ends[0] * scale, ends[1] * scale) if ends else None
        believed = fit.verdict in BELIEVED
        cells.append(estimate(scale * getattr(fit, name), scaled, wide) if believed else Text("—"))
    return [
        *cells,
        Text(number(unit * fit.last_step, decimals(unit * fit.last_step))),
        Text(number(fit.L_T, decimals(fit.L_T) + 1)),
    ]


def _terms(found: "Comparison") -> "Table":
    """Each term with its interval and its share of the total."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(overflow="fold")
    for _ in range(3):
        table.add_column(justify="right", no_wrap=True)
    heads = ("part of the difference", "nats/token", f"{100 * found.level:g} % interval", "share")
    table.add_row(*(Text(head, style="dim") for head in heads))
    for term in terms.by_size(found.terms):
        interval = "exactly" if terms.exactly_zero(term) else terms.ends(term).replace("\xa0", " ") or "—"
        table.add_row(TERMS[term.name], terms.signed(term.nats), interval, _share(term.nats, found))
    table.add_row(*(Text(cell, style="bold") for cell in ("total, of the losses reached", terms.signed(found.total))))
    return table


def _share(nats: float, found: "Comparison") -> str:
    moved = sum(abs(term.nats) for term in found.terms)
    return "—" if abs(found.total) <= SMALL * moved else f"{round(100 * nats / found.total)} %".replace("-", "−")


def _sentences(pair: Pair) -> list[str]:
    """What the numbers describe; never what caused it."""
    found, a, b = pair.comparison, pair.a, pair.b
    reached = [run.analysis.fit.L_T for run in (a, b)]
    direction = "below" if found.total < 0 else "above"
    of_a, of_b, apart = (number(nats, terms.PLACES) for nats in (*reached, abs(found.total)))
    said = [f"{b.label} reached {of_b} nats per token, {apart} {direction} the {of_a} of {a.label}"]
    if found.terms:
        said.append(_told(found))
    else:
        said.append(f"the difference is not split into L_d, t_d and r_d: {found.reason}")
    return [*said, terms.where(found)]


def _told(found: "Comparison") -> str:
    """Which terms differ from zero by their intervals, largest first; an exact zero is not one of them."""
    known = [term for term in terms.by_size(found.terms) if not terms.exactly_zero(term)]
    if any(term.interval is None for term in known):
        return f"the terms have no intervals: {known[0].reason}"
    sure = [term for term in known if term.interval and not term.interval[0] <= 0 <= term.interval[1]]
    unsure = [f"{_short(term)} ({terms.signed(term.nats)})" for term in known if term not in sure]
    parts = [f"{_direction(term)} ({terms.signed(term.nats)})" for term in sure]
    text = f"this goes with {' and '.join(parts)}" if parts else "no term can be told from zero"
    rest = f"; within their intervals these may be zero: {', '.join(unsure)}" if parts and unsure else ""
    zero = "; T is exactly zero: both were fitted up to the same step" if len(known) < len(found.terms) else ""
    return f"{text}{rest}{zero}. This describes two curves; it does not say what caused it"


def _short(term: "Term") -> str:
    return term.name.replace("_minus_", " minus ")


def _direction(term: "Term") -> str:
    return LOWER_HIGHER[term.name][0 if term.nats < 0 else 1]


def _legend(found: "Sequence[Comparison]") -> str:
    methods = "; or ".join(dict.fromkeys(one.method for one in found))
    return (
        f"[brackets]: {100 * found[0].level:g} % intervals; of the terms: {methods}. The terms add up to the total, of "
        "which each is a share, unless they nearly cancel; below zero they make the later run's loss lower. The total "
        "is read off the logs where what was fitted ends; it has no interval: one run each. T: last fitted."
    )
