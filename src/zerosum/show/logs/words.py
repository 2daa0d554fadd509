"""What the curves say, in sentences built from the numbers. Plain text: whoever shows it escapes it."""

from collections.abc import Sequence
from dataclasses import dataclass

from zerosum.deceleration import Analysis, Comparison, Reason, Term
from zerosum.show import numbers as n
from zerosum.show.logs import terms
from zerosum.show.logs.subject import Logs
from zerosum.show.names import printable
from zerosum.show.words import few, gains, span, the_break

METHODS = {
    "one-break": "the one-break law",
    "power-law": "the power law",
    "floor-last-decade": "a power law with floor",
    "stays": "the loss as it is",
}
TERMS = {
    "L_d": "the loss at which they break (L_d)",
    "t_d": "when they break (t_d)",
    "r_d": "how fast they improve after it (r_d)",
    "T": "how long they were fitted (T)",
    "reached_minus_fit": "what the two lines leave over",
}
_SAID = {
    "decelerates": ("decelerates", "decelerate"),
    "accelerates": ("accelerates", "accelerate"),
    "no-break": ("shows no break", "show no break"),
    "cannot-tell": ("cannot be told", "cannot be told"),
}


@dataclass(frozen=True)
class Story:
    """One curve. name: untrusted. sentences: its break and where it goes. reasons: what bears on the verdict."""

    name: str
    verdict: str
    sentences: tuple[str, ...]
    reasons: tuple[Reason, ...]


def opening(logs: Logs) -> list[str]:
    """All curves in two or three short paragraphs."""
    many = len(logs.analyses)
    if not many:
        return ["No curve could be read, so there is nothing to show."]
    counts = [(word, sum(one.fit.verdict == word for one in logs.analyses)) for word in _SAID]
    said = [f"{few(k)} {_SAID[word][k > 1]}" for word, k in counts if k and word != "cannot-tell"]
    unknown = sum(one.fit.verdict == "cannot-tell" for one in logs.analyses)
    said += (
        [f"for {few(unknown)} it cannot be told whether {'it decelerates' if unknown == 1 else 'they decelerate'}"]
        if unknown
        else []
    )
    read = "One loss curve was fitted" if many == 1 else f"{few(many)} loss curves were fitted".capitalize()
    verdicts = f"it {_SAID[logs.analyses[0].fit.verdict][0]}" if many == 1 else "; ".join(said)
    paragraphs = [f"{read}: {verdicts}."]
    if many == 1 and logs.analyses[0].fit.verdict == "cannot-tell":
        paragraphs = [f"{read}. Why the fit cannot tell, and what would help, is said below."]
    if many == 1:
        return [*paragraphs, *_sentences(logs.analyses[0])]
    return paragraphs + [text for text in (_breaks(logs), _differences(logs)) if text]


def _breaks(logs: Logs) -> str:
    fits = [one.fit for _, one in logs.broken]
    if not fits:
        return ""
    if len(fits) == 1:
        return f"{printable(logs.broken[0][0])}: {the_break(fits[0])}"
    return (
        f"The estimates of the break lie at steps {span([fit.t_d for fit in fits], form=n.T_D)} and losses of "
        f"{span([fit.L_d for fit in fits], form=n.L_D)} nats per token; after it twice the training lowered the loss "
        f"by {gains([fit.r_d for fit in fits])}. Each with its interval stands below."
    )


def _differences(logs: Logs) -> str:
    return " ".join(difference(logs.comparisons[0])) if len(logs.comparisons) == 1 else ""


def stories(logs: Logs) -> list[Story]:
    """One story for each curve, in order."""
    return [_story(name, one, alone=len(logs.analyses) == 1) for name, one in logs.named]


def _story(name: str, one: Analysis, alone: bool) -> Story:
    """alone: the opening has said it."""
    return Story(name, one.fit.verdict, () if alone else _sentences(one), one.fit.reasons)


def _sentences(one: Analysis) -> tuple[str, ...]:
    return tuple(text for text in (the_break(one.fit), _ahead(one)) if text)


def _ahead(one: Analysis) -> str:
    """Forecasts at the first horizon, and how the same methods did on this curve."""
    if not one.forecasts:
        return ""
    T = one.forecasts[0].T
    known = [
        f"{n.text(found.loss, found.interval, n.LOSS, unit=False)} by {METHODS[found.method]}"
        for found in one.forecasts
        if found.T == T and found.method != "stays" and found.loss == found.loss
    ]
    if not known:
        return f"No forecast for step {n.count(T)}: {one.forecasts[0].reason}."
    return f"If the run went on as it did, its loss at step {n.count(T)} would be {' and '.join(known)}.{_tested(one)}"


def _tested(one: Analysis) -> str:
    halves = [row for row in one.backtest if row.fraction == 0.5 and row.forecast.method != "stays"]
    said = [f"{_off(row.error)} by {METHODS[row.forecast.method]}" for row in halves if row.error == row.error]
    return f" From the first half of the run, its end was forecast {' and '.join(said)}." if said else ""


def _off(error: float) -> str:
    """How far a forecast was off. Below 0 it was optimistic.

    >>> _off(-0.021).replace(chr(160), " "), _off(0.0001).replace(chr(160), " ")
    ('2.1 % too low', 'within 0.1 %')
    """
    if abs(error) < 0.001:
        return "within 0.1\xa0%"
    return f"{n.percent(abs(error))} too {'low' if error < 0 else 'high'}"


def difference(one: Comparison) -> list[str]:
    """What separates two runs, and from where on. A description, no cause."""
    a, b = printable(one.a), printable(one.b)
    size, lower = n.number(abs(one.total), terms.PLACES), "lower" if one.total < 0 else "higher"
    first = f"{b} reached a loss {size} nats per token {lower} than {a} (both as reached, so without an interval)."
    if not one.terms:
        first += f" It cannot be split into terms: {one.reason}."
    else:
        largest = [f"{_term(term)} from {TERMS[term.name]}" for term in terms.by_size(one.terms)[:3]]
        first += f" The largest parts, in nats: {'; '.join(largest)}."
    where = terms.where(one)
    return [first, f"{where[0].upper()}{where[1:]}."]


def _term(term: Term) -> str:
    return " ".join(part for part in (terms.signed(term.nats), terms.ends(term)) if part)


def reading(one: Analysis) -> Sequence[tuple[str, str]]:
    """(what, how) a curve was read, cleaned and fitted."""
    fit, curve = one.fit, one.fit.curve
    columns = ", ".join(f"{axis} is “{name}”" for axis, name in curve.columns.items())
    fitted = (
        f"procedure “{fit.procedure}”; steps {n.count(fit.first_step)} to {n.count(fit.last_step)} (cut-off "
        f"{n.count(fit.cutoff)}), {n.count(fit.n_points)} of {n.count(len(curve))} losses in {n.count(fit.n_bins)} "
        f"points; misfit RSLE {fit.rsle:.3g}"
    )
    rows = [("Source", curve.source or "an array"), ("Read as", f"{curve.format}{f': {columns}' if columns else ''}")]
    rows += [("Cleaned", sentence) for sentence in curve.cleaning or ("nothing had to be changed",)]
    return [*rows, ("Fit", fitted), ("Intervals", f"{fit.interval_level:.0%}, {fit.interval_method}")]
