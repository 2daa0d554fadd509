"""First-order interference of an update, from gradients of single tokens' losses on a few held-out sequences.

Gradients are formed on a copy of the model, so that gradients, hooks and weights of the one that trains stay untouched.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from jaxtyping import Int, Int64

from zerosum.errors import InputError
from zerosum.gradients import GradientInterference, gradient_interference
from zerosum.monitor.cost import Cost
from zerosum.monitor.neutral import left_as_it_was

GRADIENTS = "gradients"
SEQUENCES = 8
SAMPLED = 64  # tokens whose gradients are formed
FEW = 80  # tokens; the gradients of so few are all formed, because a sample takes whole stretches of sequences
FIRST_UPDATES = 50
"""Updates that the first measurement is taken to last as long as; it was 20 with small models."""


class TokenGradients:
    """Measures C_g, C_ug and C_uG of an update u on the first 8 sequences, by a sample of 64 tokens if they have many.

    Holds a copy of the model while the update is made. Raises InputError for another method than "sampled".
    """

    def __init__(self, method: str, model: Any, optimizers: Sequence[Any], cost: Cost, seed: int):
        if method != "sampled":
            raise InputError(f'gradients {method!r}: not known here. Give "sampled", or leave it out.')
        self._model, self._optimizers, self._cost, self._seed = model, optimizers, cost, seed
        self._before: Any = None

    def predicted(self) -> float:
        """Seconds of a measurement."""
        return self._cost.predicted(GRADIENTS) or FIRST_UPDATES * self._cost.per_update

    def before(self) -> None:
        """Copy the model before an update."""
        with left_as_it_was(self._model, self._optimizers):
            self._before = deepcopy(self._model)

    def after(self, ids: Int64[np.ndarray, "s L2"], document: Int[np.ndarray, "s *T"] | None) -> GradientInterference:
        """The record of the update since `before`, on the first of these sequences."""
        n_tokens = int((ids[:SEQUENCES, 1:] >= 0).sum())
        sample = {"method": "sampled", "n_sampled": SAMPLED} if n_tokens > FEW else {"method": "exact"}
        with self._cost.work(GRADIENTS), left_as_it_was(self._model, self._optimizers):
            now = dict(self._model.named_parameters())
            trained = {name: weight for name, weight in self._before.named_parameters() if weight.requires_grad}
            update = {name: now[name].detach() - weight.detach() for name, weight in trained.items()}
            return gradient_interference(
                self._before,
                ids[:SEQUENCES],
                update,
                **sample,
                seed=self._seed,
                unit=None if document is None else document[:SEQUENCES],
            )

    def forget(self) -> None:
        """Let go of the copy."""
        self._before = None

    @property
    def is_waiting(self) -> bool:
        """Whether there is a copy from before the update."""
        return self._before is not None
