"""Averages of weights written while training: the mean that they claim, unharmed by a kill, and without an effect."""

import json
import shutil
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest
import torch
from killed_runs import contents, steps_when_killed

from zerosum import InputError
from zerosum.checkpoints import load_model, open_run
from zerosum.checkpoints.running_averages import ListedEnds, Windows
from zerosum.training import AfterStep, Callback, train
from zerosum.training.averages import AveragedWeights
from zerosum.training.changes import parse_changes, with_changes
from zerosum.training.recipe import Recipe

AVERAGES = ("last:4", "last:9", "ema:0.8")


class EveryIterate(Callback):
    """Saves the evaluated weights after every update."""

    def __init__(self, recipe: Recipe):
        self.optimizer, self.iterates = recipe.optimizer, dict[int, list[torch.Tensor]]()

    def after_step(self, context: AfterStep) -> None:
        weights = (self.optimizer.evaluated(context.optimizer, weight) for weight in context.model.parameters())
        self.iterates[context.step] = [weight.detach().double().clone() for weight in weights]


def by_hand(average: str, step: int, iterates: Mapping[int, list[torch.Tensor]]) -> list[torch.Tensor]:
    """The weighted mean of iterates, by its definition."""
    kind, _, number = average.partition(":")
    shares = {
        k: float(number) ** (step - k) if kind == "ema" else float(k > step - int(number)) for k in range(1, step + 1)
    }
    rows = zip(*(iterates[k] for k in shares), strict=True)
    return [
        sum(share * w for share, w in zip(shares.values(), row, strict=True)) / sum(shares.values()) for row in rows
    ]


def averaging(recipe: Recipe, **more: Any) -> Recipe:
    return with_changes(recipe, {"averages": list(AVERAGES), **more})


@pytest.mark.parametrize(
    "changes",
    [{}, {"optimizer.kind": "schedule_free", "model.tie_word_embeddings": False, "checkpoints.per_doubling": 4}],
)
def test_averages_equal_a_mean_by_hand(recipe: Recipe, tmp_path: Path, changes: dict[str, Any]) -> None:
    wanted = averaging(recipe, steps=23, **changes)
    every = EveryIterate(wanted)
    train(wanted, tmp_path, callbacks=(every,))
    for average in AVERAGES:
        for checkpoint in open_run(tmp_path, average=average).checkpoints[1:]:
            means = by_hand(average, checkpoint.step, every.iterates)
            for mean, weight in zip(means, load_model(checkpoint).parameters(), strict=True):
                torch.testing.assert_close(weight.detach().double(), mean, atol=1e-7, rtol=0)
    start, last = open_run(tmp_path, average="last:4").checkpoints[:: len(wanted.checkpoint_steps) - 1]
    assert start.weight_hash() == open_run(tmp_path).checkpoints[0].weight_hash()
    assert start.averaged is not None
    assert start.averaged.number == 1
    assert last.averaged is not None
    assert (last.averaged.number, last.averaged.steps) == (4, (20, 23))
    assert ("schedule-free" in last.averaged.weights) == (wanted.optimizer.kind == "schedule_free")
    assert (last.path / "tokenizer.json").is_file()
    assert last.tokens_seen == wanted.tokens_seen(23)


def test_averages_change_no_bit_of_the_run(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path / "plain")
    train(averaging(recipe), tmp_path / "averaged")
    plain, averaged = contents(tmp_path / "plain"), contents(tmp_path / "averaged")
    shared = [name for name in plain if name != "recipe.yaml"]
    assert {name: averaged[name] for name in shared} == {name: plain[name] for name in shared}


def test_a_killed_run_has_the_same_averages(recipe: Recipe, tmp_path: Path, processes: ForkServerContext) -> None:
    wanted = averaging(recipe)
    train(wanted, tmp_path / "whole")
    logged = [steps_when_killed(processes, wanted, tmp_path / "killed", operation) for operation in (160, 90)]
    assert None not in logged
    assert logged[-1]
    train(wanted, tmp_path / "killed")
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    assert (tmp_path / "killed" / "checkpoint-8" / "averages" / "ema-0.8" / "model.safetensors").is_file()


@pytest.mark.parametrize("size", [2, 5, 64, 1000])
@pytest.mark.parametrize("per_doubling", [1, 3, 8])
def test_few_sums_are_held_whatever_the_window(recipe: Recipe, size: int, per_doubling: int) -> None:
    steps = with_changes(recipe, {"steps": 3000, "checkpoints.per_doubling": per_doubling}).checkpoint_steps
    windows = Windows([size], steps[0], ListedEnds(steps[1:]))
    held: set[int] = set()
    most = 0
    for step in range(1, 3001):
        covering = [end for end in steps[1:] if max(0, end - size) < step <= end]
        assert windows.has(step) == bool(covering)
        assert windows.last_end(step - 1) == max(
            (end for end in steps[1:] if max(0, end - size) == step - 1), default=step - 1
        )
        assert windows.continues(step) == any(max(0, end - size) < step - 1 for end in covering)
        held |= {step} if windows.last_end(step) > step and windows.continues(step + 1) else set()
        held = {start for start in held if windows.last_end(start) > step}
        most = max(most, len(held))
    assert most <= per_doubling + 1


def test_states_go_back_to_where_they_were(recipe: Recipe, tmp_path: Path) -> None:
    first = AveragedWeights(averaging(recipe))
    train(recipe, tmp_path, callbacks=(first,))
    again = AveragedWeights(averaging(recipe))
    again.load_state_dict(first.state_dict())
    assert again.state_dict().keys() == first.state_dict().keys()
    assert all(torch.equal(tensor, first.state_dict()[name]) for name, tensor in again.state_dict().items())


def test_a_run_with_other_averages_is_another_run(recipe: Recipe, tmp_path: Path) -> None:
    train(averaging(recipe), tmp_path)
    with pytest.raises(InputError, match=r"averages: .*last:4"):
        train(recipe, tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("averages=last:1", "averages nothing"),
        ("averages=ema:1", "between 0 and 1"),
        ("averages=[ema:nan]", "'ema:nan': not known"),
        ("averages=median", "'median': not known"),
        ("averages=100,200", "average 100: one step"),
        ("averages=3", "write a list"),
    ],
)
def test_averages_that_cannot_be_are_refused(recipe: Recipe, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as refused:
        with_changes(recipe, parse_changes([text]))
    assert "\n" not in str(refused.value)


def test_averages_and_shared_weights_are_refused_together(recipe: Recipe) -> None:
    with pytest.raises(InputError, match="averages do not go with sharding fsdp"):
        averaging(recipe, sharding="fsdp")


def test_a_text_is_a_list_with_commas(recipe: Recipe) -> None:
    assert with_changes(recipe, parse_changes(["averages=last:64, ema:.995"])).averages == ("last:64", "ema:0.995")


def test_a_checkpoint_without_its_average_is_left_out(recipe: Recipe, tmp_path: Path) -> None:
    train(averaging(recipe), tmp_path)
    shutil.rmtree(tmp_path / "checkpoint-4" / "averages")
    averaged = open_run(tmp_path, average="last:4")
    assert [checkpoint.step for checkpoint in averaged.checkpoints] == [0, 1, 2, 8, 12]
    assert averaged.not_averaged == (4,)
    facts = json.loads((tmp_path / "checkpoint-8" / "averages" / "last-4" / "average.json").read_text())
    assert facts == {"form": "last:4", "number": 4, "steps": [5, 8], "iterates": True, "weights": ""}
