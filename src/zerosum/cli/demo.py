"""`zerosum demo`: train a suite of tiny models on this machine, measure it, and explain it on one page."""

import json
import os
import platform
import re
import shutil
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.atomic import write_text
from zerosum.cli.progress import progress
from zerosum.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Callable

    from zerosum.show import RunSummary, SuiteSummary
    from zerosum.tokens import TokenSequences
    from zerosum.training import Callback, Recipe

HELD_OUT_SEQUENCES = 256
# The published cut-off of 100 steps would leave out most of what precedes the break of these short runs.
CUTOFF = 30
CUTOFFS = (20, 30, 40, 50, 60, 80)
_EXTRA = ("torch", "transformers", "tokenizers", "safetensors", "accelerate")
_MARKER = "demo.json"
_BYTES_PER_PARAMETER = 12  # float32 weights and AdamW's two moments


def demo(
    out: Annotated[
        Path | None, typer.Option(help="Folder for runs and report; one that a demo began is continued.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of initial weights and batches.")] = 0,
    seeds: Annotated[
        int, typer.Option(min=1, help="Repeat the suite with so many seeds; adds intervals over them.")
    ] = 1,
    quick: Annotated[bool, typer.Option("--quick", help="256 steps: under a minute, too short for a break.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON document on stdout.")] = False,
) -> None:
    """Train three tiny language models, measure deceleration and zero-sum learning, and write a report.

    Takes three to four minutes on two CPU cores for each seed and needs no download: the text is the source code of
    Python's standard library. OUT is runs/demo, or runs/demo-quick with --quick. Stopped at any moment and started
    again, it continues.
    """
    for package in _EXTRA:
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
        summary = _run_suite(folder, seed, seeds, quick)
        _show(summary, folder, as_json)


def _run_suite(folder: Path, seed: int, seeds: int, quick: bool) -> "SuiteSummary":
    from zerosum.recipes import demo_suite
    from zerosum.show import SuiteSummary, across_seeds
    from zerosum.training import side_by_side

    recipes = [recipe for number in range(seed, seed + seeds) for recipe in demo_suite(number, quick)]
    # The largest first: so the cores run out of work at nearly the same time.
    jobs = [(_run_folder(folder, r), r) for r in sorted(recipes, key=lambda r: -r.model.n_parameters)]
    with progress() as show:
        found = side_by_side(_train_and_measure, jobs, on_report=lambda number, *news: show(*news))
    runs = tuple(sorted(found, key=lambda run: (run.seed, run.n_params)))
    over_seeds = across_seeds(runs)
    return SuiteSummary(
        title="zerosum demo",
        runs=runs,
        across_seeds=over_seeds,
        across_seeds_reason=None if over_seeds else "one seed; run with --seeds 3 or more for intervals over seeds",
        provenance=_provenance(recipes),
    )


def _run_folder(folder: Path, recipe: "Recipe") -> Path:
    return folder / f"{_slug(recipe)}-seed{recipe.seed}"


def _slug(recipe: "Recipe") -> str:
    """A name is free text; a folder's name is not, and never leads out of the folder."""
    return re.sub("[^A-Za-z0-9]+", "-", recipe.name)


def _held_out(recipe: "Recipe") -> "TokenSequences":
    from zerosum.training import held_out_tokens

    return held_out_tokens(HELD_OUT_SEQUENCES, recipe.batch.length, recipe.data)


def _train_and_measure(job: "tuple[Path, Recipe]", show: "Callable[..., None]") -> "RunSummary":
    """Train or continue one run, then measure it; in a process of its own."""
    from zerosum.training.run_folder import writing

    folder, recipe = job
    with writing(folder):
        return _summary_of_run(folder, recipe, show)


