"""Which column is which."""

import pytest

from zerosum.curves.columns import ALIASES, STAND_INS, Chooser, choose_columns
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
    ],
)
def test_known_names(names, expected):
    assert choose_columns(names, "a.csv", {}) == expected


def test_each_name_means_one_thing():
    names = [name for table in (ALIASES, STAND_INS) for aliases in table.values() for name in aliases]
    assert len(names) == len(set(names))
    assert all(name == name.lower() for name in names)


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
    assert choose_columns(["tokens", "loss"], "a.csv", {"step": "tokens"})["step"] == "tokens"


def test_chosen_column_must_exist():
    with pytest.raises(InputError, match="no column 'lss' for the loss; there are 'step', 'loss'"):
        choose_columns(["step", "loss"], "a.csv", {"loss": "lss"})


def test_two_optional_columns_are_no_error():
    assert "lr" not in choose_columns(["step", "loss", "lr", "learning_rate"], "a.csv", {})


def test_loggers_own_counter_stands_in_only_where_no_step_is_logged():
    choose = Chooser("a.wandb", {})
    assert choose(["_step", "train/global_step", "loss"])["step"] == "train/global_step"
    assert choose.said == ["the step is 'train/global_step'; '_step' is there too and was not used"]
    assert choose_columns(["_step", "loss"], "a.wandb", {})["step"] == "_step"
    asked = Chooser("a.wandb", {"step": "_step"})
    assert asked(["_step", "train/global_step", "loss"])["step"] == "_step"
    assert asked.said == []


def test_two_optional_columns_are_left_out_aloud():
    choose = Chooser("a.csv", {})
    choose(["step", "loss", "lr", "learning_rate"])
    assert choose.said == ["lr left out: it could be any of 'lr', 'learning_rate'; choose one with lr=NAME"]
