"""`zerosum report`: what is written where, JSON, and runs of which something is missing."""

import json

import numpy as np
import pytest
from called import call, one_document, quick_analyses
from gradient_records import record
from tiny import as_jsonl, falling_losses, loss_at, losses

from zerosum.gradients._store import write
from zerosum.show import folder as files
from zerosum.tokens import TokenSequences

__all__ = ["call", "quick_analyses"]

ROWS = [(step, loss_at(step)) for step in range(1, 400, 2)]


def write_store(folder, steps=(0, 1, 2, 4)):
    loss, rng = falling_losses(steps)
    losses(loss, steps, folder=folder, token=rng.integers(0, 9, loss.shape[1:]), document=np.arange(len(loss[0])))
    return folder


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "a run"
    folder.mkdir()
    (folder / "metrics.jsonl").write_text(as_jsonl(ROWS))
    write_store(folder / "zerosum" / "losses.zarr")
    return folder


@pytest.fixture
def undrawn(monkeypatch):
    """Reports without the seconds that their figures take; the page is a word."""

    def write(report, folder, documents, **options):
        (folder / "report.html").write_text("page")
        return folder / "report.html"

    monkeypatch.setattr(files, "write", write)


def test_a_run_is_reported_in_its_own_folder(run, call, quick_analyses):
    code, out, err = call("report", run)
    assert (code, err) == (0, "")
    page = run / "zerosum" / "report.html"
    assert str(page) in out
    assert "Documents token by token" in page.read_text(encoding="utf-8")
    assert (run / "zerosum" / "figures" / "interference.pdf").read_bytes().startswith(b"%PDF")
    assert not list(run.rglob("*.part"))


def test_json_has_the_numbers_of_fit_and_interference(run, call, quick_analyses, undrawn):
    code, out, err = call("report", run, "--json")
    assert (code, err) == (0, "")
    document = one_document(out)
    assert document.keys() == {"runs", "errors"}
    (told,) = document["runs"]
    other = one_document(call("interference", run, "--json", "--by", "position")[1])
    for pair, its in zip(told["pairs"], other["pairs"], strict=True):
        assert [pair[name] for name in ("R", "D", "M", "interval", "null", "null_unit", "N")] == [
            its[name] for name in ("R", "D", "M", "interval", "null", "null_unit", "N")
        ]
        split = next(one for one in pair["splits"] if one["by"] == "position")
        assert split["groups"] == its["groups"]
        assert split["C_between"] == its["C_between"]
    curve = one_document(call("fit", run / "metrics.jsonl", "--json")[1])["curves"][0]
    assert told["curve"]["t_d"] == curve["t_d"]
    first = told["documents"][0]
    assert sum(token["change"] for token in first["tokens"]) == pytest.approx(first["net"])


def test_a_run_without_a_store_says_how_to_measure_it(run, call, quick_analyses, undrawn):
    (run / "zerosum" / "losses.zarr").rename(run / "elsewhere")
    code, out, _ = call("report", run, "--json")
    (told,) = one_document(out)["runs"]
    assert code == 0
    assert told["pairs"] == []
    assert told["missing"] == [
        {
            "what": "Per-token losses",
            "message": "they were not measured. Measure them:",
            "command": f"zerosum losses '{run}' --data TEXTS",
        },
        {
            "what": "Per-token gradients",
            "message": "they were not measured. Measure them:",
            "command": f"zerosum gradients '{run}' --data TEXTS",
        },
    ]
    assert told["gradients"] is None
    assert told["gradients_reason"] == "they were not measured. Measure them:"


def test_other_stores_of_a_run_are_said_and_not_read(run, call, quick_analyses, undrawn):
    for place in ("losses-0123abcd.zarr", "dissent-0123abcd"):
        (run / "zerosum" / place).mkdir()
    code, out, _ = call("report", run, "--json")
    (told,) = one_document(out)["runs"]
    assert code == 0
    others = [gap for gap in told["missing"] if gap["what"] == "Other measurements"]
    assert [gap["message"].split()[0] for gap in others] == ["losses-0123abcd.zarr", "dissent-0123abcd"]
    assert others[0]["command"].startswith("zerosum interference ")
    assert "only losses.zarr is read here" in others[0]["message"]


def test_a_run_without_a_log_and_a_store_by_itself(run, call, undrawn):
    (run / "metrics.jsonl").unlink()
    store = write_store(run.parent / "alone.zarr")
    for source, page in ((run, run / "zerosum" / "report.html"), (store, run.parent / "alone.zarr-report/report.html")):
        code, out, _ = call("report", source, "--json")
        (told,) = one_document(out)["runs"]
        assert code == 0
        assert told["curve"] is None
        assert told["curve_reason"]
        assert told["report"] == str(page)
        assert page.is_file()


