"""What happened, in sentences built from the numbers. Plain text: names in it are escaped by whoever shows it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zerosum.deceleration import Fit
from zerosum.interference import Interference
from zerosum.report import numbers as n
from zerosum.report.names import printable
from zerosum.report.summary import AcrossSeeds, DoubleStep, Estimate, RunSummary, SuiteSummary

VERDICTS = {
    "decelerates": "decelerates",
    "no-break": "no break",
    "accelerates": "accelerates",
    "cannot-tell": "cannot tell",
}
_SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True)
class Story:
    """What one run did. name: as the user gave it, untrusted. sentences: paragraphs on its loss, its tokens, chance."""

    name: str
    n_params: int
    sentences: tuple[str, ...]


def stories(summary: SuiteSummary) -> list[Story]:
    """One story per run, in order."""
    return [Story(label(run, summary), run.n_params, _paragraphs(run)) for run in summary.runs]


def _paragraphs(run: RunSummary) -> tuple[str, ...]:
    last = [chance(ends_of(run)[1].interference)] if run.double else []
    return tuple(text for text in (deceleration(run), other_cutoffs(run), zero_sum(run), *last) if text)


def over_seeds(size: AcrossSeeds) -> str:
    """One size over its seeds, with intervals over the seeds."""
    many = len(size.seeds)
    cancelled = ""
    if size.D:
        first, last = (_mean(pair.D, n.D, many) for pair in (size.D[0], size.D[-1]))
        cancelled = f" D was {first} over the first doubling and {last} over the last."
    return (
        f"Over N\xa0=\xa0{many} seeds the loss bent at t_d\xa0=\xa0{_mean(size.t_d, n.T_D, many)} and "
        f"L_d\xa0=\xa0{_mean(size.L_d, n.L_D, many)}, and fell on at r_d\xa0=\xa0{_mean(size.r_d, n.R_D, many)}."
        f"{cancelled} The last held-out loss was {_mean(size.final_loss, n.LOSS, many)}."
    )


def _mean(found: Estimate, form: n.Form, many: int) -> str:
    about = [] if many == found.N else [f"N\xa0=\xa0{found.N} {found.N_of}"]
    about += [] if found.interval else [f"no interval: {found.reason}"]
    return n.text(found.value, found.interval, form) + (f" ({'; '.join(about)})" if about else "")


def label(run: RunSummary, summary: SuiteSummary) -> str:
    """The run's name, with its seed where other seeds share the name."""
    shared = sum(other.name == run.name for other in summary.runs) > 1
    return f"{run.name} · seed {run.seed}" if shared else run.name


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


def opening(summary: SuiteSummary) -> list[str]:
    """The whole suite in three paragraphs: what was trained, how the loss slowed, how tokens came to cancel."""
    runs = summary.runs
    if not runs:
        return ["No run finished, so there is nothing to show."]
    return [_trained(runs, summary.provenance), _slowed(summary), _cancelled(runs)]


def _trained(runs: Sequence[RunSummary], provenance: dict[str, Any]) -> str:
    sizes, seeds = len({run.name for run in runs}), len({run.seed for run in runs})
    models = "one language model" if sizes == 1 else f"{few(sizes)} language models"
    repeated = f", from {few(seeds)} random seeds," if len(runs) > sizes else ""
    each = "" if len(runs) == 1 else " each"
    return (
        f"{models[0].upper()}{models[1:]} of {span([run.n_params for run in runs], 0)} parameters "
        f"{'was' if sizes == 1 else 'were'} trained{repeated} for {span([run.steps for run in runs], 0)} steps{each}, "
        f"with {span([run.tokens_per_step for run in runs], 0)} tokens of text in every step."
        f"{_recipes(runs, provenance)}"
    )


