"""`zerosum demo`: train a suite of tiny models on this machine, measure it, and explain it on one page."""

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.atomic import write_text
from zerosum.cli.options import Details
from zerosum.cli.progress import busy, progress
from zerosum.cli.sources import print_document
from zerosum.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from zerosum.training import Recipe

_NEEDS = ("torch", "transformers", "tokenizers", "safetensors", "accelerate")
_MARKER = "demo.json"
_BYTES_OF_REPORTS = 50_000_000

GROUP = "train"


def demo(
    out: Annotated[
        Path | None, typer.Option(help="Folder for runs and report; one that a demo began is continued.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of initial weights and batches.")] = 0,
    seeds: Annotated[
        int, typer.Option(min=1, help="Repeat the suite with so many seeds; adds intervals over them.")
    ] = 1,
    quick: Annotated[bool, typer.Option("--quick", help="1,024 steps: about a minute, too short for a break.")] = False,
    details: Details = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON document on stdout.")] = False,
) -> None:
    """Train three tiny language models, measure deceleration and zero-sum learning, and write a report.

    Takes three to eight minutes on two CPU cores for each seed and needs no download: the text is the source code of
    Python's standard library. OUT is runs/demo, or runs/demo-quick with --quick. Stopped at any moment and started
    again, it continues.
    """
    for package in _NEEDS:
        if find_spec(package) is None:
            raise MissingExtra(package, "lm")
    folder = (out or Path("runs") / ("demo-quick" if quick else "demo")).expanduser()
    from zerosum.training.run_folder import writing

    with writing(folder):
        settings = {"seed": seed, "quick": quick}
        is_new = _is_new(folder, settings)
        _require_disk(folder, seed, seeds, quick)
        if is_new:
            _claim(folder, settings)
        _run(folder, seed, seeds, quick, details, as_json)


def _run(folder: Path, seed: int, seeds: int, quick: bool, details: bool, as_json: bool) -> None:
    from zerosum.cli._demo_runs import document, train_and_measure_all
    from zerosum.recipes import demo_suite
    from zerosum.show import folder as files
    from zerosum.show import terminal

    recipes = [recipe for number in range(seed, seed + seeds) for recipe in demo_suite(number, quick)]
    with progress() as show:
        report = train_and_measure_all(folder, recipes, show)
    summary = document(report)
    with busy("writing the report"):
        page = files.write(report, folder, {"summary.json": summary}, for_print=False)
    if as_json:
        print_document(summary)
    else:
        terminal.show(report, details)
        terminal.screen().print(f"Report: {page}", soft_wrap=True)


def _is_new(folder: Path, settings: dict[str, Any]) -> bool:
    """Whether the folder has still to be made this demo's. Raises InputError where it is somebody else's."""
    marker = folder / _MARKER
    if not marker.is_file():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(
                f"{folder}: exists and was not made by the demo. Choose another --out; nothing was touched."
            )
        return True
    try:
        previous = json.loads(marker.read_text(encoding="utf-8"))
    except ValueError:
        previous = None
    if not (isinstance(previous, dict) and previous.keys() == settings.keys()):
        raise InputError(
            f"{marker}: cannot be read. Write into it what this demo was begun with (for this command "
            f"{json.dumps(settings)}) and start again: its runs are kept."
        )
    if previous != settings:
        raise InputError(
            f"{folder}: holds a demo of other settings ({previous}, not {settings}). Choose another --out."
        )
    return False


def _claim(folder: Path, settings: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / _MARKER, json.dumps(settings) + "\n")


def _require_disk(folder: Path, seed: int, seeds: int, quick: bool) -> None:
    """Refuse to begin what cannot be finished: checkpoints of every run that is not there yet, and room for reports.

    Counted from one suite: the sizes of the others are the same, and there may be a mistyped million of them.
    """
    from zerosum.recipes import demo_suite
    from zerosum.training.disk import bytes_to_come, require_free

    to_come = sum(
        bytes_to_come(recipe) * (seeds - _begun(folder, recipe, seed, seeds)) for recipe in demo_suite(seed, quick)
    )
    remedy = "Free some space, choose another --out or fewer --seeds."
    require_free(folder, to_come + _BYTES_OF_REPORTS, remedy)


def _begun(folder: Path, recipe: "Recipe", seed: int, seeds: int) -> int:
    """How many runs of this size, of the wanted seeds, have a folder."""
    from zerosum.cli._demo_runs import slug

    runs = (re.fullmatch(r".*-seed([0-9]+)", path.name) for path in folder.glob(f"{slug(recipe)}-seed*"))
    return sum(1 for run in runs if run and seed <= int(run[1]) < seed + seeds)
