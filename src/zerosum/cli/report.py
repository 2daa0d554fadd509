"""`zerosum report`: one page on a run: its loss curve, and what was measured of its tokens and their gradients."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.cli.interference import following_pairs
from zerosum.cli.options import Details
from zerosum.cli.output import made_with, make_folder, say_written
from zerosum.cli.progress import busy
from zerosum.cli.sources import AsJson, each, finish, print_json
from zerosum.errors import InputError

if TYPE_CHECKING:
    from zerosum.runs import MeasuredRun, Wanted
    from zerosum.show.report import Report

GROUP = "measure"


def report(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN", help="Run directories, or stores of per-token losses (losses.zarr).", show_default=False
        ),
    ],
    pairs: Annotated[
        str,
        typer.Option(metavar="PAIRS", help="Steps to compare: doubling, consecutive, or as 100:200,200:1000."),
    ] = "doubling",
    between: Annotated[
        str | None,
        typer.Option(
            metavar="FROM:TO", help="Steps whose documents are shown token by token. Without it the last pair."
        ),
    ] = None,
    documents: Annotated[
        int, typer.Option(min=0, max=50, metavar="K", help="How many that lost and that gained most are shown.")
    ] = 3,
    tokenizer: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Tokenizer of the model, where the store names none.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write report.html and figures/ here. Without it into RUN/zerosum."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap and the Monte Carlo nulls.")] = 0,
    details: Details = False,
    as_json: AsJson = False,
) -> None:
    """Write one page on a run: loss curve, how much cancels between tokens and their gradients, who pays, and where.

    What was not measured is one line on the page, with the command that measures it.
    """
    if out is not None and len(runs) > 1:
        raise InputError(f"{out}: one folder for {len(runs)} reports. Leave out --out: each goes into its RUN/zerosum.")
    from zerosum.runs import Wanted

    wanted = Wanted(pairs, _between(between), tokenizer, documents, seed)
    done, failed = each([(run, run) for run in runs], lambda run: _reported(run, wanted, out))
    if as_json:
        print_json("runs", [_document(source, measured, page) for source, (measured, page) in done], failed)
    else:
        from zerosum.show import terminal

        for source, (measured, page) in done:
            if len(done) > 1:
                terminal.say(source)
            terminal.show(_report(measured), details)
            say_written(page)
    finish(failed, len(runs))


def _between(steps: str | None) -> tuple[int, int] | None:
    if steps is None:
        return None
    first, _, last = steps.partition(":")
    if not (first.strip().isdecimal() and last.strip().isdecimal()):
        raise InputError(f"--between {steps!r}: not FROM:TO. Name two measured steps, as 100:200.")
    return int(first), int(last)


def _reported(source: str, wanted: "Wanted", out: Path | None) -> "tuple[MeasuredRun, Path]":
    from zerosum.deceleration import Analysis
    from zerosum.runs import read_run
    from zerosum.show import folder as files

    make_folder(out)
    measured = read_run(source, wanted, along=following_pairs)
    folder = out or measured.folder
    make_folder(folder)
    analysis = measured.get(Analysis)
    with busy("writing the report"):
        documents = {"fit.json": analysis.to_json()} if analysis else {}
        return measured, files.write(_report(measured), folder, documents, for_print=False)


def _report(measured: "MeasuredRun") -> "Report":
    from zerosum.interference.labelled import StoreFindings
    from zerosum.show.report import Report, Run

    findings = measured.get(StoreFindings)
    provenance = made_with() | ({"store of per-token losses": dict(findings.facts)} if findings else {})
    run = Run(measured.name, measured.records)
    return Report(measured.name, (run,), missing=measured.missing, provenance=provenance)


def _document(source: str, measured: "MeasuredRun", page: Path) -> dict[str, Any]:
    """One run: `curve` as `zerosum fit` gives it, `pairs` as `zerosum interference` does with `splits`, documents."""
    from zerosum.deceleration import Analysis
    from zerosum.gradients import GradientsOverTraining
    from zerosum.interference.labelled import StoreFindings
    from zerosum.runs import CURVE, GRADIENTS, documents_beside

    missing = [{"what": gap.what, "message": gap.why, "command": gap.command or None} for gap in measured.missing]
    document: dict[str, Any] = {"source": source, "name": measured.name, "report": str(page), "missing": missing}
    analysis, findings = measured.get(Analysis), measured.get(StoreFindings)
    document["curve"] = analysis.to_json() if analysis else None
    if analysis is None:
        document["curve_reason"] = measured.why_no(CURVE)
    document |= {"pairs": [], "documents": []}
    if findings:
        pairs = [{"source": source, **pair} for pair in findings.pairs_to_json()]
        documents = findings.heat.to_json() if findings.heat else []
        document |= {"pairs": pairs, **findings.found.to_json(), "documents": documents}
    document |= documents_beside(measured.get) | {"provenance": made_with()}
    if gradients := measured.get(GradientsOverTraining):
        return document | {"gradients": [checkpoint.to_json() for checkpoint in gradients.checkpoints]}
    return document | {"gradients": None, "gradients_reason": measured.why_no(GRADIENTS)}
