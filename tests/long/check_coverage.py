"""Coverage of the 95 % intervals of interference.

Simulated changes of losses with known R, D, agreement and excess: the share of intervals that hold the true value, with
its own 95 % interval (Wilson) over N simulated samples. n is the number of resampling units in each sample. Tokens of a
unit are correlated, and units differ in their sizes of change. The goal is 92 to 98 %.
"""

import pytest
from scipy.stats import binomtest
from simulated_changes import covered_agreement, covered_interference

SEEDS = "n for the samples, the number of the sample for the resampling"
SAMPLES = 2_000
CELLS = [
    *((covered_interference, {"n_sequences": n, "R": R}) for n in (20, 50, 200) for R in (0.0, -0.05, -0.5)),
    *((covered_agreement, {"units": n}) for n in (30, 50, 100, 200)),
]


@pytest.mark.parametrize(("covered", "population"), CELLS, ids=["-".join(map(str, cell.values())) for _, cell in CELLS])
def test_intervals_cover(covered, population, table, count, whole):
    samples = count(SAMPLES)
    held = covered(**population, repeats=samples)
    for quantity, k in held.items():
        ends = binomtest(k, samples).proportion_ci(method="wilson")
        table.add(
            quantity=quantity,
            n=next(iter(population.values())),
            true_R=population.get("R", ""),
            N=samples,
            coverage=f"{100 * k / samples:.1f} %",
            interval=f"{100 * ends.low:.1f} to {100 * ends.high:.1f} %",
        )
    for quantity, k in held.items():
        assert not whole or 0.92 <= k / samples <= 0.98, quantity