def _recipes(runs: Sequence[RunSummary], provenance: dict[str, Any]) -> str:
    """The text, layers and learning rates, as far as whoever made the suite recorded them."""
    names = list(dict.fromkeys(run.name for run in runs))
    text = provenance.get("text")
    layers = [_recorded(provenance, name, "model", "layers") for name in names]
    rates = [_recorded(provenance, name, "optimizer", "lr") for name in names]
    parts = [f"Text: {printable(text, 400).rstrip('. ')}."] if isinstance(text, str) and text.strip() else []
    known = [int(one) for one in layers if one is not None]
    if len(known) == len(names):
        plural = "" if set(known) == {1} else "s"
        each = "The model has" if len(names) == 1 else "Each model has"
        parts.append(f"{each} {span(known, 0)} layer{plural}.")
    if len(set(rates)) > 1 and None not in rates:
        pairs = ", ".join(f"{rate:g} for {printable(name)}" for name, rate in zip(names, rates, strict=True))
        parts.append(f"Learning rates differ too: {pairs}, so this is not a comparison of size alone.")
    return "".join(f" {part}" for part in parts)


def _recorded(provenance: dict[str, Any], *keys: str) -> int | float | None:
    """One number of a recipe; None where it was not recorded."""
    found: Any = provenance.get("recipes")
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, int | float) and math.isfinite(found) else None


def _slowed(summary: SuiteSummary) -> str:
    runs = summary.runs
    broken = [run.fit for run in runs if run.fit.verdict == "decelerates"]
    if not broken:
        return (
            f"Loss deceleration could not be established in any of {few(len(runs))} runs; why is said for each below."
            if len(runs) > 1
            else "Loss deceleration could not be established; why is said below."
        )
    who = "In every run" if len(broken) == len(runs) > 1 else f"In {few(len(broken))} of {few(len(runs))} runs"
    start = "The" if len(runs) == 1 else f"{who} the"
    rest = "" if len(broken) == len(runs) else " For the others, what can and cannot be said follows below."
    unsure = "".join(f" {text}" for run in runs if (text := other_cutoffs(run, printable(label(run, summary)))))
    return (
        f"{start} loss first fell steeply and then more slowly. For the step of the change the fit"
        f"{_ranges(broken, n.T_D, 0)}; for the loss there, in nats per token, it{_ranges(broken, n.L_D, 2)}. "
        f"After it, twice the training lowered the loss by an estimated {_gains([fit.r_d for fit in broken])}. "
        f"This is loss deceleration.{unsure}{rest}"
    )


def _ranges(fits: Sequence[Fit], form: n.Form, places: int) -> str:
    """What estimates cover, apart from what their intervals cover."""
    values = [getattr(fit, form.symbol) for fit in fits]
    known = [ends for fit in fits if (ends := fit.intervals.get(form.symbol))]
    several = len(fits) > 1
    said = f" gives estimates from {span(values, places)}" if several else f" estimates {span(values, places)}"
    if not known:
        return f"{said}, without {'intervals' if several else 'an interval'}"
    low, high = min(ends[0] for ends in known), max(ends[1] for ends in known)
    whose = "intervals that together reach" if several else "an interval"
    missing = len(fits) - len(known)
    but = f" ({few(missing)} of {few(len(fits))} without an interval)" if missing else ""
    return f"{said}, with {whose} from {span([low, high], places)}{but}"


def other_cutoffs(run: RunSummary, of: str = "this run") -> str:
    """At which other cut-offs the verdict would be another; nothing where it is the same at all of them."""
    differing: dict[str, list[float]] = {}
    for row in run.cutoffs:
        if row.verdict != run.fit.verdict:
            differing.setdefault(row.verdict, []).append(row.cutoff)
    if not differing:
        return ""
    each = " and ".join(
        f"at {'a cut-off' if len(after) == 1 else 'cut-offs'} of {_listed(sorted(after))} steps "
        f"“{VERDICTS.get(verdict, verdict)}”"
        for verdict, after in differing.items()
    )
    lost = run.fit.verdict in ("decelerates", "accelerates")
    meaning = "this break is not certain" if lost else "the verdict depends on the cut-off"
    return f"The verdict for {of} would be {each}: {meaning}."


