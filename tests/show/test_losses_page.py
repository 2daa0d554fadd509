"""The page on per-token losses: numbers against brute force; nothing of the data is anything but text."""

import csv
from html.parser import HTMLParser

import numpy as np
import pytest
from losses_reports import hostile_findings, report_on
from run_stores import HOSTILE_TEXT, hostile_store
from test_browser import browser

from zerosum.show.folder import write
from zerosum.show.report import Missing
from zerosum.show.sections import documents

__all__ = ["browser"]
FIGURES = ("interference", "groups", "groups-over-time", "where", "concordance")


@pytest.fixture(scope="module")
def store():
    return hostile_store()


@pytest.fixture(scope="module")
def findings():
    return hostile_findings()


@pytest.fixture(scope="module")
def written(findings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("losses page")
    missing = (Missing("<b>what</b>", "<script>alert(5)</script>", "zerosum losses '<u>'"),)
    write(report_on(findings, "<script>name</script>", missing), folder, {}, for_print=False)
    return folder


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.classes, self.text = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.classes.append(dict(attrs).get("class"))

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def page(written):
    return Elements((written / "report.html").read_text(encoding="utf-8"))


def test_names_and_tokens_are_text_and_nothing_is_asked_for(page):
    assert not {"script", "img", "iframe"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    links = [value for name, value in page.attributes if name in ("href", "src")]
    local = ("#", "figures/", "data:,", "pairs.", "persistence.", "moved.")
    assert all(value.startswith(local) for value in links)
    text = "".join(page.text)
    for untrusted in (
        HOSTILE_TEXT,
        "<b onclick='alert(0)'>=cmd</b>",
        "alert(4)",
        "alert(5)",
        "{{ 7*7 }}",
        "<i>model</i>",
    ):
        assert untrusted in text
    assert "Problem: steps 4, 8: <script>" in text


def test_files_are_whole_and_linked_ones_are_there(written, page):
    assert not list(written.rglob("*.part"))
    links = {value for name, value in page.attributes if name == "href" and not value.startswith(("#", "data:,"))}
    assert {f"figures/{stem}.{kind}" for stem in FIGURES for kind in ("svg", "pdf", "csv")} <= links
    assert {"figures/documents.csv", "pairs.csv", "pairs.tex", "persistence.csv", "moved.csv"} <= links
    assert all((written / name).is_file() for name in links)
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_every_token_shown_has_its_number_and_the_colour_of_its_sign(findings, store, page, written):
    with (written / "figures" / "documents.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    loss = store["loss"].to_numpy().astype(np.float64)
    for row in rows:
        s, t = int(row["sequence"]), int(row["position"])
        if t >= 0 and row["change"]:
            assert float(row["change"]) == pytest.approx(loss[-1, s, t] - loss[-2, s, t], abs=1e-12)
        assert not row["document"].startswith(("=", "+", "-", "@"))
    tokens = [token for document in findings.heat.documents for part in document.parts for token in part]
    assert len(rows) == len(tokens)
    scale = documents.scale_of(findings.heat)
    levels = [documents.level(token.change, scale) for token in tokens]
    shown = [name for name in page.classes if name and name[:1] in "wb" and name[1:].isdigit()]
    legend = [documents.colour(k) for k in range(-5, 6) if k]
    assert shown == [*legend, *(documents.colour(k) for k in levels if k)]


def test_documents_shown_are_those_of_the_largest_net_change(findings, store):
    x = store["loss"].to_numpy().astype(np.float64)
    net = np.nansum((x[-1] - x[-2]).reshape(22, -1), axis=1)
    names = store.attrs["documents"]
    order = np.argsort(net)
    worst = [names[k] for k in order[::-1][:3] if net[k] > 0]
    best = [names[k] for k in order[:3] if net[k] < 0]
    assert [document.name for document in findings.heat.documents] == worst + best
    assert findings.heat.documents[0].net == pytest.approx(net[order[-1]])


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_of_it_and_every_colour_can_be_read(browser, written, scheme):
    context = browser.new_context(viewport={"width": 360, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    trouble, asked = [], []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("dialog", lambda dialog: (trouble.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((written / "report.html").as_uri())
    contrasts = page.evaluate(
        """(() => {
        const light = rgb => { const c = rgb.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2] };
        return [...document.querySelectorAll('.scale span:not(.n0)')].map(one => getComputedStyle(one))
            .map(one => [light(one.color), light(one.backgroundColor)])
            .map(([a, b]) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)) })()"""
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert trouble == []
    assert [url for url in asked if not url.startswith("data:")] == [(written / "report.html").as_uri()]
    assert len(contrasts) == 10
    assert min(contrasts) >= 4.5
    context.close()
