"""N of a run: given, in a column, counted from its configuration, in its name, in this order; never mixed."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerosum import InputError
from zerosum.scaling import sized_runs
from zerosum.scaling.run_size import given_size, size_of

UNITS = {"k": 1e3, "K": 1e3, "m": 1e6, "M": 1e6, "b": 1e9, "B": 1e9}
NUMBERS = st.one_of(st.integers(1, 999).map(str), st.decimals("1.1", "99.9", places=1).map(str))
BEFORE = ("", "llama-", "run_", "gpt.", "my run ", "seed3-")
AFTER = ("", ".csv", "-seed1", "_v2.jsonl", "-step3000", ".final.log", "-lr3e-4")


@given(NUMBERS, st.sampled_from(sorted(UNITS)), st.sampled_from(BEFORE), st.sampled_from(AFTER))
def test_a_size_in_a_name_is_read_whatever_stands_around_it(number, unit, before, after):
    size = size_of("", f"{before}{number}{unit}{after}")
    assert pytest.approx(float(number) * UNITS[unit]) == size.N
    assert size.N_is == "not stated"
    assert size_of("", f"{number}{unit}", embeddings=False).N_is == "without embeddings"


@given(st.sampled_from(("v14Mix", "p70b2", "1e9", "seed3", "step3000", "gpt2", "14", "xb", "a1.2bc")))
def test_what_is_no_size_in_a_name_is_not_read(name):
    with pytest.raises(InputError, match=r"its size is not known.*--params"):
        size_of("", name)


def test_the_folder_names_a_log_that_does_not(tmp_path):
    log = tmp_path / "runs" / "1.2b-seed0" / "metrics.jsonl"
    assert size_of(str(log), "metrics").N == 1.2e9
    assert size_of(str(log.with_name("70M.csv")), "metrics").N == 70e6
    with pytest.raises(InputError, match=r"several sizes \(1.4e\+07, 7e\+07\)"):
        size_of("", "14M-from-70M")


def log_with(path, **columns):
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["step", "loss", *columns])
        rows.writerows(
            [k, len(str(path)) / k, *(values[k % len(values)] for values in columns.values())] for k in range(1, 9)
        )
    return str(path)


def test_a_column_comes_before_configuration_and_name(tmp_path):
    path = log_with(tmp_path / "14M.csv", n_params=["2e7"], N_no_embed=["15M"])
    for embeddings, N, N_is in ((True, 2e7, "with embeddings"), (False, 15e6, "without embeddings")):
        size = size_of(path, "14M", embeddings=embeddings, count=lambda source: (1, 1))
        assert (size.N, size.N_is) == (N, N_is)
    changing = log_with(tmp_path / "70M.csv", n_params=["2e7", "3e7"])
    assert size_of(changing, "70M", count=lambda source: (30_000_000, 20_000_000)).N == 3e7
    assert size_of(changing, "70M", embeddings=False, count=lambda source: (30_000_000, 20_000_000)).N == 2e7
    assert size_of(changing, "70M").N == 7e7
    with pytest.raises(InputError, match="in millions or billions"):
        size_of(log_with(tmp_path / "a.csv", params=["14"]), "a")


@pytest.mark.parametrize("value", ["many", "", "14", "-3M", 0, None, float("inf")])
def test_a_given_size_that_is_none_is_refused(value):
    with pytest.raises(InputError, match="no number of parameters"):
        given_size(value, "run", "not stated")


def test_sizes_that_count_other_parameters_are_not_mixed(tmp_path):
    by_column = log_with(tmp_path / "14M.csv", n_params_no_embed=["12M"])
    by_name = log_with(tmp_path / "other-70M.csv")
    with pytest.raises(InputError, match="Count the same parameters of every run"):
        sized_runs([by_column, by_name])
    assert [run.size.N for run in sized_runs([by_column, by_name], embeddings=False)] == [12e6, 70e6]
    assert [run.size.N for run in sized_runs([by_column, by_name], ["70M", "14M"])] == [14e6, 70e6]
