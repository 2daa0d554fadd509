"""Optimizer states inside the files of nanoGPT and Lightning: one more step here is the one that the program takes."""

import math

import numpy as np
import pytest
import torch
from nano_gpt import NanoGPT
from tiny import VOCABULARY, tiny_model
from torch.nn.functional import cross_entropy

from zerosum import InputError
from zerosum.checkpoints import load_model
from zerosum.checkpoints.kinds.nanogpt import TRANSPOSED
from zerosum.training.replay.one_update import one_update
from zerosum.training.replay.updater import find_updater

ARGS = {"n_layer": 2, "n_head": 2, "n_embd": 8, "block_size": 12, "vocab_size": VOCABULARY}
EPS = 1e-5  # large enough to keep the biases of keys still, whose gradient is nothing but rounding
IDS = np.random.default_rng(0).integers(0, VOCABULARY, (6, 9))


def take_step(model, optimizer, logits, clip):
    tokens = torch.as_tensor(IDS)
    cross_entropy(logits(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten()).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    optimizer.zero_grad()


def nano_groups(model, first_version):
    named = dict(model.named_parameters())
    decaying = [name for name, parameter in named.items() if parameter.ndim >= 2]
    if first_version:  # sorted names, and embeddings do not decay
        decaying = sorted(name for name in decaying if ".h." in name)
        others = sorted(named.keys() - set(decaying))
    else:
        others = [name for name in named if name not in decaying]
    parts = ((decaying, 0.1), (others, 0.0))
    return [{"params": [named[name] for name in names], "weight_decay": decay} for names, decay in parts]


@pytest.mark.parametrize(("bias", "first_version"), [(True, False), (False, False), (True, True)])
def test_nanogpt(tmp_path, bias, first_version):
    torch.manual_seed(0)
    model = NanoGPT(**ARGS, bias=bias)
    optimizer = torch.optim.AdamW(nano_groups(model, first_version), lr=3e-3, eps=EPS)
    for _ in range(3):
        take_step(model, optimizer, model, 0.5)
    config = {"grad_clip": 0.5, "batch_size": 3, "gradient_accumulation_steps": 4}
    content = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "iter_num": 3, "config": config}
    torch.save(content | {"model_args": ARGS | {"bias": bias, "dropout": 0.2}}, tmp_path / "ckpt.pt")
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    take_step(model, optimizer, model, 0.5)
    ours = load_model(tmp_path / "ckpt.pt")
    assert ours.config.resid_pdrop == 0.2
    updater = find_updater(tmp_path / "ckpt.pt", ours)
    assert (updater.clip, updater.batch_size, updater.notes) == (0.5, 12, ())
    assert updater.settings["state"] == "ckpt.pt"
    found = one_update(ours, updater, IDS)
    for name, parameter in model.named_parameters():
        u = parameter.detach() - before[name]
        torch.testing.assert_close(found[name], u.t() if name.endswith(TRANSPOSED) else u, rtol=1e-3, atol=2e-6)
        assert float(u.abs().max()) > 1e-4
    content["config"] = {"grad_clip": 0.0}
    torch.save(content | {"model_args": ARGS | {"bias": bias}}, tmp_path / "ckpt.pt")
    updater = find_updater(tmp_path / "ckpt.pt", ours)
    assert (updater.clip, updater.batch_size) == (math.inf, None)
    for damaged in ({"optimizer": {"param_groups": [1], "state": {}}}, {"optimizer": None, "x": "param_groups"}):
        torch.save(content | damaged | {"model_args": ARGS | {"bias": bias}}, tmp_path / "ckpt.pt")
        with pytest.raises(InputError, match=r"ckpt.pt: no state of an optimizer of torch"):
            find_updater(tmp_path / "ckpt.pt", ours)


@pytest.mark.parametrize("apart", [False, True])
def test_lightning(tmp_path, apart):
    model = tiny_model(attention_bias=True)
    model.config.save_pretrained(tmp_path)
    parameters = list(model.parameters())
    parts = [[p for p in parameters if (p.ndim >= 2) is matrix] for matrix in (True, False)] if apart else [parameters]
    optimizer = torch.optim.AdamW([{"params": part} for part in parts], lr=3e-3, eps=EPS)

    def logits(ids):
        return model(ids).logits

    for _ in range(3):
        take_step(model, optimizer, logits, math.inf)
    state = {"net." + name: value for name, value in model.state_dict().items()}
    content = {"state_dict": state, "optimizer_states": [optimizer.state_dict()], "global_step": 3}
    file = tmp_path / "epoch=0-step=3.ckpt"
    torch.save(content | {"pytorch-lightning_version": "2.5.0"}, file)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    ours = load_model(file)
    found = one_update(ours, find_updater(file, ours, clip=0.0), IDS)
    take_step(model, optimizer, logits, math.inf)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name], parameter.detach() - before[name], rtol=1e-3, atol=2e-6)
    content["optimizer_states"] *= 2
    torch.save(content | {"pytorch-lightning_version": "2.5.0"}, file)
    with pytest.raises(InputError, match="not the state of one optimizer"):
        find_updater(file, ours)
