"""D of a model whose rows share nothing, as it meets its floor; the whole course is in benchmarks/long/bigram.md."""

import pytest
from tabular_bigram import Doubling, Text, doublings


@pytest.fixture(scope="module")
def rows() -> list[Doubling]:
    return doublings(Text.of_standard_library(), 128, 1_024)


def test_tokens_cancel_at_the_floor_of_a_model_that_shares_no_parameters(rows: list[Doubling]) -> None:
    early, *_, late = (row.changes for row in rows)
    assert early.D < 0.05
    assert late.D > 0.8
    assert late.M < 0.25 * early.M
    assert abs(rows[-1].loss - rows[-2].loss) < 0.05 < rows[0].loss - rows[-2].loss


def test_branches_tell_noise_but_not_a_floor_from_opposition(rows: list[Doubling]) -> None:
    early, late = rows[0].branches, rows[-1].branches
    assert early.correlation.value > 0.98 > 0.9 > late.correlation.value
    assert late.systematic_share.interval is not None
    assert 0.5 < late.systematic_share.interval[0] < 0.95  # most of what cancels at the floor is the same in all orders
