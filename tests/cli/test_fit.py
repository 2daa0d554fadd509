"""`zerosum fit`: the table and the words, the JSON, and the bad source among many."""

import json
import math
import os
import re

import pytest
from called import BROKEN, HOSTILE_NAME, as_csv, as_jsonl, as_nanogpt, call, one_document, quick_analyses, rows

import zerosum
from zerosum import deceleration

__all__ = ["call", "quick_analyses"]

PROMISED = {
    *("name", "source", "format", "n_points", "first_step", "last_step", "procedure", "params", "L_d", "t_d", "r_d"),
    *("L_T", "L_T_hat", "rsle", "n_bins", "intervals", "verdict", "reasons", "cutoffs", "cleaning"),
    *("models", "forecasts", "backtest"),
}


@pytest.fixture(autouse=True, scope="module")
def analysed_once():
    """What takes a second for each curve is done once for each in this file."""
    known, analyse = {}, deceleration.analyse

    def once(curve, **options):
        key = (curve.source, curve.loss.tobytes(), repr(options))
        known[key] = known.get(key) or analyse(curve, **options)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deceleration, "analyse", once)
        yield


@pytest.fixture(scope="module")
def bend(tmp_path_factory):
    log = tmp_path_factory.mktemp("bend") / "bend.csv"
    log.write_text(as_csv(rows()))
    return log


@pytest.fixture(scope="module")
def mixed(bend):
    """A run resumed once, a text log, one without a break, one too short."""
    line = [(step, 10 * step**-0.1 * (1 + 0.004 * math.sin(step))) for step in range(1, 6000, 5)]
    texts = {
        "resumed.jsonl": as_jsonl([*rows(1000), *rows(6000)[100:]]),
        "nanogpt.log": as_nanogpt(rows(seed=1)),
        "line.csv": as_csv(line),
        "short.csv": as_csv(rows()[:5]),
    }
    for name, text in texts.items():
        bend.with_name(name).write_text(text)
    return [bend, *(bend.with_name(name) for name in texts)]


def words_of(text):
    return " ".join(text.split())


