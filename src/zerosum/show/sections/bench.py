"""What each arm of a bench does: a sentence for each, every difference with its interval, and what it cost."""

import math
from collections.abc import Iterator

from zerosum.bench.answer_record import ArmAnswer, BenchAnswer, Reason, SizeAnswer
from zerosum.comparison import SpeedUp
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.sections import _bench as b
from zerosum.show.sections._bench_tables import tables as tables_of
from zerosum.show.table import Column, Table, Text

TITLE = "What each arm does"
PLACE = 77
FORMULAS = {
    "Paired difference": "<code>d_s</code>: arm minus baseline at seed s, with equal initial weights, batches and "
    "held-out tokens. Mean over seeds with Student's t interval.",
    "p": "Step-down max-|t| over joint sign flips of the seeds: holds for all arms together. With n seeds the smallest "
    "p is <code>2 / 2^n</code>.",
    "No difference": "The 90 % interval of the difference lies inside the declared margin (two one-sided tests, 5 %).",
    "Movement per nat": "<code>M / (L_a - L_b)</code>, M the mean |change| of a token's loss from where a run has the "
    "mean loss L_a to where it has L_b.",
}
OPEN = ("few-seeds", "more-seeds", "incomplete")
"""Codes of what more seeds would settle."""
SAME_COST = 0.01
"""FLOPs of a token that differ by less are not spoken of."""
LOSS, SHORT = n.Form("", "nats per token", signed=True), n.Form("", places=4, signed=True)

absent, tables = b.absent, tables_of


def headline(report: Report) -> str:
    bench = b.record(report)
    size = bench.sizes[-1]
    largest = f", the largest of {len(bench.sizes)} sizes" if len(bench.sizes) > 1 else ""
    of = f"{printable(bench.name, 60)}, {n.params(float(size.result.size.n_params))} parameters{largest}, "
    seeds = n.counted(len(size.result.seeds), "seed")
    by_verdict: dict[str, list[str]] = {}
    for arm in (arm for arm in size.arms if arm.result.kind == "arm"):
        by_verdict.setdefault(b.verdict(arm), []).append(printable(arm.name, 40))
    parts = [f"{verdict}: {', '.join(arms)}" for verdict, arms in by_verdict.items()]
    failed = [
        f"{reason.message[0].upper()}{reason.message[1:]}. " for reason in size.reasons if reason.level == "blocking"
    ]
    return f"{''.join(failed)}{of}{seeds}, against {printable(size.baseline.result.name, 40)}. {'; '.join(parts)}."


def _sentence(reason: Reason) -> str:
    return f"{reason.message[0].upper()}{reason.message[1:]}."


def sentences(report: Report) -> Iterator[str]:
    """One for each arm, then what the null arms say, and what size does."""
    bench = b.record(report)
    for size in bench.sizes:
        before = f"{b.at(size, bench)}: " if len(bench.sizes) > 1 else ""
        yield from (before + sentence(arm, size) for arm in b.trained(size))
        yield from (before + _sentence(reason) for reason in size.reasons)
    yield from _over_sizes(bench)


def sentence(arm: ArmAnswer, size: SizeAnswer) -> str:
    """What an arm does to the held-out loss after the cooldown, or why that is not known."""
    name, loss = printable(arm.name, 60), arm.differences["loss"]
    why = "; ".join(printable(reason.message, 300) for reason in arm.reasons if reason.level == "blocking")
    by = f"{b.in_words(loss.mean, LOSS)} ({b.pairs(loss)})" if loss.mean.known else ""
    match arm.verdict:
        case "better" | "worse":
            text = f"{name} is {arm.verdict}: held-out loss after the cooldown {by}."
        case "no-difference":
            text = f"{name}: no difference above {size.result.margin:g} nats per token; {by}."
        case _:
            text = f"{name}: {b.verdict(arm)}, because {why}." + (f" Difference so far: {by}." if by else "")
    return f"{text}{_speed(arm)}{_movement(arm)}"


def _movement_cell(arm: ArmAnswer) -> str:
    M = arm.differences["M_equal_loss"].mean
    M = M if M.known else arm.differences.get("M_equal_loss_raw", arm.differences["M_equal_loss"]).mean
    return "—" if arm.verdict == "diverges" else n.written(M.value, M.interval, b.SIGNED)[0]


def _speed(arm: ArmAnswer) -> str:
    tokens, flops = arm.speed_up, arm.speed_up_flops
    dearer = abs(arm.flops_ratio - 1) > SAME_COST
    if tokens.beyond == "above":
        also = f", more than {flops.highest:.3g} times the FLOPs" if dearer else ""
        return f" The baseline needs more than {tokens.highest:g} times the tokens for this loss{also}."
    if not tokens.multiple.known or arm.verdict not in ("better", "worse"):
        return ""
    also = f", {_times(flops)} times the FLOPs" if dearer else ""
    return f" The baseline needs {_times(tokens)} times the tokens for this loss{also}."