def _listed(cutoffs: Sequence[float]) -> str:
    *most, last = map(n.count, cutoffs)
    return f"{', '.join(most)} and {last}" if most else last


def _gains(slopes: Sequence[float]) -> str:
    low, high = (n.percent(1 - 2.0**-slope) for slope in (min(slopes), max(slopes)))
    return low if low == high else f"{low} to {high}"


def _cancelled(runs: Sequence[RunSummary]) -> str:
    ends = [ends_of(run) for run in runs if run.double]
    if not ends:
        return "Loss changes between checkpoints were not measured, so nothing can be said about zero-sum learning."
    first, last = zip(*ends, strict=True)
    before, after = ([pair.interference.D for pair in pairs] for pairs in (first, last))
    meaning = _meaning(all(apart(a.interference, b.interference) == "rose" for a, b in ends), max(before))
    return (
        f"Destructive interference D, the share of all movement in the losses of single tokens that cancels, was "
        f"{_about(before)} over the first doubling of training and {_about(after)} over the last "
        f"(estimates, with intervals for each run below; "
        f"{_n_tokens([pair.interference for pair in (*first, *last)])}). {meaning}"
    )


def _about(values: Sequence[float]) -> str:
    found = span(values, form=n.D)
    return f"from {found}" if " to " in found else found


def _meaning(rose: bool, before: float) -> str:
    if not rose:
        return "Whether that is a change, and not the measurement's own uncertainty, is said for each run below."
    start = "In the beginning nearly all tokens improved together; by" if before < 0.2 else "By"
    return f"{start} the end more of what training gains on some tokens it loses on others. This is zero-sum learning."


def _n_tokens(found: Sequence[Interference]) -> str:
    return f"N\xa0=\xa0{span([one.N for one in found], 0)} held-out tokens"


def ends_of(run: RunSummary) -> tuple[DoubleStep, DoubleStep]:
    """The first and the last pair of checkpoints that were compared."""
    ordered = sorted(run.double, key=lambda pair: pair.from_step)
    return ordered[0], ordered[-1]


def apart(a: Interference, b: Interference) -> str:
    """How D changed from a to b: "rose" or "fell" where intervals do not overlap, else why it cannot be said."""
    if a.N != b.N:
        return "the two were measured on different N, and D of different N cannot be compared"
    if a.interval is None or b.interval is None:
        return f"without intervals it cannot be said whether D changed ({a.interval_reason or b.interval_reason})"
    if a.interval.D[1] < b.interval.D[0]:
        return "rose"
    return "fell" if b.interval.D[1] < a.interval.D[0] else "the intervals overlap, so no change of D is claimed"


def deceleration(run: RunSummary) -> str:
    """The loss of one run: its break with intervals, or why there is none to report."""
    fit = run.fit
    fitted = f"steps {n.count(fit.first_step)} to {n.count(fit.last_step)}"
    why = "; ".join(reason.message.rstrip(". ") for reason in fit.reasons)
    if fit.verdict == "cannot-tell":
        return f"Whether the loss slowed down cannot be told from {fitted}, because {why or 'the fit gives no reason'}."
    if fit.verdict == "no-break":
        return f"The loss shows no break within {fitted}: one straight line is enough{f' ({why})' if why else ''}."
    verb = "slowed down" if fit.verdict == "decelerates" else "began to fall faster, not slower,"
    caveat = f" To keep in mind: {why}." if why else ""
    return (
        f"The loss {verb} at step t_d\xa0=\xa0{_of(fit, n.T_D, unit=False)}, where the two straight lines cross at "
        f"L_d\xa0=\xa0{_of(fit, n.L_D)}. By the estimates twice the training lowered the loss by "
        f"{_gains([fit.params.c0])} before that step (no interval) and by {_gains([fit.r_d])} after it "
        f"(r_d\xa0=\xa0{_of(fit, n.R_D)}). The line after the break ends at "
        f"{n.text(fit.L_T_hat, None, n.LOSS)}; training reached {n.text(fit.L_T, None, n.LOSS)}.{caveat}"
    )


