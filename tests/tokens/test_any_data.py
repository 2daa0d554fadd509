"""Data files of any content: sequences, or one line. `make check-long` reads many more."""

from any_data import read_any_data


def test_any_data_is_read_or_refused(tmp_path):
    read_any_data(tmp_path, 600)
