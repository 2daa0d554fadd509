"""`zerosum sweep`: train a grid of recipes, seeds and changes, here or on a cluster, and show how far each run is."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from zerosum.cli.options import Details
from zerosum.cli.progress import progress
from zerosum.cli.sources import AsJson, Failure, finish, print_json
from zerosum.show.names import printable

if TYPE_CHECKING:
    from zerosum.sweep import Plan, RunState
    from zerosum.training.notices import Notice

GROUP = "train"
EPILOG = (
    "The file: recipes: [tiny_25k], seeds: [0, 1], set: {steps: 512} for every run, "
    "grid: {optimizer.lr: [1e-3, 2e-3]}, and for a cluster slurm: {partition: gpu, minutes: 600, gpus: 8}."
)
_FIRST_SCREEN = 18


def sweep(
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", help="What to train.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the runs. Without it runs/ and the file's name.")
    ] = None,
    executor: Annotated[
        Literal["local", "slurm"], typer.Option(help="Train on this machine, or submit a job for each run.")
    ] = "local",
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", min=1, metavar="N", help="Runs at a time; without it one a core here."),
    ] = None,
    dry: Annotated[bool, typer.Option("--status", help="Show how far each run is; train and submit nothing.")] = False,
    details: Details = False,
    as_json: AsJson = False,
) -> None:
    """Train many runs from one file. The same command continues, and shows how far each run is."""
    from zerosum.sweep import read_plan, states
    from zerosum.training.run_folder import writing

    plan = read_plan(file, out)
    with writing(plan.out):
        if executor == "slurm":
            found = _on_slurm(plan, jobs, dry)
        else:
            if not dry:
                _here(plan, jobs)
            found = states(plan)
    failed = [Failure(state.run.folder.name, state.error) for state in found if state.error]
    if as_json:
        print_json("runs", [state.to_json() for state in found], failed, out=str(plan.out))
    else:
        _show(plan, found, details)
    finish(failed, 0)  # the table counts them


def _here(plan: "Plan", jobs: int | None) -> None:
    from zerosum.sweep import states
    from zerosum.sweep.local import train_here

    left = [state.run for state in states(plan) if state.state != "done"]
    with progress() as show:
        train_here(plan, left, jobs, show, _tell)


def _tell(notice: "Notice") -> None:
    print(f"zerosum: step {notice.step}: {printable(notice.message, 1_000)}", file=sys.stderr)


def _on_slurm(plan: "Plan", jobs: int | None, dry: bool) -> "list[RunState]":
    from zerosum.sweep import states
    from zerosum.sweep.slurm import queued_jobs, submit

    found = states(plan, queued_jobs(plan))
    left = [state for state in found if state.state in ("waiting", "failed")]
    if left and not dry:
        submit(plan, left, jobs)
        found = states(plan, queued_jobs(plan))
    return found


def _show(plan: "Plan", found: "list[RunState]", details: bool) -> None:
    from zerosum.cli._sweep_table import counts, table
    from zerosum.show import terminal

    shown = found if details or len(found) <= _FIRST_SCREEN else [state for state in found if state.state != "done"]
    more = "" if details or len(shown) <= _FIRST_SCREEN else f" The first {_FIRST_SCREEN}; all with --details."
    terminal.say(
        table(shown if details else shown[:_FIRST_SCREEN]),
        f"{counts(found)}{more} Runs: {plan.out}",
        f"next: zerosum report {shlex.quote(str(plan.out))}/*-seed*",
    )
