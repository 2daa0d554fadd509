"""`zerosum train`: train a recipe, or continue its run, on one process or on those that torchrun started."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.cli.options import Details, expand_option_groups
from zerosum.cli.sources import AsJson, Failure, each, finish, print_json
from zerosum.cli.train_options import Choices
from zerosum.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from zerosum.training import Recipe

GROUP = "train"
EPILOG = (
    "Examples: `zerosum train tiny_25k`; `zerosum train tiny_25k --set optimizer.lr=2e-3 --seed 1`; "
    "`zerosum train --show tiny_100k > mine.yaml`, then `zerosum train mine.yaml`; "
    "`zerosum train --branch runs/tiny_25k@1024 --cooldown 20%`; "
    "`torchrun --nproc-per-node 8 -m zerosum train paper_14m`."
)
_PATIENCE = 10.0  # seconds
_NEEDS = ("torch", "transformers", "tokenizers", "safetensors", "accelerate")


@expand_option_groups
def train(
    recipe: Annotated[
        str | None,
        typer.Argument(metavar="RECIPE", help="Name of a recipe (see --list), or a YAML file.", show_default=False),
    ] = None,
    *,
    out: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Run directory; a run that is there is continued. Without it runs/NAME."),
    ] = None,
    choices: Choices,
    listed: Annotated[bool, typer.Option("--list", help="Show the recipes; all variants with --details.")] = False,
    shown: Annotated[bool, typer.Option("--show", help="Print the whole recipe as YAML and train nothing.")] = False,
    details: Details = False,
    as_json: AsJson = False,
) -> None:
    """Train a language model as a recipe says. Stopped at any moment and started again, it continues."""
    for package in _NEEDS:
        if find_spec(package) is None:
            raise MissingExtra(package, "lm")
    if listed:
        from zerosum.cli._recipe_list import listing

        _require_alone("--list", recipe, out, shown, *asdict(choices).values())
        listing(details, as_json)
        return
    from zerosum.cli._train_plan import plan

    with _main_process_speaks():
        try:
            wanted, run = plan(recipe, out, choices)
        except InputError as error:
            if as_json and _is_main_process():
                print_json("runs", [], [Failure(recipe or choices.branch or "", str(error))])
            raise
        if shown:
            _require_alone("--show", as_json)
            print(wanted.to_yaml(), end="")
            return
        _train(recipe or choices.branch or "", wanted, run, choices, as_json)


def _require_alone(option: str, *others: Any) -> None:
    if any(others):
        raise InputError(f"{option}: trains nothing, so it excludes options of a training run. Leave one out.")


@contextmanager
def _main_process_speaks() -> Iterator[None]:
    """Of the processes that torchrun started, the main one alone says what is wrong: all meet the same error."""
    try:
        yield
    except InputError as error:
        if _is_main_process():
            raise
        sleep(_PATIENCE)  # torchrun ends all processes with the first that fails: the main one has to print before
        raise typer.Exit(2) from error


def _is_main_process() -> bool:
    return int(os.environ.get("RANK", "0")) == 0


def _train(source: str, wanted: "Recipe", run: Path, choices: Choices, as_json: bool) -> None:
    """Train; the main process prints what came of it, the others nothing."""
    from zerosum.cli._train_run import say, train_run

    speaks = _is_main_process()
    trackers = [tracker.value for tracker in choices.track or []]
    work = partial(train_run, run=run, data=choices.data or [], trackers=trackers, speaks=speaks)
    done, failed = each([(source, wanted)], work)
    if not speaks:
        if failed:
            raise InputError(failed[0].message)
        return
    outcomes = [outcome for _, outcome in done]
    if as_json:
        print_json("runs", [outcome.to_json() for outcome in outcomes], failed)
    else:
        say(outcomes)
    finish(failed, 1)
