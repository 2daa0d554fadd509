"""LaTeX tables: whatever a run is called, it is text; and pdflatex sets them where there is one."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from simulated_logs import HOSTILE, analyses_of, curve_of, logs_of, renamed, report_of

from zerosum.deceleration import Analysis, Comparison, fit
from zerosum.show import latex
from zerosum.show.report import Report
from zerosum.show.sections import differences, fits
from zerosum.show.table import PlusMinus, as_latex


def fits_tex(report: Report) -> str:
    return as_latex(fits.fits(report))


def parameters_tex(report: Report) -> str:
    return as_latex(fits.parameters(report))


def comparison_tex(report: Report) -> str:
    return as_latex(differences.comparison_in_latex(report.across(Comparison)))


MAKERS = (fits_tex, parameters_tex, comparison_tex)
OURS = {
    "begin", "end", "toprule", "midrule", "bottomrule", "scriptsize", "hat", "pm", "cdot", "ldots",
    "textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater", "textbar", "textquotedbl",
    "textasciigrave", "textperiodcentered",
}  # fmt: skip


@pytest.fixture(scope="module")
def hostile() -> Report:
    return renamed(logs_of("a", "b", "c"), *HOSTILE)


@pytest.mark.parametrize("char", list("_%&#{}$"))
def test_special_characters_are_escaped(char: str) -> None:
    assert latex.escape(f"a{char}b") == f"a\\{char}b"


@pytest.mark.parametrize(
    ("char", "command"), [("~", "textasciitilde"), ("^", "textasciicircum"), ("\\", "textbackslash")]
)
def test_characters_without_an_escape_have_a_command(char: str, command: str) -> None:
    assert latex.escape(f"a{char}b") == f"a\\{command}{{}}b"


def test_what_pdflatex_cannot_set_is_a_question_mark() -> None:
    assert latex.escape("é名ð\x1b") == "é???"


@pytest.mark.parametrize("make", MAKERS)
def test_no_name_brings_a_command_or_breaks_a_row(hostile: Report, make: object) -> None:
    text = make(hostile)  # type: ignore[operator]
    assert set(re.findall(r"\\([A-Za-z]+)", text)) <= OURS
    bare = re.sub(r"\\[{}$%&#_]", "", text)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert len(re.findall("%", bare)) == 1  # our own comment
    columns = len(re.findall(r"\{([lr]+)\}", text)[0])
    rows = [line for line in bare.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 1 + (2 if make is comparison_tex else 3)
    assert {line.count("&") for line in rows} == {columns - 1}


def test_numbers_are_rounded_to_their_interval(hostile: Report) -> None:
    fit = analyses_of(hostile)[0].fit
    low, high = fit.intervals["t_d"]  # type: ignore[misc]
    assert f"${fit.t_d:.0f}$ {{\\scriptsize[${low:.0f}$, ${high:.0f}$]}}" in fits_tex(hostile)


def test_standard_errors_stand_after_the_sign_where_the_procedure_gives_them() -> None:
    curve = curve_of("a")
    published = fit(curve, procedure="paper")
    text = parameters_tex(report_of([Analysis(published, (), ())]))
    row = next(line for line in text.splitlines() if line.startswith("a &"))
    assert published.errors
    assert row.count(r"{\scriptsize$\pm$") == 5
    d1 = PlusMinus(published.params.d1, published.params.d1 * published.errors["log_d1"])
    assert rf"${d1.value:.{d1.places}f}$ {{\scriptsize$\pm$ ${d1.below}$}}" in row


def test_terms_can_be_added_up_as_they_are_written() -> None:
    for row in comparison_tex(logs_of("a", "b", "c", "d")).splitlines()[5:7]:
        *terms, total = [cell.split()[0].strip("$") for cell in row.removesuffix(r"\\").split("&")[2:]]
        assert {len(number.split(".")[1]) for number in (*terms, total)} == {4}
        assert len(terms) == 5
        assert sum(map(float, terms)) == pytest.approx(float(total), abs=0.00031)  # six roundings by 0.00005


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
def test_pdflatex_sets_them(hostile: Report, tmp_path: Path) -> None:
    body = "\n\n".join(make(hostile) for make in MAKERS)
    document = f"\\documentclass{{article}}\\usepackage{{booktabs}}\\begin{{document}}\\tiny {body}\\end{{document}}"
    (tmp_path / "t.tex").write_text(document, encoding="utf-8")
    call = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
