"""The page on several runs is inert, self-contained and whole, whatever runs are called."""

import dataclasses
import json
import re
from pathlib import Path
from types import ModuleType

import pytest
from page_elements import Elements

from zerosum.show import folder
from zerosum.show.page import flat, html
from zerosum.show.report import Report
from zerosum.show.section import Section, present


@pytest.fixture(scope="module")
def parsed(hostile_page: Path) -> Elements:
    return Elements(hostile_page.read_text(encoding="utf-8"))


def test_names_and_provenance_are_text(parsed: Elements) -> None:
    assert not {"script", "img", "iframe", "b onclick"} & {tag for tag, _ in parsed.tags}
    assert not [name for _, attributes in parsed.tags for name in attributes if name.startswith("on")]
    assert "<script>alert('x')</script>" in parsed.text
    assert "<img src=x onerror=alert(1)>" in parsed.text
    assert "</dl><script>alert(2)</script>" in parsed.text
    assert "{{7*7}}" in parsed.text


def test_nothing_is_asked_for_elsewhere(parsed: Elements, hostile_page: Path) -> None:
    for link in parsed.values("href") + parsed.values("src"):
        assert re.match(r"#|(figures/)?[a-z-]+\.(svg|pdf|csv|tex|json)$|data:,$", link), link
    style = re.findall(r"<style>(.*?)</style>", hostile_page.read_text(encoding="utf-8"), re.DOTALL)
    assert len(style) == 1
    assert not re.search(r"@import|@font-face|url\(", style[0])


def test_ids_are_unique_and_every_reference_finds_its_own(parsed: Elements, hostile_page: Path) -> None:
    ids = parsed.values("id")
    assert len(ids) == len(set(ids))
    page = hostile_page.read_text(encoding="utf-8")
    references = re.findall(r"url\(#([^)]+)\)", page) + [one[1:] for one in parsed.values("href") if one[0] == "#"]
    assert len(references) > 100
    assert set(references) <= set(ids)


def test_every_link_to_a_file_finds_it(parsed: Elements, hostile_page: Path, hostile: Report) -> None:
    files = {link for link in parsed.values("href") if not link.startswith(("#", "data:"))}
    assert {"summary.json", "runs.csv", "figures/one-step.svg", "figures/d-m-plane.pdf"} <= files
    names = {name for name in folder.names(hostile, ["summary.json"]) if not name.endswith("-column.pdf")}
    assert files == names - {"report.html"}
    assert all((hostile_page.parent / link).is_file() for link in files)


def test_figures_have_a_text_alternative_and_tables_have_headings(parsed: Elements, hostile: Report) -> None:
    figures = [attributes for tag, attributes in parsed.tags if tag == "svg"]
    assert len(figures) == 2 * sum(section.figure is not None for section in present(hostile))
    assert all(len(attributes["aria-label"] or "") > 60 for attributes in figures)
    headings = [attributes["scope"] for tag, attributes in parsed.tags if tag == "th"]
    assert set(headings) == {"row", "col"}


def test_colours_of_inlined_figures_follow_the_scheme(hostile_page: Path) -> None:
    figures = re.findall(r"<svg.*?</svg>", hostile_page.read_text(encoding="utf-8"), re.DOTALL)
    for figure in figures:
        fixed = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", figure))
        assert not fixed, "a colour that no scheme can change"


def only_tables(monkeypatch: pytest.MonkeyPatch, report: Report) -> None:
    """Leave figures out, which take seconds and are not what is asked."""
    bare = tuple(dataclasses.replace(section, figure=None) for section in present(report))
    monkeypatch.setattr("zerosum.show.section.all_sections", lambda: bare)


def test_files_of_others_stay_and_old_reports_are_replaced(
    three_sizes: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_tables(monkeypatch, three_sizes)
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "mine.txt").write_text("mine")
    (tmp_path / "report.html").write_text("old")
    page = folder.write(three_sizes, tmp_path, {"summary.json": {"title": "名前"}})
    assert page == tmp_path / "report.html"
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (tmp_path / "figures" / "mine.txt").read_text() == "mine"
    assert json.loads((tmp_path / "summary.json").read_text(encoding="utf-8")) == {"title": "名前"}
    assert not list(tmp_path.rglob("*.part"))


def test_a_report_that_fails_leaves_the_old_one(
    three_sizes: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise RuntimeError("no page today")

    only_tables(monkeypatch, three_sizes)
    (tmp_path / "report.html").write_text("old")
    monkeypatch.setattr(folder, "html", broken)
    with pytest.raises(RuntimeError, match="no page today"):
        folder.write(three_sizes, tmp_path, {})
    assert (tmp_path / "report.html").read_text() == "old"


def test_a_report_without_runs_has_a_page() -> None:
    page = html(Report("nothing", ()), {}, [])
    assert "<h1>nothing</h1>" in page
    assert "Nothing was recorded." in page


def test_a_section_is_found_by_what_its_file_has() -> None:
    module = ModuleType("zerosum.show.sections.a_new_one")
    vars(module).update(TITLE="New", PLACE=3, absent=lambda _: None)
    section = Section.of(module)
    assert (section.stem, section.figure, list(section.sentences(Report("", ())))) == ("a-new-one", None, [])


def test_nested_provenance_becomes_rows() -> None:
    nested = {"a": {"b": [1, 2]}, "c": [{"d": 1}], "e": None}
    assert list(flat(nested)) == [("a.b", "1, 2"), ("c.0.d", "1"), ("e", "None")]
