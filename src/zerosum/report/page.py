"""The HTML page: one file, no script, no request; everything that a user named is escaped by the template."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from zerosum.report import tables, words
from zerosum.report.figures import FIGURES, Drawing, inline_svg
from zerosum.report.figures._style import ROLES, run_styles
from zerosum.report.names import printable
from zerosum.report.numbers import count
from zerosum.report.summary import RunSummary, SuiteSummary


@dataclass(frozen=True)
class FigureOnPage:
    """One figure in both layouts; style sheets show one of them."""

    stem: str
    title: str
    how_to_read: str
    wide: Markup
    narrow: Markup


def html(summary: SuiteSummary, drawings: dict[str, Drawing]) -> str:
    """The whole page. drawings: of the figures that it shows, by their stem."""
    room = files("zerosum.report")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["printable"] = printable
    colours = [ROLES[look.colour] for look in run_styles(summary.runs)]
    colour_of = {run.name: colour for run, colour in zip(summary.runs, colours, strict=True)}
    return environment.from_string((room / "page.html.j2").read_text(encoding="utf-8")).render(
        css=Markup((room / "page.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        title=summary.title,
        opening=words.opening(summary),
        stories=list(zip(words.stories(summary), summary.runs, colours, strict=True)),
        over_seeds=[(size, words.over_seeds(size), colour_of[size.name]) for size in summary.across_seeds or ()],
        verdicts=words.VERDICTS,
        figures=[_figure(summary, stem, drawing) for stem, drawing in drawings.items()],
        sizes=tables.sizes(summary),
        seeds=tables.seeds(summary.across_seeds) if summary.across_seeds else None,
        no_seeds=summary.across_seeds_reason or "there is one seed",
        cutoffs=tables.cutoffs(summary),
        changes=tables.changes(summary),
        made=[(words.label(run, summary), list(how_made(run))) for run in summary.runs],
        provenance=[(name, list(flat(value))) for name, value in summary.provenance.items()],
    )


def _figure(summary: SuiteSummary, stem: str, drawing: Drawing) -> FigureOnPage:
    module = FIGURES[stem]
    text = printable(module.alt(summary), longest=4_000)
    wide, narrow = inline_svg(drawing.wide, f"{stem}-wide", text), inline_svg(drawing.narrow, f"{stem}-narrow", text)
    return FigureOnPage(stem, module.TITLE, module.HOW_TO_READ, wide, narrow)


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
        yield f"Verdict “{words.VERDICTS.get(fit.verdict, fit.verdict)}”", reason.message
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


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested provenance as (dotted name, text) rows.

    >>> list(flat({"versions": {"numpy": "2.4"}, "seeds": [0, 1]}))
    [('versions.numpy', '2.4'), ('seeds', '0, 1')]
    """
    if isinstance(value, dict):
        for key, one in value.items():
            yield from flat(one, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple) and not any(isinstance(one, dict) for one in value):
        yield name, ", ".join(map(str, value))
    elif isinstance(value, list | tuple):
        for k, one in enumerate(value):
            yield from flat(one, f"{name}.{k}")
    else:
        yield name, str(value)
