"""Tiny models of any family of transformers, from its own configuration with every size made small."""

from typing import Any

import numpy as np
import torch

from zerosum import InputError, gradient_interference

VOCABULARY = 40
LARGEST = 200_000  # parameters; families whose sizes have other names stay large, and are not tried
_VALUES = {
    VOCABULARY: "vocab_size",
    0: "bos_token_id eos_token_id pad_token_id",
    16: "hidden_size n_embd d_model embed_dim embedding_size word_embed_proj_dim emb_dim dim n_embed",
    24: "intermediate_size ffn_dim n_inner d_inner ffn_hidden_size dim_ff decoder_ffn_dim encoder_ffn_dim d_ff dff "
    "moe_intermediate_size shared_expert_intermediate_size mlp_hidden_size",
    2: "num_hidden_layers n_layer num_layers n_layers decoder_layers encoder_layers num_decoder_layers "
    "num_encoder_layers num_key_value_heads num_experts_per_tok",
    4: "num_attention_heads n_head n_heads num_heads decoder_attention_heads encoder_attention_heads attention_heads "
    "head_dim rotary_dim num_experts num_local_experts n_routed_experts moe_num_experts",
    32: "n_positions max_position_embeddings max_seq_len n_ctx",
    True: "is_decoder",
}
SMALL = {name: value for value, names in _VALUES.items() for name in names.split()}
QUANTITIES = ("D_grad", "C_g", "C_ug", "C_uG")
PER_TOKEN = ("norm_l1", "norm_l2", "moved", "first_order")


def families() -> tuple[str, ...]:
    """Every family that the installed transformers knows as a causal language model."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return tuple(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


def small_model(family: str, dtype: torch.dtype = torch.float32) -> Any:
    """In evaluation mode, with every parameter moved away from its regular start.

    Raises ValueError where the model stays large, and whatever transformers raises where small sizes do not fit.
    """
    from transformers import AutoModelForCausalLM
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    known = CONFIG_MAPPING[family]().to_dict()
    config = CONFIG_MAPPING[family](**{name: value for name, value in SMALL.items() if name in known})
    with torch.device("meta"):
        size = sum(parameter.numel() for parameter in AutoModelForCausalLM.from_config(config).parameters())
    if size > LARGEST:
        raise ValueError(f"{size:,} parameters")
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).to(dtype).eval()
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model


def worst_difference(found: Any, expected: Any) -> float:
    """Largest relative difference between two `GradientInterference`; of numbers per token, relative to the largest."""
    pairs = [(getattr(found, name), getattr(expected, name)) for name in QUANTITIES]
    pairs += [(found.per_token[name], expected.per_token[name]) for name in PER_TOKEN]
    return max(float(np.max(np.abs(a - b)) / np.max(np.abs(b))) for a, b in pairs)


def compare_with_brute_force(family: str, results: Any) -> None:
    """Puts a row of the table of families into the queue `results`: auto against one backward pass for each token."""
    torch.set_num_threads(1)
    tokens = torch.randint(0, VOCABULARY, (2, 7), generator=torch.Generator().manual_seed(0))
    try:
        model = _running_model(family, tokens)
    except Exception as error:  # noqa: BLE001 - whatever a family raises, the table shows it
        results.put({"method": "not tried", "reason": _first_line(error)})
        return
    update = {
        name: torch.randn_like(parameter) for name, parameter in model.named_parameters() if parameter.requires_grad
    }
    row = {"parameters": sum(p.numel() for p in model.parameters()), "dtype": str(model.dtype).removeprefix("torch.")}
    try:
        found = gradient_interference(model, tokens, update)
        expected = gradient_interference(model, tokens, update, method="oracle")
    except InputError as error:
        results.put(row | {"method": "refused", "reason": _first_line(error)})
        return
    results.put(row | {"method": found.method, "N": found.N, "worst": worst_difference(found, expected)})


def _running_model(family: str, tokens: torch.Tensor) -> Any:
    """In float64; in float32 where a family has layers for that alone."""
    try:
        return _checked(small_model(family, torch.float64), tokens)
    except RuntimeError:
        return _checked(small_model(family), tokens)


def _checked(model: Any, tokens: torch.Tensor) -> Any:
    with torch.no_grad():
        model(tokens)
    return model


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:90]}".replace("|", "/")
