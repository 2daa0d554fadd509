"""Sketches of gradients, from which inner products are estimated.

The noise scale needs inner products between the gradients of sequences or micro-batches, and no model has room for all
of them. A sketch keeps SKETCH numbers of each: coordinates with random signs, added up in a fixed pattern. Inner
products of sketches are those of the gradients without bias, to within |a| |b| / sqrt(SKETCH), and exactly where there
are no more coordinates.

Letters: k numbers of a sketch.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from zerosum.gradients.parameters import Parameter, in_D_grad

SKETCH = 8_191  # prime, so that rows of a matrix, whose lengths are powers of 2, do not fall onto each other


class Sketcher:
    """Makes sketches of gradients. The signs are the same for every model of one size, in every process."""

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self.parameters = in_D_grad(parameters)
        self._numel = sum(parameter.tensor.numel() for parameter in self.parameters)
        self._size = max(1, min(SKETCH, self._numel))
        signs = torch.randint(0, 2, (self._numel,), dtype=torch.int8, generator=torch.Generator().manual_seed(0))
        self._signs = (2 * signs - 1).to(parameters[0].tensor.device)

    def sketch(self, gradients: Sequence[Any]) -> Any:
        """[k] of the gradients of `parameters`, in their order."""
        flat = torch.cat([gradient.flatten() for gradient in gradients]).mul_(self._signs)
        return functional.pad(flat, (0, -self._numel % self._size)).view(-1, self._size).sum(0)
