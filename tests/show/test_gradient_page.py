"""Pages on per-token gradients: whole, quiet, and nothing that a user named is anything but text."""

import csv
import subprocess
import sys
from dataclasses import replace

import pytest
from gradient_records import HOSTILE, changes, record, report, unknown
from page_elements import Elements
from test_browser import OUTSIDE, browser

from zerosum.show import folder
from zerosum.show.report import Report
from zerosum.show.section import present
from zerosum.show.sections.gradient_parts import STRONG

__all__ = ["browser"]

COMMAND = "=cmd|' /C calc'!A0"
TABLES = {"checkpoints.csv", "parameters.csv", "layers.csv", "halvings.csv", "first-order.csv", "noise-scale.csv"}
LINKS = (
    "#",
    "figures/",
    "data:,",
    "gradients.json",
    *TABLES,
    "checkpoints.tex",
    "layers.tex",
    "first-order.tex",
    "noise-scale.tex",
)


@pytest.fixture(scope="module")
def hostile():
    """Names of parameters, reasons, notes and sources that try to be more than text."""
    types = (HOSTILE, "<img src=x onerror=alert(8)>", "$x$")
    given = [
        record(
            step,
            **{"layers": 2, "types": types, "prefix": COMMAND, "pair": changes(30, 20, seed=k), "source": HOSTILE},
            notes=("<script>alert(9)</script> {{ 7*7 }}",),
        )
        for k, step in enumerate((0, 10, 100, 1000))
    ]
    why = {"D_grad": "<script>alert(10)</script>"}
    given = [replace(one, interval_reasons=one.interval_reasons | why) for one in given]
    given[1] = unknown(given[1], "D_grad", why="<script>alert(11)</script>")
    return report(given, "<script>alert(12)</script>")


def write(of, to):
    provenance = {"<b>k</b>": "</dl><script>alert(13)</script>"}
    return folder.write(
        replace(of, provenance=provenance), to, {"gradients.json": {"checkpoints": []}}, "gradients.html"
    )


@pytest.fixture(scope="module")
def written(hostile, tmp_path_factory):
    where = tmp_path_factory.mktemp("gradients")
    write(hostile, where)
    return where


@pytest.fixture(scope="module")
def in_run(hostile, tmp_path_factory):
    where = tmp_path_factory.mktemp("run")
    (run,) = hostile.runs
    folder.write(Report("<script>run</script>", (run,)), where, {}, for_print=False)
    return where


@pytest.fixture(scope="module", params=["written", "in_run"])
def page(request):
    where = request.getfixturevalue(request.param)
    return where, Elements(next(where.glob("*.html")).read_text(encoding="utf-8"))


def stems(of):
    return [one.stem for one in present(of) if one.figure]


def test_names_are_text_and_nothing_is_asked_for(page):
    _, found = page
    tags = {tag for tag, _ in found.tags}
    assert not {"script", "img", "iframe"} & tags
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on")]
    assert all(value.startswith(LINKS) for value in found.values("href") + found.values("src"))
    for said in (HOSTILE[-15:], "alert(9)", "{{ 7*7 }}", "alert(10)", COMMAND):
        assert said in found.text


def test_what_is_linked_is_there_and_has_one_place(page, hostile):
    where, found = page
    linked = {value for value in found.values("href") if value.startswith("figures/")}
    assert linked == {f"figures/{stem}.{kind}" for stem in stems(hostile) for kind in ("svg", "pdf", "csv")} | {
        name for name in linked if name.endswith("-column.pdf")
    }
    assert all((where / name).is_file() for name in linked)
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    assert {value[1:] for value in found.values("href") if value.startswith("#")} <= set(ids)
    assert not list(where.rglob("*.part"))


def test_no_cell_of_a_table_is_a_formula(written):
    tables = [*written.glob("*.csv"), *written.glob("figures/*.csv")]
    assert {file.name for file in written.glob("*.csv")} == TABLES
    cells = [cell for file in tables for row in csv.reader(file.open(encoding="utf-8")) for cell in row]
    assert f"'{COMMAND}.0" in cells
    assert not [cell for cell in cells if cell[:1] in set("=+@\t\r") or (cell[:1] == "-" and not _number(cell))]


def _number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return True


def test_the_same_numbers_give_the_same_bytes(hostile, written, in_run, tmp_path, monkeypatch):
    for file in (*written.rglob("*.svg"), *written.rglob("*.csv"), *written.glob("*.tex")):
        assert file.read_bytes() == (in_run / file.relative_to(written)).read_bytes(), file.name
    section = next(section for section in present(hostile) if section.figure)
    monkeypatch.setattr("zerosum.show.section.all_sections", lambda: (section,))
    write(hostile, tmp_path)
    pdfs = list(tmp_path.rglob("*.pdf"))
    assert len(pdfs) == 2
    for file in pdfs:
        assert file.read_bytes() == (written / file.relative_to(tmp_path)).read_bytes(), file.name


def test_one_checkpoint_says_which_figures_are_left_out(tmp_path, blank_figures):
    one = report([record(512, pair=changes(30, 20))])
    found = Elements(write(one, tmp_path).read_text(encoding="utf-8"))
    assert "Which layers lose agreement first: one checkpoint was measured" in found.text
    assert {file.stem for file in (tmp_path / "figures").glob("*.csv")} == {
        *("gradient-first-order", "gradient-parts", "noise-scale")
    }
    assert not (tmp_path / "halvings.csv").exists()
    assert "Every checkpoint" in found.text


def test_a_page_needs_no_torch():
    code = "import zerosum.show.folder, zerosum.show.section as s; s.all_sections()"
    listing = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    assert not {"torch", "transformers"} & set(listing.stdout.split())


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (1400, "dark"), (360, "light"), (360, "dark")])
@pytest.mark.parametrize("which", ["written", "in_run"])
def test_the_page_fits_and_is_quiet(browser, request, hostile, which, width, scheme):
    file = next(request.getfixturevalue(which).glob("*.html"))
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    trouble, asked = [], []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("dialog", lambda dialog: (trouble.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri(), wait_until="load")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    outside = page.evaluate(OUTSIDE)
    fits = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shown = page.evaluate("[...document.querySelectorAll('svg')].filter(one => one.getClientRects().length).length")
    contrast = page.evaluate(CONTRAST)
    context.close()
    assert (trouble, outside, fits, shown) == ([], [], True, len(stems(hostile)))
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    assert min(contrast) >= 4.5


CONTRAST = """(() => {
    const parse = rgb => rgb.match(/[\\d.]+/g).slice(0, 3).map(Number);
    const light = c => { const l = c.map(v => v / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2] };
    const paper = parse(getComputedStyle(document.body).backgroundColor);
    const ink = light(parse(getComputedStyle(document.body).color));
    const root = getComputedStyle(document.documentElement);
    return ['--fig-series-0', '--fig-series-2'].map(name => {
        const probe = document.createElement('i');
        probe.style.color = root.getPropertyValue(name); document.body.append(probe);
        const colour = parse(getComputedStyle(probe).color); probe.remove();
        const field = light(colour.map((v, k) => STRONG * v + (1 - STRONG) * paper[k]));
        return (Math.max(ink, field) + 0.05) / (Math.min(ink, field) + 0.05) }) })()""".replace("STRONG", str(STRONG))
"""Of numbers on the strongest fields of both heat maps."""
