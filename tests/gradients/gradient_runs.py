"""A tiny run, and its gradients measured in a process of its own."""

import json
import os
import signal

import numpy as np
import torch
from tiny import VOCABULARY, moved_model, save_checkpoint

BATCHES = 4


def save_run(folder):
    """Two checkpoints, and 16 sequences of 8 predictions, some shorter."""
    for step, seed in ((1, 0), (2, 1)):
        torch.manual_seed(seed)
        model = moved_model("llama").float()
        with torch.no_grad():
            for one in model.parameters():
                one += 0.01 * seed * torch.randn_like(one)
        save_checkpoint(folder, step, model)
    ids = np.random.default_rng(0).integers(0, VOCABULARY, (16, 9))
    ids[::3, 6:] = -1
    np.save(folder / "ids.npy", ids)


def measure(run, store, method, die_at=None, **environment):
    """Both checkpoints with the difference between them as the update, in batches of four sequences.

    die_at: the process kills itself when it is about to measure its batch of that number.
    """
    os.environ.update(environment)
    from zerosum.checkpoints import load_model, open_run
    from zerosum.gradients import _measurement
    from zerosum.gradients._update import update_between
    from zerosum.gradients.checkpoint import Update, measure_checkpoint
    from zerosum.sharing import _work
    from zerosum.tokens import read_tokens

    torch.set_num_threads(1)
    _work.SAVING = float("inf")  # every batch is saved at once, however long that takes
    measured, real = [], _measurement._share

    def share(*arguments):
        if len(measured) == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        measured.append(arguments[3])
        return real(*arguments)

    _measurement._share = share
    checkpoints = open_run(run).checkpoints
    tokens = read_tokens([str(run / "ids.npy")], sequence_length=8, vocab_size=VOCABULARY)
    models = [load_model(one) for one in checkpoints]
    update = Update(lambda: update_between(*models))
    choice = _measurement.Choice(method, n_sampled=64, tokens_per_batch=32)
    found = [
        measure_checkpoint(store, one, lambda model=model: model, tokens, update, choice, 0, lambda *_: None)
        for one, model in zip(checkpoints, models, strict=True)
    ]
    (run / f"measured-{os.getpid()}.json").write_text(json.dumps([len(measured), [one.to_json() for one in found]]))
