"""Damaged logs of every kind: a curve or one line that says why not. `make check-long` reads many more."""

import pytest
from any_logs import ANY_LOG, read_any_logs
from damaged_logs import (
    CHECKSUMMED,
    SEEDS,
    TYPED,
    read_damage_under_right_checksums,
    read_damaged_logs,
    read_wrong_types,
)

from zerosum.curves import read_curve
from zerosum.curves.formats import known_formats

CASES = 60  # of each kind


@pytest.mark.parametrize("kind", SEEDS)
def test_damaged_logs_are_read_or_refused(tmp_path, kind):
    read_damaged_logs(kind, tmp_path, CASES)


@pytest.mark.parametrize("kind", CHECKSUMMED)
def test_damage_that_the_checksums_agree_with(tmp_path, kind):
    read_damage_under_right_checksums(kind, tmp_path, CASES)


@pytest.mark.parametrize("kind", TYPED)
def test_wrong_types(tmp_path, kind):
    read_wrong_types(kind, tmp_path, CASES)


@pytest.mark.parametrize("kind", ANY_LOG)
def test_any_log_is_read_or_refused(tmp_path, kind):
    read_any_logs(kind, tmp_path, CASES)


def test_every_format_is_damaged_here(tmp_path):
    """A new reader has to bring a seed."""
    seen = set()
    for kind, make in SEEDS.items():
        data = make()
        form = next(form for form in known_formats() if form.matches(data, "a"))
        assert (tmp_path / "a").write_bytes(data) > 0
        assert len(read_curve(tmp_path / "a")) > 1, kind
        seen.add(form.name)
    assert seen == {form.name for form in known_formats()}