def _times(speed: SpeedUp) -> str:
    """As "1.39 [1.18, > 1.5]"; the interval ends at the multiples that were trained."""
    low, high = speed.multiple.interval or (math.nan, math.nan)
    trained = (max(low, speed.lowest), min(high, speed.highest))
    places = n.decimals(speed.multiple.value, trained, n.PLAIN)
    times, *ends = (n.number(value, places) for value in (speed.multiple.value, *trained))
    return (
        f"{times} [{'< ' if low < speed.lowest else ''}{ends[0]},\xa0{'> ' if high > speed.highest else ''}{ends[1]}]"
    )


def _multiple(arm: ArmAnswer) -> str:
    speed = arm.speed_up
    if speed.beyond:
        return f"> {speed.highest:g}" if speed.beyond == "above" else f"< {speed.lowest:g}"
    return n.number(speed.multiple.value, 2)


def _movement(arm: ArmAnswer) -> str:
    """Movement per nat, where the interval excludes 0; of an arm that diverged it would be that of the lucky seeds."""
    main = next((one for one in arm.movement if one.main), None)
    if main is None or arm.verdict == "diverges" or not main.M.mean.excludes(0):
        return ""
    more = "more" if main.M.mean.value > 0 else "less"
    number = b.of_baseline(main.M)
    weights = "the weights of a step" if main.weights == "raw" else f"averaged weights ({printable(main.weights, 20)})"
    return f" It pays {more} movement per nat: {number}, loss {main.L_a:.3g} to {main.L_b:.3g}, {weights}."


def _over_sizes(bench: BenchAnswer) -> Iterator[str]:
    for one in bench.over_sizes:
        name = printable(one.name, 60)
        if one.gain is not None and one.gain.known:
            yield f"{name} over sizes: the difference in loss changes by {b.in_words(one.gain)} {one.gain.unit}."
        if one.rate.known:
            about = (
                b.in_words(one.rate)
                if one.rate.interval
                else f"{b.in_words(one.rate)} (no interval: {one.rate.reason})"
            )
            yield f"{name}: log best rate against log width has slope {about}; 0 is a rate that transfers."


def answer(report: Report) -> Iterator[Table | str]:
    """A line for each arm at each size, then what its seeds and null arms leave open, and what size does."""
    bench = b.record(report)
    has_sizes, has_speed = len(bench.sizes) > 1, any(size.result.horizons for size in bench.sizes)
    columns = (
        *((Column("size"),) if has_sizes else ()),
        Column("arm"),
        Column("verdict"),
        Column("loss", "difference in loss"),
        Column("p"),
        Column("M_per_nat", "M/nat"),
        *((Column("speed_up", "speed-up"),) if has_speed else ()),
    )
    rows = tuple(
        (
            *((Text(b.at(size, bench)),) if has_sizes else ()),
            Text(printable(arm.name, 12)),
            Text(b.verdict(arm)),
            Text(b.in_words(arm.differences["loss"].mean, SHORT) if arm.differences["loss"].mean.known else "—"),
            Text(b.p_value(arm.differences["loss"].p)),
            Text(_movement_cell(arm)),
            *((Text(_multiple(arm)),) if has_speed else ()),
        )
        for size in bench.sizes
        for arm in b.trained(size)
    )
    last = bench.sizes[-1]
    legend = (
        f"loss: {b.final(last)}; no difference: above {last.result.margin:g} nats; M/nat: difference in movement per "
        "nat gained"
    )
    yield Table("", "", columns, rows, legend)
    yield from _to_keep_in_mind(bench)
    yield from _over_sizes(bench)


def _to_keep_in_mind(bench: BenchAnswer) -> Iterator[str]:
    """What null arms say, seeds that are missing, and what an arm differs in beside its method; once for all sizes."""
    sizes_of: dict[str, list[str]] = {}
    for size in bench.sizes:
        in_headline = size is bench.sizes[-1]
        found = [_sentence(reason) for reason in size.reasons if reason.level == "note" or not in_headline]
        for arm in b.trained(size):
            told = [one for one in arm.reasons if one.code in OPEN or (one.level == "note" and one.code != "censored")]
            found += [f"{printable(arm.name, 40)}: {printable(reason.message, 300)}." for reason in told]
        for text in found:
            sizes_of.setdefault(text, []).append(b.at(size, bench))
    for text, sizes in sizes_of.items():
        yield f"{', '.join(sizes)}: {text}" if len(bench.sizes) > 1 else text
