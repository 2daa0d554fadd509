"""`zerosum fit`: where the loss of each run decelerates, how sure that is, and whether to believe it."""

from typing import Annotated

import typer

from zerosum.cli.options import Fitting, Reading, expand_option_groups
from zerosum.cli.output import Answer, curves_report, make_folder, read_from
from zerosum.cli.progress import following
from zerosum.cli.sources import EXIT_CODES, Sources, as_document, each, finish

MOST_BREAKS = 5

GROUP = "read"
EPILOG = EXIT_CODES


@expand_option_groups
def fit(
    sources: Sources,
    *,
    fitting: Fitting,
    forecast: Annotated[
        list[float] | None,
        typer.Option(
            min=1, metavar="STEP", help="Forecast the loss at this step; repeatable. Without it at twice the last."
        ),
    ] = None,
    breaks: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_BREAKS, metavar="N", help="Also fit the law with N breaks. Changes no verdict."),
    ] = None,
    read: Reading,
    answer: Answer,
) -> None:
    """Say where loss curves decelerate: step t_d, loss L_d, rate r_d after it, with intervals and a verdict.

    "cannot-tell" is a verdict, not an error: --details gives the reasons, and what would help.
    """
    make_folder(answer.out)
    with following(sources, "fitting") as given:
        jobs = ((source, source) for source in given)
        done, failed = each(jobs, lambda source: fitting.analyse(read(source), forecast, breaks))
    analyses = [analysis for _, analysis in done]
    curves = [analysis.to_json() for analysis in analyses]
    documents = {"fits.json": as_document("curves", curves, failed)}
    unwritten = answer.give(
        curves_report(analyses) if analyses else None,
        "curves",
        curves,
        failed,
        documents,
        sources=read_from(sources, analyses),
    )
    finish(failed + unwritten, 0 if unwritten else len(sources))
