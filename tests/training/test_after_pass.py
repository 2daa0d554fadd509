"""Callbacks that see the gradient after each backward pass of an accumulated update."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from zerosum import InputError
from zerosum.checkpoints import load_model, open_run
from zerosum.training import BeforeStep, Callback, batch, train
from zerosum.training.recipe import Recipe

STEP = 2


class Passes(Callback):
    """Of update STEP: tokens of each pass, and the gradient of the first matrix after it."""

    def __init__(self, change: Callable[[torch.Tensor], Any] = torch.norm) -> None:
        self.change = change
        self.seen: list[tuple[int, torch.Tensor]] = []

    def after_pass(self, context: BeforeStep) -> Callable[[int], None] | None:
        def see(tokens: int) -> None:
            torch.rand(3)
            context.model.eval()
            gradient = next(context.model.parameters()).grad
            assert gradient is not None
            self.seen.append((tokens, gradient.clone()))
            self.change(gradient)

        return see if context.step == STEP else None


def of(recipe: Recipe, **more: Any) -> Recipe:
    return Recipe.model_validate(recipe.model_dump() | {"steps": 4} | more)


def in_passes(number: int) -> dict[str, Any]:
    return {"batch": {"sequences": 5, "length": 8, "passes": number}}


def test_it_sees_the_sum_after_each_pass_and_changes_nothing(recipe: Recipe, tmp_path: Path) -> None:
    recipe, callback = of(recipe, **in_passes(2), optimizer={"kind": "adamw", "clip": 1e-3}), Passes()
    train(recipe, tmp_path / "with", callbacks=(callback,))
    train(recipe, tmp_path / "without")
    weights = [(tmp_path / run / "checkpoint-4" / "model.safetensors").read_bytes() for run in ("with", "without")]
    assert weights[0] == weights[1]
    assert [tokens for tokens, _ in callback.seen] == [3 * 8, 2 * 8]

    (before,) = [checkpoint for checkpoint in open_run(tmp_path / "with").checkpoints if checkpoint.step == STEP]
    model, ids = load_model(before), torch.as_tensor(batch(recipe, STEP).ids)
    for rows, (_, gradient) in zip((3, 5), callback.seen, strict=True):
        model.zero_grad()
        logits = model(input_ids=ids[:rows, :-1]).logits.flatten(0, 1)
        torch.nn.functional.cross_entropy(logits, ids[:rows, 1:].flatten(), reduction="sum").backward()
        torch.testing.assert_close(gradient, next(model.parameters()).grad / (5 * 8), atol=1e-6, rtol=1e-5)


def test_a_change_of_gradients_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Passes\.after_pass: changed the gradients; a callback only reads"):
        train(of(recipe, **in_passes(2)), tmp_path, callbacks=(Passes(lambda gradient: gradient.mul_(2)),))


@pytest.mark.parametrize(
    "more", [in_passes(1), in_passes(2) | {"aggregator": {"kind": "pcgrad", "groups": 2}}], ids=["one", "aggregator"]
)
def test_it_is_not_called_where_there_is_no_sum_of_passes(recipe: Recipe, tmp_path: Path, more: dict[str, Any]) -> None:
    callback = Passes()
    train(of(recipe, **more), tmp_path, callbacks=(callback,))
    assert callback.seen == []
