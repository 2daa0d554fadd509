"""The runs of Mircea et al. 2025, Training Dynamics Underlying Language Model Scaling Laws, arXiv 2506.05447.

Six sizes, and the ablations: cosine, cooldown, larger batches of shorter and longer sequences, GPT-2's architecture.
They read token files that `zerosum data` wrote into data/c4 (GPT-2's: data/openwebtext).
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from zerosum.training.changes import with_changes
from zerosum.training.corpora.tokens import TokensSettings
from zerosum.training.model_recipe import ModelRecipe
from zerosum.training.optimizers.adamw import AdamWSettings
from zerosum.training.recipe import BatchRecipe, Recipe
from zerosum.training.schedules.constant import ConstantSettings

_SIZES = {  # width, layers, heads, learning rate
    "14m": (256, 4, 4, 1.26e-3),
    "37m": (512, 8, 8, 9.71e-4),
    "78m": (768, 12, 12, 8.01e-4),
    "144m": (1024, 16, 16, 6.81e-4),
    "285m": (1536, 16, 16, 5.67e-4),
    "472m": (2048, 16, 16, 4.87e-4),
}
_GPT2_SIZES = ("14m", "37m", "78m", "144m")
_STEPS = 2**18
_COOLDOWN = _STEPS // 5
_DATA = "data/c4"
_OTHER_DATA = "data/openwebtext"


def paper(size: str, variant: str | None = None) -> Recipe:
    """One size: 2^18 steps of 512 sequences of 1,024 tokens. variant: see `ablations`.

    >>> paper("14m").batch.tokens
    524288
    """
    width, layers, heads, rate = _SIZES[size]
    recipe = Recipe(
        name=f"paper_{size}",
        steps=_STEPS,
        model=ModelRecipe.model_validate(
            {
                "family": "llama",
                "trained_norms": False,
                "hidden_size": width,
                "num_hidden_layers": layers,
                "num_attention_heads": heads,
                "intermediate_size": width // 2,
                "vocab_size": 50_304,
                "max_position_embeddings": 1024,
                "tie_word_embeddings": True,
            }
        ),
        data=TokensSettings(folder=_DATA),
        batch=BatchRecipe(sequences=512, length=1024, passes=16),
        optimizer=AdamWSettings(
            lr=rate, betas=(0.9, 0.95), eps=1e-5, weight_decay=0.1, decay_embeddings=False, clip=1.0
        ),
        schedule=ConstantSettings(warmup_steps=2000),
        held_out=512,
        resume_every=1024,
        device="auto",
        mixed_precision="bf16",
    )
    if variant is None:
        return recipe
    return with_changes(recipe, {"name": f"paper_{size}_{variant}", **ablations(size)[variant]})


def ablations(size: str) -> dict[str, Mapping[str, Any]]:
    """Changes by the name of an ablation. Larger batches train as many steps; GPT-2 has as many parameters."""
    width, *_ = _SIZES[size]
    changes: dict[str, Mapping[str, Any]] = {
        "cosine": {"schedule.kind": "cosine", "schedule.final": 0.1},
        "wsd": {"schedule.kind": "wsd", "schedule.decay_steps": _COOLDOWN},
        **{f"{million}m_t{length}": _batch(million, length) for million in (1, 4) for length in (1024, 2048)},
    }
    if size in _GPT2_SIZES:
        changes["gpt2"] = {
            "model.family": "gpt2",
            "model.trained_norms": True,
            "model.n_inner": width * 3 // 4,
            "data.folder": _OTHER_DATA,
        }
    return changes


def _batch(million_tokens: int, length: int) -> dict[str, Any]:
    sequences = million_tokens * 2**20 // length
    return {
        "batch.sequences": sequences,
        "batch.length": length,
        "batch.passes": sequences * length // 2**15,
        "model.max_position_embeddings": length,
    }


RECIPES = {f"paper_{size}": partial(paper, size) for size in _SIZES}
VARIANTS = {f"paper_{size}_{variant}": partial(paper, size, variant) for size in _SIZES for variant in ablations(size)}