def _summary_of_run(folder: Path, recipe: "Recipe", show: "Callable[..., None]") -> "RunSummary":
    import torch

    from zerosum.checkpoints import open_run
    from zerosum.losses import AroundStep, measure_losses
    from zerosum.runs import RunDirectory
    from zerosum.show import summarize_run
    from zerosum.training import one_step_losses, train

    label, total = f"{recipe.name}, seed {recipe.seed}: ", recipe.steps
    torch.set_num_threads(recipe.threads)  # the last digits of a loss depend on it
    train(recipe, folder, callbacks=(_progress(label + "training", total, show),))
    run = open_run(folder)
    store = measure_losses(
        RunDirectory(folder).losses,
        run.checkpoints,
        _held_out(recipe),
        model=recipe.name,
        around=AroundStep(
            lambda checkpoint, tokens: one_step_losses(recipe, checkpoint, tokens),
            batch=(recipe.batch.sequences, recipe.batch.length),
        ),
        replace=True,
        on_piece=lambda done, total, step: show(label + "token losses", total, done, f"step {step}"),
    )
    return summarize_run(run, recipe, store, cutoff=CUTOFF, cutoffs=CUTOFFS)


def _progress(label: str, total: int, show: "Callable[..., None]") -> "Callback":
    """Shows the step and loss of each update."""
    from zerosum.training import AfterStep, Callback

    class Progress(Callback):
        def after_step(self, context: AfterStep) -> None:
            show(label, total, context.step, f"loss {context.loss:.2f}")

    return Progress()


def _show(summary: "SuiteSummary", folder: Path, as_json: bool) -> None:
    from rich.console import Console

    from zerosum.show import terminal_table, to_json, write_report

    page = write_report(summary, folder)
    if as_json:
        print(json.dumps(to_json(summary), indent=2, allow_nan=False, ensure_ascii=False))
    else:
        console = Console()
        console.print(terminal_table(summary))
        console.print(f"Report: {page}", highlight=False, soft_wrap=True)


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
        found = json.loads(marker.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if not (isinstance(found, dict) and found.keys() == settings.keys()):
        raise InputError(
            f"{marker}: cannot be read. Write into it what this demo was begun with (for this command "
            f"{json.dumps(settings)}) and start again: its runs are kept."
        )
    if found != settings:
        raise InputError(f"{folder}: holds a demo of other settings ({found}, not {settings}). Choose another --out.")
    return False


def _claim(folder: Path, settings: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / _MARKER, json.dumps(settings) + "\n")


def _require_disk(folder: Path, seed: int, seeds: int, quick: bool) -> None:
    """Refuse to begin what cannot be finished: checkpoints of every run that is not there yet, and room for reports.

    Counted from one suite: the sizes of the others are the same, and there may be a mistyped million of them.
    """
    from zerosum.recipes import demo_suite

    saved = sum(
        recipe.model.n_parameters * (len(recipe.checkpoint_steps) + 2) * (seeds - _begun(folder, recipe, seed, seeds))
        for recipe in demo_suite(seed, quick)
    )
    needed = int(1.2 * _BYTES_PER_PARAMETER * saved) + 50_000_000
    place = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(f"{place}{os.sep}").free  # a file in the place of a folder is an error
    if free < needed:
        raise InputError(
            f"{folder}: {free / 1e6:.0f} MB free, about {needed / 1e6:.0f} MB needed. "
            "Free some space, choose another --out or fewer --seeds."
        )


def _begun(folder: Path, recipe: "Recipe", seed: int, seeds: int) -> int:
    """How many runs of this size, of the wanted seeds, have a folder."""
    runs = (re.fullmatch(r".*-seed([0-9]+)", path.name) for path in folder.glob(f"{_slug(recipe)}-seed*"))
    return sum(1 for run in runs if run and seed <= int(run[1]) < seed + seeds)


def _provenance(recipes: list["Recipe"]) -> dict[str, Any]:
    held_out = _held_out(recipes[0])
    return {
        "command": " ".join(["zerosum", *sys.argv[1:]]),
        "seeds": sorted({recipe.seed for recipe in recipes}),
        "text": "source code of Python's standard library, one token per byte; held-out files are never trained on",
        "cutoff": CUTOFF,
        "threads": recipes[0].threads,
        "machine": platform.platform(),
        "versions": {"python": platform.python_version(), **{p: version(p) for p in ("zerosum", "numpy", *_EXTRA)}},
        "held_out": {
            "tokens": int(held_out.predicted.sum()),
            "sequences": len(held_out.ids),
            "documents": len(held_out.documents),
            "sha256": held_out.sha256,
        },
        "recipes": {recipe.name: recipe.model_dump(mode="json", exclude={"seed", "name"}) for recipe in recipes},
    }
