"""Activation checkpointing, bfloat16, gradient accumulation and compilation: what they change, and exact resume."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from killed_runs import contents
from on_step import OnStep
from safetensors.torch import load_file
from several_processes import rows
from tiny_recipe import tiny_recipe

from zerosum import InputError
from zerosum.training import execution, train
from zerosum.training.recipe import Recipe
from zerosum.training.sharding import decoder_layers
from zerosum.training.state import new_state


@pytest.fixture
def recipe(corpus: Path) -> Callable[..., Recipe]:
    """recipe(**more): of a model with dropout and three layers."""
    tiny = tiny_recipe(corpus)
    model = tiny.model.model_dump() | {"num_hidden_layers": 3, "attention_dropout": 0.2}
    return lambda **more: tiny_recipe(corpus, **({"model": model} | more))


def losses(run: Path) -> list[float]:
    return [row["loss"] for row in rows(run)]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "checkpoint-12" / "model.safetensors")


def test_activation_checkpointing_changes_nothing_with_dropout_on(
    recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    train(recipe(), tmp_path / "kept")
    train(recipe(activation_checkpointing=True), tmp_path / "recomputed")
    kept, recomputed = contents(tmp_path / "kept"), contents(tmp_path / "recomputed")
    assert {name for name in kept if kept[name] != recomputed[name]} == {"recipe.yaml"}
    without = recipe(model=recipe().model.model_dump() | {"attention_dropout": 0.0})
    train(without, tmp_path / "without")
    assert losses(tmp_path / "without") != losses(tmp_path / "kept")  # so dropout was on


def test_activations_are_computed_again_in_the_backward_pass(recipe: Callable[..., Recipe]) -> None:
    calls = []
    for again in (False, True):
        model = new_state(recipe(activation_checkpointing=again)).plain_model
        counts: list[int] = []
        model.model.layers[0].mlp.register_forward_pre_hook(lambda *_, counts=counts: counts.append(1))
        model(torch.tensor([[1, 2, 3]])).logits.sum().backward()
        calls.append(len(counts))
        with torch.no_grad():
            model(torch.tensor([[1, 2, 3]]))
        assert len(counts) == calls[-1] + 1
    assert calls == [1, 2]


def test_stopped_run_continues_exactly_with_all_of_them(recipe: Callable[..., Recipe], tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(step: int, loss: float) -> None:
        if step == 7:
            raise Stop

    batch = {"sequences": 4, "length": 8, "passes": 2}
    described = recipe(activation_checkpointing=True, mixed_precision="bf16", batch=batch)
    train(described, tmp_path / "whole")
    with pytest.raises(Stop):
        train(described, tmp_path / "stopped", callbacks=(OnStep(stop),))
    train(described, tmp_path / "stopped")
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


def test_bfloat16_is_close_to_float32_and_keeps_weights_in_float32(
    recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    train(recipe(), tmp_path / "float32")
    train(recipe(mixed_precision="bf16"), tmp_path / "bfloat16")
    assert losses(tmp_path / "bfloat16") != losses(tmp_path / "float32")
    # bfloat16 has 8 bits of precision: 2^-8 of a loss of 5.5 nats is 0.02
    np.testing.assert_allclose(losses(tmp_path / "bfloat16"), losses(tmp_path / "float32"), atol=0.02, rtol=0)
    assert {tensor.dtype for tensor in weights(tmp_path / "bfloat16").values()} == {torch.float32}


def test_compiled_layers_share_one_graph_and_keep_names(
    recipe: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs = []

    def backend(graph: Any, inputs: Any) -> Any:  # in place of the C++ compiler, which tests/long uses
        graphs.append(graph)
        return graph.forward

    compile_layer = torch.compile
    monkeypatch.setattr(torch, "compile", lambda forward: compile_layer(forward, backend=backend, fullgraph=True))
    torch.compiler.reset()
    train(recipe(compile=True, steps=4), tmp_path / "compiled")
    train(recipe(steps=4), tmp_path / "eager")
    assert len(graphs) == 1
    compiled, eager = contents(tmp_path / "compiled"), contents(tmp_path / "eager")
    assert {name for name in eager if eager[name] != compiled[name]} == {"recipe.yaml"}


def test_modules_inside_of_layers_are_no_layers() -> None:
    class Mixer(torch.nn.Linear):
        pass

    class Block(torch.nn.Sequential):
        pass

    model = torch.nn.Sequential(Mixer(1, 1), Block(Mixer(1, 1)), Block(Mixer(1, 1)))
    model._no_split_modules = ["Block", "Mixer"]
    assert decoder_layers(model) == list(model)


def test_model_without_known_layers_is_refused(recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "decoder_layers", lambda model: [])
    with pytest.raises(InputError, match="compile: the layers of the family llama are not known"):
        new_state(recipe(compile=True))
