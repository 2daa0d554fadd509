"""Every checkpoint of a run on the same tokens, which are read once; a model is loaded where it is needed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from zerosum.checkpoints import Checkpoint
from zerosum.tokens import TokenSequences

Model = Callable[[], Any]
"""Gives the model of a checkpoint; it is loaded at the first call."""


@dataclass
class SameTokens:
    """read: gives the token sequences for a checkpoint's folder and its model's config. device: where models go."""

    read: Callable[[Path, Any], TokenSequences]
    device: str = "cpu"
    tokens: TokenSequences | None = field(default=None, init=False)

    def of(self, checkpoint: Checkpoint) -> tuple[Model, TokenSequences]:
        """The model of a checkpoint, to be called where it is needed, and the tokens, read with the first one."""
        from zerosum.checkpoints import load_model

        model = cache(lambda: load_model(checkpoint, device=self.device))
        if self.tokens is None:
            self.tokens = self.read(checkpoint.path, model().config)
        return model, self.tokens
