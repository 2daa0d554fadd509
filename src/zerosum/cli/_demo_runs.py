"""The runs of `zerosum demo`: each is trained and measured in a process of its own; then all are one report."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerosum.cli._demo_measures import held_out_tokens, measure_run, train_run
from zerosum.cli.output import made_with
from zerosum.comparison import AcrossSeeds, OneSeed, across_seeds
from zerosum.deceleration import Analysis
from zerosum.interference.labelled import StoreFindings
from zerosum.runs import RunDirectory, RunFacts, Wanted, documents_beside, read_run
from zerosum.show.report import Report, Run

if TYPE_CHECKING:
    from zerosum.training import Recipe

NEEDS = ("torch", "transformers", "tokenizers", "safetensors", "accelerate")
NO_SEEDS = "one seed; run with --seeds 3 or more for intervals over seeds"


def train_and_measure_all(folder: Path, recipes: "list[Recipe]", show: Callable[..., None]) -> Report:
    """Train and measure each recipe's run in its folder inside `folder`, several side by side; finished ones are kept.

    show: called with (label, total, done, note) as the work goes on.
    """
    from zerosum.training import side_by_side
    from zerosum.training.models import count_parameters

    # The run with the most work first, then the largest: so the cores run out of work at nearly the same time.
    *others, smallest = sorted(recipes, key=lambda r: -count_parameters(r.model))
    jobs = [(run_folder(folder, recipe), recipe, recipe is smallest) for recipe in (smallest, *others)]
    runs = side_by_side(
        _train_and_measure,
        jobs,
        on_report=lambda number, *news: show(*news),
        modules=("zerosum.training.loop", "zerosum.losses", "zerosum.checkpoints"),
    )
    runs = sorted(runs, key=lambda run: (run.seed, _only(run, RunFacts).n_params))
    return Report(
        title="zerosum demo",
        runs=tuple(runs),
        shared=across_seeds([_one_seed(run) for run in runs]),
        provenance=_provenance(recipes),
    )


def run_folder(folder: Path, recipe: "Recipe") -> Path:
    """Where the run of a recipe lies in the demo's folder."""
    return folder / f"{slug(recipe)}-seed{recipe.seed}"


def slug(recipe: "Recipe") -> str:
    """A recipe's name for folders. A name is free text; this never leads out of the demo's folder."""
    return re.sub("[^A-Za-z0-9]+", "-", recipe.name)


def _train_and_measure(job: "tuple[Path, Recipe, bool]", show: Callable[..., None]) -> Run:
    """Train or continue one run, then measure it; in a process of its own. The job says how deep: see `measure_run`."""
    from zerosum.training.run_folder import writing

    folder, recipe, deep = job
    with writing(folder):
        train_run(folder, recipe, show)
        measure_run(folder, recipe, show, deep)
        wanted = Wanted(groups=False, heat=False)
        measured = read_run(folder, wanted, name=recipe.name)
        run = Run(recipe.name, (_facts(recipe), *measured.records), recipe.seed)
        RunDirectory(folder).write_fit(_only(run, Analysis))
    return run


def _facts(recipe: "Recipe") -> RunFacts:
    from zerosum.training.models import count_parameters

    whole = recipe.model_dump(mode="json", exclude={"seed", "name"})
    return RunFacts(count_parameters(recipe.model), recipe.steps, recipe.batch.tokens, whole)


def _only(run: Run, kind: type[Any]) -> Any:
    """The record of this type that every run of the demo has."""
    record = run.get(kind)
    if record is None:
        raise LookupError(f"{run.name}: no {kind.__name__}")
    return record


def _one_seed(run: Run) -> OneSeed:
    facts, findings = _only(run, RunFacts), _only(run, StoreFindings)
    pairs = {(pair.from_step, pair.to_step): pair.measured.D for pair in findings.found.pairs}
    loss = findings.mean_losses[-1].loss.value
    return OneSeed(run.name, facts.n_params, run.seed or 0, _only(run, Analysis).fit, loss, pairs)


def _provenance(recipes: "list[Recipe]") -> dict[str, Any]:
    held_out = held_out_tokens(recipes[0])
    return made_with(("zerosum", "numpy", *NEEDS)) | {
        "seeds": sorted({recipe.seed for recipe in recipes}),
        "text": "source code of Python's standard library, one token per byte; held-out files are never trained on",
        "threads": recipes[0].threads,
        "held_out": {
            "tokens": int(held_out.predicted.sum()),
            "sequences": len(held_out.ids),
            "documents": len(held_out.documents),
            "sha256": held_out.sha256,
        },
        "recipes": {recipe.name: recipe.model_dump(mode="json", exclude={"seed", "name"}) for recipe in recipes},
    }


def document(report: Report) -> dict[str, Any]:
    """`{title, runs[...], across_seeds, provenance}`, as `zerosum demo --json` prints it."""
    sizes = report.across(AcrossSeeds)
    over_seeds: dict[str, Any] = {"across_seeds": [size.to_json() for size in sizes] or None}
    if not sizes:
        over_seeds["across_seeds_reason"] = NO_SEEDS
    runs = [_run_document(run) for run in report.runs]
    return {"title": report.title, "runs": runs, **over_seeds, "provenance": dict(report.provenance)}


def _run_document(run: Run) -> dict[str, Any]:
    facts, findings = _only(run, RunFacts), _only(run, StoreFindings)
    fit = _only(run, Analysis).fit.to_json()
    cutoffs = fit.pop("cutoffs")
    return {
        "name": run.name,
        "n_params": facts.n_params,
        "seed": run.seed,
        "steps": facts.steps,
        "tokens_per_step": facts.tokens_per_step,
        **findings.mean_losses[-1].loss.flat("final_loss"),
        "fit": fit,
        "cutoffs": cutoffs,
        "double": [
            {"from_step": pair.from_step, "to_step": pair.to_step, **pair.measured.to_json()}
            for pair in findings.found.pairs
        ],
        "unpaired": list(findings.found.unpaired),
        "one_step": [
            {"step": step.step, "split": step.split, **step.measured.to_json()} for step in findings.one_steps
        ],
        **documents_beside(run.get),
    }
