"""Measures the checkpoints of one run into its store, one after the other; several processes can share the work."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zerosum.checkpoints import (
    Checkpoint,
    Run,
    load_model,
    only_checkpoint,
    setting_differences,
    unused_weights,
)
from zerosum.errors import InputError
from zerosum.gradients._measurement import Choice as Choice
from zerosum.gradients._result import GradientInterference
from zerosum.gradients._store import require_store
from zerosum.gradients._update import update_between
from zerosum.gradients.checkpoint import Update as Update
from zerosum.gradients.checkpoint import is_busy, measure_checkpoint
from zerosum.gradients.each_checkpoint import Model
from zerosum.gradients.each_checkpoint import SameTokens as SameTokens
from zerosum.gradients.source import problems_of
from zerosum.missing import step_words
from zerosum.sharing import free_first

UpdateOf = Callable[[Checkpoint, Model], Update]
Progress = Callable[[int, str, int, int], None]
"""Called with the step, what is being done, how many sequences are done, and of how many."""


def no_update(checkpoint: Checkpoint, model: Model) -> Update:
    """Measure gradients alone."""
    return Update()


def difference_to(after: str, device: str = "cpu") -> UpdateOf:
    """The update from each checkpoint to a later one. Raises InputError where `after` is not one checkpoint."""

    def update(checkpoint: Checkpoint, model: Model) -> Update:
        try:
            later = only_checkpoint(after)
        except InputError as error:
            raise InputError(f"--after {error}") from error
        if differences := setting_differences(checkpoint.path, later.path):
            raise InputError(
                f"--after {after}: other settings than {checkpoint.name} ({differences}), so their difference is no "
                "update of one model. Correct the settings, or give checkpoints of one run."
            )

        def difference() -> dict[str, Any]:
            model_after = load_model(later, device=device)
            for path, loaded in ((checkpoint.name, model()), (after, model_after)):
                if sentence := unused_weights(loaded):
                    raise InputError(f"{path}: {sentence}")
            return update_between(model(), model_after)

        note = f"update: {step_words(later.step)} minus {step_words(checkpoint.step)}"
        return Update(difference, {"after": later.weight_hash()}, (note,))

    return update


@dataclass(frozen=True)
class RunMeasurement:
    """How every checkpoint of a run is measured. store: where results go. verified: tokens compared one by one.

    own: whether what was measured in another way than the store goes into one beside it.
    """

    run: Run
    store: Path
    tokens: SameTokens
    choice: Choice
    update_of: UpdateOf = no_update
    verified: int = 0
    own: bool = False
    progress: Progress = lambda step, words, done, of: None

    def checkpoints(self) -> Iterator[tuple[str, Checkpoint]]:
        """Name and checkpoint, those first that no other process is measuring.

        Raises InputError where the store's place holds something else.
        """
        require_store(self.store)
        for checkpoint in free_first(self.run.checkpoints, lambda other: is_busy(self.store, other.step)):
            yield checkpoint.name, checkpoint

    def measure(self, checkpoint: Checkpoint) -> GradientInterference:
        """The record of one checkpoint, measured, or read where it was measured in the same way before."""
        model, tokens = self.tokens.of(checkpoint)
        update = self.update_of(checkpoint, model)
        self.store.parent.mkdir(parents=True, exist_ok=True)

        def along(words: str, done: int, of: int) -> None:
            self.progress(checkpoint.step, words, done, of)

        problems = problems_of(self.run, checkpoint.step)
        choice, verified = self.choice, self.verified
        return measure_checkpoint(
            self.store, checkpoint, model, tokens, update, choice, verified, along, problems, self.own
        )
