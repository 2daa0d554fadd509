"""Sentences about pairs of checkpoints. Plain text, which the renderer escapes."""

import math
from collections.abc import Sequence

from zerosum.interference import Interference, change_in_D
from zerosum.interference.labelled import MeasuredGroups, PairInterference, SplitFactors, StoreInterference, WorseOften
from zerosum.show.names import printable
from zerosum.show.numbers import D, M, count, decimals, number, percent, text

LOUD = 0.1  # numerical noise that could make up this share of D is worth a warning
NAMED = 6
CHANGES_IN_D = {
    "rose": "D rose, and the intervals do not overlap",
    "fell": "D fell, and the intervals do not overlap",
    "overlap": "the intervals of D overlap, so no change is claimed",
    "different-N": "N differs, and D of different N cannot be compared",
    "no-interval": "without intervals no change of D is claimed",
}


def steps(pair: PairInterference) -> str:
    """The two steps of a pair."""
    return f"{count(pair.from_step)} to {count(pair.to_step)}"


def arrow(pair: tuple[int, int]) -> str:
    """Two steps, for a table."""
    return f"{count(pair[0])} → {count(pair[1])}"


def cancelled(pair: PairInterference) -> str:
    """The answer for one pair: D with its interval and N, and the share of movement that made tokens worse."""
    measured = pair.measured
    if not math.isfinite(measured.D):
        return f"Steps {steps(pair)}: no loss changed at all."
    interval = measured.interval
    return (
        f"Steps {steps(pair)}: D\xa0=\xa0{text(measured.D, interval.D if interval else None, D)} of all movement in "
        f"the losses of N\xa0=\xa0{count(measured.N)} tokens cancels; "
        f"{percent(measured.harmful_share)} of the movement makes tokens worse."
    )


def harm(pair: PairInterference) -> str:
    """Share of all movement that made tokens worse, and how far the average token and the mean loss moved."""
    measured, interval = pair.measured, pair.measured.interval
    if not math.isfinite(measured.D):
        return f"Steps {steps(pair)}: no loss changed at all."
    verb, how = ("fell", "D/2") if measured.delta_L <= 0 else ("rose", "1 − D/2")
    places = decimals(measured.delta_L, interval.delta_L if interval else None)
    return (
        f"Steps {steps(pair)}: {percent(measured.harmful_share, interval.harmful_share if interval else None)} of all "
        f"movement made tokens worse ({how}, as the mean loss {verb}). The average token moved by "
        f"{text(measured.M, interval.M if interval else None, M)}, and the mean loss {verb} by "
        f"{number(abs(measured.delta_L), places)}."
    )


def excluded(store: StoreInterference) -> str:
    """Which pairs are shown and in no summary, because of a problem with a checkpoint; or nothing."""
    pairs = [pair for pair in store.pairs if pair.problem]
    if not pairs:
        return ""
    codes = ", ".join(sorted({pair.problem for pair in pairs if pair.problem}))
    if not store.sound:
        return f"Every pair touches a checkpoint with a problem ({codes}), so nothing is summed up."
    named = ", ".join(steps(pair) for pair in pairs[:NAMED])
    more = f" and {count(len(pairs) - NAMED)} more" if len(pairs) > NAMED else ""
    return (
        f"Steps {named}{more} (marked *) touch a checkpoint with a problem ({codes}): shown, but in no sentence, "
        "comparison or count over pairs."
    )


def first_to_last(store: StoreInterference) -> str:
    """How D changed from the first sound pair to the last; nothing where there are fewer than two."""
    if len(store.sound) < 2:
        return ""
    first, last = store.sound[0], store.sound[-1]
    change = CHANGES_IN_D[change_in_D(first.measured, last.measured)]
    return f"From the first pair (steps {steps(first)}) to the last (steps {steps(last)}): {change}."


def against_chance(pair: PairInterference) -> str:
    """Whether a pair has a net direction: whether the interval of R excludes 0."""
    measured, interval = pair.measured, pair.measured.interval
    if interval is None:
        return f"No intervals: {measured.interval_reason}."
    if not math.isfinite(measured.null_unit):
        return ""
    low, high = interval.R
    if low <= 0 <= high:
        return f"Steps {steps(pair)}: no net direction beyond chance, because the interval of R contains 0."
    return (
        f"Steps {steps(pair)}: tokens {'fall' if high < 0 else 'rise'} together more than by chance, because the "
        f"interval of the net ratio R\xa0=\xa0{text(measured.R, (low, high), D)} excludes 0."
    )


def different_N(pairs: Sequence[PairInterference]) -> str:
    """A warning where the pairs have different N."""
    if len({pair.measured.N for pair in pairs}) < 2:
        return ""
    return "N differs between pairs, and D of different N cannot be compared: read each D against its own nulls."


