"""Records the losses of n-gram models of the text beside a run."""

from pathlib import Path

from zerosum.runs import NGRAMS, write_ngrams
from zerosum.tokens.ngrams import NgramLadder
from zerosum.training.callback import Callback, TrainingContext
from zerosum.training.recipe import Recipe


class RecordNgrams(Callback):
    """Writes `ngrams.json` into the run directory with the next checkpoint, where there is none yet.

    ladder: of the recipe's data, where it is known already; else it is computed, once in a process for the same data.
    """

    def __init__(self, recipe: Recipe, run: Path, ladder: NgramLadder | None = None):
        self._recipe, self._run, self._ladder = recipe, run, ladder

    def on_checkpoint(self, context: TrainingContext, folder: Path) -> None:
        """Write the file where it is missing."""
        if (self._run / NGRAMS).exists():
            return
        ladder = self._ladder or self._recipe.data.open().ngrams
        if ladder:
            write_ngrams(self._run, ladder)
