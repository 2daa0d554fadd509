"""Tiny models of any family of transformers, from its own configuration with every size made small, and brute force."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from zerosum import InputError, gradient_interference, token_losses
from zerosum.dissent import measure_dissent
from zerosum.gradients._numbers import opposition
from zerosum.gradients._sums import GradientSums
from zerosum.gradients.parameters import in_D_grad, trainable

VOCABULARY = 40
LARGEST = 500_000  # parameters; families whose sizes have other names stay large, and are not tried
_VALUES = {
    VOCABULARY: "vocab_size vocab_size_per_layer_input shape_vocab_size pronunciation_vocab_size unpadded_vocab_size",
    0: "bos_token_id eos_token_id pad_token_id num_kv_shared_layers",
    1: "n_group topk_group first_k_dense_replace n_shared_experts num_expert_groups moe_num_shared_experts",
    2: "num_hidden_layers n_layer num_layers n_layers decoder_layers encoder_layers num_decoder_layers depth "
    "num_encoder_layers num_key_value_heads num_experts_per_tok num_experts_per_token topk moe_k top_k moe_topk "
    "num_global_key_value_heads swa_num_key_value_heads",
    4: "num_attention_heads n_head n_heads num_heads decoder_attention_heads encoder_attention_heads attention_heads "
    "head_dim rotary_dim num_experts num_local_experts n_routed_experts moe_num_experts qk_nope_head_dim v_head_dim "
    "qk_rope_head_dim mamba_n_heads mamba_num_heads linear_num_value_heads linear_num_key_heads linear_key_head_dim "
    "linear_value_head_dim global_head_dim index_n_heads swa_num_attention_heads "
    "swa_head_dim zero_expert_num",
    8: "q_lora_rank kv_lora_rank o_lora_rank index_head_dim chunk_size mamba_chunk_size mamba_d_state state_size "
    "attention_hidden_size mamba_head_dim linear_head_dim ssm_state_size hc_lowrank",
    16: "hidden_size n_embd d_model embed_dim embedding_size word_embed_proj_dim emb_dim dim n_embed "
    "hidden_size_per_layer_input",
    24: "intermediate_size ffn_dim n_inner d_inner ffn_hidden_size dim_ff decoder_ffn_dim encoder_ffn_dim d_ff dff "
    "moe_intermediate_size shared_expert_intermediate_size mlp_hidden_size expert_ffn_hidden_size "
    "dense_intermediate_size shared_intermediate_size moe_ffn_hidden_size moe_shared_expert_intermediate_size",
    32: "n_positions max_position_embeddings max_seq_len n_ctx sliding_window sliding_window_size rel_extent",
}
SMALL = {"is_decoder": True} | {name: value for value, names in _VALUES.items() for name in names.split()}
MLA = {"num_key_value_heads": 4}  # families with qk_rope_head_dim: as many as heads
OWN: dict[str, dict[str, Any]] = {
    "dots3_note_text": {"num_key_value_heads": 4},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "longcat_flash": {"head_dim": 4},
    "nemotron_h": {"n_groups": 2},
    "mamba2": {"num_heads": 4, "head_dim": 8, "n_groups": 2},
    "reformer": {"axial_pos_embds": False},
    "xmod": {"default_language": "en_XX"},
    "zamba": {"layer_types": ["mamba", "hybrid"]},
    "zamba2": {"layer_types": ["mamba", "hybrid"]},
    "zaya": {"num_experts_per_tok": 1},
}
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

    kind = CONFIG_MAPPING[family]
    config = kind(**_shrunk(kind().to_dict()) | OWN.get(family, {}))
    with torch.device("meta"):
        size = sum(parameter.numel() for parameter in AutoModelForCausalLM.from_config(config).parameters())
    if size > LARGEST:
        raise ValueError(f"{size:,} parameters")
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).to(dtype).eval()
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model


def _shrunk(settings: dict[str, Any]) -> dict[str, Any]:
    """The small sizes among the settings of a configuration, and of the configurations in it."""
    small = {name: value for name, value in SMALL.items() if name in settings}
    if "qk_rope_head_dim" in settings:
        small = {name: value for name, value in small.items() if name != "head_dim"} | MLA
    for name, inner in settings.items():
        if isinstance(inner, dict) and name.endswith("_config"):
            small[name] = {key: inner[key] for key in ("model_type",) if key in inner} | _shrunk(inner)
    return small


class BruteForce:
    """One plain backward pass for each token: losses, per-token numbers, D_grad, C_g, C_ug, C_uG and dissent.

    Dissent needs the input of the output layer, and is None where there is none; its two forces are checked to add up
    to the gradient there.
    """

    def __init__(self, model: Any, tokens: torch.Tensor, update: dict[str, torch.Tensor]) -> None:
        parameters = trainable(model)
        inputs: list[torch.Tensor] = []
        head = model.get_output_embeddings()
        hook = None if head is None else head.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
        sums = GradientSums.zeros(parameters)
        columns: dict[str, list[float]] = {name: [] for name in ("loss", "dissent", *PER_TOKEN)}
        for s, t in np.ndindex(len(tokens), tokens.shape[1] - 1):
            inputs.clear()
            logits = model(tokens[s : s + 1, :-1], use_cache=False).logits[0, t]
            loss = functional.cross_entropy(logits[None], tokens[s, t + 1][None])
            wanted = [*(parameter.tensor for parameter in parameters), *inputs[:1]]
            gradients = torch.autograd.grad(loss, wanted, allow_unused=True)
            of_parameters = {
                parameter.name: (torch.zeros_like(parameter.tensor) if g is None else g).double()
                for parameter, g in zip(parameters, gradients, strict=False)
            }
            for name, g in of_parameters.items():
                sums.net[name] += g
                sums.mass[name] += g.abs()
            moves = [g * update[name].double() for name, g in of_parameters.items()]
            columns["loss"].append(loss.item())
            columns["norm_l1"].append(sum(float(g.abs().sum()) for g in of_parameters.values()))
            columns["norm_l2"].append(sum(float(g.square().sum()) for g in of_parameters.values()) ** 0.5)
            columns["moved"].append(sum(float(p.abs().sum()) for p in moves))
            columns["first_order"].append(sum(float(p.sum()) for p in moves))
            columns["dissent"].append(_dissent(head, logits, tokens[s, t + 1], gradients[len(parameters) :], t))
        if hook is not None:
            hook.remove()
        self.per_token = {name: np.reshape(column, (len(tokens), -1)) for name, column in columns.items()}
        whole = opposition(sums, parameters, {name: u.double() for name, u in update.items()})
        self.D_grad = opposition(sums, in_D_grad(parameters)).D_grad
        self.C_g, self.C_uG = whole.C_g, whole.C_uG
        self.C_ug = float(np.abs(self.per_token["first_order"]).sum()) / whole.mass


def _dissent(head: Any, logits: torch.Tensor, label: torch.Tensor, at_head: Any, t: int) -> float:
    """-cos of attraction (1 - q_y) (w_y - mean w) and repulsion; NaN where they are not the gradient at the head."""
    if not at_head or at_head[0] is None or at_head[0].ndim != 3 or not isinstance(head, torch.nn.Linear):
        return float("nan")
    gradient, w = at_head[0][0, t if at_head[0].shape[1] > 1 else 0].double(), head.weight.detach().double()
    q, w = logits.detach().double().softmax(0), w - w.mean(0)
    attraction = (1 - q[label]) * w[label]
    repulsion = q[label] * w[label] - q @ w
    whole = attraction + repulsion
    scale = float((whole @ -gradient) / (whole @ whole))  # of the logits
    if float((gradient + scale * whole).norm()) > 1e-4 * float(gradient.norm()):
        return float("nan")
    return -float(functional.cosine_similarity(attraction, repulsion, dim=0))


class Float64Throughout(TorchFunctionMode):
    """Inside the block, what asks for float32 gets float64.

    Norms, softmax and rotary embeddings of most families compute in float32, whatever their model is in. Where the
    gradient of a token is a small difference of large parts, this rounding alone moves it by 1e-5, by brute force as
    much as by the layer rules.
    """

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is torch.Tensor.float:
            function = torch.Tensor.double
        args = tuple(torch.float64 if value is torch.float32 else value for value in args)
        kwargs = {k: torch.float64 if value is torch.float32 else value for k, value in (kwargs or {}).items()}
        return function(*args, **kwargs)


def precision_of(model: Any) -> AbstractContextManager[Any]:
    """In which a model is measured: float64 throughout, or its own."""
    return Float64Throughout() if model.dtype == torch.float64 else nullcontext()


def worst_difference(found: Any, expected: Any) -> float:
    """Largest relative difference between two `GradientInterference`; of numbers per token, relative to the largest."""
    pairs = [(getattr(found, name), getattr(expected, name)) for name in QUANTITIES]
    pairs += [(found.per_token[name], expected.per_token[name]) for name in PER_TOKEN]
    return max(float(np.max(np.abs(a - b)) / np.max(np.abs(b))) for a, b in pairs)


def compare_with_brute_force(family: str, results: Any) -> None:
    """Puts a row of the table of families into the queue `results`: every verb against one backward pass per token."""
    torch.set_num_threads(1)
    tokens = torch.randint(0, VOCABULARY, (2, 7), generator=torch.Generator().manual_seed(0))
    try:
        model = _running_model(family, tokens)
    except Exception as error:  # noqa: BLE001 - whatever a family raises, the table shows it
        results.put({"method": "not tried", "reason": _first_line(error)})
        return
    with precision_of(model):
        _compare(model, tokens, results)


def _compare(model: Any, tokens: torch.Tensor, results: Any) -> None:
    update = {
        name: torch.randn_like(parameter) for name, parameter in model.named_parameters() if parameter.requires_grad
    }
    row = {"parameters": sum(p.numel() for p in model.parameters()), "dtype": str(model.dtype).removeprefix("torch.")}
    reasons: list[str] = []

    def worst(measure: Callable[[], float]) -> float | None:
        try:
            return measure()
        except InputError as error:
            reasons.append(_first_line(error))
            return None

    try:
        gradient_interference(model, tokens, method="oracle")
    except InputError as error:  # a model that has no gradient has none by brute force
        results.put(row | {"method": "refused", "reason": _first_line(error)})
        return
    brute = BruteForce(model, tokens, update)

    def gradients(method: str) -> float:
        measured = gradient_interference(model, tokens, update, method=method)
        row.setdefault("method", measured.method)
        return worst_difference(measured, brute)

    def dissent() -> float:
        measured = measure_dissent(model, tokens.numpy()).per_token["dissent"]
        return float(np.abs(measured - brute.per_token["dissent"]).max())

    row["losses"] = worst(lambda: float(np.abs(token_losses(model, tokens) / brute.per_token["loss"] - 1).max()))
    row["auto"] = worst(lambda: gradients("auto"))
    row["general"] = worst(lambda: gradients("general"))
    row["dissent"] = worst(dissent)
    results.put({"method": "refused"} | row | {"reason": "; ".join(dict.fromkeys(reasons))})


def _running_model(family: str, tokens: torch.Tensor) -> Any:
    """In float64; in float32 where a family has layers for that alone."""
    try:
        return _checked(small_model(family, torch.float64), tokens)
    except RuntimeError:
        return _checked(small_model(family), tokens)


def _checked(model: Any, tokens: torch.Tensor) -> Any:
    with torch.no_grad(), precision_of(model):
        model(tokens, use_cache=False)
    return model


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:90]}".replace("|", "/")
