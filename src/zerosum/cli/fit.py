"""`zerosum fit`: where the loss of each run decelerates, how sure that is, and whether to believe it."""

from typing import Annotated

import typer

from zerosum.cli.options import Details, Fitting, Reading, expand_option_groups
from zerosum.cli.output import Out, curves_report, make_folder, read_from, say_written, write_report
from zerosum.cli.progress import following
from zerosum.cli.sources import EXIT_CODES, AsJson, Sources, as_document, each, finish, print_json

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
    details: Details = False,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Say where loss curves decelerate: step t_d, loss L_d, rate r_d after it, with intervals and a verdict.

    "cannot-tell" is a verdict, not an error: --details gives the reasons, and what would help.
    """
    if out is not None:
        make_folder(out)
    with following(sources, "fitting") as given:
        jobs = ((source, source) for source in given)
        done, failed = each(jobs, lambda source: fitting.analyse(read(source), forecast, breaks))
    analyses = [analysis for _, analysis in done]
    report = curves_report(analyses)
    curves = [analysis.to_json() for analysis in analyses]
    documents = {"fits.json": as_document("curves", curves, failed)}
    page, unwritten = write_report(out if analyses else None, report, documents, read_from(sources, analyses))
    if as_json:
        print_json("curves", curves, failed + unwritten, page)
    elif analyses:
        from zerosum.show import terminal

        terminal.show(report, details)
        say_written(page)
    finish(failed + unwritten, 0 if unwritten else len(sources))
