"""`zerosum fit` on a terminal: the table, the words, the laws and forecasts below it."""

import re

import pytest
from called import call, one_document, quick_analyses
from fitted import analysed_once, words_of

import zerosum
from zerosum import deceleration

__all__ = ["analysed_once", "call", "quick_analyses"]

pytestmark = pytest.mark.usefixtures("analysed_once")


def test_the_table_carries_number_interval_unit_range_and_count(call, bend):
    code, out, err = call("fit", bend)
    one = zerosum.fit(zerosum.read_curve(bend))
    assert (code, err) == (0, "")
    head, row, interval = out.splitlines()[1:3], out.splitlines()[4], out.splitlines()[5]
    for word in ("verdict", "t_d", "L_d", "r_d", "steps", "nats/token", "rows", "points"):
        assert any(word in line for line in head)
    assert row.split()[:2] == ["bend", "decelerates"]
    assert f"{one.t_d:.0f}" in row
    assert f"{one.first_step:g} to 5,996" in row
    assert f"{one.n_points:,}" in row
    assert interval.count("[") == interval.count("]") == 3
    assert str(one.n_bins) in interval
    assert "95 % intervals" in out


def test_below_the_table_are_reasons_cleaning_and_cutoffs_in_words(call, mixed, quick_analyses):
    text = words_of(call("fit", *mixed)[1])
    for name in ("line", "short"):
        for reason in zerosum.fit(zerosum.read_curve(mixed[0].with_name(f"{name}.csv"))).reasons:
            assert f"{reason.code}: {reason.message}" in text
    assert "resumed once (step 996 to 501): 100 rows dropped" in text
    one = zerosum.fit(zerosum.read_curve(mixed[0]))
    used = f"{one.cutoff:.0f}*"
    assert used in text
    assert "lr is 'lr'" in text


def test_numbers_that_must_not_be_used_are_not_shown(call, mixed):
    out = call("fit", mixed[3], mixed[4])[1]
    shown = [line.split() for line in out.splitlines() if line.strip().startswith(("line ", "short "))]
    assert [row[:5] for row in shown] == [["line", "no-break", *"———"], ["short", "cannot-tell", *"———"]]
    assert "cut-offs " not in out.split("\nline")[1]


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_nothing_is_wider_than_the_terminal(call, mixed, columns):
    _, out, _ = call("fit", mixed[0], *mixed[3:], columns=columns)
    assert max(map(len, out.splitlines())) <= columns
    assert "decelerates" in out
    assert "…" not in out


def test_laws_forecasts_and_backtest_are_shown_as_they_are_in_the_json(call, bend):
    text = words_of(call("fit", bend)[1])
    one = one_document(call("fit", bend, "--json")[1])["curves"][0]
    best = min(one["models"], key=lambda law: law["criterion"])
    assert f"{best['name']}* {best['n_params']}" in text
    for law in one["models"]:
        assert law["name"] in text
    ahead = {forecast["method"]: forecast for forecast in one["forecasts"]}
    assert {forecast["T"] for forecast in one["forecasts"]} == {2 * one["last_step"]}
    low, high = ahead["one-break"]["interval"]
    assert f"at step 11,992 {ahead['one-break']['loss']:.3f} [{low:.3f}, {high:.3f}]" in text
    tested = {(row["fraction"], row["method"]): row for row in one["backtest"]}
    assert {fraction for fraction, _ in tested} == {0.25, 0.5, 0.75}
    for fraction in (0.25, 0.5, 0.75):
        row = tested[fraction, "stays"]
        assert row["error"] == pytest.approx(row["loss"] / row["reached"] - 1)
        assert f"from first {100 * fraction:g} %" in text
        assert f"{100 * row['error']:+.1f} %" in text.split(f"from first {100 * fraction:g} %")[1]


def test_an_optimistic_law_is_called_so_and_a_missing_number_has_its_reason(call, mixed):
    text = call("fit", mixed[0], *mixed[3:])[1]
    of = {name: text.split(f"\n{name}\n")[1] for name in ("bend", "line", "short")}
    documents = {one["name"]: one for one in one_document(call("fit", mixed[0], *mixed[3:], "--json")[1])["curves"]}
    for name, one in documents.items():
        errors = [row["error"] for row in one["backtest"] if row["method"] == "one-break" and row["error"] is not None]
        low = [error for error in errors if error < 0]
        if name in of:
            words = f"in {len(low)} of {len(errors)} back-tests it forecast too low a loss, by up to"
            assert (words in words_of(of[name].split("\n\n")[0])) == bool(low)
    assert any(row["error"] is None for row in documents["short"]["backtest"])
    assert "not given" in of["short"]
    assert "too few points for this many parameters" in of["short"]


def test_how_to_learn_more_about_a_reason_stands_below(call, mixed):
    assert call("fit", mixed[3])[1].rstrip().endswith("zerosum explain CODE")


def test_a_narrow_terminal_cuts_no_number_off(call, bend):
    one = deceleration.analyse(zerosum.read_curve(bend)).fit
    low, high = one.intervals["t_d"]
    out = call("fit", bend, columns=60)[1]
    assert re.search(rf"^t_d +{one.t_d:.0f} \[{low:.0f}, {high:.0f}\] steps *$", out, re.MULTILINE)
