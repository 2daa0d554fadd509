"""Every curve in numbers: verdict, L_d, t_d, r_d and what belongs to them. This row is written nowhere else."""

from collections.abc import Iterator
from dataclasses import replace

from zerosum.curves import tokens_per_step
from zerosum.deceleration import Analysis, Comparison, Fit
from zerosum.deceleration.fit_errors import METHOD
from zerosum.estimate import Estimate
from zerosum.show import numbers as n
from zerosum.show.names import short_distinct_names
from zerosum.show.report import Report
from zerosum.show.table import SCRIPTS, Column, Medium, PlusMinus, Table, Text, Value
from zerosum.show.words import VERDICTS

TITLE = "Every curve in numbers"
PLACE = 12
NOT_ON_TERMINAL: tuple[Medium, ...] = ("page", "latex", "csv", "json")
PARAMETERS = ("b", "c0", "c1", "d1", "f1")
ERRORS = ("b", "c0", "c1", "log_d1", "f1")
EXPLAIN = "what a reason means, and what to do: zerosum explain CODE"
MILLION = 1e6
ON_TERMINAL = 30  # characters of a name
IN_TOKENS = Column("t_d", unit="M tokens", form=n.T_D, on=("terminal", "page"))  # of curves compared by tokens
COLUMNS = (
    Column("run", on=NOT_ON_TERMINAL),
    Column("run", on=("terminal",)),
    Column("verdict", on=SCRIPTS),
    Column("verdict", on=("terminal", "page")),
    Column("L_d", unit="nats/token", form=n.L_D, interval=True, tex="$L_d$"),
    Column("t_d", unit="steps", form=n.T_D, interval=True, tex="$t_d$"),
    IN_TOKENS,
    Column("r_d", unit="log-log rate", form=n.R_D, interval=True, tex="$r_d$"),
    Column("L_T", unit="reached", form=n.LOSS, tex="$L_T$"),
    Column("L_T_hat", unit="by the line", form=n.LOSS, on=NOT_ON_TERMINAL, tex=r"$\hat L_T$"),
    Column("rsle", "RSLE", "misfit", form=n.RSLE, on=NOT_ON_TERMINAL),
    Column("n_points", "losses", "fitted", on=("page", "csv", "json")),
    Column("n_bins", "points", on=NOT_ON_TERMINAL),
    *(Column(name, on=SCRIPTS) for name in ("first_step", "last_step", "cutoff", "procedure")),
    *(Column(name, on=SCRIPTS) for name in ("interval_level", "reasons")),
    Column("verdict", on=("latex",)),
)
FORMULAS = {
    "Loss": "Cross-entropy in nats per token: how surprised the model is by the token that comes. All logarithms are "
    "natural.",
    "t_d, L_d, r_d": "From a one-break broken neural scaling law fitted to the loss on log-log axes: "
    "<code>log L(t) = log b − c0 log t − c1 f1 log(1 + (t/d1)^(1/f1))</code>. Then <code>t_d = d1</code>, "
    "<code>L_d = b d1^(−c0)</code>, <code>r_d = c0 + c1</code>. L_d is where the two straight lines cross; the curve’s "
    "own value there is 2^(−c1 f1) times L_d. Times of a curve counted in tokens are in steps as long as a late one.",
    "L_T_hat and L_T": "<code>L_T_hat = L_d (T/t_d)^(−r_d)</code>, the line after the break at the last fitted step T; "
    "L_T is the smoothed loss that was reached there, which may be before the log ends.",
    "RSLE": "Root mean squared difference of log losses between the law and the points it was fitted to.",
    "Intervals of a fit": "The residuals of loss curves are smooth misfit, not noise, so whole stretches of the curve "
    "are left out in turn and the fit repeated: what moves with any one of them is not certain. "
    f"{METHOD[0].upper()}{METHOD[1:]}.",
    "Verdict": "“Decelerates” only where the fit can tell; otherwise “no break” or “cannot tell”, and why. A reason is "
    "<i>blocking</i>, and the numbers must not be used, or a <i>note</i>, and they may be with it in mind.",
}


def absent(report: Report) -> str | None:
    return None if report.each(Analysis) else ""


def answer(report: Report) -> Iterator[Table | str]:
    yield fits(report)
    labels = short_distinct_names(report.labels, ON_TERMINAL)
    short = dict(zip(report.labels, labels, strict=True))
    for label, fit in _fits(report):
        if fit.reasons:
            name = "reasons" if len(labels) == 1 else short[label]
            yield f"{name}: {', '.join(_codes(fit))}"
    if any(fit.reasons for _, fit in _fits(report)):
        yield EXPLAIN


