"""How optimizers are built and grouped, and how their settings are written; optimizers/ has what each does."""

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from zerosum import InputError
from zerosum.training import build_optimizer, restore, train
from zerosum.training.branch import branch
from zerosum.training.notices import before_training
from zerosum.training.optimizer_choice import Choice, read_settings
from zerosum.training.optimizers import OPTIMIZERS
from zerosum.training.optimizers.adamw import AdamWSettings
from zerosum.training.optimizers.ademamix import AdEMAMixSettings
from zerosum.training.optimizers.sgd import SGDSettings
from zerosum.training.recipe import Recipe
from zerosum.training.replay.saved_states import SavedState, bind
from zerosum.training.schedules.wsd import WSDSettings
from zerosum.training.state import new_state

TORCH = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3), nn.Linear(3, 2))


def after_steps(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        for parameter in model.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizer.step()
    return [parameter.detach().clone() for parameter in model.parameters()]


def test_the_file_is_the_name() -> None:
    assert set(OPTIMIZERS.names()) >= set(TORCH)
    for name in OPTIMIZERS.names():
        assert OPTIMIZERS.settings(name)().kind == name


@pytest.mark.parametrize("name", TORCH)
def test_defaults_are_those_of_torch(name: str) -> None:
    defaults = TORCH[name]([nn.Parameter(torch.zeros(1))]).defaults
    own = OPTIMIZERS.settings(name)
    settings = own().model_dump(include=own.own_fields())
    assert settings == {key: defaults[key] for key in settings}


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("adamw:lr=3e-2,beta1=0.8,weight_decay=0.3", {"lr": 3e-2, "betas": (0.8, 0.999), "fused": True}),
        ("adam:lr=3e-2,eps=1e-3,weight_decay=0.3", {"lr": 3e-2, "eps": 1e-3, "fused": True}),
        ("sgd:lr=3e-2,momentum=0.7,weight_decay=0.3", {"lr": 3e-2, "momentum": 0.7}),
    ],
)
def test_built_as_torch_builds_it_and_only_matrices_decay(model: nn.Module, text: str, numbers: dict) -> None:
    start = [parameter.detach().clone() for parameter in model.parameters()]
    found = after_steps(model, build_optimizer(text, model))
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), start, strict=True):
            parameter.copy_(value)
    matrices = [parameter for parameter in model.parameters() if parameter.ndim == 2]
    vectors = [parameter for parameter in model.parameters() if parameter.ndim == 1]
    groups = [{"params": matrices, "weight_decay": 0.3}, {"params": vectors, "weight_decay": 0.0}]
    expected = after_steps(model, TORCH[text.partition(":")[0]](groups, **numbers))
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    assert not torch.equal(found[0], start[0])


def test_name_alone_settings_and_text_build_the_same(model: nn.Module) -> None:
    for optimizer in ("sgd", "sgd:lr=0.001", SGDSettings()):
        assert [group["lr"] for group in build_optimizer(optimizer, model).param_groups] == [1e-3, 1e-3]
    assert read_settings("adamw:lr=0.1,beta2=0.5") == AdamWSettings(lr=0.1, betas=(0.9, 0.5))


def test_what_is_not_trained_is_left_out(model: nn.Module) -> None:
    model[0].requires_grad_(False)
    assert sum(len(group["params"]) for group in build_optimizer("adamw", model).param_groups) == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("adagrad", "'adagrad': not known. Choose one of adam, adamw, "),
        ("adamw:momentum=0.9", "adamw has no 'momentum'. It has lr, beta1, beta2, eps, weight_decay"),
        ("adamw:beta1=1", "less than 1"),
        ("adamw:clip=1", "adamw has no 'clip'"),
        ("sgd:lr=inf", "'lr=inf' is no positive number"),
        ("saved", "'saved': not known"),
    ],
)
def test_what_no_optimizer_is(model: nn.Module, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        build_optimizer(text, model)
    assert "\n" not in str(error.value)


def test_a_choice_names_every_optimizer_that_there_is() -> None:
    with pytest.raises(InputError) as error:
        Choice.parse("adagrad:lr=1")
    for name in ("saved:lr=RATE", *(f"{name}:lr=RATE" for name in OPTIMIZERS.names())):
        assert name in str(error.value)


def test_settings_are_checked_when_they_are_made() -> None:
    with pytest.raises(ValidationError, match="settings of adamw, not of sgd"):
        AdamWSettings(kind="sgd")
    with pytest.raises(ValidationError, match="Extra inputs"):
        SGDSettings(beta1=0.9)
    with pytest.raises(ValidationError, match="less than 1"):
        AdamWSettings(betas=(0.9, 1.0))
    with pytest.raises(ValidationError, match=r"optimizer\.lr 0 trains nothing"):
        Recipe(name="a", steps=1, optimizer=SGDSettings(lr=0))


def test_a_recipe_names_its_optimizer(tmp_path: Path) -> None:
    recipe = Recipe.model_validate({"name": "a", "steps": 1, "optimizer": {"kind": "sgd", "momentum": 0.5}})
    assert recipe.optimizer == SGDSettings(momentum=0.5)
    recipe.save(tmp_path / "recipe.yaml")
    assert Recipe.load(tmp_path / "recipe.yaml") == recipe
    assert recipe.differences(recipe) == []
    assert recipe.differences(Recipe(name="a", steps=1))[0] == "optimizer.kind: sgd, not adamw"


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [("{name: adagrad}", "optimizer: optimizer 'adagrad': not known"), ("{name: sgd, eps: 1}", "eps: not known")],
)
def test_recipe_of_no_known_optimizer_is_one_line(tmp_path: Path, optimizer: str, words: str) -> None:
    (tmp_path / "recipe.yaml").write_text(f"name: a\nsteps: 1\noptimizer: {optimizer}\n")
    with pytest.raises(InputError, match=words) as error:
        Recipe.load(tmp_path / "recipe.yaml")
    assert "\n" not in str(error.value)


