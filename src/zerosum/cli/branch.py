"""`zerosum branch`: continue a checkpoint on several orders of its data, and say how much of D all of them share."""

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from zerosum.cli.interference import GROUPINGS
from zerosum.cli.options import expand_option_groups
from zerosum.cli.output import Answer, make_folder, run_report
from zerosum.cli.progress import progress
from zerosum.cli.sources import Failure, each, finish, print_json
from zerosum.errors import InputError
from zerosum.show.names import printable

if TYPE_CHECKING:
    from zerosum.interference.labelled import Branches
    from zerosum.sweep import Plan, RunState
    from zerosum.training.notices import Notice

GROUP = "measure"
EPILOG = "Examples: `zerosum branch runs/tiny_25k@1024 --until 2t`; the same with `--branches 8` adds four."


@expand_option_groups
def branch(
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT", help="RUN@STEP or RUN/checkpoint-STEP, of zerosum train.", show_default=False
        ),
    ],
    *,
    branches: Annotated[int, typer.Option(metavar="B", help="Orders of the data; more can be added later.")] = 4,
    steps: Annotated[int | None, typer.Option(min=1, metavar="K", help="Updates of each branch.")] = None,
    until: Annotated[
        str | None, typer.Option(metavar="STEP", help="Last step of each branch, or 2t: twice its first; the default.")
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="GROUPS", help=f"Also for groups of tokens: {', '.join(GROUPINGS)}.")
    ] = None,
    sequences: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Held-out sequences of the run. Without it up to 256.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--runs", metavar="DIR", help="Folder of the branches. Without it RUN/branches.")
    ] = None,
    executor: Annotated[
        Literal["local", "slurm"], typer.Option(help="Train on this machine, or submit a job for each branch.")
    ] = "local",
    jobs: Annotated[int | None, typer.Option(min=1, metavar="N", help="Branches at a time.")] = None,
    slurm: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Of each job: partition=gpu, minutes=90, gpus=8; repeatable."),
    ] = None,
    answer: Answer,
) -> None:
    """Train from a checkpoint on several orders of its data, and say how much of what cancels they all share.

    D mixes opposition between tokens that stays with noise of the order of the data that would average out. What is
    left in the mean of many branches is the systematic share. Each branch continues the optimizer's state and the
    run's schedule; only the batches differ. Stopped at any moment and started again, it continues.
    """
    from zerosum.sweep import slurm_settings
    from zerosum.sweep.branches import plan_of_branches
    from zerosum.training.orders import run_and_step
    from zerosum.training.run_folder import writing

    make_folder(answer.out)
    records: list[Branches] = []
    run, step = run_and_step(checkpoint)
    plan = replace(
        plan_of_branches(run, step, _last(step, steps, until), branches, folder), slurm=slurm_settings(slurm or ())
    )
    if by is not None and by not in GROUPINGS:
        raise InputError(f"--by {by}: not known. Use one of {', '.join(GROUPINGS)}.")
    with writing(plan.out):
        if executor == "slurm" and (waiting := _submitted(plan, jobs)):
            _say_waiting(plan, waiting, answer.as_json)
            return
        failed = _train(plan, jobs)
        if not failed:
            measured, failed = each([(checkpoint, plan)], lambda plan: _measure(plan, sequences, by))
            records = [record for _, record in measured]
    documents = [{"source": checkpoint, "runs": str(plan.out), **record.to_json()} for record in records]
    failed += answer.give(
        run_report(str(run), records[0]) if records else None,
        "branches",
        documents,
        failed,
        {"branches.json": {"branches": documents, "errors": []}},
        page="branches.html",
    )
    finish(failed, 0)


def _last(step: int, steps: int | None, until: str | None) -> int:
    if steps is not None and until is not None:
        raise InputError("--steps and --until: both say where the branches end. Leave one out.")
    if steps is not None:
        return step + steps
    if until in (None, "2t"):
        if step == 0:
            raise InputError("--until 2t: twice step 0 is 0. Give --steps K.")
        return 2 * step
    if not re.fullmatch("[0-9]{1,15}", until):
        raise InputError(f"--until {until}: not a step. Give a number, or 2t.")
    return int(until)


def _submitted(plan: "Plan", jobs: int | None) -> "list[RunState]":
    """Submit what is left and not in the queue; the branches that are not done."""
    from zerosum.sweep import states
    from zerosum.sweep.slurm import queued_jobs, submit

    if left := [state for state in states(plan, queued_jobs(plan)) if state.state in ("waiting", "failed")]:
        submit(plan, left, jobs)
    return [state for state in states(plan, queued_jobs(plan)) if state.state != "done"]


def _say_waiting(plan: "Plan", waiting: "list[RunState]", as_json: bool) -> None:
    if as_json:
        print_json("branches", [], [], waiting=[state.to_json() for state in waiting])
    else:
        from zerosum.cli._sweep_table import table
        from zerosum.show import terminal

        terminal.say(table(waiting), f"Start the same command again when all are done. Branches: {plan.out}")


def _train(plan: "Plan", jobs: int | None) -> list[Failure]:
    """Train what is left; the branches that failed."""
    from zerosum.sweep import states

    if left := [state for state in states(plan) if state.state != "done"]:
        from zerosum.sweep.local import train_here

        with progress() as show:
            train_here(plan, [state.run for state in left], jobs, show, _tell)
    return [
        Failure(state.run.folder.name, f"{state.run.folder}: {state.error or 'not finished. Start the command again.'}")
        for state in states(plan)
        if state.state != "done"
    ]


def _tell(notice: "Notice") -> None:
    print(f"zerosum: step {notice.step}: {printable(notice.message, 1_000)}", file=sys.stderr)


def _measure(plan: "Plan", sequences: int | None, by: str | None) -> "Branches":
    from zerosum.runs import read_branches
    from zerosum.sweep.branches import measure_finished

    with progress() as show:
        measure_finished(plan, plan.runs, sequences, by, show)
    return read_branches(plan.out)
