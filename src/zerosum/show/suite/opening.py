"""The whole suite in three paragraphs. Plain text: whoever shows it escapes it."""

import math
from collections.abc import Sequence
from typing import Any

from zerosum.deceleration import Fit
from zerosum.interference import Interference
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.suite.stories import label, other_cutoffs
from zerosum.show.suite.summary import RunSummary, SuiteSummary
from zerosum.show.suite.zero_sum import apart, ends_of
from zerosum.show.words import few, gains, span


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
        f"After it, twice the training lowered the loss by an estimated {gains([fit.r_d for fit in broken])}. "
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
