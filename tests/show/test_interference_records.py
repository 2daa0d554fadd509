"""Records of interference show themselves: at most a dozen lines, a table, a figure."""

import numpy as np
import pytest
from losses_reports import hostile_findings
from run_stores import Words, hostile_store

from zerosum.interference import measure, sign_agreement
from zerosum.interference.labelled import TokenText, measure_store

X = np.random.default_rng(0).normal(-0.5, 1, (64, 16))


@pytest.fixture(scope="module")
def found():
    return measure_store(hostile_store(), by="token-class", text=TokenText(Words()))


@pytest.fixture(scope="module")
def records(found):
    return {
        "measurement": measure(X),
        "pair": found.pairs[-1],
        "store": found,
        "findings": hostile_findings(),
        "worse often": found.worse_often,
        "persistence": found.persistence[0],
        "agreement": sign_agreement(X, X[::-1]),
        "groups": found.pairs[-1].groups,
    }


def test_records_print_in_a_dozen_lines(records):
    for name, record in records.items():
        lines = repr(record).splitlines()
        assert 1 <= len(lines) <= 12, name
        assert max(map(len, lines)) <= 100


def test_they_answer_the_question(records):
    measured = records["measurement"]
    assert f"{measured.D:.3f}" in repr(measured)
    assert "by chance" in repr(measured)
    assert "Steps 4 to 8: D" in repr(records["pair"])
    assert "digit" in repr(records["pair"])
    assert "successive pairs" in repr(records["worse often"])
    assert "independent signs" in repr(records["persistence"])


def test_tables_have_full_precision(records):
    measured = records["measurement"]
    table = measured.table()
    row = table[table["name"] == "D"].iloc[0]
    assert (row["value"], row["value_low"]) == (measured.D, measured.interval.D[0])
    pairs = records["store"].table()
    assert pairs["D"].tolist() == [pair.measured.D for pair in records["store"].pairs]


def test_they_plot_themselves(records):
    assert len(records["measurement"].plot().axes) == 1
    assert len(records["pair"].plot().axes) == 4
    assert len(records["worse often"].plot().axes) == 2


def test_an_estimate_has_its_interval_unit_and_number(records):
    D, M = (records["measurement"].estimate(name) for name in ("D", "M"))
    assert D.interval == records["measurement"].interval.D
    assert (D.N, D.of, D.unit, M.unit) == (1024, "tokens", "", "nats per token")
    few = measure(X[:5]).estimate("D")
    assert (few.interval, "needs at least 20" in few.reason) == (None, True)
    still = measure(np.zeros((30, 2))).estimate("D")
    assert (still.known, still.reason) == (False, "every change is zero")
    excess = records["agreement"].estimate("excess")
    assert excess.interval == records["agreement"].intervals["excess"]
    assert records["worse often"].estimate.value == records["worse often"].share
