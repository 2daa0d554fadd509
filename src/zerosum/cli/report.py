"""`zerosum report`: one page on a run: its loss curve, and what its per-token losses and gradients say."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.cli.interference import following_pairs
from zerosum.cli.output import made_with, make_folder
from zerosum.cli.progress import busy
from zerosum.cli.report_gradients import gradients_document, measured_gradients
from zerosum.cli.sources import AsJson, each, finish, print_json
from zerosum.cli.terminal import labelled, screen
from zerosum.errors import InputError
from zerosum.show.names import printable

if TYPE_CHECKING:
    from zerosum.deceleration import Analysis
    from zerosum.interference.labelled import StoreFindings
    from zerosum.runs import RunDirectory
    from zerosum.show import Missing, RunReport


@dataclass(frozen=True)
class Asked:
    """What is to be shown of every run."""

    pairs: str
    between: str | None
    tokenizer: str | None
    documents: int
    seed: int

    @property
    def by_name(self) -> bool:
        """Whether something was asked for that a store may not have: then it is refused, not left out."""
        return self.pairs != "doubling" or self.between is not None or self.tokenizer is not None


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
    as_json: AsJson = False,
) -> None:
    """Write one page on a run: loss curve, how much cancels between tokens and their gradients, who pays, and where.

    What was not measured is one line on the page, with the command that measures it.
    """
    if out is not None and len(runs) > 1:
        raise InputError(f"{out}: one folder for {len(runs)} reports. Leave out --out: each goes into its RUN/zerosum.")
    asked = Asked(pairs, between, tokenizer, documents, seed)
    found, failed = each([(run, run) for run in runs], lambda run: _reported(run, asked, out))
    if as_json:
        print_json("runs", [_document(source, *one) for source, one in found], failed)
    else:
        for source, (told, page) in found:
            _show(source, told, page, len(found) > 1)
    finish(failed, len(runs))


def _reported(source: str, asked: Asked, out: Path | None) -> "tuple[RunReport, Path]":
    from zerosum.show import write_run

    run, store = _places(source)
    if out is not None:
        make_folder(out)  # before the work, which would be lost with it
    told = _measured(source, run, store, asked)
    folder = out or _own_folder(run, store)  # not sooner: a folder that is no run stays as it is
    make_folder(folder)
    with busy("writing the report"):
        page: Path = write_run(told, folder)
    return told, page


def _places(source: str) -> "tuple[RunDirectory | None, Path]":
    """The run directory, if there is one, and where its store is or would be."""
    path = Path(source)
    if not path.exists():
        raise InputError(f"{source}: not there. Give a run directory or a store of per-token losses.")
    if not path.is_dir():
        raise InputError(
            f"{source}: a file, not a run directory. For a loss log: zerosum fit {shlex.quote(source)} --out DIR"
        )
    from zerosum.runs import RunDirectory

    if not (path / "zarr.json").is_file():
        return RunDirectory(path), RunDirectory(path).losses
    return RunDirectory.of_losses(path), path


def _own_folder(run: "RunDirectory | None", store: Path) -> Path:
    return run.measured if run is not None else store.absolute().with_name(f"{store.name}-report")


def _measured(source: str, run: "RunDirectory | None", store: Path, asked: Asked) -> "RunReport":
    from zerosum.show import RunReport

    missing: list[Missing] = []
    analysis = _analysis(run, missing)
    losses = _losses(source, store, asked, missing)
    gradients = measured_gradients(run, missing)
    if analysis is None and losses is None and gradients is None:
        raise InputError(f"{source}: nothing to report. {' '.join(map(_missing_line, missing))}")
    name = run.name if run else store.resolve().name
    return RunReport(name, analysis, losses, tuple(missing), made_with(), gradients)


def _analysis(run: "RunDirectory | None", missing: "list[Missing]") -> "Analysis | None":
    """The loss curve of a run directory, fitted."""
    from zerosum import deceleration
    from zerosum.show import Missing

    if run is None:
        missing.append(Missing("The loss curve", "a store alone has no loss log. Give the run directory instead."))
        return None
    try:
        with busy("fitting the loss curve"):
            return deceleration.analyse(run.curve(), horizons=())
    except InputError as error:
        missing.append(Missing("The loss curve", _line(error), "zerosum fit LOG --out DIR"))
        return None


def _losses(source: str, store: Path, asked: Asked, missing: "list[Missing]") -> "StoreFindings | None":
    """What the store of per-token losses says; a store that cannot be used does not take the rest of the page."""
    from zerosum.show import Missing

    what = "Per-token losses"
    if not store.is_dir():
        command = f"zerosum losses {shlex.quote(source)} --data TEXTS"
        missing.append(Missing(what, "they were not measured. Measure them:", command))
        return None
    try:
        return _told_by(store, asked, missing)
    except InputError as error:
        if asked.by_name:
            raise
        missing.append(Missing(what, _line(error)))
        return None


def _told_by(store: Path, asked: Asked, missing: "list[Missing]") -> "StoreFindings":
    from zerosum.interference.labelled import findings_of
    from zerosum.losses import open_store
    from zerosum.runs import token_text
    from zerosum.show import Missing

    opened = open_store(store)
    pairs = asked.pairs
    if pairs == "doubling" and not _doubles(opened):
        why = "no checkpoint is at twice the step of another, so each is compared with the next."
        missing.append(Missing("Pairs t to 2t", why))
        pairs = "consecutive"
    return findings_of(
        opened,
        pairs,
        between=_between(asked.between),
        text=token_text(store, opened, asked.tokenizer),
        documents=asked.documents,
        seed=asked.seed,
        along=following_pairs,
    )


def _doubles(store: Any) -> bool:
    from zerosum.interference import doubling_pairs
    from zerosum.interference.labelled import steps_of

    steps = steps_of(store)
    return len(steps) < 2 or bool(doubling_pairs(steps)[0])


def _between(asked: str | None) -> tuple[int, int] | None:
    if asked is None:
        return None
    first, _, last = asked.partition(":")
    if not (first.strip().isdecimal() and last.strip().isdecimal()):
        raise InputError(f"--between {asked!r}: not FROM:TO. Name two measured steps, as 100:200.")
    return int(first), int(last)


def _missing_line(one: "Missing") -> str:
    return f"{one.what}: {one.why} {one.command}".strip()


def _line(error: InputError) -> str:
    return " ".join(str(error).split())


def _document(source: str, told: "RunReport", page: Path) -> dict[str, Any]:
    from zerosum.cli._report_json import document

    return document(source, told, page) | gradients_document(told)


def _show(source: str, told: "RunReport", page: Path, several: bool) -> None:
    from zerosum.show.run.page import opening

    rows = [("found", sentence) for sentence in opening(told)]
    rows += [("problem", problem.sentence) for problem in (told.losses.found.problems if told.losses else ())]
    rows += [("not there", _missing_line(one)) for one in told.all_missing]
    console = screen()
    if several:
        console.print(printable(source), style="bold")
    console.print(labelled(rows))
    console.print(f"written: {printable(str(page), 1_000)}; beside it figures/", soft_wrap=True)
