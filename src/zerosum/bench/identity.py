"""The identity gate: every arm's methods are checked before the arm may run.

Optimizers are compared on the closed-form problem, at the settings of their declared identity with what they must equal
or with the stored trajectory; objectives and aggregators on a tiny model of the arm's data. All in float64, 50 updates.
"""

from collections.abc import Mapping
from typing import Any

import torch

from zerosum.bench.results import IdentityCheck
from zerosum.errors import InputError
from zerosum.training.aggregators import AGGREGATORS
from zerosum.training.batches import batch
from zerosum.training.closed_form import largest_difference, trajectory, trajectory_file, weighted_sums
from zerosum.training.identity import Identity
from zerosum.training.model_recipe import ModelRecipe
from zerosum.training.objectives import OBJECTIVES
from zerosum.training.optimizer_settings import OptimizerSettings
from zerosum.training.optimizers import OPTIMIZERS
from zerosum.training.recipe import BatchRecipe, Recipe
from zerosum.training.settings import Kind
from zerosum.training.state import new_state, preserved_generators
from zerosum.training.step import optimizer_step

UPDATES = 50
STORED_TOLERANCE = 1e-9  # of a stored trajectory, relative: other versions of numpy and torch round otherwise
_RATE = {"lr": 0.01, "weight_decay": 0.1}


def check_identity(arm: str, recipe: Recipe, baseline: Recipe) -> IdentityCheck:
    """The check of an arm whose methods differ from the baseline's. Raises InputError where one fails.

    Of several methods, that with the largest error. A method of the baseline's own kind needs no check.
    """
    checks = []
    for part in ("optimizer", "objective", "aggregator"):
        settings = getattr(recipe, part)
        if settings.kind != getattr(baseline, part).kind:
            checks.append(_optimizer(settings) if part == "optimizer" else _rule(part, settings, recipe))
    for check in checks:
        if not check.passed:
            raise InputError(
                f"arm {arm}: does not equal {check.baseline} where it must: weights differ by {check.error:.2g}, "
                f"{check.tolerance:g} is allowed. It does not run; please report this."
            )
    return max(checks, key=lambda check: check.error, default=IdentityCheck("same", 0.0, 0.0, True, baseline.name))


def _optimizer(settings: OptimizerSettings) -> IdentityCheck:
    declared, kind = settings.identity, settings.kind
    if not isinstance(declared, Identity):
        own = type(settings)(**{"lr": _RATE["lr"], **declared.settings})
        sums = weighted_sums(trajectory(own))
        file = trajectory_file(kind)
        if not file.is_file():
            raise InputError(f"optimizer {kind}: equals no other one, and no trajectory is stored. Run make golden.")
        rows = file.read_text(encoding="utf-8").splitlines()
        stored = [float(row.split()[1]) for row in rows]
        error = max(abs(a - b) / abs(b) for a, b in zip(sums, stored, strict=True))
        return IdentityCheck("golden", error, STORED_TOLERANCE, error <= STORED_TOLERANCE, f"its stored {kind}")
    other = OPTIMIZERS.settings(declared.baseline)
    theirs = trajectory(other(**{**_RATE, **declared.baseline_settings}))
    error = largest_difference(trajectory(type(settings)(**{**_RATE, **declared.settings})), theirs)
    return IdentityCheck("no-op", error, declared.tolerance, error <= declared.tolerance, declared.baseline)


def _rule(part: str, settings: Kind, recipe: Recipe) -> IdentityCheck:
    declared: Identity | None = getattr(settings, "identity", None)
    if declared is None:
        raise InputError(f"{part} {settings.kind}: declares no identity, so it cannot be checked. Declare one.")
    kinds = OBJECTIVES if part == "objective" else AGGREGATORS
    given = {**settings.model_dump(), **declared.settings}
    ours, updates = _trained(recipe, {part: type(settings)(**given)}, UPDATES)
    plain: Any = kinds.settings(declared.baseline)
    theirs, _ = _trained(recipe, {part: plain(**declared.baseline_settings)}, updates)
    error = max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(ours, theirs, strict=True))
    return IdentityCheck("no-op", error, declared.tolerance, error <= declared.tolerance, declared.baseline)


def _trained(recipe: Recipe, parts: Mapping[str, Kind], updates: int) -> tuple[list[torch.Tensor], int]:
    """Weights of a tiny model after so many updates in float64, with other parts of the recipe.

    Ends before an update in which groups of tokens were in conflict: there an aggregator is no mean. Returns the number
    of updates, too.
    """
    length = min(8, recipe.batch.length)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    sizes |= {"vocab_size": recipe.data.open().vocabulary, "max_position_embeddings": recipe.batch.length}
    tiny = Recipe(
        name="identity",
        steps=UPDATES,
        data=recipe.data,
        model=ModelRecipe.model_validate(sizes),
        batch=BatchRecipe(sequences=16, length=length),
    ).model_copy(update=dict(parts))
    with preserved_generators(torch.device("cpu")):
        state = new_state(tiny)
        state.plain_model.double()
        weights = _weights(state.plain_model)
        for step in range(updates):
            if optimizer_step(state, batch(tiny, step)).values.get("conflict_rate"):
                return weights, step
            weights = _weights(state.plain_model)
    return weights, updates


def _weights(model: torch.nn.Module) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]
