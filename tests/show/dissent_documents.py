"""Documents of dissent as `zerosum dissent --json` prints them, made without a model."""

from typing import Any

import numpy as np

from zerosum.show.dissent.subject import DissentOverTraining

CLASSES = ("1 to 3", "4 to 15", "64 to 255", "1,024 to 4,095")
KINDS = ("matrix", "matrix", "norm", "bias")
READ = ("dissent", "magnitude_ratio", "cancellation")


def spread(mean: float, interval: bool = True, n: int = 900) -> dict[str, Any]:
    found: dict[str, Any] = {"mean": mean, "interval": [mean - 0.02, mean + 0.03] if interval else None}
    found |= {} if interval else {"interval_reason": "3 units; an interval needs at least 20 sequences or documents"}
    quantiles = {f"{percent}%": mean + (percent - 50) / 500 for percent in (5, 25, 50, 75, 95)}
    return found | {"quantiles": quantiles, "N": n, "left_out": 2}


def spreads(mean: float, interval: bool = True, n: int = 900) -> dict[str, Any]:
    return {name: spread(mean, interval, n) for name in READ}


def vector(dissent: float, numel: int = 64) -> dict[str, Any]:
    sizes = {"norm_attraction": 2.0, "norm_repulsion": 1.5, "numel": numel}
    return {"dissent": dissent, "magnitude_ratio": 0.5 + dissent / 2, "cancellation": dissent**2} | sizes


def document(step: int, dissent: float, layers: int = 2, head: bool = True, body: bool = True) -> dict[str, Any]:
    rng = np.random.default_rng(step)
    names = ["embed", *(f"model.layers.{k}" for k in range(layers)), "norm"]
    parts = [(f"{name}.w{k}", kind) for name in names for k, kind in enumerate(KINDS)]
    without = {"interval": None, "interval_reason": "one vector"}
    rows = {"n_unlabelled": 40, "rows": spreads(dissent, False, 60)}
    found: dict[str, Any] = {"source": "run/x", "step": step, "tokens_seen": 10 * step, "N": 900, "n_sequences": 30}
    found |= {"seed": 0, "units": "sequence", "n_units": 24, "loss": spread(5 - dissent)}
    found |= {"token": spreads(dissent - 0.2)}
    found |= {"head": vector(dissent) | without | rows} if head else {"head": None, "head_reason": "frozen"}
    found |= {"body": vector(dissent) | without} if body else {"body": None, "body_reason": "frozen"}
    found["parameters"] = [
        {"name": name, "kind": kind} | vector(dissent - 0.1 * float(rng.random())) for name, kind in parts if body
    ]
    found["layers"] = [{"name": name, "kind": "layer"} | vector(dissent) for name in names if body]
    found["frequency"] = [
        {
            "label_count": name,
            "n_labels": 5 + k,
            "token": spreads(dissent - 0.1 * k, k > 0) | {"loss": spread(4.0 - k, k > 0, 10**k)},
            "rows": spreads(dissent, False) if head else {},
        }
        for k, name in enumerate(CLASSES)
    ]
    return found | {"level": 0.95, "notes": ["of one N", "=cmd"]}


FIRST_REACHED = [
    {"of": "head", "level": 0.9, "step": 30.0, "loss": 4.2, "between": [16, 64], "stays": True, "reason": None},
    {"of": "body", "level": 0.99, "step": None, "loss": None, "between": None, "reason": "not reached: at most 0.95"},
]


def over_training(**more: Any) -> DissentOverTraining:
    """Five checkpoints, the last one at 0.95."""
    documents = [document(step, 0.15 + 0.2 * k, **more) for k, step in enumerate((0, 1, 4, 16, 64))]
    return DissentOverTraining.of(documents, FIRST_REACHED)
