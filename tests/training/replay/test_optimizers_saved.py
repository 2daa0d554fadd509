"""Optimizer states saved beside checkpoints: each parameter gets its own state, and what does not fit is refused."""

import pickle

import pytest
import torch
from tiny import tiny_model

from zerosum import InputError
from zerosum.training.optimizer_choice import Choice
from zerosum.training.replay.updater import find_updater


@pytest.fixture
def model():
    """Weights in two dimensions and norms in one; the biases of attention make both groups uneven."""
    return tiny_model(hidden_size=16, num_attention_heads=2, attention_bias=True)


def groups(model, weight_decay=0.1):
    """As Trainer makes them, here by the names that this model has."""
    plain = [(name, one) for name, one in model.named_parameters() if "bias" not in name and "norm" not in name]
    rest = [(name, one) for name, one in model.named_parameters() if "bias" in name or "norm" in name]
    return [
        {"params": [one for _, one in part], "weight_decay": decay}
        for part, decay in ((plain, weight_decay), (rest, 0.0))
    ]


def after_steps(model, optimizer, number=3):
    """The optimizer's state after some steps on random gradients, each parameter's of its own size."""
    generator = torch.Generator().manual_seed(1)
    start = {name: one.detach().clone() for name, one in model.named_parameters()}
    for _ in range(number):
        for scale, parameter in enumerate(model.parameters(), start=1):
            parameter.grad = scale * torch.randn(parameter.shape, generator=generator)
        optimizer.step()
    with torch.no_grad():
        for name, one in model.named_parameters():
            one.copy_(start[name])
            one.grad = None
    return optimizer.state_dict()


def save(folder, model, change=lambda state: None, **options):
    optimizer = torch.optim.AdamW(groups(model), **{"lr": 1e-3, "betas": (0.8, 0.9), **options})
    state = after_steps(model, optimizer)
    change(state)
    torch.save(state, folder / "optimizer.pt")
    return optimizer


def test_every_parameter_gets_its_own_moments_and_numbers(model, tmp_path):
    saved = save(tmp_path, model, fused=True, foreach=False)
    found = find_updater(tmp_path, model, clip=0.5)
    found.restart()
    assert [group["weight_decay"] for group in found.optimizer.param_groups] == [0.1, 0.0]
    assert found.optimizer.param_groups[0]["betas"] == (0.8, 0.9)
    for parameter in model.parameters():
        for name in ("exp_avg", "exp_avg_sq", "step"):
            assert torch.equal(found.optimizer.state[parameter][name], saved.state[parameter][name])
    assert found.clip == 0.5
    assert found.settings["state"] == "optimizer.pt"
    assert found.notes == ()


def test_moments_in_half_precision_are_used_in_float32(model, tmp_path):
    def halved(state):
        for one in state["state"].values():
            one["exp_avg"] = one["exp_avg"].bfloat16()

    save(tmp_path, model, halved)
    found = find_updater(tmp_path, model)
    found.restart()
    assert {one["exp_avg"].dtype for one in found.optimizer.state.values()} == {torch.float32}


def test_the_clipping_that_trainer_keeps_in_a_pickle_is_assumed_and_said(model, tmp_path):
    save(tmp_path, model)
    (tmp_path / "training_args.bin").write_bytes(pickle.dumps(_Bomb(tmp_path / "ran")))
    found = find_updater(tmp_path, model)
    assert found.clip == 1.0
    assert any("1.0 assumed" in note for note in found.notes)
    assert find_updater(tmp_path, model, clip=0.0).settings["clip"] is None
    assert not (tmp_path / "ran").exists()


class _Bomb:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return (type(self.file).touch, (self.file,))


def test_a_hostile_pickle_does_not_run(model, tmp_path):
    torch.save({"state": _Bomb(tmp_path / "ran"), "param_groups": []}, tmp_path / "optimizer.pt")
    with pytest.raises(InputError, match="never executed"):
        find_updater(tmp_path, model)
    (tmp_path / "optimizer.pt").write_bytes(pickle.dumps(_Bomb(tmp_path / "ran")))
    with pytest.raises(InputError, match=r"optimizer\.pt"):
        find_updater(tmp_path, model)
    assert not (tmp_path / "ran").exists()


