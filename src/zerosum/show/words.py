"""Sentences about one fit, and the small words they are built of. Plain text: whoever shows it escapes it."""

import math
from collections.abc import Sequence

from zerosum.deceleration import Fit
from zerosum.show import numbers as n

VERDICTS = {
    "decelerates": "decelerates",
    "no-break": "no break",
    "accelerates": "accelerates",
    "cannot-tell": "cannot tell",
}
BREAKS = ("decelerates", "accelerates")
"""Verdicts of a fit whose break may be shown."""
FORMS = (n.T_D, n.L_D, n.R_D)
_SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def few(count: int) -> str:
    """A small count as a word.

    >>> few(3), few(12)
    ('three', '12')
    """
    return _SMALL[count] if count < len(_SMALL) else n.count(count)


def span(values: Sequence[int | float], places: int | None = None, form: n.Form = n.M) -> str:
    """The range that values cover, or the one value they share.

    >>> span([26000, 240000], 0), span([0.4712, 0.523]), span([2048.0], 0)
    ('26,000 to 240,000', '0.471 to 0.523', '2,048')
    """
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return "an unknown value"
    low, high = min(known), max(known)
    texts = [n.number(v, n.decimals(v, None, form) if places is None else places) for v in (low, high)]
    return texts[0] if texts[0] == texts[1] else f"{texts[0]} to {texts[1]}"


def listed(cutoffs: Sequence[float | int]) -> str:
    """Counts in a row, the last after "and".

    >>> listed([20, 30, 1000])
    '20, 30 and 1,000'
    """
    *most, last = map(n.count, cutoffs)
    return f"{', '.join(most)} and {last}" if most else last


def gains(slopes: Sequence[float]) -> str:
    """By how much twice the training lowers the loss at each of these log-log rates, as a range.

    >>> gains([0.3, 0.15]).replace(chr(160), " ")
    '9.9 % to 19 %'
    """
    low, high = (n.percent(1 - 2.0**-slope) for slope in (min(slopes), max(slopes)))
    return low if low == high else f"{low} to {high}"


def deceleration(fit: Fit) -> str:
    """The loss of one run: its break with intervals, or why there is none to report; and what to keep in mind."""
    why = "; ".join(reason.message.rstrip(". ") for reason in fit.reasons)
    said = the_break(fit)
    if fit.verdict == "cannot-tell":
        return f"{said.rstrip('.')}, because {why or 'the fit gives no reason'}."
    if fit.verdict == "no-break":
        return f"{said.rstrip('.')}{f' ({why})' if why else ''}."
    return said + (f" To keep in mind: {why}." if why else "")


def the_break(fit: Fit) -> str:
    """The verdict in a sentence: the break with intervals where there is one. Without the reasons for it."""
    fitted = f"steps {n.count(fit.first_step)} to {n.count(fit.last_step)}"
    if fit.verdict == "cannot-tell":
        return f"Whether the loss slowed down cannot be told from {fitted}."
    if fit.verdict == "no-break":
        return f"The loss shows no break within {fitted}: one straight line is enough."
    known = any(fit.intervals.get(form.symbol) for form in FORMS)
    missing = {fit.interval_reasons.get(form.symbol, "not given") for form in FORMS}
    none = len(missing) == 1 and not known
    t_d, L_d, r_d = (_of(fit, form, form is n.L_D, said=not none) for form in FORMS)
    last = f" None of the three has an interval: {missing.pop()}." if none else ""
    verb = "slowed down" if fit.verdict == "decelerates" else "began to fall faster, not slower,"
    return (
        f"The loss {verb} at step t_d\xa0=\xa0{t_d}, where the two straight lines cross at "
        f"L_d\xa0=\xa0{L_d}. By the estimates twice the training lowered the loss by "
        f"{gains([fit.params.c0])} before that step (no interval) and by {gains([fit.r_d])} after it "
        f"(r_d\xa0=\xa0{r_d}). The line after the break ends at "
        f"{n.text(fit.L_T_hat, None, n.LOSS)}; training reached {n.text(fit.L_T, None, n.LOSS)}.{last}"
    )


def _of(fit: Fit, form: n.Form, unit: bool, said: bool) -> str:
    """said: why there is no interval."""
    ends = fit.intervals.get(form.symbol)
    missing = "" if ends or not said else f" (no interval: {fit.interval_reasons.get(form.symbol, 'not given')})"
    return n.text(getattr(fit, form.symbol), ends, form, unit) + missing
