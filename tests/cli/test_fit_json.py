"""`zerosum fit`: the JSON, the options, and the bad source among many."""

import json
import os
from pathlib import Path

import pytest
from called import BROKEN, HOSTILE_NAME, call, one_document, quick_analyses
from fitted import analysed_once, check_nulls
from tiny import as_csv, rows

import zerosum
from zerosum import deceleration

__all__ = ["analysed_once", "call", "quick_analyses"]

pytestmark = pytest.mark.usefixtures("analysed_once")
DOCUMENTED = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
PROMISED = {
    *("name", "source", "format", "n_points", "first_step", "last_step", "procedure", "params", "L_d", "t_d", "r_d"),
    *("L_T", "L_T_hat", "rsle", "n_bins", "intervals", "verdict", "reasons", "cutoffs", "cleaning"),
    *("models", "forecasts", "backtest"),
}


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


def keys(value):
    """Every key of a document but those of free names: columns, and parameters of the laws."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from keys(inner) if name not in ("columns", "params") else ()
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def test_every_key_is_documented(call, mixed, tmp_path):
    tokens = tmp_path / "tokens.csv"
    tokens.write_text(as_csv([(step, 1024 * step, loss) for step, loss in rows()], "step,tokens,loss"))
    found = [one_document(call("fit", *mixed, tmp_path / "missing.csv", "--json")[1])]
    found.append(one_document(call("compare", tokens, *mixed, "--json")[1]))
    every = {name for document in found for name in keys(document)}
    assert {"log", "differ_throughout", "tokens_per_step", "held", "power_law_error"} <= every
    missing = {name for name in every if f"`{name}`" not in DOCUMENTED and f'"{name}"' not in DOCUMENTED}
    assert {name for name in missing if not name.endswith("_reason")} == set()


def test_the_range_of_the_log_stands_beside_that_of_the_fit(call, bend, quick_analyses):
    one = one_document(call("fit", bend, "--cutoff", "500", "--json")[1])["curves"][0]
    assert one["log"] == {"n_points": len(rows()), "first_step": 1, "last_step": rows()[-1][0]}
    assert 500 < one["first_step"] < 520
    assert one["n_points"] == sum(one["first_step"] <= step <= one["last_step"] for step, _ in rows())
