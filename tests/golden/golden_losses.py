"""The first 50 losses of the tiny recipes, on a fixed text, which does not change with the version of Python."""

from collections.abc import Iterator
from pathlib import Path

from zerosum.recipes import named_recipe, recipe_names, variant_names
from zerosum.training.batches import batch
from zerosum.training.branch import first_state
from zerosum.training.changes import with_changes
from zerosum.training.state import new_state, preserved_generators, save
from zerosum.training.step import optimizer_step

FOLDER = Path(__file__).parent
STEPS = 50
TOLERANCE = 1e-4
QUICK = ("tiny_25k", *(f"tiny_25k_{variant}" for variant in ("ademamix", "gpt2", "muon", "pcgrad", "reweighting")))
"""A second each: the baseline, and a variant of the optimizer, the architecture, the objective and the aggregator."""


def others() -> list[str]:
    """The larger sizes, and all other variants of the smallest."""
    sizes = [name for name in recipe_names() if name.startswith("tiny_")]
    variants = [name for name in variant_names() if name.startswith("tiny_25k_")]
    return [name for name in (*sizes, *variants) if name not in QUICK]


def first_losses(name: str, code: Path, folder: Path) -> list[float]:
    """Losses of updates 1 to 50. code: the text. folder: for a reference model."""
    recipe = with_changes(named_recipe(name), {"data.folder": str(code), "data.held_out_share": 0.3, "held_out": 0})
    if "objective.reference" in recipe.flat():
        recipe = with_changes(recipe, {"objective.reference": str(_reference(code, folder))})
    state = first_state(recipe)
    with preserved_generators(state.accelerator.device):
        return [optimizer_step(state, batch(recipe, step)).loss for step in range(STEPS)]


def _reference(code: Path, folder: Path) -> Path:
    """A model of another seed without training."""
    recipe = with_changes(named_recipe("tiny_25k"), {"seed": 1, "data.folder": str(code)})
    save(new_state(recipe), folder / "reference")
    return folder / "reference"


def compared(name: str, losses: list[float], renew: bool) -> float:
    """Largest difference from the golden file, infinite where there is none. renew: write it first."""
    file = FOLDER / f"{name}.txt"
    if renew:
        file.write_text("".join(f"{step} {loss:.6f}\n" for step, loss in enumerate(losses, start=1)), encoding="utf-8")
    golden = dict(_read(file)) if file.exists() else {}
    if list(golden) != list(range(1, STEPS + 1)):
        return float("inf")
    return max(abs(loss - golden[step]) for step, loss in enumerate(losses, start=1))


def _read(file: Path) -> Iterator[tuple[int, float]]:
    for line in file.read_text(encoding="utf-8").splitlines():
        step, loss = line.split()
        yield int(step), float(loss)
