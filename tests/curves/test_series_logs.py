"""Random logs of several series: the right curve, or a refusal in one line. `make check-long` reads many more."""

import pytest
from series_logs import SERIES, read_series_logs

CASES = 45  # of each kind


@pytest.mark.parametrize("kind", SERIES)
def test_never_another_curve(tmp_path, kind):
    read_series_logs(kind, tmp_path, CASES)
