"""Tiny models of five families, in float64, with every parameter moved away from its regular start."""

import torch

VOCABULARY = 40


def _config(family, **more):
    from transformers import GPT2Config, GPTNeoXConfig, LlamaConfig, Olmo2Config, Qwen3Config

    same = {"vocab_size": VOCABULARY, "bos_token_id": 0, "eos_token_id": 0}
    plain = same | {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
    plain |= {"max_position_embeddings": 32, **more}
    short = same | {"n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 32, **more}
    return {
        "llama": lambda: LlamaConfig(**plain, num_key_value_heads=2, attention_bias=True),
        "olmo2": lambda: Olmo2Config(**plain),
        "qwen3": lambda: Qwen3Config(**plain, num_key_value_heads=2, head_dim=4),
        "gpt2": lambda: GPT2Config(**short),
        "gpt-neox": lambda: GPTNeoXConfig(**plain),
    }[family]()


def tiny(family, *, tied=True, attention="sdpa", **more):
    """A model of `family` in evaluation mode."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    config = _config(family, tie_word_embeddings=tied, **more)
    model = AutoModelForCausalLM.from_config(config, attn_implementation=attention).double().eval()
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model


def repeating_tokens():
    """3 sequences of 12 predictions, with repeated ids."""
    ids = torch.randint(0, VOCABULARY, (3, 13), generator=torch.Generator().manual_seed(0))
    ids[0, 3:6] = 0
    return ids