def _of(fit: Fit, form: n.Form, unit: bool = True) -> str:
    ends = fit.intervals.get(form.symbol)
    missing = "" if ends else f" (no interval: {fit.interval_reasons.get(form.symbol, 'not given')})"
    return n.text(getattr(fit, form.symbol), ends, form, unit) + missing


def zero_sum(run: RunSummary) -> str:
    """The tokens of one run: D over the first and the last doubling, and what it means."""
    if not run.double:
        return "Loss changes between checkpoints were not measured."
    first, last = ends_of(run)
    if first is last:
        return (
            f"Over the only doubling, steps {_pair(last)}, D was {_d(last.interference)}. {_moved(last.interference)}"
        )
    change = apart(first.interference, last.interference)
    verb = {"rose": "it rose to", "fell": "it fell to"}.get(change, "it was")
    doubt = "" if change in ("rose", "fell") else f" But {change}."
    return (
        f"Over the first doubling, steps {_pair(first)}, D was {_d(first.interference)}. Over the last, steps "
        f"{_pair(last)}, {verb} {_d(last.interference, said=first.interference.N)}.{doubt} {_moved(last.interference)}"
    )


def _pair(pair: DoubleStep) -> str:
    return f"{n.count(pair.from_step)} to {n.count(pair.to_step)}"


def _d(found: Interference, said: int | None = None) -> str:
    """D with its interval, N unless it was just said, and what D means for tokens that got worse."""
    ends, share = (found.interval.D, found.interval.harmful_share) if found.interval else (None, None)
    about = [] if said == found.N else [f"N\xa0=\xa0{n.count(found.N)} held-out tokens"]
    about += [] if found.interval else [f"no interval: {found.interval_reason}"]
    measured = n.text(found.D, ends, n.D) + (f" ({'; '.join(about)})" if about else "")
    if not math.isfinite(found.harmful_share):
        return f"{measured}: no loss changed at all"
    half = "D/2" if found.delta_L <= 0 else "1 − D/2, as the mean loss rose"
    return f"{measured}: {n.percent(found.harmful_share, share)} of all movement made tokens worse ({half})"


def _moved(found: Interference) -> str:
    m, change = (found.interval.M, found.interval.delta_L) if found.interval else (None, None)
    falls = found.delta_L <= 0
    down = (-change[1], -change[0]) if change and falls else change
    return (
        f"The average token moved by M\xa0=\xa0{n.text(found.M, m, n.M)} there, while the mean loss "
        f"{'fell' if falls else 'rose'} by {n.text(abs(found.delta_L), down, n.DELTA_L, unit=False)}."
    )


def chance(found: Interference) -> str:
    """D against what random signs would give: whether the interval of R leaves out 0, a mean without direction."""
    if not math.isfinite(found.null_unit):
        return ""
    return (
        f"Chance would give D = {n.number(found.null, 3)} with a random sign for each token and "
        f"{n.number(found.null_unit, 3)} with one for each whole text. Against the latter the last doubling has an "
        f"excess of {n.number(found.excess, 3)}: {_direction(found)}."
    )


def _direction(found: Interference) -> str:
    if found.interval is None:
        return f"without an interval it cannot be said whether that differs from chance ({found.interval_reason})"
    low, high = found.interval.R
    if low <= 0 <= high:
        return "no net direction can be told from chance, as the interval of R contains 0"
    return (
        f"tokens still {'fall' if high < 0 else 'rise'} together more than by chance, as the interval of R is not at 0"
    )
