"""The model of a recipe: a family of transformers and the fields of its configuration. Needs no torch."""

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field, model_validator

from zerosum.training.settings import Part

_LLAMA = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 132,
    "vocab_size": 257,
    "max_position_embeddings": 64,
    "tie_word_embeddings": True,
    "initializer_range": 0.02,
}
_EARLIER_NAMES = {
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "vocabulary": "vocab_size",
    "context": "max_position_embeddings",
    "tied_embeddings": "tie_word_embeddings",
    "initial_std": "initializer_range",
}


class ModelRecipe(Part):
    """A causal language model that transformers builds with random weights.

    family: `model_type` of its configuration, such as llama, gpt2, olmo2, qwen3. trained_norms: whether the weights of
    normalization layers are trained; else they stay 1 and are not counted. Every other name is a field of the family's
    configuration (`ModelRecipe(family="llama", hidden_size=64)`); fields that are not given have the values of the
    family. Without a family, a small Llama of which some fields are given.

    >>> ModelRecipe(hidden_size=32, num_hidden_layers=1).settings["hidden_size"]
    32
    """

    model_config = ConfigDict(extra="allow")

    family: str = Field(default="llama", min_length=1)
    trained_norms: bool = True

    @model_validator(mode="before")
    @classmethod
    def _small_llama(cls, value: Any) -> Any:
        """Fill in the small Llama where no family is named; so recipes of earlier versions are read, too."""
        if not isinstance(value, Mapping) or "family" in value:
            return value
        given = {_EARLIER_NAMES.get(name, name): setting for name, setting in value.items()}
        return {"family": "llama", **_LLAMA, **given}

    @property
    def settings(self) -> dict[str, Any]:
        """Fields of the family's configuration."""
        return dict(self.model_extra or {})
