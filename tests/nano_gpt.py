"""nanoGPT's model, as an oracle for what is read of its checkpoints."""

import math

import torch


class NanoGPT(torch.nn.Module):
    """nanoGPT's model, written after its description: `ckpt.pt` holds the state of modules with these names."""

    def __init__(self, n_layer, n_head, n_embd, block_size, vocab_size, bias):
        super().__init__()
        nn, self.heads = torch.nn, n_head
        blocks = []
        for _ in range(n_layer):
            attn = {"c_attn": nn.Linear(n_embd, 3 * n_embd, bias=bias), "c_proj": nn.Linear(n_embd, n_embd, bias=bias)}
            mlp = {"c_fc": nn.Linear(n_embd, 4 * n_embd, bias=bias), "c_proj": nn.Linear(4 * n_embd, n_embd, bias=bias)}
            norms = {name: nn.LayerNorm(n_embd, bias=bias) for name in ("ln_1", "ln_2")}
            parts = {"attn": nn.ModuleDict(attn), "mlp": nn.ModuleDict(mlp)}
            ordered = {"ln_1": norms["ln_1"], "attn": parts["attn"], "ln_2": norms["ln_2"], "mlp": parts["mlp"]}
            blocks.append(nn.ModuleDict(ordered))
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(vocab_size, n_embd),
                "wpe": nn.Embedding(block_size, n_embd),
                "h": nn.ModuleList(blocks),
                "ln_f": nn.LayerNorm(n_embd, bias=bias),
            }
        )
        self.lm_head = nn.Linear(n_embd, vocab_size, bias=False)
        self.lm_head.weight = self.transformer["wte"].weight
        for weight in self.parameters():
            torch.nn.init.normal_(weight, std=0.3)

    def forward(self, tokens):
        t = self.transformer
        x = t["wte"](tokens) + t["wpe"](torch.arange(tokens.shape[1]))
        for block in t["h"]:
            x = x + self.attention(block["attn"], block["ln_1"](x))
            x = x + block["mlp"]["c_proj"](torch.nn.functional.gelu(block["mlp"]["c_fc"](block["ln_2"](x))))
        return self.lm_head(t["ln_f"](x))

    def attention(self, modules, x):
        batch, length, width = x.shape
        q, k, v = (
            y.view(batch, length, self.heads, width // self.heads).transpose(1, 2)
            for y in modules["c_attn"](x).split(width, 2)
        )
        scores = (q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])).masked_fill(
            torch.ones(length, length).triu(1).bool(), float("-inf")
        )
        return modules["c_proj"]((scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, width))
