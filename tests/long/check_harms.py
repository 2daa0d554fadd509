"""Coverage of the 95 % intervals of who harms whom.

Simulated changes of losses by steps on two groups (see tests/interference/simulated_harms.py): the share of intervals
that hold the true value, over N simulated samples. own, other: the mean change of a step on the tokens of its own
group, and of the other. difference: harm of one group on the other minus harm of the other on the first. inside: share
of all harm that falls inside the group of the step. grouping: columns have documents of their own (domain), or share
every document (token). U: documents of a column. B: batches. text, batch, both: shares of the variance of a column's
mean that come from the choice of texts, from the choice of batches, and from noise of each text in each batch. tails:
of these effects. The goal is 92 to 98 %.
"""

import pytest
from simulated_harms import covered_harms

SEEDS = "U + B for the samples, two by turns for the resampling"
SAMPLES = 1_000
THIRDS = (1 / 3, 1 / 3, 1 / 3)
CELLS = [
    *(
        (grouping, 40, 4, shares, "normal")
        for grouping in ("domain", "token")
        for shares in ((1, 0, 0), (0, 1, 0), (0, 0, 1), THIRDS)
    ),
    ("domain", 40, 4, THIRDS, "heavy"),
    ("token", 40, 4, THIRDS, "skewed"),
    *(("token", units, batches, THIRDS, "normal") for units, batches in ((20, 4), (200, 4), (40, 2))),
]


@pytest.mark.parametrize(("grouping", "units", "batches", "shares", "tails"), CELLS)
def test_intervals_of_harm_cover(grouping, units, batches, shares, tails, table, count, whole):
    samples = count(SAMPLES)
    held = covered_harms(grouping, units, batches, shares, tails, samples)
    text, batch, both = (f"{share:.2f}" for share in shares)
    setting = {"grouping": grouping, "U": units, "B": batches, "text": text, "batch": batch, "both": both}
    coverage = {name: f"{100 * k / samples:.1f} %" for name, k in held.items()}
    table.add(**setting, tails=tails, N=samples, **coverage)
    for quantity, k in held.items():
        assert not whole or 0.92 <= k / samples <= 0.98, quantity
