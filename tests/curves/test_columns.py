"""Which column is which."""

import pytest

from zerosum.curves.columns import ALIASES, STAND_INS, Chooser, choose_columns, plain
from zerosum.errors import InputError


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["step", "loss"], {"step": "step", "loss": "loss"}),
        (["_step", "train/CrossEntropyLoss"], {"step": "_step", "loss": "train/CrossEntropyLoss"}),
        (["Step", "fox - train/loss", "fox - train/loss__MIN"], {"step": "Step", "loss": "fox - train/loss"}),
        (["iter", "Train Loss", "val_loss"], {"step": "iter", "loss": "Train Loss"}),
        (
            ["step", "tokens_seen", "loss", "lr"],
            {"step": "step", "loss": "loss", "tokens": "tokens_seen", "lr": "lr"},
        ),
        (
            ["_step", "train.loss", "train.tokens", "optim.lr"],
            {"step": "_step", "loss": "train.loss", "tokens": "train.tokens", "lr": "optim.lr"},
        ),
        (["Global Step", "Training Loss"], {"step": "Global Step", "loss": "Training Loss"}),
        (["global-step", "Loss/train", "Loss/val"], {"step": "global-step", "loss": "Loss/train"}),
        (["STEP", "train_bpb", "val_bpb"], {"step": "STEP", "loss": "train_bpb"}),
        (["step", "loss", "train_bpb"], {"step": "step", "loss": "loss"}),
        (["Wall time", "Step", "Value"], {"step": "Step", "loss": "Value"}),
    ],
)
def test_known_names(names, expected):
    assert choose_columns(names, "a.csv", {}) == expected


def test_each_name_means_one_thing():
    names = [name for table in (ALIASES, STAND_INS) for aliases in table.values() for name in aliases]
    assert len(names) == len(set(names))
    assert all(name == plain(name) for name in names)


def test_value_is_a_loss_only_in_tensorboards_export():
    choose = Chooser("a.csv", {})
    choose(["Wall time", "Step", "Value"])
    assert choose.notes == ["the loss is 'Value' of TensorBoard's CSV export, which does not name its tag"]
    with pytest.raises(InputError, match="no column is known as the loss"):
        choose_columns(["Step", "Value"], "a.csv", {})


def test_spellings_of_one_name_are_an_ambiguity():
    with pytest.raises(InputError, match=r"the loss could be any of 'train\.loss', 'train/loss'"):
        choose_columns(["step", "train.loss", "train/loss"], "a.jsonl", {})


def test_ambiguity_lists_the_choices():
    with pytest.raises(
        InputError, match=r"a.csv: the loss could be any of 'loss', 'train_loss'. Choose one with loss="
    ):
        choose_columns(["step", "loss", "train_loss"], "a.csv", {})


def test_choice_ends_ambiguity():
    assert choose_columns(["step", "loss", "train_loss"], "a.csv", {"loss": "train_loss"})["loss"] == "train_loss"


def test_missing_column_lists_what_there_is():
    with pytest.raises(InputError, match=r"a.csv: no column is known as the step; there are 'tokens', 'loss'"):
        choose_columns(["tokens", "loss"], "a.csv", {})


def test_tokens_are_never_taken_for_steps_unless_said():
    with pytest.raises(InputError, match=r"count in tokens in the place of steps say step=tokens \(--step tokens\)"):
        choose_columns(["tokens", "loss"], "a.csv", {})
    choose = Chooser("a.csv", {"step": "tokens"})
    assert choose(["tokens", "loss"])["step"] == "tokens"
    assert choose.notes == ["the steps are tokens ('tokens'): what is told in steps is told in tokens"]


def test_chosen_column_must_exist():
    with pytest.raises(InputError, match="no column 'lss' for the loss; there are 'step', 'loss'"):
        choose_columns(["step", "loss"], "a.csv", {"loss": "lss"})


def test_two_optional_columns_are_no_error():
    assert "lr" not in choose_columns(["step", "loss", "lr", "learning_rate"], "a.csv", {})


def test_loggers_own_counter_stands_in_only_where_no_step_is_logged():
    choose = Chooser("a.wandb", {})
    assert choose(["_step", "train/global_step", "loss"])["step"] == "train/global_step"
    assert choose.notes == ["the step is 'train/global_step'; '_step' is there too and was not used"]
    assert choose_columns(["_step", "loss"], "a.wandb", {})["step"] == "_step"
    asked = Chooser("a.wandb", {"step": "_step"})
    assert asked(["_step", "train/global_step", "loss"])["step"] == "_step"
    assert asked.notes == []


def test_two_optional_columns_are_left_out_aloud():
    choose = Chooser("a.csv", {})
    choose(["step", "loss", "lr", "learning_rate"])
    assert choose.notes == ["lr left out: it could be any of 'lr', 'learning_rate'; choose one with lr=NAME"]
