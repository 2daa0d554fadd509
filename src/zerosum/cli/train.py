"""`zerosum train`: train a recipe, or continue its run, on one process or on those that torchrun started."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.cli.options import Details
from zerosum.cli.sources import AsJson, each, finish, print_json
from zerosum.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from zerosum.training import Recipe
    from zerosum.training.outcome import Outcome

GROUP = "train"
EPILOG = (
    "Examples: `zerosum train tiny_25k`; `zerosum train tiny_25k --set optimizer.lr=2e-3 --seed 1`; "
    "`zerosum train --show tiny_100k > mine.yaml`, then `zerosum train mine.yaml`; "
    "`torchrun --nproc-per-node 8 -m zerosum train paper_14m`."
)
_NEEDS = ("torch", "transformers", "tokenizers", "safetensors", "accelerate")


def train(
    recipe: Annotated[
        str | None,
        typer.Argument(metavar="RECIPE", help="Name of a recipe (see --list), or a YAML file.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Run directory; a run that is there is continued. Without it runs/NAME."),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change a value of the recipe, as optimizer.lr=1e-3."),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of initial weights and batches.")] = None,
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
        _require_alone("--list", recipe, out, changes, seed, shown)
        _list(details, as_json)
        return
    if recipe is None:
        raise InputError("no recipe. Name one, as in zerosum train tiny_25k; zerosum train --list shows all.")
    from zerosum.cli._train_run import plan

    wanted, run = plan(recipe, out, changes or [], seed)
    if shown:
        _require_alone("--show", out, as_json)
        print(wanted.to_yaml(), end="")
        return
    _train(recipe, wanted, run, as_json)


def _require_alone(option: str, *others: Any) -> None:
    if any(others):
        raise InputError(f"{option}: trains nothing, so it excludes options of a training run. Leave one out.")


def _train(source: str, wanted: "Recipe", run: Path, as_json: bool) -> None:
    """Train; the main process prints what came of it, the others nothing."""
    from zerosum.cli._train_run import say, train_run

    speaks = int(os.environ.get("RANK", "0")) == 0

    def work(recipe: "Recipe") -> "Outcome":
        return train_run(recipe, run, speaks)

    done, failed = each([(source, wanted)], work)
    if not speaks:
        raise typer.Exit(2 if failed else 0)
    outcomes = [outcome for _, outcome in done]
    if as_json:
        print_json("runs", [outcome.to_json() for outcome in outcomes], failed)
    else:
        say(outcomes)
    finish(failed, 1)


def _list(details: bool, as_json: bool) -> None:
    from zerosum.cli._recipe_list import listing

    listing(details, as_json)
