"""Records of dissent made without a model."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from zerosum.dissent import NUMBERS, Dissent, DissentOverTraining, ForceProducts, FrequencyClass, PartForces, Spread
from zerosum.show.report import Report, Run

CLASSES = ((1, 3), (4, 15), (64, 255), (1_024, 4_095))
KINDS = ("matrix", "matrix", "norm", "bias")
FEW_UNITS = "3 units; an interval needs at least 20 sequences or documents"


def spread(mean: float, interval: bool = True, n: int = 900) -> Spread:
    quantiles = {percent: mean + (percent - 50) / 500 for percent in (5, 25, 50, 75, 95)}
    ends = (mean - 0.02, mean + 0.03) if interval else None
    return Spread(mean, quantiles, n, 2, ends, None if interval else FEW_UNITS)


def spreads(mean: float, interval: bool = True, n: int = 900) -> dict[str, Spread]:
    return {name: spread(mean, interval, n) for name in NUMBERS}


def vector(dissent: float, numel: int = 64) -> ForceProducts:
    """Two forces of lengths 2 and 1.5 with this dissent."""
    dot = -dissent * 3
    return ForceProducts(dot, 4.0, 2.25, 6.25 + 2 * dot, numel)


def checkpoint(step: int, dissent: float, layers: int = 2, head: bool = True, body: bool = True) -> Dissent:
    rng = np.random.default_rng(step)
    names = ["embed", *(f"model.layers.{k}" for k in range(layers)), "norm"]
    parts = [(f"{name}.w{k}", kind) for name in names for k, kind in enumerate(KINDS)]
    return Dissent(
        N=900,
        n_sequences=30,
        seed=0,
        units="sequence",
        n_units=24,
        loss=spread(5 - dissent),
        token=spreads(dissent - 0.2),
        rows=spreads(dissent, False, 60) if head else {},
        n_unlabelled=40,
        head=vector(dissent) if head else None,
        body=vector(dissent) if body else None,
        parameters=tuple(
            PartForces(name, kind, vector(dissent - 0.1 * float(rng.random()))) for name, kind in parts if body
        ),
        layers=tuple(PartForces(name, "layer", vector(dissent)) for name in names if body),
        frequency=tuple(
            FrequencyClass(
                low,
                high,
                5 + k,
                spreads(dissent - 0.1 * k, k > 0) | {"loss": spread(4.0 - k, k > 0, 10**k)},
                spreads(dissent, False) if head else {},
            )
            for k, (low, high) in enumerate(CLASSES)
        ),
        reasons={"head": "the head is frozen", "body": "every parameter below the head is frozen"},
        notes=("=cmd",),
        source="run/x",
        step=step,
        tokens_seen=10 * step,
    )


def unknown(record: Dissent) -> Dissent:
    """The same where no dissent is known."""
    none, nothing = Spread(left_out=9, reason="no value"), ForceProducts(numel=64)
    return replace(
        record,
        token=record.token | {"dissent": none},
        rows=record.rows | {"dissent": none},
        head=nothing,
        body=nothing,
        parameters=tuple(replace(part, forces=nothing) for part in record.parameters),
        layers=tuple(replace(part, forces=nothing) for part in record.layers),
        frequency=tuple(replace(labels, token=labels.token | {"dissent": none}) for labels in record.frequency),
    )


def over_training(**more: Any) -> DissentOverTraining:
    """Five checkpoints, the last one at 0.95; at 0.9 between steps 16 and 64."""
    records = [checkpoint(step, 0.15 + 0.2 * k, **more) for k, step in enumerate((0, 1, 4, 16, 64))]
    return DissentOverTraining("run", tuple(records))


def report(over: DissentOverTraining) -> Report:
    return Report(over.name, (Run(over.name, (over,)),))


REACHED = (16 * 4**0.75, 4.1)
assert math.isclose(REACHED[0], 45.25, rel_tol=1e-3)
