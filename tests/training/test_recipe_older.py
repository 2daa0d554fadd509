"""A run begun by zerosum 0.1.0, before optimizers had names and callbacks existed: read and continued.

`old_run` was trained by that version up to step 5 of 6; `CORPUS` in its recipe stands for the folder of the texts, and
files that are not needed to continue are left out.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

from zerosum.training import train
from zerosum.training.corpora.python import PythonSettings
from zerosum.training.model_recipe import ModelRecipe
from zerosum.training.optimizers.adamw import AdamWSettings
from zerosum.training.recipe import BatchRecipe, Recipe
from zerosum.training.replay.updater import find_updater

OLD_RUN = Path(__file__).parent / "old_run"
LAST_LOSS = 5.548445224761963  # of step 6, which the old version trained too


@pytest.fixture
def run(corpus: Path, tmp_path: Path) -> Path:
    shutil.copytree(OLD_RUN, tmp_path / "run")
    file = tmp_path / "run" / "recipe.yaml"
    file.write_text(file.read_text().replace("CORPUS", str(corpus)))
    return tmp_path / "run"


@pytest.fixture
def as_now(corpus: Path) -> Recipe:
    """The same recipe as it is written now."""
    return Recipe(
        name="old",
        seed=5,
        steps=6,
        model=ModelRecipe(
            hidden_size=4, num_hidden_layers=1, num_attention_heads=1, intermediate_size=4, max_position_embeddings=8
        ),
        data=PythonSettings(folder=str(corpus), held_out_share=0.3),
        batch=BatchRecipe(sequences=4, length=8),
        optimizer=AdamWSettings(lr=5e-4, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1, clip=1.0),
        resume_every=5,
    )


def test_recipe_without_the_optimizers_name_is_read_as_adamw(run: Path, as_now: Recipe) -> None:
    assert "name: adamw" not in (run / "recipe.yaml").read_text()
    assert Recipe.load(run / "recipe.yaml") == as_now


def test_values_without_a_name_replace_those_of_the_default_optimizer() -> None:
    recipe = Recipe.model_validate({"name": "a", "steps": 1, "optimizer": {"lr": 1e-2}})
    assert recipe.optimizer == AdamWSettings(lr=1e-2, betas=(0.9, 0.95), weight_decay=0.1)


def test_run_is_continued(run: Path, as_now: Recipe, tmp_path: Path) -> None:
    before = (run / "metrics.jsonl").read_bytes()
    train(as_now, run)
    log = (run / "metrics.jsonl").read_bytes()
    assert log.startswith(before)
    assert json.loads(log.splitlines()[-1])["loss"] == pytest.approx(LAST_LOSS, abs=1e-5)
    train(as_now, tmp_path / "anew")
    continued, anew = (load_file(folder / "checkpoint-6/model.safetensors") for folder in (run, tmp_path / "anew"))
    for name, tensor in anew.items():
        torch.testing.assert_close(continued[name], tensor, atol=1e-6, rtol=1e-5)


def test_saved_optimizer_takes_the_next_step(run: Path) -> None:
    folder = run / "resume-5"
    model = LlamaForCausalLM(LlamaConfig.from_pretrained(folder))
    updater = find_updater(folder, model)
    saved = torch.load(folder / "training_state.pt", weights_only=True)["optimizer"]["state"]
    moments = [tensors["exp_avg"] for tensors in updater.state.values()]
    assert len(moments) == len(saved) == len(list(model.parameters()))
    np.testing.assert_array_equal(moments[0], saved[0]["exp_avg"])
    assert updater.settings == {
        "name": "AdamW",
        "state": "training_state.pt",
        "lr": 5e-4,
        "beta1": 0.9,
        "beta2": 0.95,
        "eps": 1e-8,
        "weight_decay": 0.1,
        "clip": 1.0,
    }
    assert (updater.batch_size, updater.notes) == (4, ())