def left_out(pairs: Sequence[PairInterference]) -> str:
    """How many positions have no change, and whether the measurement may have been interrupted."""
    most = max(pair.measured.left_out for pair in pairs)
    if not most:
        return ""
    one_sided = max(pair.one_sided for pair in pairs)
    lost = f", up to {count(one_sided)} of them at one of the two steps only: was the measurement interrupted?"
    return f"Left out: up to {count(most)} position{'s' * (most > 1)} without a loss{lost if one_sided else ''}."


def noise(pairs: Sequence[PairInterference]) -> str:
    """How far the same tokens differ when measured again, and how much D that could give; or why it is unknown."""
    if missing := [pair.noise_floor.reason for pair in pairs if pair.noise_floor.reason]:
        return f"Noise floor unknown: {missing[-1]}."
    largest = max(pairs, key=lambda pair: pair.noise_floor.D)
    warning = " Part of this D may be numerical noise." if largest.noise_floor.D >= LOUD * largest.measured.D else ""
    dtype = printable(largest.noise_floor.dtype, 20)
    how = "" if dtype in ("", "float32") else f" or in float32 instead of {dtype}, whichever differs more"
    return (
        f"Noise floor: measured in another batch{how}, the same tokens differ by {largest.noise_floor.M:.2g} nats on "
        f"average, on a few sequences. Changes of this size give D = {largest.noise_floor.D:.2g} at most (steps "
        f"{steps(largest)}).{warning}"
    )


def unpaired(store: StoreInterference) -> str:
    """Steps without a partner, where doublings were asked for."""
    if not store.unpaired:
        return ""
    return f"No step within 5 % of twice {', '.join(map(count, store.unpaired))}."


def methods(pair: PairInterference) -> str:
    """How nulls and intervals of a pair were made."""
    measured, interval = pair.measured, pair.measured.interval
    if not math.isfinite(measured.null_unit):
        return ""
    how = (
        f"{interval.method} ({count(interval.n_units)} {pair.units}s)"
        if interval
        else f"none, {measured.interval_reason}"
    )
    return (
        f"Steps {steps(pair)}: null by {measured.null_method}; null_unit by {measured.null_unit_method}; "
        f"intervals by {how}."
    )


def who_pays(groups: MeasuredGroups, delta_L: float) -> str:
    """Which groups as a whole moved against the mean, and for how many of them that is more than chance."""
    sign, rose, fell = (-1.0, "rose", "fell") if delta_L <= 0 else (1.0, "fell", "rose")
    rows = list(zip(groups.split.groups, groups.measured, strict=True))
    against = [(group, measured) for group, measured in rows if sign * measured.delta_L < 0]
    if not against:
        return "No group as a whole moved against the mean loss: all cancelling is inside the groups."
    moved = sum(abs(float(group.sums.net.sum())) for group, _ in against) / sum(group.N for group, _ in rows)
    sure = sum(more_than_chance(measured) for _, measured in against)
    names = ", ".join(printable(group.name, 40) for group, _ in against[:NAMED])
    more = f" and {count(len(against) - NAMED)} more" if len(against) > NAMED else ""
    bare = sum(measured.interval is None for _, measured in against)
    unknown = f", {count(bare)} without an interval" if bare else ""
    return (
        f"{names}{more} {rose} while the mean loss {fell}: together they moved it by {moved:.2g} nats per token the "
        f"other way. More than chance (the interval of the group's ΔL excludes 0): {count(sure)} of "
        f"{count(len(against))}{unknown}."
    )


def more_than_chance(measured: Interference) -> bool:
    """Whether the interval of the mean change excludes 0."""
    return measured.estimate("delta_L").excludes(0.0)


def where(groups: MeasuredGroups, whole: Interference) -> str:
    """Whether the cancelling is between the groups or within them."""
    split = groups.split
    return (
        f"Not cancelled, 1 − D = {number(1 - whole.D, 3)}: {number(split.C_between, 3)} between the groups times "
        f"{number(split.C_within, 3)} within them (1: no cancelling). Random groups of these sizes have "
        f"{number(split.C_between_null, 3)} between."
    )


def between(found: Sequence[SplitFactors]) -> str:
    """C_between of the groupings that are shown by default, beside that of random groups; nothing without any."""
    if not found:
        return ""
    parts = (
        f"{number(factors.C_between, 3)} by {factors.by} (random groups {number(factors.C_between_null, 3)})"
        for factors in found
    )
    return f"C_between (1: no cancelling between groups): {', '.join(parts)}."


def keep_paying(worse: WorseOften) -> str:
    """How many tokens got worse in more than half of the successive pairs, beside the share expected by chance."""
    missing = "" if worse.interval else f" (no interval: {worse.interval_reason})"
    return (
        f"{percent(worse.share, worse.interval)}{missing} of N = {count(worse.N)} tokens got worse in at least "
        f"{worse.at_least} of {len(worse.pairs)} successive pairs; with signs independent from pair to pair it would "
        f"be {percent(worse.expected)}."
    )
