"""A law shows itself: printed, tabled and drawn."""

import numpy as np
import pytest
from simulated_runs import family

from zerosum.scaling import fit
from zerosum.show import records
from zerosum.show.sections import scaling_laws


@pytest.fixture(scope="module")
def fitted():
    return fit(family(np.random.default_rng(0), sizes=5, checkpoints=4), per_axis=3, draws=60)


def test_a_law_prints_its_parameters_and_the_verdict(fitted):
    lines = repr(fitted).splitlines()
    assert len(lines) <= 12
    assert "identified" in lines[0]
    assert all(any(line.startswith(name) for line in lines) for name in fitted.params)


def test_its_table_and_figure_have_every_number(fitted):
    frame = fitted.table()
    assert list(frame["parameter"]) == list(fitted.params)
    assert frame["value"].tolist() == [estimate.value for estimate in fitted.params.values()]
    rows = scaling_laws.numbers(records.report_on(fitted))
    assert [row["loss"] for row in rows] == fitted.table_fitted.loss.tolist()
    assert len(fitted.plot().axes) == 2
