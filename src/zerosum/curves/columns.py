"""Which column is the step, the loss, the tokens, the learning rate. One table of names, no guessing."""

from collections.abc import Sequence

from zerosum.errors import InputError

ALIASES: dict[str, tuple[str, ...]] = {
    # Names as the trainers write them, lower case. Validation and averaged losses are left out on purpose.
    "step": (
        "step",
        "_step",
        "steps",
        "global_step",
        "train/global_step",
        "trainer/global_step",
        "iter",
        "iteration",
        "iterations",
    ),
    "loss": (
        "loss",
        "train_loss",
        "train loss",
        "train/loss",
        "training_loss",
        "training loss",
        "train/train_loss",
        "train_loss_step",
        "train/loss_step",
        "train/crossentropyloss",
        "train/ce loss",
        "loss_metrics/global_avg_loss",
        "lm loss",
        "trl",
    ),
    "tokens": (
        "tokens",
        "tokens_seen",
        "num_input_tokens_seen",
        "train/num_input_tokens_seen",
        "throughput/total_tokens",
        "throughput/total tokens",
        "d",
    ),
    "lr": ("lr", "learning_rate", "learning rate", "train/lr", "train/learning_rate", "optim/learning_rate_group0"),
}
NEEDED = ("step", "loss")


def choose_columns(names: Sequence[str], source: str, overrides: dict[str, str | None]) -> dict[str, str]:
    """Map "step", "loss" and, where there, "tokens" and "lr" to the source's own column names.

    names: the columns as the source spells them. overrides: what the caller chose, by axis, or None.
    Raises InputError where a column is missing, or where two could be meant: it lists the choices.

    >>> choose_columns(["_step", "train/loss", "val/loss"], "a.csv", {})
    {'step': '_step', 'loss': 'train/loss'}
    """
    chosen = {}
    for axis in ALIASES:
        wanted = overrides.get(axis)
        found = [_named(wanted, names, source, axis)] if wanted is not None else _matching(axis, names)
        if len(found) > 1 and axis in NEEDED:
            raise InputError(
                f"{source}: the {axis} could be any of {_listed(found)}. Choose one with {axis}=NAME (--{axis} NAME)."
            )
        if not found and axis in NEEDED:
            raise InputError(
                f"{source}: no column is known as the {axis}; there are {_listed(names)}. "
                f"Name it with {axis}=NAME (--{axis} NAME)."
            )
        if len(found) == 1:
            chosen[axis] = found[0]
    return chosen


def _named(wanted: str, names: Sequence[str], source: str, axis: str) -> str:
    exact = [name for name in names if name == wanted]
    found = exact or [name for name in names if name.strip() == wanted.strip()]
    if not found:
        raise InputError(f"{source}: no column {wanted!r} for the {axis}; there are {_listed(names)}. Choose one.")
    if len(found) > 1:
        raise InputError(f"{source}: {len(found)} columns are called {wanted!r}. Rename all but one of them.")
    return found[0]


def _matching(axis: str, names: Sequence[str]) -> list[str]:
    return [name for name in names if _plain(name) in ALIASES[axis]]


def _plain(name: str) -> str:
    """W&B's CSV export says "run name - train/loss", with __MIN and __MAX columns beside it that match no alias."""
    return name.rsplit(" - ", 1)[-1].strip().lower()


def _listed(names: Sequence[str], most: int = 20) -> str:
    shown = ", ".join(repr(name if len(name) <= 60 else name[:57] + "...") for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "") if names else "none"