def check_nulls(value):
    """No null without its reason beside it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            assert inner is not None or value[f"{name}_reason"], name
            check_nulls(inner)
    elif isinstance(value, list):
        for inner in value:
            check_nulls(inner)


def test_json_is_the_fit_itself(call, bend):
    code, out, err = call("fit", bend, "--json")
    document = one_document(out)
    assert (code, err) == (0, "")
    assert document["errors"] == []
    assert document["curves"] == [json.loads(json.dumps(deceleration.analyse(zerosum.read_curve(bend)).to_json()))]
    assert document["curves"][0].keys() >= PROMISED
    assert document["curves"][0]["verdict"] == "decelerates"
    assert document["curves"][0]["t_d"] == pytest.approx(800, rel=0.2)


def test_json_of_every_verdict_has_a_reason_beside_each_null(call, mixed):
    code, out, _ = call("fit", mixed[0], *mixed[3:], "--json")
    found = {one["name"]: one for one in one_document(out)["curves"]}
    assert code == 0
    assert [found[name]["verdict"] for name in ("bend", "line", "short")] == ["decelerates", "no-break", "cannot-tell"]
    check_nulls(list(found.values()))


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


def test_horizons_phase_and_level_are_those_asked_for(call, tmp_path, monkeypatch):
    log = tmp_path / "log.csv"
    log.write_text(as_csv(rows()))
    asked = []
    monkeypatch.setattr(deceleration, "analyse", lambda curve, **options: asked.append(options) or fitted)
    fitted = deceleration.Analysis(deceleration.fit(zerosum.read_curve(log)), (), ())
    options = ["--forecast", "7000", "--forecast", "90000", "--level", "0.5", "--phase", "whole", "--cutoff", "70"]
    assert call("fit", log, *options)[0] == 0
    assert asked == [{"horizons": [7000, 90000], "level": 0.5, "phase": "whole", "procedure": "robust", "cutoff": 70}]
    assert call("fit", log)[0] == 0
    assert asked[1] == {"horizons": (), "level": 0.95, "phase": None, "procedure": "robust", "cutoff": None}


def test_a_narrow_terminal_cuts_no_number_off(call, bend):
    one = deceleration.analyse(zerosum.read_curve(bend)).fit
    low, high = one.intervals["t_d"]
    out = call("fit", bend, columns=60)[1]
    assert re.search(rf"^t_d +{one.t_d:.0f} \[{low:.0f}, {high:.0f}\] steps *$", out, re.MULTILINE)


def test_cutoff_and_procedure_are_those_asked_for(call, bend, quick_analyses):
    code, out, _ = call("fit", bend, "--procedure", "paper", "--cutoff", "30", "--json")
    one = one_document(out)["curves"][0]
    assert code == 0
    assert (one["procedure"], one["cutoff"]) == ("paper", 30)
    assert one["errors"]["b"] > 0


def test_one_bad_source_does_not_lose_the_others(call, bend, tmp_path, quick_analyses):
    good = []
    for number in range(4):
        good.append(tmp_path / f"good{number}.csv")
        good[-1].write_text(as_csv(rows(seed=number)))
    (tmp_path / "broken.csv").write_text(BROKEN)
    sources = [*good[:2], tmp_path / "broken.csv", *good[2:]]
    code, out, err = call("fit", *sources, "--json")
    document = one_document(out)
    assert code == 2
    assert [one["name"] for one in document["curves"]] == [path.stem for path in good]
    assert [error["source"] for error in document["errors"]] == [str(tmp_path / "broken.csv")]
    code, out, err = call("fit", *sources)
    assert code == 2
    assert all(path.stem in out for path in good)
    assert err.splitlines() == [
        f"zerosum: {document['errors'][0]['message']}",
        "zerosum: 1 of 5 sources could not be used; the others are complete.",
    ]


def test_all_bad_leaves_stdout_empty_or_a_document(call, tmp_path):
    code, out, err = call("fit", tmp_path / "missing.csv")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert one_document(call("fit", tmp_path / "missing.csv", "--json")[1])["curves"] == []


def test_a_wrong_call_is_one_line(call, bend):
    for arguments in (
        [],
        [bend, "--procedure", "magic"],
        [bend, "--cutoff", "-1"],
        [bend, "--cutoff", "soon"],
        [bend, "--level", "2"],
        [bend, "--forecast", "0"],
        [bend, "--phase", "late"],
    ):
        code, out, err = call("fit", *arguments)
        assert (code, out) == (2, "")
        assert err.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="such names cannot be made on Windows")
def test_a_hostile_name_is_only_text(call, tmp_path, quick_analyses):
    log = tmp_path / f"{HOSTILE_NAME}.csv"
    log.write_text(as_csv(rows()))
    _, out, _ = call("fit", log)
    assert "[bold red]x[bold]" in out
    assert not set("\x1b\x9b\u202e") & set(out)
    assert one_document(call("fit", log, "--json")[1])["curves"][0]["name"] == log.stem


def test_huge_numbers_are_only_numbers(call, tmp_path):
    log = tmp_path / "huge.csv"
    log.write_text(as_csv([(10**9 * step, 1e300 / step) for step in range(1, 400)], "step,loss"))
    code, out, _ = call("fit", log, "--json")
    assert code == 0
    check_nulls(one_document(out)["curves"])
    assert call("fit", log)[0] == 0


def test_the_published_table(call, reference_data, quick_analyses):
    published = json.loads((reference_data / "curves/paper/published_fits.json").read_text())["fits"]
    sources = [reference_data / f"curves/paper/{name}.csv" for name in published]
    code, out, _ = call("fit", *sources, "--procedure", "paper", "--json")
    assert code == 0
    for one, theirs in zip(one_document(out)["curves"], published.values(), strict=True):
        assert one["t_d"] == theirs["t_d"]
        for name in ("L_d", "r_d", "L_T", "L_T_hat"):
            assert one[name] == pytest.approx(theirs[name], rel=1e-5)
    shown = call("fit", *sources, "--procedure", "paper")[1]
    assert shown.count("decelerates") == len(sources)
