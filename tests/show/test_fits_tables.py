"""The paper's tables hold the numbers of the fits, and a number of a break only where there is one."""

import pandas as pd
import pytest
from simulated_logs import analyses_of, logs_of

from zerosum.deceleration import Comparison
from zerosum.show.report import Report
from zerosum.show.sections import differences, fits
from zerosum.show.table import Table, as_frame, as_latex, on_page


@pytest.fixture(scope="module")
def logs() -> Report:
    return logs_of("a", "b", "short")


def by_run(table: Table) -> pd.DataFrame:
    return as_frame(table).set_index("run")


def test_the_columns_of_fits_csv_stay(logs: Report) -> None:
    ends = ("", "_low", "_high", "_interval_reason")
    numbers = [f"{name}{end}" for name in ("L_d", "t_d", "r_d") for end in ends]
    about = ["rsle", "n_points", "n_bins", "first_step", "last_step", "cutoff", "procedure", "interval_level"]
    assert list(as_frame(fits.fits(logs)).columns) == ["run", "verdict", *numbers, "L_T", "L_T_hat", *about, "reasons"]


def test_a_break_has_its_numbers_and_its_intervals(logs: Report) -> None:
    table, fit = by_run(fits.fits(logs)), analyses_of(logs)[0].fit
    for name in ("L_d", "t_d", "r_d"):
        assert table.loc["a", name] == getattr(fit, name)
        assert (table.loc["a", f"{name}_low"], table.loc["a", f"{name}_high"]) == fit.intervals[name]
    assert table.loc["a", "L_T_hat"] == fit.L_T_hat
    assert table.loc["a", "verdict"] == "decelerates"


def test_a_curve_that_cannot_be_told_has_no_numbers_of_a_break(logs: Report) -> None:
    table = by_run(fits.fits(logs))
    assert table.loc["short", "verdict"] == "cannot-tell"
    assert table.loc["short", ["L_d", "t_d", "r_d", "L_d_low", "L_T_hat"]].isna().all()
    assert table.loc["short", "L_d_interval_reason"] == ""
    assert table.loc["short", "L_T"] == analyses_of(logs)[2].fit.L_T
    assert by_run(fits.parameters(logs)).loc["short", ["b", "c0", "c1", "d1", "f1"]].isna().all()
    row = next(line for line in as_latex(fits.fits(logs)).splitlines() if line.startswith("short"))
    assert row.count("---") == 4
    assert "cannot tell" in row


def test_the_columns_of_parameters_csv_stay(logs: Report) -> None:
    names = ["b", "c0", "c1", "d1", "f1"]
    errors = [f"error_{name}" for name in ("b", "c0", "c1", "log_d1", "f1")]
    columns = ["run", "verdict", *names, *errors, "rsle", "n_bins", "procedure"]
    table = as_frame(fits.parameters(logs))
    assert list(table.columns) == columns
    assert table.d1[0] == analyses_of(logs)[0].fit.params.d1


def test_every_reason_is_there_with_its_level_code_and_sentence(logs: Report) -> None:
    rows = [("short", why.level, why.code, why.message) for why in analyses_of(logs)[2].fit.reasons]
    assert rows
    assert [row for row in fits.reasons(logs).rows if row[0] == "short"] == rows


def test_terms_add_up_to_the_total(logs: Report) -> None:
    table = as_frame(differences.comparison(logs.across(Comparison)))
    first = table[(table.a == "a") & (table.b == "b")].set_index("term")
    assert first.nats.drop("total").sum() == pytest.approx(first.nats["total"], abs=1e-12)
    assert first.nats["total"] == analyses_of(logs)[1].fit.L_T - analyses_of(logs)[0].fit.L_T
    columns = ["a", "b", "axis", "term", "nats", "low", "high", "level", "reason", "differ_from", "differ_reason"]
    assert list(table.columns) == columns


def test_the_terms_on_the_page_add_up_as_written_the_largest_first_and_an_exact_zero_is_named(logs: Report) -> None:
    pair = logs.across(Comparison)[0]
    table = differences.terms(pair)
    rows = {row[0].main: row for row in on_page(table)}
    *parts, total = [float(nats.main.replace("−", "-")) for _, nats, *_ in rows.values()]
    assert table.caption == "b minus a"
    assert sum(parts) == pytest.approx(total, abs=0.00031)  # six roundings by 0.00005
    assert sorted(parts, key=abs, reverse=True) == parts
    _, _, interval, _ = rows["how long it was trained, T"]
    assert (interval.main, interval.note) == ("exactly", "both logs end at the same step")
    low, high = next(term.interval for term in pair.terms if term.name == "L_d")  # type: ignore[misc]
    assert rows["loss at the break, L_d"][2].main.replace("−", "-") == f"[{low:+.4f}, {high:+.4f}]"
