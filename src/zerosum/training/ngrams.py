"""Records the losses of n-gram models of the text beside a run."""

import json
from pathlib import Path

from zerosum.errors import InputError
from zerosum.runs import NGRAMS, ngrams_of, write_ngrams
from zerosum.tokens.ngrams import NgramLadder
from zerosum.training.callback import Callback, TrainingContext
from zerosum.training.corpus import Corpus
from zerosum.training.recipe import Recipe
from zerosum.training.run_folder import DATA


class RecordNgrams(Callback):
    """Writes `ngrams.json` into the run directory with the next checkpoint, where there is none yet.

    The ladder of a run on the same data in the same folder is copied: a sweep computes it once.
    """

    def __init__(self, recipe: Recipe, run: Path):
        self._recipe, self._run = recipe, run

    def on_checkpoint(self, context: TrainingContext, folder: Path) -> None:
        """Write the file where it is missing."""
        if (self._run / NGRAMS).exists():
            return
        corpus = self._recipe.data.open()
        if ladder := _of_other_runs(self._run, corpus) or corpus.ngrams:
            write_ngrams(self._run, ladder)


def _of_other_runs(run: Path, corpus: Corpus) -> NgramLadder | None:
    for file in run.parent.glob(f"*/{NGRAMS}"):
        try:
            data = json.loads((file.parent / DATA).read_text(encoding="utf-8"))
            if isinstance(data, dict) and data.items() >= corpus.facts.items():
                return ngrams_of(file.parent)
        except (OSError, ValueError, TypeError, InputError):  # not ours, or damaged
            continue
    return None
