"""One new file under `training/optimizers/` is an optimizer that recipes, `build_optimizer` and `zerosum step` know."""

import json

import numpy as np

PROGRAM = """
import sys
import torch, zerosum
from pathlib import Path
from zerosum.training import Recipe, build_optimizer, train

layer = torch.nn.Linear(2, 2)
try:
    build_optimizer("signed:lr=0.5,beta1=0.9", layer)
except zerosum.InputError as error:
    assert "signed has no 'beta1'. It has lr, weight_decay" in str(error)
optimizer = build_optimizer("signed:lr=0.5", layer)
before = layer.weight.detach().clone()
layer.weight.grad, layer.bias.grad = torch.tensor([[1.0, -2.0], [3.0, 0.0]]), torch.zeros(2)
optimizer.step()
assert torch.equal(layer.weight, before - 0.5 * layer.weight.grad.sign())
model = {"hidden_size": 16, "layers": 1, "heads": 2, "intermediate_size": 24, "context": 8}
recipe = Recipe.model_validate({"name": "a", "steps": 4, "model": model, "batch": {"sequences": 4, "length": 8},
    "data": {"folder": sys.argv[2]}, "optimizer": {"kind": "signed", "lr": 0.01}})
train(recipe, sys.argv[3])
assert Recipe.load(Path(sys.argv[3]) / "recipe.yaml") == recipe
assert zerosum.__file__ == sys.argv[4]
"""


def test_one_file_makes_an_optimizer(house, tmp_path):
    house.add("optimizer.py", "training/optimizers/signed.py")
    texts = tmp_path / "texts"
    texts.mkdir()
    for number in range(20):
        (texts / f"{number}.py").write_text(f"x = {number}\n" * (5 + number))
    np.save(tmp_path / "ids.npy", np.random.default_rng(0).integers(0, 257, (8, 9)))
    data = ("--train", tmp_path / "ids.npy", "--data", tmp_path / "ids.npy", "--batch-size", 4, "--batches", 1)
    step = ("step", tmp_path / "run" / "checkpoint-2", *data, "--json", "--optimizer")
    calls = (("step", "--help"), (*step, "signed:lr=0.001"), (*step, "saved"))
    package = house.src / "zerosum" / "__init__.py"
    help_text, *documents = house.run_all(*calls, program=PROGRAM, values=(texts, tmp_path / "run", package))
    assert "signed" in help_text
    for document, lr, state in zip(documents, (0.001, 0.01), (None, "training_state.pt"), strict=True):
        settings = json.loads(document)["steps"][0]["optimizer"]
        assert settings == {"name": "Sign", "state": state, "lr": lr, "weight_decay": 0.0, "clip": 1.0}
