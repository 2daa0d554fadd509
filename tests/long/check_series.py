"""Logs that hold more than one curve, or are printed in any dialect.

Logs of several series (splits, runs, ranks, metrics, epochs, jobs, restarts) are made up beside the curve that is
right, as tables and as JSON lines: each has to give the right curve, or to be refused. Text logs in generated dialects
have to give exactly their points, or an error.
"""

from pathlib import Path

import pytest
from series_logs import SERIES, read_series_logs
from text_dialects import read_dialects

SEEDS = "of dialects the number of the case, 0 to N - 1; of series drawn anew in each run, by hypothesis"
CASES = 10_000


@pytest.mark.parametrize("kind", SERIES)
def test_every_log_is_read_right_or_refused(kind, tmp_path: Path, table, count):
    cases, result = count(CASES), "failed"
    try:
        read_series_logs(kind, tmp_path, cases)
        result = "each read right, or refused"
    finally:
        table.add(log=kind, N=cases, result=result)


def test_every_dialect_is_read_right_or_refused(tmp_path: Path, table, count):
    cases, result = count(CASES), "failed"
    try:
        found = read_dialects(tmp_path, cases)
        result = f"{found['read']} read right, {found['refused']} refused, none read wrongly"
    finally:
        table.add(log="printed dialects", N=cases, result=result)
    assert found["refused"] <= 0.05 * cases
