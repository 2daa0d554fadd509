"""The page on loss logs is inert, whole, and finds its files, whatever runs are called."""

import json
import re
from pathlib import Path

import pytest
from page_elements import Elements
from simulated_logs import logs_of

from zerosum.show import write_logs
from zerosum.show.logs import words
from zerosum.show.logs import write as writing
from zerosum.show.logs.page import html
from zerosum.show.logs.subject import Logs


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
    page = hostile_logs_page.read_text(encoding="utf-8")
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


def test_every_file_is_complete(hostile_logs_page: Path) -> None:
    folder = hostile_logs_page.parent
    assert not list(folder.rglob("*.part"))
    stems = ("curves", "cutoffs", "misfit", "forecasts", "differences")
    figures = {f"{stem}{end}" for stem in stems for end in (".svg", ".pdf", "-column.pdf", ".csv")}
    assert {file.name for file in (folder / "figures").iterdir()} == figures
    tables = {f"{stem}.{kind}" for stem in ("fits", "parameters", "comparison") for kind in ("csv", "tex")}
    assert {file.name for file in folder.iterdir()} == tables | {
        "fits.json",
        "comparisons.json",
        "report.html",
        "figures",
    }
    assert b"/Type /Font" in (folder / "figures" / "curves.pdf").read_bytes()


def test_json_is_that_of_the_verbs(hostile_logs: Logs, hostile_logs_page: Path) -> None:
    fits = json.loads((hostile_logs_page.parent / "fits.json").read_text(encoding="utf-8"))
    assert fits == {"curves": [json.loads(json.dumps(one.to_json())) for one in hostile_logs.analyses], "errors": []}
    pairs = json.loads((hostile_logs_page.parent / "comparisons.json").read_text(encoding="utf-8"))
    expected = [json.loads(json.dumps(one.to_json())) for one in hostile_logs.comparisons]
    assert pairs == {"comparisons": expected, "errors": []}


def test_json_repeats_what_could_not_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "figures_of", lambda logs: {})
    logs, errors = logs_of("a", "b"), [{"source": "c.csv", "message": "c.csv: no losses in it"}]
    write_logs(logs.analyses, logs.comparisons, tmp_path, {}, errors)
    for name in ("fits.json", "comparisons.json"):
        assert json.loads((tmp_path / name).read_text(encoding="utf-8"))["errors"] == errors


def test_numbers_intervals_reasons_and_reading_are_on_the_page() -> None:
    logs = logs_of("a", "short")
    page = html(logs, {}, {})
    fit = logs.analyses[0].fit
    low, high = fit.intervals["t_d"]  # type: ignore[misc]
    assert f"{fit.t_d:.0f} [{low:.0f},\xa0{high:.0f}]" in page
    for reason in logs.analyses[1].fit.reasons:
        assert f"<b>{reason.level}</b> <code>{reason.code}</code>" in page
    assert "one thing about a" in page
    assert "loss is “a/loss”" in page
    short = page[page.index("<h3>short") : page.index("</section>")]
    assert "Whether the loss slowed down cannot be told from steps" in short
    assert "t_d" not in short


def test_curves_of_one_name_are_told_apart() -> None:
    same = logs_of("a", "b")
    twins = Logs((same.analyses[0], same.analyses[0]))
    assert twins.names == ["a · 1", "a · 2"]


def test_the_opening_counts_verdicts() -> None:
    assert words.opening(logs_of("a", "b", "short"))[0] == (
        "Three loss curves were fitted: two decelerate; for one it cannot be told whether it decelerates."
    )
    assert words.opening(Logs(()))[0].startswith("No curve could be read")


def test_other_files_stay_and_a_report_that_fails_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise RuntimeError("no page today")

    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "report.html").write_text("old")
    monkeypatch.setattr(writing, "html", broken)
    monkeypatch.setattr(writing, "figures_of", lambda logs: {})
    with pytest.raises(RuntimeError, match="no page today"):
        write_logs(logs_of("a", "b").analyses, (), tmp_path, {})
    assert (tmp_path / "report.html").read_text() == "old"
    assert (tmp_path / "mine.txt").read_text() == "mine"
