"""Loss and gradient are means over all predicted tokens, however rows are padded and shared by processes and passes."""

import json
import os
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from several_processes import end, start
from tiny_recipe import tiny_recipe
from torch.nn import functional
from warm_processes import warm_processes

from zerosum.training import optimizer_step
from zerosum.training.corpus import Batch
from zerosum.training.recipe import Recipe
from zerosum.training.state import new_state, save

LENGTHS = (8, 1, 5, 3, 2, 8, 8, 1)  # predicted tokens of each row: 17 in the first process, 19 in the second
WAYS = tuple(product(("none", "fsdp"), (1, 2, 4)))


def ragged() -> Batch:
    ids = np.random.default_rng(0).integers(0, 257, (len(LENGTHS), 9))
    for row, length in zip(ids, LENGTHS, strict=True):
        row[length + 1 :] = -1
    return Batch(ids, np.zeros(len(LENGTHS), dtype=np.int64))


def step_in_every_way(recipe: Recipe, folder: Path) -> None:
    """The step of gradient descent with learning rate 1, and its loss and gradient norm."""
    for sharding, passes in WAYS:
        batch = {"sequences": len(LENGTHS), "length": 8, "passes": passes}
        state = new_state(Recipe.model_validate(recipe.model_dump() | {"sharding": sharding, "batch": batch}))
        result = optimizer_step(state, ragged())
        save(state, folder / f"{sharding}-{passes}")
        if os.environ["RANK"] == "0":
            (folder / f"{sharding}-{passes}.json").write_text(json.dumps([result.loss, result.grad_norm]))


def test_every_predicted_token_has_the_same_weight(corpus: Path, tmp_path: Path) -> None:
    model = tiny_recipe(corpus).model.model_dump() | {"trained_norms": False}
    recipe = tiny_recipe(
        corpus, model=model, optimizer={"kind": "sgd", "lr": 1.0, "clip": 1e9}, schedule={"warmup_steps": 0}
    )
    assert end(start(warm_processes(), 2, step_in_every_way, recipe, tmp_path)) == [0, 0]

    model = new_state(recipe).plain_model
    ids = torch.from_numpy(ragged().ids)
    logits = model(ids[:, :-1].clamp(min=0)).logits
    losses = [
        functional.cross_entropy(logits[row, place], ids[row, place + 1])
        for row, length in enumerate(LENGTHS)
        for place in range(length)
    ]
    loss = torch.stack(losses).mean()
    loss.backward()
    gradients = {name: value.grad for name, value in model.named_parameters() if value.requires_grad}
    expected = {name: value.detach() - gradients.get(name, 0) for name, value in model.named_parameters()}
    norm = sum(float(gradient.double().pow(2).sum()) for gradient in gradients.values()) ** 0.5
    assert 0 < len(gradients) < len(expected)  # weights of norms are fixed

    for sharding, passes in WAYS:
        name = f"{sharding}-{passes}"
        assert json.loads((tmp_path / f"{name}.json").read_text()) == pytest.approx([loss.item(), norm], rel=1e-5)
        weights = load_file(tmp_path / name / "model.safetensors")
        for key, value in expected.items():
            torch.testing.assert_close(weights[key], value, rtol=1e-5, atol=1e-6, msg=f"{name}: {key}")
