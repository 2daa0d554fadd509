"""The report on one run: numbers against brute force, and a page on which nothing of the data is anything but text."""

import csv
from html.parser import HTMLParser

import numpy as np
import pytest
from run_stores import HOSTILE_TEXT, STEPS, Words, hostile_store
from synthetic_suite import curve_of
from test_browser import browser

from zerosum.deceleration import Analysis, fit
from zerosum.interference.labelled import TokenText, findings_of
from zerosum.show import Missing, RunReport, write_run
from zerosum.show.run.figures import FIGURES, groups, groups_over_time
from zerosum.show.run.heat import coloured

__all__ = ["browser"]


@pytest.fixture(scope="module")
def store():
    return hostile_store()


@pytest.fixture(scope="module")
def losses(store):
    return findings_of(store, text=TokenText(Words()))


@pytest.fixture(scope="module")
def written(losses, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run report")
    analysis = Analysis(fit(curve_of("<script>x", 2.6, 170.0, 0.17, 0)), (), ())
    missing = (Missing("<b>what</b>", "<script>alert(5)</script>", "zerosum losses '<u>'"),)
    write_run(RunReport("<script>name</script>", analysis, losses, missing, {"command": "<script>"}), folder)
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
    assert all(value.startswith(("#", "figures/", "data:,")) for value in links)
    text = "".join(page.text)
    for said in (HOSTILE_TEXT, "<b onclick='alert(0)'>=cmd</b>", "alert(4)", "alert(5)", "{{ 7*7 }}", "<i>model</i>"):
        assert said in text
    assert "Problems that the store knows" in page.text


def test_files_are_whole_and_linked_ones_are_there(written, page):
    assert not list(written.rglob("*.part"))
    linked = {value for name, value in page.attributes if name == "href" and value.startswith("figures/")}
    assert len(linked) == 3 * (len(FIGURES) + 1) + 1
    assert all((written / name).is_file() for name in linked)
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_every_token_shown_has_its_number_and_the_colour_of_its_sign(losses, store, page, written):
    with (written / "figures" / "documents.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    loss = store["loss"].to_numpy().astype(np.float64)
    for row in rows:
        s, t = int(row["sequence"]), int(row["position"])
        if t >= 0 and row["change"]:
            assert float(row["change"]) == pytest.approx(loss[-1, s, t] - loss[-2, s, t], abs=1e-12)
        assert not row["document"].startswith(("=", "+", "-", "@"))
    shown = [name for name in page.classes if name and name[:1] in "wb" and name[1:].isdigit()]
    tokens = [token for document in coloured(losses.heat).documents for part in document.parts for token in part]
    levels = [token.level for token in tokens if token.level]
    legend = [f"{'w' if k > 0 else 'b'}{abs(k)}" for k in range(-5, 6) if k]
    assert shown == [*legend, *(f"{'w' if k > 0 else 'b'}{abs(k)}" for k in levels)]


def test_documents_shown_are_those_of_the_largest_net_change(losses, store):
    x = store["loss"].to_numpy().astype(np.float64)
    net = np.nansum((x[-1] - x[-2]).reshape(22, -1), axis=1)
    names = store.attrs["documents"]
    order = np.argsort(net)
    worst = [names[k] for k in order[::-1][:3] if net[k] > 0]
    best = [names[k] for k in order[:3] if net[k] < 0]
    assert [one.name for one in losses.heat.documents] == worst + best
    assert losses.heat.documents[0].net == pytest.approx(net[order[-1]])


def test_groups_add_up_to_the_whole_at_every_pair(losses, store):
    table = groups.table(losses)
    assert set(table["by"]) == {
        *("document", "domain", "first-loss", "initial-loss", "position", "token-class", "token-frequency")
    }
    loss = store["loss"].to_numpy().astype(np.float64)
    for (_, start, end), rows in table.groupby(["by", "from_step", "to_step"]):
        x = loss[STEPS.index(end)] - loss[STEPS.index(start)]
        x = x[np.isfinite(x)]
        assert rows["w"].sum() == pytest.approx(1)
        assert rows["w_R"].sum() == pytest.approx(x.sum() / np.abs(x).sum())
        assert rows["N"].sum() == x.size


def test_bars_of_a_panel_are_all_movement_and_the_paying_class_is_on_the_other_side(losses):
    figure = groups.plot(losses)
    by_class = next(ax for ax in figure.axes if ax.get_title("left") == "by token-class")
    widths = [bar.get_width() for bar in by_class.patches]
    assert sum(map(abs, widths)) == pytest.approx(100)
    cells = next(groups_over_time.rows_of(one) for one in losses.groups if one.by == "token-class")
    assert min(cells["digit"]) > 0 > max(cells["punctuation"])


def test_a_store_without_tokenizer_and_documents_says_what_is_missing(store):
    bare = findings_of(store.drop_vars(["document", "domain"]))
    assert {gap.what for gap in bare.left_out} == {
        *("Groups by document", "Groups by domain", "Groups by token-class", "Documents token by token")
    }
    assert bare.heat is None
    ids = findings_of(store, documents=1)
    assert not ids.heat.decoded
    token = ids.heat.documents[0].parts[0][0]
    assert token.text is None
    assert coloured(ids.heat).documents[0].parts[0][0].text == str(token.id)


def test_other_steps_for_the_heat_map(store):
    found = findings_of(store, between=(1, 8), documents=1)
    loss = store["loss"].to_numpy().astype(np.float64)
    token = found.heat.documents[0].parts[0][1]
    assert token.change == pytest.approx(
        loss[-1, token.sequence, token.position] - loss[1, token.sequence, token.position]
    )


def test_a_page_of_a_curve_alone(tmp_path):
    analysis = Analysis(fit(curve_of("curve", 2.6, 170.0, 0.17, 0)), (), ())
    missing = (Missing("Per-token losses", "not measured:", "zerosum losses run --data TEXTS"),)
    text = write_run(RunReport("run", analysis, None, missing), tmp_path).read_text(encoding="utf-8")
    assert "<code>zerosum losses run --data TEXTS</code>" in text
    assert "How much cancels" not in text
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"curves.csv", "curves.pdf", "curves.svg"}


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
