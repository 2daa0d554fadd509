"""The page is inert, self-contained and whole, whatever runs are called."""

import dataclasses
import json
import re
from pathlib import Path

import pytest
from page_elements import Elements

from zerosum.show import SuiteSummary, to_json, write_report
from zerosum.show.old_page import flat
from zerosum.show.suite import write as writing
from zerosum.show.suite.figures import FIGURES
from zerosum.show.suite.page import html


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
        assert re.match(r"#|figures/[a-z-]+\.(svg|pdf|csv)$|summary\.json$|data:,$", link), link
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


def test_every_link_to_a_file_finds_it(parsed: Elements, hostile_page: Path) -> None:
    files = {link for link in parsed.values("href") if link.startswith(("figures/", "summary"))}
    assert len(files) == 13
    assert all((hostile_page.parent / link).is_file() for link in files)


def test_figures_have_a_text_alternative_and_tables_have_headings(parsed: Elements) -> None:
    figures = [attributes for tag, attributes in parsed.tags if tag == "svg"]
    assert len(figures) == 8
    assert all(len(attributes["aria-label"] or "") > 100 for attributes in figures)
    headings = [attributes["scope"] for tag, attributes in parsed.tags if tag == "th"]
    assert set(headings) == {"row", "col"}


def test_colours_of_inlined_figures_follow_the_scheme(hostile_page: Path) -> None:
    figures = re.findall(r"<svg.*?</svg>", hostile_page.read_text(encoding="utf-8"), re.DOTALL)
    for figure in figures:
        fixed = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", figure))
        assert not fixed, "a colour that no scheme can change"


def test_every_size_is_in_the_table_with_N_and_intervals(three_sizes: SuiteSummary) -> None:
    page = html(three_sizes, {})
    for run in three_sizes.runs:
        low, high = run.double[-1].interference.interval.D  # type: ignore[union-attr]
        assert f"[{low:.3f},\xa0{high:.3f}]" in page
        assert f"{run.n_params:,}" in page
    assert "1,024 → 2,048, N = 4,096" in page
    assert "16 units; an interval needs at least 20" in page
    assert "No intervals over seeds: one seed" in page


def test_files_of_others_stay_and_old_reports_are_replaced(
    three_sizes: SuiteSummary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "FIGURES", {"cutoffs": FIGURES["cutoffs"]})  # one is enough here, and faster
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "mine.txt").write_text("mine")
    (tmp_path / "report.html").write_text("old")
    page = write_report(three_sizes, tmp_path)
    assert page == tmp_path / "report.html"
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (tmp_path / "figures" / "mine.txt").read_text() == "mine"
    assert json.loads((tmp_path / "summary.json").read_text(encoding="utf-8")) == to_json(three_sizes)
    assert not list(tmp_path.rglob("*.part"))


def test_a_report_that_fails_leaves_the_old_one(
    three_sizes: SuiteSummary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise RuntimeError("no page today")

    (tmp_path / "report.html").write_text("old")
    monkeypatch.setattr(writing, "html", broken)
    monkeypatch.setattr(writing, "FIGURES", {})
    with pytest.raises(RuntimeError, match="no page today"):
        write_report(three_sizes, tmp_path)
    assert (tmp_path / "report.html").read_text() == "old"


def test_a_suite_without_runs_has_a_page(three_sizes: SuiteSummary) -> None:
    bare = dataclasses.replace(three_sizes.runs[0], cutoffs=(), double=(), one_step=())
    page = html(dataclasses.replace(three_sizes, runs=(bare,), provenance={}), {})
    assert "nothing can be said about zero-sum learning" in page


def test_nested_provenance_becomes_rows() -> None:
    nested = {"a": {"b": [1, 2]}, "c": [{"d": 1}], "e": None}
    assert list(flat(nested)) == [("a.b", "1, 2"), ("c.0.d", "1"), ("e", "None")]
