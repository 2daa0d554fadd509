"""Data files of any content: sequences, or one line. `make check-long` reads many more."""

from any_data import read_any_data, write_token_files_of_any_data


def test_any_data_is_read_or_refused(tmp_path):
    read_any_data(tmp_path, 600)


def test_token_files_of_any_data_are_written_or_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("zerosum.atomic._flush", lambda file: None)  # nothing has to survive a power failure
    assert write_token_files_of_any_data(tmp_path, 60) > 5
