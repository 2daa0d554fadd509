"""One new file under `training/optimizers/` is an optimizer that recipes, `build_optimizer` and `zerosum step` know."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import zerosum

FILE = '''
"""Sign descent: every coordinate moves by lr against the sign of its gradient."""

from typing import ClassVar

import torch
from torch.optim import Optimizer

from zerosum.training.optimizer_settings import NonNegative, OptimizerSettings, SavedLayout


class Sign(Optimizer):
    def __init__(self, groups):
        super().__init__(groups, {"weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.mul_(1 - group["lr"] * group["weight_decay"]).sub_(group["lr"] * parameter.grad.sign())


class SignSettings(OptimizerSettings):
    saved_layout: ClassVar[SavedLayout] = SavedLayout(group_keys=("lr", "weight_decay"))

    name: str = "signed"
    weight_decay: NonNegative = 0.0

    @classmethod
    def new(cls, groups, *, fused=None):
        return Sign(groups)


OPTIMIZER = SignSettings
'''
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
    "data": {"folder": sys.argv[1]}, "optimizer": {"name": "signed", "lr": 0.01}})
train(recipe, sys.argv[2])
assert Recipe.load(Path(sys.argv[2]) / "recipe.yaml") == recipe
print(zerosum.__file__)
"""


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with the new file in it."""
    source = tmp_path_factory.mktemp("extended")
    package = Path(zerosum.__file__).parent
    shutil.copytree(package, source / "zerosum", ignore=shutil.ignore_patterns("__pycache__"))
    (source / "zerosum" / "training" / "optimizers" / "signed.py").write_text(FILE)
    return source


def run(extended: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(extended), "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_one_file_makes_an_optimizer(extended: Path, tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    for number in range(20):
        (texts / f"{number}.py").write_text(f"x = {number}\n" * (5 + number))
    (tmp_path / "program.py").write_text(PROGRAM)
    done = run(extended, tmp_path / "program.py", texts, tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(extended / "zerosum" / "__init__.py")

    help_text = run(extended, "-m", "zerosum", "step", "--help")
    assert "signed" in help_text.stdout

    np.save(tmp_path / "ids.npy", np.random.default_rng(0).integers(0, 257, (8, 9)))
    data = ("--train", tmp_path / "ids.npy", "--data", tmp_path / "ids.npy", "--batch-size", 4, "--batches", 1)
    step = ("-m", "zerosum", "step", tmp_path / "run" / "checkpoint-2", *data, "--json")
    for optimizer, lr, state in (("signed:lr=0.001", 0.001, None), ("saved", 0.01, "training_state.pt")):
        done = run(extended, *step, "--optimizer", optimizer)
        assert done.returncode == 0, done.stderr
        settings = json.loads(done.stdout)["steps"][0]["optimizer"]
        assert settings == {"name": "Sign", "state": state, "lr": lr, "weight_decay": 0.0, "clip": 1.0}
