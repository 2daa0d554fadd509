"""The page in a real browser: desktop and phone, light and dark."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

OUTSIDE = """[...document.querySelectorAll('body *')]
    .filter(one => !one.closest('.scroll, svg') && one.getClientRects().length)
    .filter(one => { const box = one.getBoundingClientRect(); return box.left < -1 || box.right > innerWidth + 1 })
    .map(one => one.outerHTML.slice(0, 80))"""
"""What stands beside the screen, apart from what scrolls in a box of its own."""
TEXT_OUTSIDE = """[...document.querySelectorAll('svg')].filter(one => one.getClientRects().length).flatMap(svg => {
    const frame = svg.getBoundingClientRect();
    return [...svg.querySelectorAll('text')].filter(text => {
        const box = text.getBoundingClientRect();
        return box.left < frame.left - 2 || box.right > frame.right + 2 || box.bottom > frame.bottom + 2
    }).map(text => text.textContent)})"""
"""Texts of figures that stand out of them."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = os.environ.get("ZEROSUM_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        absent = pytest.fail if os.environ.get("ZEROSUM_REQUIRE_BROWSER") == "1" else pytest.skip
        absent(f"no Chromium found under the names {', '.join(NAMES)}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield running
        running.close()


@pytest.fixture(scope="module", params=[(1400, "light"), (1400, "dark"), (360, "light"), (360, "dark")], ids=str)
def opened(browser: Any, hostile_page: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The page, with what went wrong and what it asked for collected in `page.trouble` and `page.asked`."""
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.trouble, page.asked, page.scheme, page.wide = [], [], scheme, width > 800
    page.on("console", lambda message: page.trouble.append(message.text))
    page.on("pageerror", lambda error: page.trouble.append(str(error)))
    page.on("dialog", lambda dialog: (page.trouble.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(hostile_page.as_uri(), wait_until="load")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    yield page
    context.close()


def test_nothing_goes_wrong_and_nothing_is_asked_for(opened: Any, hostile_page: Path) -> None:
    assert opened.trouble == []
    assert [url for url in opened.asked if not url.startswith("data:")] == [hostile_page.as_uri()]


def test_the_body_never_scrolls_sideways(opened: Any) -> None:
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    outside = opened.evaluate(OUTSIDE)
    assert outside == []


def test_wide_tables_scroll_in_their_own_box(opened: Any) -> None:
    boxes = opened.evaluate(
        """[...document.querySelectorAll('.scroll')].map(
        one => [one.clientWidth, one.scrollWidth, getComputedStyle(one).overflowX])"""
    )
    assert len(boxes) >= 3
    assert all(style == "auto" for *_, style in boxes)
    assert any(inner > outer for outer, inner, _ in boxes) or opened.wide


def test_one_layout_of_each_figure_is_shown(opened: Any) -> None:
    shown = opened.evaluate("[...document.querySelectorAll('svg')].filter(one => one.getClientRects().length).length")
    assert shown == len(opened.locator("figure").all())
    assert opened.locator(".plot.wide").first.is_visible() == opened.wide


def test_no_text_of_a_figure_leaves_it(opened: Any) -> None:
    assert opened.evaluate(TEXT_OUTSIDE) == []


def test_figures_can_be_read_on_their_background(opened: Any) -> None:
    """Contrast of text in figures and on the page, as WCAG counts it, is at least 4.5."""
    worst = opened.evaluate(
        """(() => {
        const light = rgb => { const c = rgb.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2] };
        const paper = light(getComputedStyle(document.body).backgroundColor);
        const contrast = rgb => { const l = light(rgb);
            return (Math.max(l, paper) + 0.05) / (Math.min(l, paper) + 0.05) };
        const figure = [...document.querySelectorAll('svg text')].map(one => contrast(getComputedStyle(one).fill));
        const page = [...document.querySelectorAll('p, td, dd, .note, a')]
            .map(one => contrast(getComputedStyle(one).color));
        return Math.min(...figure, ...page) })()"""
    )
    dark = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, dark.strip("rgb()").split(","))) < 60) == (opened.scheme == "dark")
    assert worst >= 4.5


def test_hostile_names_are_seen_as_text(opened: Any) -> None:
    assert opened.locator("script, img, iframe").count() == 0
    assert "<script>alert('x')</script>" in opened.inner_text("#found") + opened.inner_text("#curves")
    assert opened.title() == "<img src=x onerror=alert(1)>"
    visible = opened.locator("#figure-curves svg:visible").text_content()
    assert "<script>alert" in visible
    assert "$\\frac{1}{0}$" in visible


def test_the_columns_of_the_first_table_are_seen_on_a_desktop(browser: Any, hostile_page: Path) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(hostile_page.as_uri(), wait_until="load")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    boxes = page.evaluate(
        """['#table-fits', '#table-runs'].map(id => document.querySelector(id + ' .scroll'))
        .map(one => [one.scrollWidth, one.clientWidth, one.getBoundingClientRect().left])"""
    )
    page.close()
    assert all(inner <= outer and left >= 0 for inner, outer, left in boxes)


def test_all_numbers_of_loss_logs_are_seen_on_a_small_laptop(browser: Any, hostile_logs_page: Path) -> None:
    page = browser.new_page(viewport={"width": 1100, "height": 800})
    page.goto(hostile_logs_page.as_uri(), wait_until="load")
    page.evaluate("document.querySelector('#table-fits').open = true")
    widths = page.evaluate("(one => [one.scrollWidth, one.clientWidth])(document.querySelector('#table-fits .scroll'))")
    last = page.locator("#table-fits thead th").last.inner_text()
    page.close()
    assert last.startswith("points")
    assert widths[0] <= widths[1]


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (360, "dark")])
@pytest.mark.parametrize(("kind", "figures"), [("logs", 5), ("bench", 4)])
def test_a_page_fits_and_is_quiet(
    browser: Any, request: pytest.FixtureRequest, kind: str, figures: int, width: int, scheme: Any
) -> None:
    written = request.getfixturevalue(f"hostile_{kind}_page")
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    trouble: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(written.as_uri(), wait_until="load")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    outside = (page.evaluate(TEXT_OUTSIDE) if kind == "bench" else []) + page.evaluate(OUTSIDE)
    fits = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shown = page.evaluate("[...document.querySelectorAll('svg')].filter(one => one.getClientRects().length).length")
    seen = page.inner_text("#found")
    context.close()
    assert (trouble, outside, fits, shown) == ([], [], True, figures)
    assert [url for url in asked if not url.startswith("data:")] == [written.as_uri()]
    assert "<script>alert('x')</script>" in seen
