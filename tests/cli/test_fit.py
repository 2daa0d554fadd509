"""`zerosum fit` on a terminal: the answer on one screen, everything else with --details."""

import re

import pytest
from called import call, one_document, quick_analyses
from fitted import analysed_once, words_of
from tiny import as_csv, rows

import zerosum
from zerosum import deceleration

__all__ = ["analysed_once", "call", "quick_analyses"]

pytestmark = pytest.mark.usefixtures("analysed_once")


@pytest.fixture
def documents(call, mixed):
    """The JSON of each curve, by name."""
    return {one["name"]: one for one in one_document(call("fit", mixed[0], *mixed[3:], "--json")[1])["curves"]}


def test_the_answer_comes_first_with_intervals_and_units(call, bend):
    code, out, err = call("fit", bend)
    one = zerosum.fit(zerosum.read_curve(bend))
    assert (code, err) == (0, "")
    low, high = one.intervals["t_d"]
    first = words_of(out).replace("\xa0", " ")
    assert first.startswith(f"The loss slowed down at step t_d = {one.t_d:.0f} [{low:.0f}, {high:.0f}]")
    head, units, _, row, ends = out.splitlines()[out.splitlines().index("Every curve") + 1 :][:5]
    assert units.split() == ["run", "verdict", "nats/token", "steps", "log-log", "rate", "reached"]
    assert head.split() == ["L_d", "t_d", "r_d", "L_T"]
    assert row.split()[:2] == ["bend", "decelerates"]
    assert f"{one.t_d:.0f}" in row
    assert ends.count("[") == ends.count("]") == 3
    assert "95 percent intervals" in words_of(out)


@pytest.mark.parametrize("columns", [80, 120])
def test_one_curve_fits_one_screen_however_it_is_called(call, tmp_path, bend, columns):
    log = tmp_path / f"{'a sweep of June with a long name, lr 0.1, ' * 5}seed 3.csv"
    log.write_text(bend.read_text())
    short = tmp_path / f"{'short-' * 30}.csv"
    short.write_text(as_csv(rows()[:5]))
    for source in (log, short):
        lines = call("fit", source, columns=columns)[1].splitlines()
        assert len(lines) <= 24
        assert max(map(len, lines)) <= columns


def test_of_several_curves_each_has_one_row(call, mixed):
    out = call("fit", mixed[0], *mixed[3:], columns=100)[1]
    starts = [line.split()[0] for line in out.splitlines() if re.match(r"(bend|line|short)  ", line)]
    assert starts == ["bend", "line", "short"]
    assert out.startswith(
        "Three loss curves were fitted: one decelerates; one shows no break; for one it cannot be told"
    )
    assert len(out.splitlines()) <= 24


def test_reasons_are_codes_first_and_sentences_with_details(call, mixed):
    answer, details = (words_of(call("fit", *mixed, *more)[1]) for more in ((), ("--details",)))
    for name in ("line", "short"):
        reasons = zerosum.fit(zerosum.read_curve(mixed[0].with_name(f"{name}.csv"))).reasons
        assert f"{name}: {reasons[0].code}" in answer
        for reason in reasons:
            assert reason.message not in answer
            assert reason.code in details
    assert answer.endswith("more: --details; everything: --json, --out DIR")
    assert "zerosum explain CODE" in answer
    assert "resumed once (step 996 to 501): 100 rows dropped" in details
    assert "lr is 'lr'" in details
    assert "*: the cut-off used" in details


def test_numbers_that_must_not_be_used_are_not_shown(call, mixed):
    out = call("fit", mixed[3], mixed[4])[1]
    shown = [line.split() for line in out.splitlines() if line.strip().startswith(("line ", "short "))]
    assert [row[:6] for row in shown] == [["line", "no", "break", *"———"], ["short", "cannot", "tell", *"———"]]
    assert "cut-off" not in call("fit", mixed[3], "--details")[1].split("How each log was read")[0].split("Where")[0]


