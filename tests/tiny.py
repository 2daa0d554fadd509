"""Tiny models, runs, stores of losses and loss logs: tests make them here and nowhere else.

Torch and transformers are imported by what needs them, so that tests of the other rooms begin without.
"""

import json
from pathlib import Path

import numpy as np

VOCABULARY = 40
SIZES = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
TRAINED_STEPS = (1, 2, 4)
IDS = {"bos_token_id": 0, "eos_token_id": 0}
MOVED_SIZES = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
MOVED = {  # what a family adds
    "llama": {"num_key_value_heads": 2, "attention_bias": True},
    "qwen3": {"num_key_value_heads": 2, "head_dim": 4},
}


# Models


def tiny_model(family="llama", *, seed=0, attention=None, **settings):
    """A model of about a thousand parameters with weights as transformers draws them, in evaluation mode.

    family: transformers' name of it (`model_type`). settings: of its config, beside those of SIZES.
    """
    import torch
    import transformers

    torch.manual_seed(seed)
    settings = {"vocab_size": VOCABULARY, "max_position_embeddings": 32} | SIZES | IDS | settings
    config = transformers.AutoConfig.for_model(family, **settings)
    heads = {"bert": transformers.AutoModelForMaskedLM, "t5": transformers.AutoModelForSeq2SeqLM}
    kind = heads.get(family, transformers.AutoModelForCausalLM)
    return kind.from_config(config, attn_implementation=attention).eval()


def moved_model(family, *, tied=True, **settings):
    """A model of two layers in float64, with every parameter moved away from its regular start."""

    settings = {"tie_word_embeddings": tied} | MOVED_SIZES | MOVED.get(family, {}) | settings
    return move(tiny_model(family, **settings).double())


def move(model):
    """Add normal noise of width 0.1 to every parameter."""
    import torch

    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model


def repeating_tokens():
    """3 sequences of 12 predictions, with repeated ids."""
    import torch

    ids = torch.randint(0, VOCABULARY, (3, 13), generator=torch.Generator().manual_seed(0))
    ids[0, 3:6] = 0
    return ids


# Runs, laid out as Hugging Face's Trainer does


def save_checkpoint(folder, step, model, *, tokenizer=None, optimizer=None):
    """Write the weights at a step, and what else is given; return the folder of the checkpoint."""
    checkpoint = Path(folder) / f"checkpoint-{step}"
    model.save_pretrained(checkpoint)
    if tokenizer is not None:
        tokenizer.save_pretrained(checkpoint)
    if optimizer is not None:
        import torch

        torch.save(optimizer.state_dict(), checkpoint / "optimizer.pt")
    return checkpoint


def save_run(folder, steps=(0, 1, 2), *, seeds=None, tokenizer=None, **settings):
    """Checkpoints of models with other weights at each step: those of its seed, which is the step itself."""
    for step, seed in zip(steps, seeds or steps, strict=True):
        save_checkpoint(folder, step, tiny_model(seed=seed, **settings), tokenizer=tokenizer)
    return folder


def train_and_save(folder, model, optimizer, ids, steps, *, tokenizer=None, state=True):
    """Take full-batch steps on `ids`; write a checkpoint after each of `steps`, with the optimizer's state."""
    for step in range(1, max(steps) + 1):
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if step in steps:
            save_checkpoint(folder, step, model, tokenizer=tokenizer, optimizer=optimizer if state else None)
    return folder


def save_trained_run(folder):
    """Checkpoints of plain gradient descent at TRAINED_STEPS, and token ids.

    ids.npy: 24 sequences of 12 predictions, the training data; train.npy: 32 others to take steps on.
    """
    import torch

    rng = np.random.default_rng(0)
    for name, number in (("ids", 24), ("train", 32)):
        np.save(folder / f"{name}.npy", rng.integers(0, VOCABULARY, (number, 13)))
    model = tiny_model()
    optimizer = torch.optim.SGD(parameter_groups(model), lr=0.5)
    return train_and_save(folder, model, optimizer, torch.as_tensor(np.load(folder / "ids.npy")), TRAINED_STEPS)


def parameter_groups(model, **options):
    """Matrices and vectors in a group of their own, in Trainer's order; options: {name: (matrices, vectors)}."""
    parts = [[one for one in model.parameters() if (one.ndim == 2) == matrices] for matrices in (True, False)]
    return [{"params": part} | {name: both[k] for name, both in options.items()} for k, part in enumerate(parts)]


# Stores of per-token losses


def losses(loss, steps, *, folder=None, attrs=None, **labels):
    """A store of losses [checkpoint, sequence, position] as `zerosum losses` lays it out, in memory or in `folder`.

    labels: one value per sequence (document, domain, first_token) or per prediction (token, document).
    """
    import xarray as xr

    dims = ("checkpoint", "sequence", "position")
    store = xr.Dataset(
        {"loss": (dims, np.asarray(loss, np.float32))},
        {"step": ("checkpoint", np.array(steps))}
        | {name: (dims[1 : 1 + np.ndim(values)], np.asarray(values)) for name, values in labels.items()},
        attrs,
    )
    if folder is not None:
        store.to_zarr(folder, mode="w", consolidated=False)
    return store


def labels(token):
    """Labels of sequences of `token` [sequence, position]: documents of two sequences each, two domains by turns."""
    number = np.arange(len(token))
    return {"token": token, "first_token": token[:, 0], "document": number // 2, "domain": number % 2}


def falling_losses(steps=(0, 1, 2, 4), sequences=24, positions=5, *, fall=0.3, noise=0.4, seed=0):
    """Losses that fall by `fall` a checkpoint, and the generator that drew their noise, for labels."""
    rng = np.random.default_rng(seed)
    shape = (len(steps), sequences, positions)
    return 4 - fall * np.arange(len(steps))[:, None, None] + rng.normal(0, noise, shape), rng


# Loss logs: [(step, loss), ...]


def loss_at(step, bend=800.0, seed=0):
    """A one-break law with a little noise, the same at every call."""
    noise = np.random.default_rng([seed, step]).normal(0, 0.005)
    return float(30 * step**-0.25 * (1 + (step / bend) ** 5) ** 0.04 * (1 + noise))


def rows(last=6000, every=5, **options):
    return [(step, loss_at(step, **options)) for step in range(1, last, every)]


def as_csv(table, header="step,loss"):
    return "\n".join([header, *(",".join(map(str, row)) for row in table)])


def as_jsonl(table):
    return "\n".join(json.dumps({"step": step, "loss": loss, "lr": 1e-3}) for step, loss in table)


def as_nanogpt(table):
    return "\n".join(f"iter {step}: loss {loss:.4f}, time 250.00ms, mfu 30.00%" for step, loss in table)
