"""The sweeps of docs/studies can be read, and train what their pages say."""

from pathlib import Path

from zerosum.runs import model_size
from zerosum.scaling import critical_batch, hold_out
from zerosum.sweep import read_plan

STUDIES = Path(__file__).parents[2] / "docs" / "studies"


def test_six_sizes_are_trained_alike(tmp_path):
    runs = read_plan(STUDIES / "sizes" / "sweep.yaml", tmp_path).runs
    sizes = {run.recipe.name: run.recipe for run in runs}
    assert (len(runs), len(sizes)) == (18, 6)
    assert {(recipe.steps, recipe.batch.tokens, recipe.optimizer.lr) for recipe in sizes.values()} == {
        (32_768, 256, 0.003)
    }
    for name, recipe in sizes.items():
        recipe.save(tmp_path / "recipe.yaml")
        assert round(model_size(tmp_path)[0] / 1000) == int(name.removesuffix("k"))


def test_six_batch_sizes_differ_in_nothing_but_steps_and_rates(tmp_path):
    plans = [read_plan(file, tmp_path) for file in (STUDIES / "batches").glob("batch-*.yaml")]
    runs = sorted((plan.runs[0].recipe.batch.tokens, len(plan.runs)) for plan in plans)
    assert runs == [(256, 12), (512, 12), (1024, 12), (2048, 9), (4096, 9), (8192, 9)]
    first = plans[0].runs[0].recipe
    for plan in plans:
        for run in plan.runs:
            changed = {text.partition(":")[0] for text in run.recipe.differences(first)}
            assert changed <= {"name", "seed", "steps", "batch.sequences", "optimizer.lr"}


def test_the_pages_say_what_their_tables_do():
    batches, sizes = STUDIES / "batches", STUDIES / "sizes"
    B_crit = critical_batch(batches / "losses.csv", 2.03, where={"average": "last:64"}).B_crit
    low, high = (round(end, -1) for end in B_crit.interval)
    assert f"{round(B_crit.value, -1):,.0f} [{low:,.0f}, {high:,.0f}] tokens" in (batches / "README.md").read_text(
        "utf-8"
    )
    error = hold_out(sizes / "losses.csv", draws=20).protocol[0].error.value
    assert f"Chinchilla's law {100 * error:.1f} %" in (sizes / "README.md").read_text("utf-8")