def _other_shape(state):
    state["state"][0]["exp_avg"] = state["state"][0]["exp_avg"][:3]


def _swapped(state):
    first, second = state["state"][0], state["state"][1]
    state["state"] |= {0: second, 1: first}


def _another_optimizer(state):
    for one in state["state"].values():
        one["state1"] = one.pop("exp_avg")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_other_shape, r"exp_avg of model.embed_tokens.weight has shape \(3, 16\), and the parameter \(40, 16\)"),
        (_swapped, "model.embed_tokens.weight has shape"),
        (lambda state: state["param_groups"][1]["params"].pop(), "hold 9 and 6 parameters, those of the model 9 and 7"),
        (lambda state: state["param_groups"].pop(), "hold 9 parameters, those of the model 9 and 7"),
        (_another_optimizer, "not known here"),
        (lambda state: state.pop("param_groups"), "no state of an optimizer of torch"),
        (lambda state: state["param_groups"][0].update(betas=(2.0, 0.9)), "numbers that cannot be"),
        (lambda state: [group.update(lr=0.0) for group in state["param_groups"]], "schedule had ended"),
    ],
)
def test_what_does_not_fit_is_one_line_with_the_remedy(model, tmp_path, change, words):
    save(tmp_path, model, change)
    with pytest.raises(InputError, match=words) as error:
        find_updater(tmp_path, model)
    assert "--optimizer" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "program"), [("optimizer_0", "FSDP"), ("optimizer.bin", "FSDP"), ("global_step3", "DeepSpeed")]
)
def test_split_states_are_refused_by_name(model, tmp_path, name, program):
    (tmp_path / name).mkdir()
    with pytest.raises(InputError, match=f"written by {program}"):
        find_updater(tmp_path, model)


def test_a_link_out_of_the_folder_is_not_followed(model, tmp_path):
    inside, outside = tmp_path / "checkpoint-3", tmp_path / "elsewhere"
    inside.mkdir()
    outside.mkdir()
    save(outside, model)
    (inside / "optimizer.pt").symlink_to(outside / "optimizer.pt")
    with pytest.raises(InputError, match="leads out of the folder"):
        find_updater(inside, model)


def test_another_rate_in_place_of_the_saved_one(model, tmp_path):
    save(tmp_path, model, lambda state: [group.update(lr=0.0) for group in state["param_groups"]])
    found = find_updater(tmp_path, model, Choice.parse("saved:lr=2e-4"))
    assert [group["lr"] for group in found.optimizer.param_groups] == [2e-4, 2e-4]
    assert len(found.state) == 16
    assert any("not the saved one" in note for note in found.notes)


def test_a_chosen_optimizer_begins_without_moments_and_says_so(model, tmp_path):
    with pytest.raises(InputError, match="no optimizer state beside the weights"):
        find_updater(tmp_path, model)
    found = find_updater(tmp_path, model, Choice.parse("adamw:lr=3e-4,beta2=0.95,weight_decay=0.1"))
    matrices, vectors = found.optimizer.param_groups
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.1, 0.0)
    assert {one.ndim for one in matrices["params"]} == {2}
    assert matrices["betas"] == (0.9, 0.95)
    assert "sign of its gradient" in found.notes[0]
    assert "sign" not in " ".join(find_updater(tmp_path, model, Choice.parse("sgd:lr=0.1")).notes)


@pytest.mark.parametrize(
    "text",
    ["adagrad:lr=1", "adamw", "adamw:beta1=0.9", "adamw:lr=x", "adamw:lr=nan", "sgd:lr=1,beta1=0.9", "saved:eps=1"],
)
def test_a_choice_that_is_none(text):
    with pytest.raises(InputError, match=f"--optimizer {text}"):
        Choice.parse(text)


def test_numbers_that_torch_refuses(model, tmp_path):
    with pytest.raises(InputError, match="beta"):
        find_updater(tmp_path, model, Choice.parse("adamw:lr=1e-3,beta1=1.5"))
    with pytest.raises(InputError, match="--clip -1"):
        find_updater(tmp_path, model, Choice.parse("sgd:lr=1e-3"), clip=-1.0)
