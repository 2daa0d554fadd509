"""What pairs of checkpoints say, in sentences. Plain text: whoever shows it escapes it."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from zerosum.show.names import printable
from zerosum.show.numbers import D, M, count, decimals, number, percent, text

if TYPE_CHECKING:
    from zerosum.interference import Interference
    from zerosum.interference.labelled import MeasuredGroups, PairInterference, StoreInterference, WorseOften

LOUD = 0.1  # numerical noise that could make up this share of D is worth a warning
NAMED = 6


def steps(pair: "PairInterference") -> str:
    """The two steps of a pair."""
    return f"{count(pair.from_step)} to {count(pair.to_step)}"


def set_aside(found: "StoreInterference") -> str:
    """Which pairs are shown and in no summary, since a checkpoint of theirs is not what its name says; or nothing."""
    aside = [pair for pair in found.pairs if pair.problem]
    if not aside:
        return ""
    codes = ", ".join(sorted({pair.problem for pair in aside if pair.problem}))
    if not found.sound:
        return f"every pair touches a checkpoint that is not what its name says ({codes}), so nothing is summed up."
    named = ", ".join(steps(pair) for pair in aside[:NAMED])
    more = f" and {count(len(aside) - NAMED)} more" if len(aside) > NAMED else ""
    return (
        f"steps {named}{more} (marked *): a checkpoint there is not what its name says ({codes}). Shown, but in no "
        "sentence, comparison or count over pairs."
    )


def first_to_last(found: "StoreInterference") -> str:
    """How D changed from the first sound pair to the last; or nothing where there are fewer than two."""
    if len(found.sound) < 2:
        return ""
    first, last = found.sound[0], found.sound[-1]
    change = apart(first.measured, last.measured)
    sure = f"D {change}, with intervals that do not overlap" if change in ("rose", "fell") else change
    return f"From the first pair (steps {steps(first)}) to the last (steps {steps(last)}): {sure}."


def apart(a: "Interference", b: "Interference") -> str:
    """How D changed from a to b: "rose" or "fell" where intervals do not overlap, else why it cannot be said."""
    if a.N != b.N:
        return "the two were measured on different N, and D of different N cannot be compared"
    if a.interval is None or b.interval is None:
        return f"without intervals it cannot be said whether D changed ({a.interval_reason or b.interval_reason})"
    if a.interval.D[1] < b.interval.D[0]:
        return "rose"
    return "fell" if b.interval.D[1] < a.interval.D[0] else "the intervals overlap, so no change of D is claimed"


def harm(pair: "PairInterference") -> str:
    """How much of all movement made tokens worse, and how far the average token and the mean moved."""
    found, ends = pair.measured, pair.measured.interval
    if not math.isfinite(found.D):
        return f"Steps {steps(pair)}: no loss changed at all."
    verb, how = ("fell", "D/2") if found.delta_L <= 0 else ("rose", "1 − D/2")
    return (
        f"Steps {steps(pair)}: {percent(found.harmful_share, ends.harmful_share if ends else None)} of all movement "
        f"made tokens worse ({how}, as the mean loss {verb}). The average token moved by "
        f"{text(found.M, ends.M if ends else None, M)}, the mean loss {verb} by "
        f"{number(abs(found.delta_L), decimals(found.delta_L, ends.delta_L if ends else None))}."
    )


def against_chance(pair: "PairInterference") -> str:
    """Whether the last pair has a net direction: whether the interval of R leaves out 0."""
    found, ends = pair.measured, pair.measured.interval
    low, high = ends.R if ends else (-1.0, 1.0)
    if low <= 0 <= high:
        return "In the last pair no net direction can be told from chance: the interval of R contains 0."
    return (
        f"In the last pair tokens {'fall' if high < 0 else 'rise'} together more than by chance: the interval of the "
        f"net ratio R = {text(found.R, (low, high), D)} leaves out 0."
    )


def noise(pairs: "Sequence[PairInterference]") -> str:
    """How far the same tokens differ when measured again and what that could do to D, or why it is not known."""
    if missing := [pair.noise_floor.reason for pair in pairs if pair.noise_floor.reason]:
        return f"no floor known: {missing[-1]}."
    most = max(pairs, key=lambda pair: pair.noise_floor.D)
    warning = " Not all of this D is the model's." if most.noise_floor.D >= LOUD * most.measured.D else ""
    dtype = printable(most.noise_floor.dtype, 20)
    how = "" if dtype in ("", "float32") else f" or in float32 instead of {dtype}, whichever differs more"
    return (
        f"measured in another batch{how}, the same tokens differ by {most.noise_floor.M:.2g} nats on average, on a few "
        f"sequences. Changes of this size give D = {most.noise_floor.D:.2g} at most (steps {steps(most)}).{warning}"
    )


def who_pays(groups: "MeasuredGroups", delta_L: float) -> str:
    """Which groups as a whole moved against the mean, and for how many of them that is more than chance."""
    sign, rose, fell = (-1.0, "rose", "fell") if delta_L <= 0 else (1.0, "fell", "rose")
    each = list(zip(groups.split.groups, groups.measured, strict=True))
    against = [(group, found) for group, found in each if sign * found.delta_L < 0]
    if not against:
        return "No group as a whole moved against the mean loss: what cancels, cancels inside the groups."
    moved = sum(abs(float(group.sums.net.sum())) for group, _ in against) / sum(group.N for group, _ in each)
    sure = sum(1 for _, one in against if one.interval and max(sign * end for end in one.interval.delta_L) < 0)
    names = ", ".join(printable(group.name, 40) for group, _ in against[:NAMED])
    more = f" and {count(len(against) - NAMED)} more" if len(against) > NAMED else ""
    bare = sum(1 for _, one in against if one.interval is None)
    unknown = f", {count(bare)} without an interval" if bare else ""
    return (
        f"{names}{more} {rose} while the mean loss {fell}: together they moved it by {moved:.2g} nats per token the "
        f"other way. More than chance (the interval of own ΔL leaves out 0): {count(sure)} of {count(len(against))}"
        f"{unknown}."
    )


def where(groups: "MeasuredGroups", whole: "Interference") -> str:
    """Where the cancelling is: between the groups or within them."""
    parts = groups.split
    return (
        f"What survives, 1 − D = {number(1 - whole.D, 3)}, is {number(parts.C_between, 3)} between the groups "
        f"times {number(parts.C_within, 3)} within them; random groups of these sizes have "
        f"{number(parts.C_between_null, 3)} between. A factor of 1 means no cancelling there."
    )


def keep_paying(found: "WorseOften") -> str:
    """How many tokens got worse in more than half of the successive pairs, beside what chance would give."""
    missing = "" if found.interval else f" (no interval: {found.interval_reason})"
    return (
        f"{percent(found.share, found.interval)}{missing} of N = {count(found.N)} tokens got worse in at least "
        f"{found.at_least} of {len(found.pairs)} successive pairs; signs independent from pair to pair would give "
        f"{percent(found.expected)}."
    )
