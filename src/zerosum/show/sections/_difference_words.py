"""A difference in reached loss in words: how large it is, which terms it goes with, from where on it is there."""

import math

from zerosum.deceleration import Batches, Comparison, Term
from zerosum.show import numbers as n
from zerosum.show.names import printable

MILLION = 1e6


def signed(nats: float) -> str:
    """A number of nats with its sign, to as many decimals as every term has.

    >>> signed(0.25), signed(-0.25), signed(-0.00001)
    ('+0.2500', '−0.2500', '0.0000')
    """
    return n.written(nats, None, n.TERM)[0]


def reached(pair: Comparison) -> str:
    """What separates the two runs, where each loss is read, and the difference at equal steps or tokens."""
    a, b, ends = printable(pair.a), printable(pair.b), pair.ends
    once = "(one run each, so without an interval)"
    text = f"{b} reached a loss {_apart(pair.total)} than {a} at {read_at(pair)} {once}."
    if ends.together:
        return text
    if not math.isfinite(ends.at_equal):
        return f"{text} They have no {pair.axis.removesuffix('s')} in common."
    return f"{text} At {_at(ends.equal, pair)}, the last that both logged, the loss of {b} was {_apart(ends.at_equal)}."


def read_at(pair: Comparison) -> str:
    """Where the two losses are read, whose difference is the total."""
    ends = pair.ends
    if ends.together:
        return f"{_at(ends.equal, pair)}, where both logs end"
    a, b = printable(pair.a), printable(pair.b)
    return f"the end of each log, {b} at {_at(ends.b, pair)} and {a} at {_at(ends.a, pair)}"


def _apart(nats: float) -> str:
    return f"{n.number(abs(nats), n.TERM.places or 0)} nats per token {'lower' if nats < 0 else 'higher'}"


def _at(position: float, pair: Comparison) -> str:
    """A step, or a number of training tokens."""
    return f"step {n.count(round(position))}" if pair.axis == "steps" else _tokens(position)


def _decays(pair: Comparison) -> str:
    """Which fits stop before the end of their logs; empty where none does."""
    ends = pair.ends
    stops = ((pair.a, ends.fitted_a, ends.a), (pair.b, ends.fitted_b, ends.b))
    early = [f"{printable(name)} at {_at(fitted, pair)}" for name, fitted, end in stops if fitted < end]
    if not early:
        return ""
    return (
        f" The fits stop where the learning rate falls or seems to fall ({', '.join(early)}), and their lines are "
        "continued to the end: the effect of the decay is in what the two lines leave over."
    )


def parts(pair: Comparison) -> str:
    """Which terms differ from zero by their intervals, and from where on the losses differ. A description, no cause."""
    where = _where(pair)
    last = f"{where[0].upper()}{where[1:]}."
    if not pair.terms:
        return f"The difference is not split into L_d, t_d and r_d: {pair.reason}. {last}"
    known = [term for term in sorted(pair.terms, key=lambda term: -abs(term.nats)) if not term.exactly_zero]
    if any(term.interval is None for term in known):
        return f"The terms have no intervals: {known[0].reason}. {last}"
    sure = [term for term in known if term.estimate.excludes(0.0)]
    unsure = [f"{term.name.replace('_minus_', ' minus ')} ({signed(term.nats)})" for term in known if term not in sure]
    goes_with = " and ".join(f"{_direction(term)} ({signed(term.nats)})" for term in sure)
    text = f"This goes with {goes_with}" if sure else "No term differs from zero by its interval"
    rest = f"; within their intervals these may be zero: {', '.join(unsure)}" if sure and unsure else ""
    zero = "; T is exactly zero: both logs end at the same step" if len(known) < len(pair.terms) else ""
    return f"{text}{rest}{zero}.{_decays(pair)} {last} This describes two curves; it does not say what caused it."


def _direction(term: Term) -> str:
    lower, higher = {
        "L_d": ("a lower loss at the break", "a higher loss at the break"),
        "t_d": ("an earlier break", "a later break"),
        "r_d": ("a faster fall after the break", "a slower fall after the break"),
        "T": ("longer training", "shorter training"),
        "reached_minus_fit": ("what the fits leave over", "what the fits leave over"),
    }[term.name]
    return lower if term.nats < 0 else higher


def _where(pair: Comparison) -> str:
    """From where on two losses differ, without a full stop."""
    if pair.differ_from is None:
        return f"from which {pair.axis.removesuffix('s')} on they differ cannot be said: {pair.differ_reason}"
    if pair.differ_throughout:
        return f"throughout the {pair.axis} that both fits saw the losses differ, always the same way"
    return f"from {_at(pair.differ_from, pair)} on the losses differ, always the same way, as far as both fits go"


def _tokens(count: float) -> str:
    """A number of training tokens in millions.

    >>> _tokens(3.99e9), _tokens(45_600.0)
    ('3,990 M tokens', '0.0456 M tokens')
    """
    return f"{n.number(count / MILLION, n.decimals(count / MILLION))} M tokens"


def batches_note(batches: Batches, a: str, b: str) -> str:
    """What to know where equal steps are not equal amounts of training. a, b: what to call the runs."""
    return (
        f"at step {batches.step:,.0f}, the last that both fits saw, {a} had seen {_tokens(batches.seen_a)} and {b} "
        f"{_tokens(batches.seen_b)}; a late step took {batches.late_a:,.0f} and {batches.late_b:,.0f} tokens. "
        "Compare by tokens: --axis tokens"
    )
