"""`zerosum bench`: compare arms with a baseline in pairs, tuned alike, and say what each does to the loss, and why."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from zerosum.cli.options import Details
from zerosum.cli.output import made_with, say_written, write_report
from zerosum.cli.progress import progress
from zerosum.cli.sources import AsJson, as_document, finish, print_document, print_json
from zerosum.errors import InputError
from zerosum.show.names import printable

if TYPE_CHECKING:
    from zerosum.bench.declaration import Declaration
    from zerosum.bench.known import KnownRun
    from zerosum.bench.plan import Bench
    from zerosum.bench.progress import Runs
    from zerosum.sweep import RunState
    from zerosum.training.notices import Notice

GROUP = "compare"
PAGE, DOCUMENT = "bench.html", "answer.json"
EPILOG = (
    "The file: recipes: [tiny_100k], arms: {muon: muon, cautious: cautious}, seeds: 6, rates: 5, set: {steps: 4096}; "
    "docs/bench.md has all of it. Without a file: `zerosum bench --recipe tiny_100k --arm muon --arm rho1:k=0.6`."
)


def bench(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE.yaml", help="What is compared.", show_default=False)
    ] = None,
    *,
    recipe: Annotated[str | None, typer.Option(metavar="RECIPE", help="The baseline, in place of a file.")] = None,
    arm: Annotated[
        list[str] | None, typer.Option(metavar="NAME[:SETTING=VALUE,...]", help="An arm; repeatable.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Of every arm; repeatable."),
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=2, metavar="N", help="Reporting seeds. Without it 6.")] = None,
    rates: Annotated[int | None, typer.Option(min=3, metavar="N", help="Rates of every arm. Without it 5.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the bench. Without it runs/ and its name.")
    ] = None,
    known: Annotated[
        list[Path] | None,
        typer.Option(metavar="RUNS.jsonl", help="Results of runs made elsewhere, which count as done; repeatable."),
    ] = None,
    executor: Annotated[
        Literal["local", "slurm"], typer.Option(help="Train on this machine, or submit a job for each run.")
    ] = "local",
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, metavar="N", help="Runs at a time; without it one a core here.")
    ] = None,
    dry: Annotated[bool, typer.Option("--status", help="Answer from what is there; train and submit nothing.")] = False,
    details: Details = False,
    as_json: AsJson = False,
) -> None:
    """Compare training methods with a baseline: every arm tuned alike, paired over seeds, with what it did and why.

    Stopped at any moment, the same command continues. Two benches of one baseline, side by side, share its runs.
    """
    from zerosum.bench.plan import Bench
    from zerosum.bench.reading import require_own_folder
    from zerosum.training.run_folder import writing

    declaration, name = _declaration(file, recipe, arm or [], changes or [], seeds, rates)
    folder = (out or Path("runs") / name).expanduser()
    require_own_folder(declaration, folder)
    place = Bench(declaration, folder, _known(declaration, known or [], folder, trains=not dry))
    with writing(place.folder):
        runs = _there(place) if dry else _on_slurm(place, jobs) if executor == "slurm" else _here(place, jobs)
        if isinstance(runs, list):
            _say_waiting(place, runs, as_json)
        else:
            _give(place, runs, details, as_json)


def _declaration(
    file: Path | None,
    recipe: str | None,
    arms: list[str],
    changes: list[str],
    seeds: int | None,
    rates: int | None,
) -> "tuple[Declaration, str]":
    """What the file or the options declare, and a name for it."""
    from zerosum.bench.reading import declared, read_declaration
    from zerosum.training.changes import parse_changes

    if file is not None:
        options = {"--recipe": recipe, "--arm": arms, "--set": changes, "--seeds": seeds, "--rates": rates}
        if given := [option for option, value in options.items() if value]:
            raise InputError(f"{file}: a file and {given[0]}: the file says all of it. Leave one of the two out.")
        return read_declaration(file), file.stem
    if recipe is None or not arms:
        raise InputError("nothing to compare. Give FILE.yaml, or --recipe NAME with at least one --arm NAME.")
    content: dict[str, Any] = {"recipe": recipe, "arms": arms, "set": parse_changes(changes)}
    content |= {name: value for name, value in (("seeds", seeds), ("rates", rates)) if value is not None}
    names = "-".join([Path(recipe).stem, *(text.partition(":")[0] for text in arms)])
    return declared(content, "the call"), names


def _known(declaration: "Declaration", files: list[Path], folder: Path, trains: bool) -> "dict[str, KnownRun]":
    """Results of runs that may not be here: of the files, and of the folder's own. Where runs are to be trained beside
    them, those of other text are left out.
    """
    from zerosum.bench.known import FILE, read_all_known
    from zerosum.bench.trained_on import texts_now

    own = [folder / FILE] if (folder / FILE).is_file() else []
    found = read_all_known([*files, *own], declaration)
    there = ", ".join(map(str, files or own))
    if files:
        print(f"zerosum: {there}: results of {len(found)} finished runs.", file=sys.stderr)
    if not (found and trains):
        return found
    texts = texts_now(declaration)
    fitting = {name: run for name, run in found.items() if run.text in texts}
    if left_out := len(found) - len(fitting):
        print(f"zerosum: {there}: {left_out} results are of other text than is here: left out.", file=sys.stderr)
    return fitting


def _there(place: "Bench") -> "Runs":
    from zerosum.bench.engine import next_runs, unmeasured
    from zerosum.bench.progress import Runs
    from zerosum.show import numbers as n

    runs = Runs(place)
    left, waiting = (len(list(found)) for found in (next_runs(place, runs), unmeasured(place, runs)))
    parts = [f"{n.counted(left, 'run')} can be trained now; others wait for them."] if left else []
    parts += [f"{n.counted(waiting, 'finished run')} still to be measured."] if waiting else []
    print(f"zerosum: {' '.join(parts) or 'all runs are trained.'}", file=sys.stderr)
    return runs


def _here(place: "Bench", jobs: int | None) -> "Runs":
    from zerosum.bench.engine import run_here

    with progress() as show:
        return run_here(place, jobs, show, _tell)


def _on_slurm(place: "Bench", jobs: int | None) -> "Runs | list[RunState]":
    """The runs that are left, where there are any: the same command goes on when their jobs are done."""
    from zerosum.bench.engine import submit
    from zerosum.bench.progress import Runs

    with progress() as show:
        states = submit(place, jobs, show)
    return [state for state in states if state.state != "done"] or Runs(place)


def _say_waiting(place: "Bench", waiting: "list[RunState]", as_json: bool) -> None:
    if as_json:
        print_json("arms", [], [], waiting=[state.to_json() for state in waiting], out=str(place.folder))
        return
    from zerosum.cli._sweep_table import table
    from zerosum.show import terminal

    terminal.say(table(waiting[:18]), f"{len(waiting)} runs are left. Start the same command again when they are done.")


def _tell(notice: "Notice") -> None:
    if notice.code != "spike":  # in small batches an unusual text is one
        print(f"zerosum: step {notice.step}: {printable(notice.message, 1_000)}", file=sys.stderr)


def _give(place: "Bench", runs: "Runs", details: bool, as_json: bool) -> None:
    from zerosum.bench.answer import answer as answer_of
    from zerosum.bench.collect import collect
    from zerosum.bench.known import FILE, read_known, write_known
    from zerosum.bench.read import read_results
    from zerosum.show.report import Report

    file = place.folder / FILE
    before = read_known(file, place.declaration).values() if file.is_file() else ()
    write_known(file, place.declaration, [*before, *collect(place, runs)])
    results = [result for result in read_results(place, runs) if result.baseline.runs]
    if not results:
        raise InputError(f"{place.folder}: no reporting seed of the baseline is there yet. Start without --status.")
    record = answer_of(results)
    document = record.to_json()
    report = Report(f"Bench {record.name}", (), (record,), provenance=made_with())
    page, failed = write_report(place.folder, report, {DOCUMENT: document | {"errors": []}}, page=PAGE)
    if as_json:
        shown = {"report": None if page is None else str(page), "out": str(place.folder)}
        print_document(document | shown | {"errors": as_document("", [], failed)["errors"]})
    else:
        from zerosum.show import terminal

        terminal.show(report, details)
        say_written(page)
    finish(failed, 0)
