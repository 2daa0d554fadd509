"""Coverage of the 95 % intervals of the systematic share.

Simulated branches whose systematic share is known, and the share of intervals that hold it and both bounds (see
`zerosum.interference.branch_agreement`) over N simulated samples of 60 documents of 40 tokens. The interval contains
the error of extrapolating to infinitely many branches: its ends are limits of a lower and an upper bound. It contains
the error over documents and two errors over branches, and noise that is independent between documents is in each. So it
holds the share in more than 98 % of samples in most rows. "3 directions": the noise lies in so many directions of the
weights, which all documents share; the fewer they are, the less a few branches show, and the wider the interval. At
the boundaries: of pure noise (0) the lower limit has to be 0; without noise (1) every interval is (1, 1).
size: of the noise. width: mean width of the intervals. value: mean of the estimates.
"""

import pytest
from simulated_branches import covered_branches, truth

SEEDS = "the number of branches for the samples, the number of the sample for the resampling"
SAMPLES = 1_000
POPULATIONS = [
    ("noise", 1.0),
    ("opposed", 0.0),
    ("opposed", 0.5),
    ("opposed", 1.0),
    ("mixture", 0.5),
    ("mixture", 1.0),
    ("smooth", 0.3),
    ("smooth", 0.7),
    ("smooth", 1.4),
    ("heavy", 0.7),
]
SHARED = [("1 direction", 4), ("1 direction", 8), ("3 directions", 4), ("3 directions", 8), ("10 directions", 4)]
NORMAL = [("normal", branches) for branches in (3, 4, 8)]
CELLS = [
    (*population, *noise)
    for population in POPULATIONS
    for noise in (*NORMAL, *([("t3", 4), ("uneven", 4), *SHARED] if population[1] else []))
]


@pytest.mark.parametrize(("kind", "size", "noise", "branches"), CELLS)
def test_intervals_hold_the_share(kind, size, noise, branches, table, count, whole):
    samples, true = count(SAMPLES), truth(kind, noise, size, branches)
    covered = covered_branches(kind, noise, size, branches, samples)
    table.add(
        systematic=kind,
        noise=noise,
        size=size,
        branches=branches,
        N=samples,
        true_share=f"{true['share']:.3f}",
        bounds=f"{true['low']:.3f} to {true['high']:.3f}",
        value=f"{covered['value'] / samples:.3f}",
        width=f"{covered['width'] / samples:.3f}",
        share_covered=f"{100 * covered['share'] / samples:.1f} %",
        bounds_covered=f"{100 * covered['bounds'] / samples:.1f} %",
    )
    assert not whole or covered["share"] >= 0.92 * samples
