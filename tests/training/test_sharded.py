"""Two processes that share the weights (FSDP, gloo) train what one process trains, and any number continues."""

from collections.abc import Mapping
from multiprocessing.context import ForkServerContext
from pathlib import Path

import numpy as np
import pytest
from killed_runs import contents
from several_processes import new_processes, rows, train_in
from torch.distributed.tensor import DTensor

from zerosum.training import AfterStep, Callback, train
from zerosum.training.recipe import Recipe


class Norm(Callback):
    """The norm of all weights, which needs the parts of all processes, and a sign that there are parts."""

    def after_step(self, context: AfterStep) -> Mapping[str, float]:
        parameters = list(context.model.parameters())
        moments = [state["exp_avg"] for state in context.optimizer.state.values()]
        in_parts = all(isinstance(tensor, DTensor) for tensor in [*parameters, *moments])
        squares = [parameter.detach().pow(2).sum() for parameter in parameters]
        squares = [square.full_tensor() if isinstance(square, DTensor) else square for square in squares]
        return {"norm": sum(map(float, squares)) ** 0.5, "in_parts": in_parts}


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    return new_processes()


def test_two(recipe: Recipe, tmp_path: Path, processes: ForkServerContext) -> None:
    recipe = recipe.model_copy(update={"sharding": "fsdp"})
    train(recipe, tmp_path / "one", callbacks=(Norm(),))
    assert train_in(processes, 2, recipe, tmp_path / "two", callbacks=(Norm(),)) == [0, 0]
    one, two = rows(tmp_path / "one"), rows(tmp_path / "two")
    for name in ("loss", "grad_norm", "lr", "tokens_seen", "norm"):
        np.testing.assert_allclose([row[name] for row in two], [row[name] for row in one], atol=1e-5, rtol=1e-5)
    assert all(row["in_parts"] for row in two)
    assert not any(row["in_parts"] for row in one)
    a, b = contents(tmp_path / "one"), contents(tmp_path / "two")
    print(set(a) ^ set(b))
    print([n for n in a if a[n] != b.get(n)])
