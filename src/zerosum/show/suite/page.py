"""The page of a suite: what it shows, in which order."""

from collections.abc import Iterator

from zerosum.show import old_page as page
from zerosum.show.drawing import Drawing
from zerosum.show.drawing.style import ROLES, run_styles
from zerosum.show.numbers import count
from zerosum.show.suite import opening, stories, tables
from zerosum.show.suite.figures import FIGURES
from zerosum.show.suite.summary import RunSummary, SuiteSummary
from zerosum.show.words import VERDICTS


def html(summary: SuiteSummary, drawings: dict[str, Drawing]) -> str:
    """The whole page. drawings: of the figures that it shows, by their stem."""
    colours = [ROLES[look.colour] for look in run_styles([run.name for run in summary.runs])]
    colour_of = {run.name: colour for run, colour in zip(summary.runs, colours, strict=True)}
    return page.render(
        "suite/page.html.j2",
        summary.provenance,
        title=summary.title,
        opening=opening.opening(summary),
        stories=list(zip(stories.stories(summary), summary.runs, colours, strict=True)),
        over_seeds=[(size, stories.over_seeds(size), colour_of[size.name]) for size in summary.across_seeds or ()],
        verdicts=VERDICTS,
        figures=[page.on_page(stem, FIGURES[stem], summary, drawing) for stem, drawing in drawings.items()],
        sizes=tables.sizes(summary),
        seeds=tables.seeds(summary.across_seeds) if summary.across_seeds else None,
        no_seeds=summary.across_seeds_reason or "there is one seed",
        cutoffs=tables.cutoffs(summary),
        changes=tables.changes(summary),
        made=[(stories.label(run, summary), list(how_made(run))) for run in summary.runs],
    )


def how_made(run: RunSummary) -> Iterator[tuple[str, str]]:
    """(what, how) for the numbers of one run."""
    fit = run.fit
    yield (
        "Fit",
        (
            f"procedure “{fit.procedure}”; steps {count(fit.first_step)} to {count(fit.last_step)} "
            f"(cut-off {count(fit.cutoff)}), {count(fit.n_points)} of {count(len(run.curve))} logged losses in "
            f"{count(fit.n_bins)} bins; misfit RSLE {fit.rsle:.3g}"
        ),
    )
    yield "Intervals of the fit", f"{fit.interval_level:.0%}, {fit.interval_method}"
    for name, why in fit.interval_reasons.items():
        yield f"No interval for {name}", why
    for reason in fit.reasons:
        yield f"Verdict “{VERDICTS.get(fit.verdict, fit.verdict)}”", reason.message
    for sentence in run.curve.cleaning:
        yield "Log", sentence
    loss = run.final_loss
    made = f"{loss.level:.0%} interval by {loss.method}" if loss.interval else f"no interval: {loss.reason}"
    yield "Held-out loss", f"mean of N = {count(loss.N)} {loss.N_of}; {made}"
    yield from _interference_made(run)
    if run.unpaired:
        yield "Checkpoints without one at twice their step", ", ".join(map(count, run.unpaired))


def _interference_made(run: RunSummary) -> Iterator[tuple[str, str]]:
    every = [pair.interference for pair in run.double] + [one.interference for one in run.one_step]
    how = {f"{one.interval.method} ({count(one.interval.n_units)} units)" for one in every if one.interval}
    if how:
        yield "Intervals of R, D, M, delta_L", f"95 %, {'; '.join(sorted(how))}"
    missing = {one.interval_reason for one in every if one.interval is None and one.interval_reason}
    if missing:
        yield "Where an interval is missing", "; ".join(sorted(missing))
    nulls = {f"per token: {one.null_method}; per unit: {one.null_unit_method}" for one in every}
    if nulls:
        yield "Nulls", " / ".join(sorted(nulls))
