"""Measures the checkpoints of one run into its store, one after the other; several processes can share the work."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zerosum.checkpoints import Checkpoint, Run, load_model, open_run
from zerosum.errors import InputError
from zerosum.gradients._measurement import Choice as Choice
from zerosum.gradients._result import GradientInterference
from zerosum.gradients._store import require_store
from zerosum.gradients._update import update_between
from zerosum.gradients.checkpoint import Update as Update
from zerosum.gradients.checkpoint import is_busy, measure_checkpoint
from zerosum.gradients.each_checkpoint import Model
from zerosum.gradients.each_checkpoint import SameTokens as SameTokens
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
        later = open_run(after).checkpoints
        if len(later) > 1:
            raise InputError(f"--after {after}: {len(later)} checkpoints. Give one of them.")
        note = f"update: step {later[0].step} minus step {checkpoint.step}"
        decides = {"after": later[0].weight_hash()}
        return Update(lambda: update_between(model(), load_model(later[0], device=device)), decides, (note,))

    return update


@dataclass(frozen=True)
class RunMeasurement:
    """How every checkpoint of a run is measured. store: where results go. verified: tokens compared one by one."""

    run: Run
    store: Path
    tokens: SameTokens
    choice: Choice
    update_of: UpdateOf = no_update
    verified: int = 0
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

        return measure_checkpoint(self.store, checkpoint, model, tokens, update, self.choice, self.verified, along)
