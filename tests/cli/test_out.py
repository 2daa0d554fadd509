"""`--out` of the verbs about loss curves: the report is there, is named, and replaces no source."""

import errno

import pytest
from called import BROKEN, call, one_document, quick_analyses
from tiny import as_csv, rows

from zerosum.deceleration import Analysis, Comparison
from zerosum.show import folder

__all__ = ["call", "quick_analyses"]


pytestmark = pytest.mark.usefixtures("quick_analyses")


@pytest.fixture
def pair(tmp_path):
    for name, seed in (("one", 0), ("two", 1)):
        (tmp_path / f"{name}.csv").write_text(as_csv(rows(seed=seed)))
    return tmp_path / "one.csv", tmp_path / "two.csv"


@pytest.fixture
def asked(monkeypatch):
    """What the report was asked for; only its page is written."""
    calls = []

    def write(report, out, documents, page):
        calls.append((report, documents))
        (out / page).write_text("page")
        return out / page

    monkeypatch.setattr(folder, "write", write)
    return calls


def test_the_report_is_written_and_said(call, pair, tmp_path, blank_figures):
    place = tmp_path / "new" / "report"
    code, out, err = call("compare", *pair, "--out", place)
    assert (code, err) == (0, "")
    assert f"written: {place / 'report.html'}; beside it" in out
    for kind in ("csv", "tex"):
        assert {"fits", "comparison"} <= {path.stem for path in place.glob(f"*.{kind}")}
    assert any((place / "figures").iterdir())
    assert not list(place.rglob("*.part"))


def test_everything_that_was_found_is_in_the_report(call, pair, tmp_path, asked):
    for verb, wanted in (("fit", []), ("compare", [("one", "two")])):
        place = tmp_path / verb
        code, out, err = call(verb, *pair, "--out", place, "--json")
        assert (code, err, one_document(out)["report"]) == (0, "", str(place / "report.html"))
        report, documents = asked.pop()
        analyses = [analysis for _, analysis in report.each(Analysis)]
        assert report.labels == ["one", "two"]
        assert all(one.fit.curve.source == str(path) for one, path in zip(analyses, pair, strict=True))
        assert [(one.a, one.b) for one in report.across(Comparison)] == wanted
        assert report.provenance["command"].startswith(f"zerosum {verb} ")
        assert documents["fits.json"]["curves"] == [one.to_json() for one in analyses]
        assert len(documents.get("comparisons.json", {}).get("comparisons", [])) == len(wanted)


def test_a_bad_source_is_not_in_the_report_and_does_not_prevent_it(call, pair, tmp_path, asked):
    (tmp_path / "broken.csv").write_text(BROKEN)
    code, out, _ = call("fit", *pair, tmp_path / "broken.csv", "--out", tmp_path / "report", "--json")
    assert code == 2
    document = one_document(out)
    assert document["report"] == str(tmp_path / "report" / "report.html")
    assert document["errors"] == asked.pop()[1]["fits.json"]["errors"]
    assert document["errors"][0]["source"] == str(tmp_path / "broken.csv")


def test_without_a_curve_there_is_no_report(call, tmp_path):
    code, out, _ = call("fit", tmp_path / "missing.csv", "--out", tmp_path / "report")
    assert (code, out) == (2, "")
    assert list((tmp_path / "report").iterdir()) == []


@pytest.mark.parametrize("verb", ["fit", "compare"])
def test_a_source_is_never_written_over_and_the_numbers_are_not_lost(call, pair, verb):
    source = pair[0].rename(pair[0].with_name("fits.csv"))
    before = source.read_bytes()
    code, out, err = call(verb, source, pair[1], "--out", source.parent)
    assert code == 2
    assert "decelerates" in out
    assert "written:" not in out
    assert err == f"zerosum: {source}: is a source, and would be lost. Choose another --out; it was not touched.\n"
    assert source.read_bytes() == before
    assert not (source.parent / "report.html").exists()


def test_a_report_that_cannot_be_written_is_an_error_beside_the_numbers(call, pair, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(folder, "write", full)
    code, out, _ = call("fit", *pair, "--out", tmp_path / "report", "--json")
    document = one_document(out)
    assert (code, len(document["curves"])) == (2, 2)
    assert "report" not in document
    assert "No space left on device" in document["errors"][0]["message"]


def test_a_folder_that_cannot_be_is_refused_before_reading(call, pair, tmp_path):
    (tmp_path / "file").write_text("mine")
    for wrong in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("y" * 300)):
        code, out, err = call("fit", pair[0], "--out", wrong)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "cannot be made a folder" in err
    assert (tmp_path / "file").read_text() == "mine"
