"""Intervals of the gradient noise scale.

Simulated gradients of sequences with 300 coordinates and noise of known size, N repeats. decay: the noise of coordinate
j is proportional to exp(-decay j): at 0 all directions are noisy, at 0.5 about four hold all noise. B: the true noise
scale, in tokens; a sequence has 64 tokens, or 8 to 120. coverage: intervals that hold B, open ones (share beside it)
from their lower end on, whose nominal coverage is 97.5 %. error: of the mean |mu|^2, in standard errors; it is
estimated without bias. Where few directions hold the noise and it hides the gradient, intervals are wider than need be.
"""

import itertools

import pytest
from noise_coverage import repeated

SEEDS = "0, one stream for each row"
REPEATS = 1_000
CASES = [
    {"n_units": units, "unequal": unequal, "decay": decay, "noise_scale": B}
    for units, unequal, decay, B in itertools.product((24, 100), (False, True), (0.0, 0.05, 0.5), (30.0, 1e3, 1e4))
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_intervals_cover(case, table, count, whole):
    repeats = count(REPEATS)
    covered, is_open, error = repeated(repeats, **case)
    lengths = "8 to 120" if case["unequal"] else "64"
    table.add(
        sequences=case["n_units"],
        tokens=lengths,
        decay=case["decay"],
        B=f"{case['noise_scale']:,.0f}",
        N=repeats,
        coverage=f"{100 * covered:.1f} %",
        open=f"{100 * is_open:.0f} %",
        error=f"{error:+.1f}",
    )
    if whole:
        assert covered >= 0.92
        assert abs(error) < 4
