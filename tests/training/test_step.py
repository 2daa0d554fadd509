import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from on_step import OnStep
from torch.nn import functional

from zerosum.errors import InputError
from zerosum.training import batch, build_optimizer, optimizer_step, restore, train
from zerosum.training.model_recipe import ModelRecipe
from zerosum.training.models import build_model, count_parameters
from zerosum.training.optimizers.adamw import AdamWSettings
from zerosum.training.recipe import Recipe
from zerosum.training.state import new_state
from zerosum.training.step import cpu_threads


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def file_hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.mark.parametrize(("before", "after"), [(0, 1), (1, 2)])
def test_step_from_a_checkpoint_is_the_step_of_the_run(recipe: Recipe, tmp_path: Path, before: int, after: int) -> None:
    losses = {}
    train(recipe, tmp_path / "run", callbacks=(OnStep(losses.__setitem__),))
    checkpoint = tmp_path / "run" / f"checkpoint-{before}"
    files = file_hashes(checkpoint)

    state = restore(checkpoint, recipe)
    assert state.step == before
    start = weights(state.plain_model)
    result = optimizer_step(state, batch(recipe, before))

    assert state.step == after
    assert result.loss == losses[after]
    expected = weights(restore(tmp_path / "run" / f"checkpoint-{after}", recipe).plain_model)
    reached = weights(state.plain_model)
    assert all(torch.equal(reached[name], expected[name]) for name in expected)
    assert not all(torch.equal(reached[name], start[name]) for name in start)
    assert file_hashes(checkpoint) == files


def test_step_equals_adamw_written_out(recipe: Recipe) -> None:
    state = new_state(recipe)
    tokens = batch(recipe, 0)
    start = weights(state.plain_model)
    x = torch.from_numpy(tokens.ids)
    loss = functional.cross_entropy(state.plain_model(x[:, :-1]).logits.flatten(0, 1), x[:, 1:].flatten())
    parameters = dict(state.plain_model.named_parameters())
    gradients = dict(zip(parameters, torch.autograd.grad(loss, list(parameters.values())), strict=True))
    norm = torch.stack([g.norm() for g in gradients.values()]).norm().item()

    result = optimizer_step(state, tokens)

    assert result.loss == pytest.approx(loss.item(), abs=1e-6)
    assert result.grad_norm == pytest.approx(norm, rel=1e-5)
    assert result.lr == recipe.optimizer.lr / 2  # the one warm-up step
    for name, parameter in parameters.items():
        g = gradients[name] * min(1.0, recipe.optimizer.clip / (norm + 1e-6))
        decay = 1 - result.lr * recipe.optimizer.weight_decay * (parameter.ndim >= 2)
        # At the first update both moments equal the gradient, so Adam's step is lr times the gradient's sign.
        expected = start[name] * decay - result.lr * g / (g.abs() + recipe.optimizer.eps)
        torch.testing.assert_close(parameter.detach(), expected, atol=1e-6, rtol=1e-4)


def test_norms_do_not_decay_and_every_parameter_is_trained(recipe: Recipe) -> None:
    model = build_model(recipe)
    decayed, kept = build_optimizer(recipe.optimizer, model).param_groups
    assert decayed["weight_decay"] == recipe.optimizer.weight_decay
    assert kept["weight_decay"] == 0
    of = {id(p): name for name, p in model.named_parameters()}
    assert {of[id(p)] for p in kept["params"]} == {name for name in of.values() if "norm" in name}
    assert len(decayed["params"]) + len(kept["params"]) == len(of)


@pytest.mark.parametrize(
    "part", [ModelRecipe(), ModelRecipe(hidden_size=48, num_attention_heads=3, tie_word_embeddings=False)]
)
def test_promised_number_of_parameters_is_the_true_one(part: ModelRecipe) -> None:
    model = build_model(Recipe(name="a", steps=1, model=part))
    assert sum(parameter.numel() for parameter in model.parameters()) == count_parameters(part)


def test_seed_decides_the_first_weights(recipe: Recipe) -> None:
    same = weights(new_state(recipe).plain_model), weights(new_state(recipe).plain_model)
    other = weights(new_state(recipe.model_copy(update={"seed": 6})).plain_model)
    assert all(torch.equal(same[0][name], same[1][name]) for name in other)
    assert not torch.equal(same[0]["lm_head.weight"], other["lm_head.weight"])


def test_restore_sets_the_random_generator_last(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path / "run")
    torch.manual_seed(recipe.seed)
    build_model(recipe)
    expected = torch.rand(3)
    torch.manual_seed(99)
    restore(tmp_path / "run" / "checkpoint-4", recipe)
    assert torch.equal(torch.rand(3), expected)


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    with cpu_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with pytest.raises(ZeroDivisionError), cpu_threads(before + 1):
        raise ZeroDivisionError
    assert torch.get_num_threads() == before


class Owned:
    """Unpickled, it would write a file."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("owned"),)  # type: ignore[return-value]


def test_pickle_in_a_checkpoint_is_never_run(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    train(recipe, tmp_path / "run")
    file = tmp_path / "run" / "checkpoint-2" / "training_state.pt"
    torch.save({"step": 2, "optimizer": Owned(), "generators": {}}, file)
    with pytest.raises(InputError, match="checkpoint-2: cannot be continued from") as caught:
        restore(file.parent, recipe)
    assert "weights_only" not in str(caught.value)
    assert not Path("owned").exists()


@pytest.mark.parametrize("damaged", ["training_state.pt", "model.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"not this", b"\x00" * 64])
def test_damaged_checkpoint_is_refused_in_one_line(
    recipe: Recipe, tmp_path: Path, damaged: str, content: bytes | None
) -> None:
    train(recipe, tmp_path / "run")
    file = tmp_path / "run" / "checkpoint-2" / damaged
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    with pytest.raises(InputError, match="checkpoint-2: cannot be continued from") as caught:
        restore(file.parent, recipe)
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)
    assert f"delete the run {tmp_path / 'run'} and start" in str(caught.value)


def test_checkpoint_of_another_model_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path / "run")
    wider = recipe.model_copy(update={"model": recipe.model.model_copy(update={"hidden_size": 32})})
    with pytest.raises(InputError, match="cannot be continued from"):
        restore(tmp_path / "run" / "checkpoint-1", wider)


def test_clip_bounds_the_gradient(recipe: Recipe) -> None:
    part = AdamWSettings(clip=1e-3, weight_decay=0.0)
    clipped = new_state(recipe.model_copy(update={"optimizer": part}))
    result = optimizer_step(clipped, batch(recipe, 0))
    moments = [clipped.optimizer.state[p]["exp_avg"] for p in clipped.plain_model.parameters()]
    norm = torch.stack([m.norm() for m in moments]).norm().item() / (1 - part.betas[0])
    assert result.grad_norm > part.clip
    assert norm == pytest.approx(part.clip, rel=1e-3)


def test_batch_is_not_changed(recipe: Recipe) -> None:
    tokens = batch(recipe, 0)
    before = tokens.ids.copy()
    optimizer_step(new_state(recipe), tokens)
    np.testing.assert_array_equal(tokens.ids, before)
