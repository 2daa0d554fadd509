"""Sentences about a fit. Plain text, which the renderer escapes."""

import math
from collections.abc import Sequence

from zerosum.deceleration import Fit
from zerosum.show import numbers as n
from zerosum.tokens.ngrams import NgramLadder

VERDICTS = {
    "decelerates": "decelerates",
    "no-break": "no break",
    "accelerates": "accelerates",
    "cannot-tell": "cannot tell",
}
_DO = {
    "decelerates": ("decelerates", "decelerate"),
    "accelerates": ("accelerates", "accelerate"),
    "no-break": ("shows no break", "show no break"),
}
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
    """By how much each doubling of training lowers the loss at each of these log-log rates, as a range.

    >>> gains([0.3, 0.15]).replace(chr(160), " ")
    '9.9 % to 19 %'
    """
    low, high = (n.percent(1 - 2.0**-slope) for slope in (min(slopes), max(slopes)))
    return low if low == high else f"{low} to {high}"


def deceleration(fit: Fit) -> str:
    """The loss of one run: its break with intervals, or why there is none to report; and what to keep in mind."""
    why = "; ".join(reason.message.rstrip(". ") for reason in fit.reasons)
    sentence = the_break(fit)
    if fit.verdict == "cannot-tell":
        return f"{sentence.rstrip('.')}, because {why or 'the fit gives no reason'}."
    if fit.verdict == "no-break":
        return f"{sentence.rstrip('.')}{f' ({why})' if why else ''}."
    return sentence + (f" To keep in mind: {why}." if why else "")


def the_break(fit: Fit) -> str:
    """The verdict in a few sentences: the break with intervals where there is one. Without the reasons for it."""
    if not fit.has_break:
        return _no_break(fit)
    t_d, L_d, r_d, last = _numbers(fit)
    return (
        f"The loss {_slowed(fit)} at step t_d\xa0=\xa0{t_d}, where the two straight lines cross at "
        f"L_d\xa0=\xa0{L_d}. Each doubling of training lowered the loss by {gains([fit.params.c0])} before that step "
        f"(no interval) and by {gains([fit.r_d])} after it (r_d\xa0=\xa0{r_d}). At step "
        f"{n.count(fit.last_step)}, the last fitted, the line after the break is at "
        f"{n.text(fit.L_T_hat, None, n.LOSS)} and training had reached {n.text(fit.L_T, None, n.LOSS)}.{last}"
    )


def break_in_short(fit: Fit) -> str:
    """The answer in a sentence or two; where there is none, the first reason why."""
    if fit.verdict == "cannot-tell":
        why = next((reason.message for reason in fit.reasons if reason.level == "blocking"), "the fit gives no reason")
        return f"{_no_break(fit).rstrip('.')}: {why.rstrip('. ')}."
    if not fit.has_break:
        return _no_break(fit)
    t_d, L_d, r_d, last = _numbers(fit)
    return (
        f"The loss {_slowed(fit)} at step t_d\xa0=\xa0{t_d}, at L_d\xa0=\xa0{L_d}. Each doubling of training lowered "
        f"it by {gains([fit.params.c0])} before and by {gains([fit.r_d])} after (r_d\xa0=\xa0{r_d}).{last}"
    )


def verdicts_counted(fits: Sequence[Fit]) -> str:
    """How many of several curves decelerate, and the range of their breaks."""
    counts = [(verdict, sum(fit.verdict == verdict for fit in fits)) for verdict in _DO]
    parts = [f"{few(count)} {_DO[verdict][count > 1]}" for verdict, count in counts if count]
    unknown = sum(fit.verdict == "cannot-tell" for fit in fits)
    if unknown:
        they = "it decelerates" if unknown == 1 else "they decelerate"
        parts.append(f"for {few(unknown)} it cannot be told whether {they}")
    counted = f"{few(len(fits))} loss curves were fitted".capitalize()
    return f"{counted}: {'; '.join(parts)}.{_breaks([fit for fit in fits if fit.has_break])}"


def ngram_losses(ladder: NgramLadder) -> str:
    """The losses of n-gram models of a text, and what they were counted on."""
    losses = ", ".join(f"{rung.model} {n.number(rung.loss.value, 2)}" for rung in ladder.rungs)
    counted, train = n.count(ladder.counted_tokens), n.count(ladder.train_tokens)
    part = counted if counted == train else f"{counted} of {train}"
    return (
        f"N-gram models of the training text have these losses on {n.count(ladder.scored_tokens)} held-out tokens: "
        f"{losses} nats per token (Witten-Bell smoothing, {part} training tokens)."
    )


def _breaks(fits: Sequence[Fit]) -> str:
    if len(fits) < 2:
        return ""
    return (
        f" The breaks lie at steps {span([fit.t_d for fit in fits], form=n.T_D)} and losses of "
        f"{span([fit.L_d for fit in fits], form=n.L_D)} nats per token; after them each doubling of training lowers "
        f"the loss by {gains([fit.r_d for fit in fits])}."
    )


def _no_break(fit: Fit) -> str:
    fitted = f"steps {n.count(fit.first_step)} to {n.count(fit.last_step)}"
    if fit.verdict == "cannot-tell":
        return f"Whether the loss slowed down cannot be told from {fitted}."
    return f"The loss shows no break within {fitted}: one straight line is enough."


def _slowed(fit: Fit) -> str:
    return "slowed down" if fit.verdict == "decelerates" else "began to fall faster, not slower,"


def _numbers(fit: Fit) -> tuple[str, str, str, str]:
    """t_d, L_d and r_d as text with intervals; and a last sentence where none of them has one, and why."""
    reasons = {fit.interval_reasons.get(form.symbol, "not given") for form in FORMS}
    none = len(reasons) == 1 and not any(fit.intervals.get(form.symbol) for form in FORMS)
    t_d, L_d, r_d = (_of(fit, form, unit=form is n.L_D, why=not none) for form in FORMS)
    return t_d, L_d, r_d, f" None of the three has an interval: {reasons.pop()}." if none else ""


def _of(fit: Fit, form: n.Form, unit: bool, why: bool) -> str:
    """why: add the reason where there is no interval."""
    estimate = fit.estimate(form.symbol)
    missing = f" (no interval: {estimate.reason})" if why and not estimate.interval else ""
    return n.text(estimate.value, estimate.interval, form, unit) + missing