@pytest.mark.parametrize("details", [[], ["--details"]])
@pytest.mark.parametrize("columns", [60, 80, 120])
def test_nothing_is_wider_than_the_terminal(call, mixed, columns, details):
    _, out, _ = call("fit", mixed[0], *mixed[3:], *details, columns=columns)
    assert max(map(len, out.splitlines())) <= columns
    assert "decelerates" in out
    assert "…" not in out


def test_laws_forecasts_and_backtest_are_shown_as_they_are_in_the_json(call, bend):
    text = words_of(call("fit", bend, "--details", columns=140)[1]).replace("\xa0", " ")
    one = one_document(call("fit", bend, "--json")[1])["curves"][0]
    best = min(one["models"], key=lambda law: law["criterion"])
    laws = text[text.index("Other laws") :]
    assert all(
        laws.index(f"bend {best['name']} {best['n_params']}") <= laws.index(law["name"]) for law in one["models"]
    )
    ahead = {forecast["method"]: forecast for forecast in one["forecasts"]}
    assert {forecast["T"] for forecast in one["forecasts"]} == {2 * one["last_step"]}
    low, high = ahead["one-break"]["interval"]
    assert f"its loss at step 11,992 will be {ahead['one-break']['loss']:.3f} [{low:.3f}, {high:.3f}]" in text
    tested = {(row["fraction"], row["method"]): row for row in one["backtest"]}
    assert {fraction for fraction, _ in tested} == {0.25, 0.5, 0.75}
    for fraction in (0.25, 0.5, 0.75):
        row = tested[fraction, "stays"]
        assert row["error"] == pytest.approx(row["loss"] / row["reached"] - 1)
        assert f"from {100 * fraction:g} %" in text
        assert f"+{100 * row['error']:.1f} %" in text.split("the loss as it is 5.10")[1]


def test_an_optimistic_law_is_called_so_and_a_missing_number_has_its_reason(call, mixed, documents):
    text = words_of(call("fit", mixed[0], *mixed[3:], "--details", columns=200)[1])
    for name, one in documents.items():
        errors = [row["error"] for row in one["backtest"] if row["method"] == "one-break" and row["error"] is not None]
        low = [error for error in errors if error < 0]
        warning = f"{name}: in {len(low)} of {len(errors)} back-tests the one-break law forecast too low a loss"
        assert (warning in text) == bool(low)
    assert any(row["error"] is None for row in documents["short"]["backtest"])
    assert "Forecasts that cannot be given" in text
    assert "too few points for this many parameters" in text


def test_several_breaks_are_shown_beside_the_one_and_change_no_verdict(call, bend):
    code, out, _ = call("fit", bend, "--breaks", "2")
    plain, asked = (
        one_document(call("fit", bend, *more, "--json")[1])["curves"][0] for more in ([], ["--breaks", "2"])
    )
    breaks = asked.pop("breaks")
    assert code == 0
    assert asked == plain
    assert len(breaks["breaks"]) == 2
    assert breaks["one_break_criterion"] == next(
        law["criterion"] for law in plain["models"] if law["name"] == "one break"
    )
    fitted = deceleration.fit_breaks(zerosum.read_curve(bend), 2)
    assert [one["t_d"] for one in breaks["breaks"]] == [one.t_d for one in fitted.breaks]
    assert breaks["criterion"] == fitted.criterion
    for place, one in enumerate(fitted.breaks, start=1):
        row = next(line for line in out.splitlines() if f"bend  {place} of 2" in line)
        assert f"{one.t_d:.0f}" in row
    assert f"{fitted.criterion:.4f} with 2 breaks" in words_of(out)
    assert call("fit", bend, "--breaks", "6")[0] == 2


def test_a_narrow_terminal_cuts_no_number_off(call, bend):
    one = deceleration.analyse(zerosum.read_curve(bend)).fit
    low, high = one.intervals["t_d"]
    out = call("fit", bend, columns=60)[1].replace("\xa0", " ")
    assert re.search(rf"^t_d +{one.t_d:.0f} \[{low:.0f}, {high:.0f}\] steps *$", out, re.MULTILINE)