def tables(report: Report) -> Iterator[Table]:
    yield fits(report)
    if any(fit.reasons for _, fit in _fits(report)):
        yield reasons(report)
    yield parameters(report)


def fits(report: Report) -> Table:
    """One row for each curve, as Table 1 of the paper; numbers of a break only where the verdict says there is one."""
    given = _fits(report)
    short = short_distinct_names([label for label, _ in given], ON_TERMINAL)
    rows = tuple(_row(label, name, fit) for (label, fit), name in zip(given, short, strict=True))
    in_tokens = any(pair.axis == "tokens" for pair in report.across(Comparison))
    levels = " and ".join(sorted({f"{100 * fit.interval_level:g}" for _, fit in given}))
    legend = (
        f"L_d, L_T (last fitted loss): nats per token; t_d: steps; brackets: {levels} percent intervals; points: seen "
        "by the fit"
    )
    columns = (replace(column, on=()) if column is IN_TOKENS and not in_tokens else column for column in COLUMNS)
    return Table("fits", "Every curve", tuple(columns), rows, legend)


def _fits(report: Report) -> list[tuple[str, Fit]]:
    return [(label, analysis.fit) for label, analysis in report.each(Analysis)]


def _row(label: str, short: str, fit: Fit) -> tuple[Value, ...]:
    return (
        *(label, short, fit.verdict),
        Text(VERDICTS[fit.verdict], note=", ".join(_codes(fit))),
        *(_of_the_break(fit, "L_d"), _of_the_break(fit, "t_d"), _in_tokens(fit), _of_the_break(fit, "r_d")),
        *(fit.L_T, fit.estimate("L_T_hat").value, fit.rsle, fit.n_points, fit.n_bins),
        *(fit.first_step, fit.last_step, fit.cutoff, fit.procedure, fit.interval_level),
        " ".join(reason.code for reason in fit.reasons),
        Text(VERDICTS[fit.verdict]),
    )


def _codes(fit: Fit) -> list[str]:
    return list(dict.fromkeys(reason.code for reason in fit.reasons))


def _of_the_break(fit: Fit, name: str) -> Estimate:
    """Without a break the verdict beside it is reason enough."""
    return fit.estimate(name) if fit.has_break else Estimate(float("nan"))


def _in_tokens(fit: Fit) -> Estimate:
    """t_d in millions of training tokens; NaN where the log has none."""
    return _of_the_break(fit, "t_d").scaled(tokens_per_step(fit.curve) / MILLION, "M tokens")


def reasons(report: Report) -> Table:
    """Every reason in a sentence, with its level and code."""
    columns = (
        Column("run"),
        Column("level"),
        Column("code"),
        Column("reason"),
    )
    rows = [(label, why.level, why.code, why.message) for label, fit in _fits(report) for why in fit.reasons]
    legend = "blocking: the numbers must not be used. note: they may be, with this in mind."
    return Table("", "Why each verdict, and what to keep in mind", columns, tuple(rows), legend)


def parameters(report: Report) -> Table:
    """The appendix table of the paper: parameters of the law, with standard errors where the procedure gives any.

    error_log_d1 is that of log d1, as published. Errors assume independent residuals, which those of loss curves are
    not: the intervals of the fits do not.
    """
    tex = ("$b$", "$c_0$", "$c_1$", "$d_1$", "$f_1$")
    columns = (
        Column("run", on=NOT_ON_TERMINAL),
        Column("verdict", on=SCRIPTS),
        *(Column(name, on=NOT_ON_TERMINAL, tex=symbol) for name, symbol in zip(PARAMETERS, tex, strict=True)),
        *(Column(f"error_{name}", on=SCRIPTS) for name in ERRORS),
        Column("rsle", "RSLE", form=n.RSLE, on=NOT_ON_TERMINAL),
        *(Column(name, on=SCRIPTS) for name in ("n_bins", "procedure")),
    )
    rows = tuple(_parameters(label, fit) for label, fit in _fits(report))
    legend = (
        "after the sign: standard errors if residuals were independent (procedure paper); that of d1: d1 se(log d1)"
    )
    return Table("parameters", "Parameters of the one-break law", columns, rows, legend)


def _parameters(label: str, fit: Fit) -> tuple[Value, ...]:
    nan = float("nan")
    known = (fit.errors or {}) if fit.has_break else {}
    errors = [known.get(name, nan) for name in ERRORS]
    values = [getattr(fit.params, name) if fit.has_break else nan for name in PARAMETERS]
    own = [
        value * error if name == "log_d1" else error for name, value, error in zip(ERRORS, values, errors, strict=True)
    ]
    numbers = (PlusMinus(value, error) for value, error in zip(values, own, strict=True))
    return label, fit.verdict, *numbers, *errors, fit.rsle, fit.n_bins, fit.procedure