def test_checkpoints_without_doublings_are_compared_with_the_next(run, call, quick_analyses, undrawn):
    write_store(run / "zerosum" / "losses.zarr", steps=(10, 30, 50))
    (told,) = one_document(call("report", run, "--json")[1])["runs"]
    assert [(pair["from_step"], pair["to_step"]) for pair in told["pairs"]] == [(10, 30), (30, 50)]
    assert "Pairs t to 2t" in {one["what"] for one in told["missing"]}


def test_a_store_that_cannot_be_used_leaves_the_curve(run, call, quick_analyses, undrawn):
    write_store(run / "zerosum" / "losses.zarr", steps=(10,))
    code, out, _ = call("report", run, "--json")
    (told,) = one_document(out)["runs"]
    assert code == 0
    assert told["curve"]["t_d"]
    assert "a change needs two checkpoints" in told["missing"][0]["message"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--between", "1:3"], "step 3: not measured"),
        (["--between", "later"], "'later': not FROM:TO"),
        (["--pairs", "1:3"], "step 3: not measured"),
    ],
)
def test_what_was_asked_for_by_name_is_refused_where_it_is_not_there(run, call, quick_analyses, options, said):
    code, out, err = call("report", run, *options)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert not (run / "zerosum" / "report.html").exists()


def test_nothing_to_report_leaves_the_folder_as_it_was(tmp_path, call):
    code, _, err = call("report", tmp_path)
    assert code == 2
    assert "nothing to report" in err
    assert "zerosum losses" in err
    assert list(tmp_path.iterdir()) == []
    for source, said in ((tmp_path / "none", "not there"), (__file__, "zerosum fit")):
        code, _, err = call("report", source)
        assert code == 2
        assert said in err


def test_one_bad_run_does_not_stop_the_others(run, call, quick_analyses, undrawn, tmp_path):
    code, out, err = call("report", tmp_path / "none", run, "--json")
    document = json.loads(out)
    assert code == 2
    assert [one["name"] for one in document["runs"]] == ["a run"]
    assert len(document["errors"]) == 1
    assert "1 of 2" in err
    assert call("report", run, run, "--out", tmp_path / "out")[0] == 2


def gradients_at(step):
    """A measurement of gradients as small as one can be."""
    loss = np.ones((10, 9), np.float32)
    return record(step, layers=1, types=("up",), N=90, update=False, D_grad=0.4 + step / 10, per_token={"loss": loss})


def write_gradients(folder, steps=(1, 2)):
    tokens = TokenSequences(np.ones((10, 10), np.int64), np.arange(10), tuple("abcdefghij"))
    for step in steps:
        write(folder, gradients_at(step), tokens, {})


def test_gradients_that_were_measured_are_on_the_page_and_in_json(run, call, quick_analyses, blank_figures):
    write_gradients(run / "zerosum" / "gradients.zarr")
    code, out, err = call("report", run, "--json")
    (told,) = one_document(out)["runs"]
    assert (code, err) == (0, "")
    assert told["gradients"] == [gradients_at(step).to_json() for step in (1, 2)]
    assert "Per-token gradients" not in {one["what"] for one in told["missing"]}
    page = (run / "zerosum" / "report.html").read_text(encoding="utf-8")
    assert "At step 2, 60\xa0% of the gradient cancels between tokens" in page
    assert (run / "zerosum" / "figures" / "gradient-opposition.csv").is_file()


def test_gradients_alone_are_a_page(run, call, undrawn):
    for name in ("metrics.jsonl", "zerosum/losses.zarr/zarr.json"):
        (run / name).unlink()
    write_gradients(run / "zerosum" / "gradients.zarr")
    code, out, _ = call("report", run)
    assert code == 0
    assert "of the gradient cancels between tokens" in out


def test_gradients_that_cannot_be_used_leave_the_rest(run, call, quick_analyses, undrawn):
    write_gradients(run / "zerosum" / "gradients.zarr")
    (run / "zerosum" / "gradients.zarr" / "step-2" / "zarr.json").write_text("{")
    (told,) = one_document(call("report", run, "--json")[1])["runs"]
    assert told["curve"]["t_d"]
    assert told["gradients"] is None
    assert "step-2: damaged" in told["gradients_reason"]
