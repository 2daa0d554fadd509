"""Models whose settings are of other types or values than they should be: measured, or one line says why not."""

import json
from pathlib import Path

import numpy as np
from tiny import VOCABULARY, tiny_model

from zerosum import token_losses
from zerosum.checkpoints import load_model, open_run
from zerosum.errors import InputError

FAMILIES = {"llama": {}, "gpt2": {}, "gemma2": {"head_dim": 8, "num_key_value_heads": 1}, "mixtral": {}}
WRONG = [
    *(None, True, False, {}, [], [8], [8, 8], [[8]], {"a": {"b": 1}}, "x", "", "8", "\ud800", "nan", -1, 0, 1, 3, 7),
    *(0.5, 1e308, 10**30, 2**63, float("nan"), float("inf"), [None], {"rope_type": "x"}, {"rope_theta": "y"}),
]
IDS = np.arange(24).reshape(2, 12) % VOCABULARY


def measure_damaged_settings(family: str, folder: Path, cases: int) -> None:
    """Each case: some settings of a tiny model of the family replaced, removed or added, or the file itself damaged."""
    run = folder / family
    checkpoint = run / "checkpoint-1"
    tiny_model(family, **FAMILIES[family]).save_pretrained(checkpoint)
    whole = json.loads((checkpoint / "config.json").read_text())
    for case in range(cases):
        rng = np.random.default_rng(case)
        text = json.dumps(_damaged(whole, rng))
        if rng.random() < 0.1:
            cut = int(rng.integers(len(text)))
            text = text[:cut] + text[cut + int(rng.integers(1, 4)) :]
        (checkpoint / "config.json").write_text(text)
        try:
            _measured_or_refused(run)
        except BaseException as error:
            error.add_note(f"case {case}: {text}")
            raise


def _damaged(settings: dict[str, object], rng: np.random.Generator) -> dict[str, object]:
    names = [name for name in settings if name not in ("transformers_version",)]
    damaged = dict(settings)
    for name in rng.choice(names, size=int(rng.integers(1, 4)), replace=False).tolist():
        if rng.random() < 0.15:
            del damaged[name]
        elif isinstance(damaged[name], dict) and rng.random() < 0.5:
            damaged[name] = _damaged(damaged[name], rng) if len(damaged[name]) > 3 else WRONG[rng.integers(len(WRONG))]
        else:
            damaged[name] = WRONG[rng.integers(len(WRONG))]
    return damaged


def _measured_or_refused(run: Path) -> None:
    try:
        losses = token_losses(load_model(open_run(run).checkpoints[0]), IDS)
    except InputError as error:
        refused = str(error)
    else:
        refused = ""
        assert losses.shape == (2, 11)
    assert "\n" not in refused
