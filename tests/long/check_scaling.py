"""Coverage and verdicts of laws of the loss.

Simulated families of runs with Chinchilla's law as the truth (`tests/scaling/simulated_runs.py`). Noise of log loss is
shared by a run (sd 0.003), drifts along it (0.003, AR(1) of 0.9 between checkpoints), and is new at each checkpoint
(0.002). A, B, E, alpha, beta: share of the 95 % intervals that hold the true value, goal 90 to 98 %. Inside, and 3
times larger: share of prediction intervals that hold the loss of a new run, goal 92 to 98 %. Identified: share of the
first 200 families with that verdict, at least 95 % where the data determine the law, and at most 5 % where not.
"""

import numpy as np
import pytest
from simulated_runs import FAMILIES, TRUTH, measure

SEEDS = "0 to N - 1"
FEW = 200  # families of each kind whose verdict is measured
CAN = {"12 sizes", "12 sizes, little noise"}


@pytest.mark.parametrize("name", list(FAMILIES))
def test_laws_cover_and_say_what_is_identified(name, table, count, whole):
    N = count(1_000 if name == "12 sizes" else FEW)
    few = count(FEW)
    measured = [measure(name, seed, seed < few, per_axis=3, draws=200) for seed in range(N)]
    identified = np.mean([verdict == "identified" for verdict, *_ in measured[:few]])
    covers = {key: np.mean([one[key] for *_, one in measured]) for key in measured[0][2]}
    shown = {key: f"{100 * share:.1f} %" if name in CAN else "" for key, share in covers.items()}
    table.add(family=name, N=N, identified=f"{100 * identified:.1f} %", **shown)
    if not whole:
        return
    assert identified >= 0.95 if name in CAN else identified <= 0.05
    if name == "12 sizes":
        for key, share in covers.items():
            assert (0.90 if key in TRUTH else 0.92) <= share <= 0.98, key
