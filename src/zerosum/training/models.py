"""Builds the model of a recipe: any causal language model that transformers makes from a configuration."""

import inspect
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import torch
from torch import nn
from transformers import CONFIG_MAPPING, AutoModelForCausalLM
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from zerosum.errors import InputError
from zerosum.losses.batch_size import is_out_of_memory
from zerosum.training.model_recipe import ModelRecipe
from zerosum.training.recipe import Recipe
from zerosum.training.settings import unknown_name


def build_model(recipe: Recipe) -> nn.Module:
    """The model with random weights, drawn from torch's global generator."""
    return _with_fixed_norms(_model(checked_configuration(recipe)), recipe.model.trained_norms)


def checked_configuration(recipe: Recipe) -> Any:
    """The configuration of transformers.

    Raises InputError where the family or a field is not known, and where model, batch and data do not fit.
    """
    corpus = recipe.data.open()
    if recipe.aggregator.needs_domains and len(corpus.domains) < 2:
        raise InputError(
            f"aggregator.by domains: the data have {len(corpus.domains)} domains, which makes one group. Give data "
            "with several, or group by micro_batches or loss_quantiles."
        )
    config = configuration(recipe.model)
    if corpus.vocabulary > config.vocab_size:
        raise InputError(
            f"model.vocab_size {config.vocab_size}: the data have {corpus.vocabulary} token ids. Give as many or more."
        )
    longest = getattr(config, "max_position_embeddings", None)
    if longest is not None and recipe.batch.length > longest:
        raise InputError(
            f"batch.length {recipe.batch.length}: longer than model.max_position_embeddings {longest}. Shorten one, or "
            "lengthen the other."
        )
    return configuration(recipe.model, corpus.end_of_document)


def known_fields(family: str) -> list[str]:
    """Names of the settings of a family. Raises InputError where transformers has no such causal language model."""
    if family not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        nearest = get_close_matches(family, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, n=1)
        advice = f"Did you mean {nearest[0]}?" if nearest else "Choose for example llama, gpt2, olmo2 or qwen3."
        raise InputError(f"model.family {family!r}: transformers has no such causal language model. {advice}")
    config: Any = CONFIG_MAPPING[family]
    return [*inspect.signature(config.__init__).parameters, *config.attribute_map]


def configuration(model: ModelRecipe, end_of_document: int | None = None) -> Any:
    """The configuration of transformers. end_of_document: the only special token, where the recipe sets no others.

    Without this, a family has special tokens of its own tokenizer: OLMo 2 would never train the embedding of id 1.
    """
    fields = known_fields(model.family)
    family: Any = CONFIG_MAPPING[model.family]
    for name in model.settings:
        if name not in fields:
            raise InputError(f"{unknown_name(f'model.{name}', [*fields, 'family', 'trained_norms'])}")
    special = {"bos_token_id": None, "eos_token_id": end_of_document, "pad_token_id": None}
    try:
        return family(**{**special, **model.settings})
    except Exception as error:  # transformers checks types in ways of its own
        raise InputError(f"model: {' '.join(str(error).split())[:200]}. Choose other values.") from error


@lru_cache(maxsize=64)
def _count(settings: str, trained_norms: bool) -> int:
    with torch.device("meta"):
        model = _with_fixed_norms(_model(configuration(ModelRecipe.model_validate_json(settings))), trained_norms)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def count_parameters(model: ModelRecipe) -> int:
    """Number of trainable parameters, embeddings and head included; a tied matrix counts once.

    >>> count_parameters(ModelRecipe(hidden_size=64, num_hidden_layers=2, intermediate_size=132))
    100224
    """
    return _count(model.model_dump_json(), model.trained_norms)


def require_forward(model: ModelRecipe) -> None:
    """Raise InputError where the model can be built and cannot compute logits, because its sizes do not fit."""
    _require_forward(model.model_dump_json())


@lru_cache(maxsize=64)
def _require_forward(settings: str) -> None:
    config = configuration(ModelRecipe.model_validate_json(settings))
    try:
        with torch.device("meta"):  # takes no memory; some models cannot do it, whatever their sizes
            _model(config)(torch.zeros(1, 2, dtype=torch.int64))
    except Exception:  # noqa: BLE001 - whether it is the fault of the sizes, a model with memory tells
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            built = _model(config)
            try:
                built(torch.zeros(1, 2, dtype=torch.int64))
            except Exception as error:
                if is_out_of_memory(error):
                    raise
                cause = " ".join(str(error).split())[:200]
                raise InputError(f"model: its sizes do not fit each other ({cause}). Choose other sizes.") from error


def _model(config: Any) -> nn.Module:
    try:
        model: nn.Module = AutoModelForCausalLM.from_config(config)
    except Exception as error:  # sizes that do not fit make a model raise any error
        raise InputError(
            f"model: cannot be built ({' '.join(str(error).split())[:200]}). Choose other sizes."
        ) from error
    return model


def _with_fixed_norms(model: nn.Module, trained_norms: bool) -> nn.Module:
    """Freeze the weights of normalization layers, which transformers starts at 1, unless they are trained."""
    for module in model.modules() if not trained_norms else ():
        if "norm" in type(module).__name__.lower():
            module.requires_grad_(False)
    return model
