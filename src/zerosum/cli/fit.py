"""`zerosum fit`: where the loss of each run decelerates, how sure that is, and whether to believe it."""

from typing import Annotated

import typer

from zerosum.cli.options import Fitting, Reading, expand_option_groups
from zerosum.cli.output import Out, make_folder, reported, say_written
from zerosum.cli.progress import following
from zerosum.cli.sources import AsJson, Sources, each, finish, print_json


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
    read: Reading,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Say where loss curves decelerate: step t_d, loss L_d, rate r_d after it, with intervals and a verdict.

    "cannot-tell" is a verdict, not an error: the reasons below the table say what would help.
    """
    if out is not None:
        make_folder(out)
    with following(sources, "fitting") as given:
        jobs = ((source, source) for source in given)
        found, failed = each(jobs, lambda source: fitting.analyse(read(source), forecast))
    analyses = [one for _, one in found]
    page, unwritten = reported(out, sources, analyses, failed=failed)
    if as_json:
        print_json("curves", [one.to_json() for one in analyses], failed + unwritten, page)
    elif analyses:
        from zerosum.cli.fit_table import show

        show(analyses)
        say_written(page)
    finish(failed + unwritten, 0 if unwritten else len(sources))
