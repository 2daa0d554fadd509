"""The paper's tables hold the numbers of the fits, and LaTeX holds no command that a name brought."""

import pytest
from simulated_logs import logs_of

from zerosum.show.logs import latex, paper_tables, tables
from zerosum.show.logs.subject import Logs


@pytest.fixture(scope="module")
def logs() -> Logs:
    return logs_of("a", "b", "short")


def test_a_break_has_its_numbers_and_its_intervals(logs: Logs) -> None:
    table = paper_tables.fits(logs).set_index("run")
    fit = logs.analyses[0].fit
    for name in ("L_d", "t_d", "r_d"):
        assert table.loc["a", name] == getattr(fit, name)
        assert (table.loc["a", f"{name}_low"], table.loc["a", f"{name}_high"]) == fit.intervals[name]
    assert table.loc["a", "L_T_hat"] == fit.L_T_hat
    assert table.loc["a", "verdict"] == "decelerates"


def test_a_curve_that_cannot_be_told_has_no_numbers_of_a_break(logs: Logs) -> None:
    table = paper_tables.fits(logs).set_index("run")
    assert table.loc["short", "verdict"] == "cannot-tell"
    assert table.loc["short", ["L_d", "t_d", "r_d", "L_d_low", "L_T_hat"]].isna().all()
    assert table.loc["short", "L_T"] == logs.analyses[2].fit.L_T
    assert paper_tables.parameters(logs).set_index("run").loc["short", ["b", "c0", "c1", "d1", "f1"]].isna().all()
    row = next(line for line in latex.fits(logs).splitlines() if line.startswith("short"))
    assert row.count("---") == 4
    assert "cannot tell" in row


def test_terms_add_up_to_the_total(logs: Logs) -> None:
    table = paper_tables.comparison(logs)
    first = table[(table.a == "a") & (table.b == "b")].set_index("term")
    assert first.nats.drop("total").sum() == pytest.approx(first.nats["total"], abs=1e-12)
    assert first.nats["total"] == logs.analyses[1].fit.L_T - logs.analyses[0].fit.L_T


def test_the_terms_on_the_page_add_up_as_written_the_largest_first_and_an_exact_zero_is_said(logs: Logs) -> None:
    table = tables.differences(logs)[0]
    *terms, total = [float(part.main.replace("−", "-")) for _, part, _ in table.rows]
    assert table.caption == "b minus a"
    assert sum(terms) == pytest.approx(total, abs=0.00031)  # six roundings by 0.00005
    assert sorted(terms, key=abs, reverse=True) == terms
    said = {name.main: interval for name, _, interval in table.rows}
    assert said["how long they were fitted (T)"].note == "exactly: both were fitted up to the same step"
    low, high = next(term.interval for term in logs.comparisons[0].terms if term.name == "L_d")  # type: ignore[misc]
    shown = said["the loss at which they break (L_d)"].main
    assert shown.replace("−", "-") == f"[{low:+.4f},\xa0{high:+.4f}]"
