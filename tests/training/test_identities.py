"""Every objective and aggregator at the settings of its identity trains exactly like the baseline, over 50 steps."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_recipe import tiny_recipe

from zerosum.training import batch, optimizer_step
from zerosum.training.aggregators import AGGREGATORS
from zerosum.training.objectives import OBJECTIVES
from zerosum.training.recipe import Recipe
from zerosum.training.state import new_state, save

STEPS = 50
AWAY: dict[str, dict[str, Any]] = {  # settings that are not the identity's
    "z_loss": {"c": 0.01},
    "reweighting": {"r": 1.0},
    "rho1": {"k": 0.5},
    "pcgrad": {"groups": 8, "by": "loss_quantiles"},
}
FOLDERS = {"objective": OBJECTIVES, "aggregator": AGGREGATORS}
DECLARED = [
    (part, kind)
    for part, folder in FOLDERS.items()
    for kind in folder.names()
    if folder.settings(kind).identity is not None
]


def trained(recipe: Recipe, steps: int = STEPS) -> tuple[list[torch.Tensor], list[dict[str, float | None]]]:
    """Weights after some steps in float64, and the further columns of each step."""
    state = new_state(recipe)
    state.plain_model.double()
    columns = [dict(optimizer_step(state, batch(recipe, step)).values) for step in range(steps)]
    return [parameter.detach() for parameter in state.plain_model.parameters()], columns


def largest_difference(ours: list[torch.Tensor], theirs: list[torch.Tensor]) -> float:
    """Relative to the largest weight of each matrix."""
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(ours, theirs, strict=True))


@pytest.fixture(scope="module")
def plain(corpus: Path) -> Recipe:
    return tiny_recipe(corpus, steps=STEPS, batch={"sequences": 16, "length": 8})


@pytest.fixture(scope="module")
def baseline(plain: Recipe) -> list[torch.Tensor]:
    """Weights of the plain recipe, the baseline of every objective and aggregator."""
    return trained(plain)[0]


@pytest.fixture(scope="module")
def reference(plain: Recipe, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("reference") / "checkpoint-0"
    save(new_state(plain.model_copy(update={"seed": 9})), folder)
    return str(folder)


@pytest.mark.parametrize(("part", "kind"), DECLARED)
def test_identity(part: str, kind: str, plain: Recipe, baseline: list[torch.Tensor], reference: str) -> None:
    settings = FOLDERS[part].settings(kind)
    identity = settings.identity
    assert identity is not None
    assert settings.source
    assert (identity.baseline, identity.baseline_settings) == (getattr(plain, part).kind, {})
    given = {"reference": reference} if "reference" in settings.model_fields else {}
    same = plain.model_copy(update={part: settings(**given, **identity.settings)})
    weights, columns = trained(same)
    assert all(not row.get("conflict_rate") for row in columns)
    assert largest_difference(weights, baseline) <= identity.tolerance

    moved = plain.model_copy(update={part: settings(**given, **AWAY[kind])})
    assert largest_difference(trained(moved, steps=3)[0], trained(plain, steps=3)[0]) > 1e-6


@pytest.mark.parametrize(("part", "kind"), [(part, kind) for part in FOLDERS for kind in FOLDERS[part].names()])
def test_the_page_has_every_kind_with_its_source(part: str, kind: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "objectives.md").read_text(encoding="utf-8")
    source = FOLDERS[part].settings(kind).source
    assert f"`{kind}`" in page
    assert source == "the baseline" or all(piece in page for piece in source.split(", "))
