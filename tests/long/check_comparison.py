"""How often `compare` finds a difference of two runs, where there is one and where there is none.

N pairs of simulated runs in each row, with one-break laws of L_d 3.2, r_before 0.25, r_d 0.08, width 0.3, and white
noise of 1.5 % in each step. Beside the noise each run deviates smoothly from its law: normal values of the given size
at knots the given distance apart in log step, joined by lines. Shared: correlation of the deviations of the two runs at
equal steps. Pairs: those whose terms have intervals, because both runs are found to have a break.

False: the share of pairs of one law in which the 95 % interval of a term excludes 0. Goal: at most 8 % for each term.
Found: of a fifth as many pairs in which the second run has a rate larger by 0.02 after the break, the share whose
interval of this term is below 0.
"""

import pytest
from simulated_pairs import Misfit, differences

SEEDS = "the number of the row, from 1"
PAIRS = 1_000
RUNS = {"2,048 steps, break in the middle": (2_048, 0.5), "20,000 steps, late break": (20_000, 0.7)}
SHORT, LONG = RUNS
SIZES = ((0.005, 0.6), (0.01, 0.6), (0.005, 1.2))
CELLS = [
    (SHORT, Misfit(0.0)),
    *((SHORT, Misfit(*size, shared)) for size in SIZES for shared in (0.0, 1.0)),
    (SHORT, Misfit(0.005, 1.2, 0.5)),
    (LONG, Misfit(0.005, 1.2)),
]


@pytest.mark.parametrize(("number", "cell"), list(enumerate(CELLS, 1)), ids=lambda value: str(value))
def test_false_differences_are_rare(number, cell, table, count, whole):
    runs, misfit = cell
    pairs = count(PAIRS)
    said = differences(misfit, *RUNS[runs], pairs, number)
    table.add(
        runs=runs,
        misfit=f"{100 * misfit.size:g} %, {misfit.distance:g} apart" if misfit.size else "none",
        shared=f"{misfit.shared:g}" if misfit.size else "",
        pairs=f"{said.n} of {pairs}",
        **{f"false_{name}": f"{100 * share:.1f} %" for name, share in said.false.items()},
        any_false=f"{100 * said.any_false:.1f} %",
        found=f"{100 * said.found:.0f} %",
    )
    assert not whole or max(said.false.values()) <= 0.08
