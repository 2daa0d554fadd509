"""The page on one run: what it shows, in which order."""

from collections.abc import Iterator

from zerosum.interference.labelled import GroupsOverTime, StoreFindings
from zerosum.show import interference_words as words
from zerosum.show import numbers as n
from zerosum.show import old_page as page
from zerosum.show.drawing import Drawing
from zerosum.show.logs import tables as log_tables
from zerosum.show.logs.figures import curves
from zerosum.show.logs.subject import Logs
from zerosum.show.logs.words import stories
from zerosum.show.run import tables
from zerosum.show.run.figures import FIGURES
from zerosum.show.run.gradients import gradients
from zerosum.show.run.heat import LEVELS, Coloured, coloured
from zerosum.show.run.subject import RunReport
from zerosum.show.sections.gradients import cancels
from zerosum.show.words import VERDICTS, the_break

CURVES = "curves"


def html(report: RunReport, drawings: dict[str, Drawing]) -> str:
    """The whole page. drawings: of the figures that it shows, by their stem."""
    logs = Logs((report.analysis,)) if report.analysis else None
    losses = report.losses
    heat = coloured(losses.heat) if losses and losses.heat else None
    figures = {
        stem: page.on_page(stem, FIGURES[stem], losses, drawing)
        for stem, drawing in drawings.items()
        if losses and stem in FIGURES
    }
    return page.render(
        "run/page.html.j2",
        report.provenance,
        title=report.name,
        opening=list(opening(report)),
        missing=report.all_missing,
        heat=heat,
        problems=[problem.sentence for problem in losses.found.problems] if losses else (),
        curve=page.on_page(CURVES, curves, logs, drawings[CURVES]) if logs and CURVES in drawings else None,
        story=stories(logs)[0] if logs else None,
        fits=log_tables.fits(logs) if logs else None,
        verdicts=VERDICTS,
        losses=losses,
        figures=figures,
        said=list(said(losses)) if losses else [],
        pairs=tables.pairs(losses) if losses else None,
        split=[(one, tables.groups(one), *_about(one)) for one in losses.groups] if losses else [],
        where=tables.where(losses) if losses else None,
        concordance=tables.concordance(losses) if losses else None,
        keep_paying=words.keep_paying(losses.found.worse_often) if losses and losses.found.worse_often else "",
        moved=tables.moved(losses.heat) if losses and losses.heat else None,
        swatches=swatches(heat) if heat else [],
        signed=signed,
        gradients=gradients(report.gradients, drawings) if report.gradients else None,
    )


def opening(report: RunReport) -> Iterator[str]:
    """The run in a few sentences."""
    if report.analysis:
        yield the_break(report.analysis.fit)
    if report.losses:
        yield from _tokens(report.losses)
    if report.gradients:
        yield cancels(report.gradients.last)


def _tokens(losses: StoreFindings) -> Iterator[str]:
    if not losses.found.sound:
        why = words.set_aside(losses.found)
        yield why[0].upper() + why[1:]
        return
    yield words.harm(losses.last)
    if losses.last.measured.interval:
        yield words.against_chance(losses.last)


def said(losses: StoreFindings) -> Iterator[str]:
    """What bears on reading D."""
    if change := words.first_to_last(losses.found):
        yield change
    aside = words.set_aside(losses.found) if losses.found.sound else ""
    for about in (aside, words.noise(losses.found.sound or losses.found.pairs)):
        if about:
            yield about[0].upper() + about[1:]
    if losses.found.unpaired:
        yield f"Steps without a partner within 5 % of their double: {', '.join(map(n.count, losses.found.unpaired))}."


def _about(one: GroupsOverTime) -> tuple[str, str]:
    pair, groups = one.last
    return f"{groups.note}.", words.who_pays(groups, pair.measured.delta_L)


def swatches(heat: Coloured) -> list[tuple[int, str]]:
    """Steps of colour with the change that each stands for, in nats."""
    unit = heat.scale / LEVELS
    return [(k, f"{k * unit:+.3g}".replace("-", "−") if k else "0") for k in range(-LEVELS, LEVELS + 1)]


def signed(change: float) -> str:
    """A change with its sign, in nats; short, for a place beside a token.

    >>> signed(-0.1234), signed(2.0), signed(0.00012)
    ('−0.12', '+2.0', '+0.00012')
    """
    text = n.number(change, n.decimals(change, None, n.Form("", "", digits=2)))
    return text if change <= 0 else f"+{text}"