def test_groups_of_default_settings_stay_as_they_were(model: nn.Module) -> None:
    """Saved states of earlier versions name parameters by their place in these groups."""
    for kind in ("adam", "adamw", "sgd", "lion", "ademamix", "cautious_adamw", "cautious_decay", "schedule_free"):
        groups = OPTIMIZERS.settings(kind)(weight_decay=0.3).groups(model)
        parts = [[model[0].weight, model[2].weight], [model[0].bias, model[1].weight, model[1].bias, model[2].bias]]
        assert [[id(p) for p in group["params"]] for group in groups] == [[id(p) for p in part] for part in parts]
        assert [group["weight_decay"] for group in groups] == [0.3, 0.0]
    assert AdamWSettings().groups(model)[0].keys() == {"params", "lr", "betas", "eps", "weight_decay"}


def test_an_optimizer_says_its_kind_in_its_state_and_is_recognized(model: nn.Module) -> None:
    """So the state that another program saved is not taken for one of another kind."""
    for kind in OPTIMIZERS.names():
        optimizer = build_optimizer(kind, model)
        after_steps(model, optimizer)
        content = optimizer.state_dict()
        groups = [[(str(place), p) for place, p in enumerate(group["params"])] for group in optimizer.param_groups]
        saved = SavedState(Path("optimizer.pt"), content, groups, "none")
        assert bind(saved, None)[0] is OPTIMIZERS.settings(kind)


def test_the_horizon_of_ademamix_is_that_of_its_run(recipe: Recipe, tmp_path: Path) -> None:
    recipe = recipe.model_copy(update={"optimizer": AdEMAMixSettings(lr=0.01), "steps": 2})
    assert list(before_training(recipe)) == []
    assert new_state(recipe).plain_optimizer.param_groups[0]["rise_steps"] == 2
    other = recipe.model_copy(update={"optimizer": AdEMAMixSettings(lr=0.01, rise_steps=9)})
    assert [notice.code for notice in before_training(other)] == ["other-horizon"]
    cooldown = {"steps": 12, "schedule": WSDSettings(warmup_steps=0, decay_steps=3)}  # after the 9 steps
    assert list(before_training(other.model_copy(update=cooldown))) == []
    assert new_state(other).plain_optimizer.param_groups[0]["rise_steps"] == 9
    train(recipe, tmp_path / "run")
    longer = branch(tmp_path / "run", 2).model_copy(update={"steps": 8})  # goes on with the same method
    assert longer.optimizer.for_run(8).rise_steps == 2
    assert restore(tmp_path / "run" / "checkpoint-2", longer).plain_optimizer.param_groups[0]["rise_steps"] == 2


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"optimizer": {"kind": "schedule_free"}, "schedule": {"kind": "cosine"}}, "takes only constant"),
        ({"optimizer": {"kind": "muon", "scaling": "rsm"}}, "scaling: should be 'spectral' or 'rms', not 'rsm'"),
        ({"optimizer": {"kind": "ademamix", "betas": [0.9, 0.99, 1 - 1e-9]}}, "less than or equal"),
        ({"optimizer": {"kind": "lion", "eps": 1e-8}}, "eps: not known"),
    ],
)
def test_settings_that_do_not_fit_are_one_line(values: dict, words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        Recipe.read({"name": "a", "steps": 3, **values}, "a.yaml")
    assert "\n" not in str(error.value)
