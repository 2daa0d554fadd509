"""The page on loss logs is inert, whole, and finds its files, whatever runs are called."""

import json
import re
from pathlib import Path

import pytest
from page_elements import Elements
from simulated_logs import analyses_of, logs_of

from zerosum.show import folder, page, words
from zerosum.show.report import Report, Run


@pytest.fixture(scope="module")
def parsed(hostile_logs_page: Path) -> Elements:
    return Elements(hostile_logs_page.read_text(encoding="utf-8"))


def test_names_and_provenance_are_text(parsed: Elements) -> None:
    assert not {"script", "img", "iframe"} & {tag for tag, _ in parsed.tags}
    assert not [name for _, attributes in parsed.tags for name in attributes if name.startswith("on")]
    assert "<script>alert('x')</script>" in parsed.text
    assert "</dl><script>alert(2)</script>" in parsed.text
    assert "{{7*7}}" in parsed.text
    assert "\x1b" not in parsed.text


def test_every_link_is_its_own(parsed: Elements, hostile_logs_page: Path) -> None:
    ids = parsed.values("id")
    assert len(ids) == len(set(ids))
    for link in parsed.values("href") + parsed.values("src"):
        if link.startswith("#"):
            assert link[1:] in ids
        elif link != "data:,":
            assert (hostile_logs_page.parent / link).is_file(), link
    text = hostile_logs_page.read_text(encoding="utf-8")
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(ids)


def test_every_file_is_complete_and_known_beforehand(hostile_logs: Report, hostile_logs_page: Path) -> None:
    written = hostile_logs_page.parent
    assert not list(written.rglob("*.part"))
    stems = ("curves", "cutoffs", "misfit", "forecasts", "differences")
    figures = {f"figures/{stem}{end}" for stem in stems for end in (".svg", ".pdf", "-column.pdf", ".csv")}
    tables = {f"{stem}.{kind}" for stem in ("fits", "parameters", "comparison") for kind in ("csv", "tex")}
    files = {str(file.relative_to(written)) for file in written.rglob("*") if file.is_file()}
    assert files == figures | tables | {"fits.json", "report.html"}
    assert set(folder.names(hostile_logs, ["fits.json"])) == files
    pdf = (written / "figures" / "curves.pdf").read_bytes()
    assert b"/CIDFontType2" in pdf  # an embedded TrueType font
    assert b"/Type3" not in pdf  # which publishers refuse


def test_documents_are_written_as_they_are_given(tmp_path: Path) -> None:
    errors = [{"source": "c.csv", "message": "c.csv: no losses in it"}]
    folder.write(Report("nothing", ()), tmp_path, {"fits.json": {"curves": [], "errors": errors}})
    assert json.loads((tmp_path / "fits.json").read_text(encoding="utf-8")) == {"curves": [], "errors": errors}


def test_numbers_intervals_reasons_and_reading_are_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    logs = logs_of("a", "short")
    monkeypatch.setattr(page, "_figure", lambda *_: None)
    text = Elements(page.html(logs, {}, [])).text
    fit, short = (analysis.fit for analysis in analyses_of(logs))
    low, high = fit.intervals["t_d"]  # type: ignore[misc]
    assert f"{fit.t_d:.0f} [{low:.0f},\xa0{high:.0f}]" in text
    for reason in short.reasons:
        for part in (reason.level, reason.code, reason.message):
            assert part in text
    assert "one thing about a" in text
    assert "loss is 'a/loss'" in text
    assert "short: Whether the loss slowed down cannot be told from steps" in text


def test_curves_of_one_name_are_numbered() -> None:
    analysis = analyses_of(logs_of("a", "b"))[0]
    twins = Report("twins", (Run("a", (analysis,)), Run("a", (analysis,))))
    assert twins.labels == twins.sizes == ["a · 1", "a · 2"]


def test_verdicts_are_counted() -> None:
    fits = [analysis.fit for analysis in analyses_of(logs_of("a", "b", "short"))]
    assert words.verdicts_counted(fits).startswith(
        "Three loss curves were fitted: two decelerate; for one it cannot be told whether it decelerates. The breaks "
    )


def test_other_files_stay_and_a_report_that_fails_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise RuntimeError("no page today")

    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "report.html").write_text("old")
    monkeypatch.setattr(folder, "html", broken)
    with pytest.raises(RuntimeError, match="no page today"):
        folder.write(Report("nothing", ()), tmp_path, {})
    assert (tmp_path / "report.html").read_text() == "old"
    assert (tmp_path / "mine.txt").read_text() == "mine"
