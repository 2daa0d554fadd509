"""A model whose rows share nothing: a table of logits of the next byte given this one, trained with Adam.

No token of one row can be improved at the expense of another row's, so what cancels between rows is no competition for
parameters.
"""

import os
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zerosum.interference import BranchAgreement, Interference, branch_agreement, measure

BYTES, SEQUENCES, LENGTH = 128, 8, 64  # sequences of each held-out file, and their length
RATE, BATCH = 0.01, 2_048  # bytes predicted in an update


@dataclass(frozen=True)
class Text:
    """Source code of Python's standard library as ASCII bytes. held_out: [sequence, position], of files in turn."""

    train: np.ndarray
    held_out: np.ndarray

    @classmethod
    def of_standard_library(cls, seed: int = 0, held_out: int = 40) -> "Text":
        folder = Path(os.__file__).parent
        files = [np.frombuffer(path.read_bytes(), np.uint8) for path in sorted(folder.glob("*.py"))]
        files = [file for file in files if len(file) > SEQUENCES * LENGTH and file.max() < BYTES]
        order = np.random.default_rng(seed).permutation(len(files))
        starts = np.arange(SEQUENCES) * LENGTH
        windows = starts[:, None] + np.arange(LENGTH + 1)
        return cls(
            np.concatenate([files[k] for k in order[held_out:]]).astype(np.int64),
            np.concatenate([files[k][windows] for k in order[:held_out]]).astype(np.int64),
        )

    @property
    def file(self) -> np.ndarray:
        """File of each held-out sequence, [sequence, 1]."""
        return (np.arange(len(self.held_out)) // SEQUENCES)[:, None]


@dataclass
class Table:
    """logits: [byte, next byte], with Adam's moments (0.9, 0.95) and the number of updates made."""

    logits: np.ndarray = field(default_factory=lambda: np.zeros((BYTES, BYTES)))
    first: np.ndarray = field(default_factory=lambda: np.zeros((BYTES, BYTES)))
    second: np.ndarray = field(default_factory=lambda: np.zeros((BYTES, BYTES)))
    step: int = 0

    def train(self, text: np.ndarray, steps: int, order: int) -> "Table":
        """Make updates on bytes drawn at random. order: seed of the draws."""
        rng = np.random.default_rng((order, self.step))
        for _ in range(steps):
            at = rng.integers(0, len(text) - 1, BATCH)
            pairs = np.bincount(text[at] * BYTES + text[at + 1], minlength=BYTES**2).reshape(BYTES, BYTES)
            gradient = (pairs.sum(1, keepdims=True) * np.exp(self._log_probabilities()) - pairs) / BATCH
            self.step += 1
            self.first = 0.9 * self.first + 0.1 * gradient
            self.second = 0.95 * self.second + 0.05 * gradient**2
            mean, square = self.first / (1 - 0.9**self.step), self.second / (1 - 0.95**self.step)
            self.logits = self.logits - RATE * mean / (np.sqrt(square) + 1e-8)
        return self

    def losses(self, held_out: np.ndarray) -> np.ndarray:
        """Nats, [sequence, position]."""
        return -self._log_probabilities()[held_out[:, :-1], held_out[:, 1:]]

    def _log_probabilities(self) -> np.ndarray:
        return self.logits - np.log(np.exp(self.logits).sum(1, keepdims=True))


@dataclass(frozen=True)
class Doubling:
    """t to 2t of one table, and of branches of it at t on other orders of the text. loss: nats, at 2t."""

    to_step: int
    loss: float
    changes: Interference
    branches: BranchAgreement


def doublings(text: Text, first: int, last: int, branches: int = 4) -> list[Doubling]:
    """All doublings that end at steps `first` to `last`."""
    table = Table().train(text.train, first // 2, order=0)
    rows, to_step = [], first
    while to_step <= last:
        start, before = deepcopy(table), table.losses(text.held_out)
        after = table.train(text.train, to_step // 2, order=0).losses(text.held_out)
        others = [
            deepcopy(start).train(text.train, to_step // 2, order).losses(text.held_out)
            for order in range(1, branches + 1)
        ]
        agreement = branch_agreement(np.stack(others) - before, unit=text.file)
        rows.append(Doubling(to_step, float(after.mean()), measure(after - before, unit=text.file), agreement))
        to_step *= 2
    return rows
