"""`zerosum roughness`: how far loss curves jump from row to row."""

from zerosum.cli.options import Details
from zerosum.cli.output import Out, made_with, make_folder, say_written, write_report
from zerosum.cli.sources import AsJson, Sources, each, finish, print_json

GROUP = "measure"


def roughness(sources: Sources, out: Out = None, details: Details = False, as_json: AsJson = False) -> None:
    """Say how far the losses of each log jump from row to row."""
    from zerosum.deceleration.roughness import roughness as measure

    from zerosum import read_curve
    from zerosum.show import terminal
    from zerosum.show.report import Report, Run

    if out is not None:
        make_folder(out)
    done, failed = each([(source, source) for source in sources], lambda source: measure(read_curve(source)))
    records = [record for _, record in done]
    report = Report("Roughness", tuple(Run(record.name, (record,)) for record in records), provenance=made_with())
    documents = {"roughness.json": [record.to_json() for record in records]}
    page, unwritten = write_report(out if records else None, report, documents, sources)
    failed += unwritten
    if as_json:
        print_json("curves", [record.to_json() for record in records], failed, page)
    elif records:
        terminal.show(report, details)
        say_written(page)
    finish(failed, len(sources))
