"""The paper's tables as LaTeX: booktabs, numbers rounded to their intervals, names that pdflatex can set.

Needs \\usepackage{booktabs} alone. A name is text: nothing in it is a command.
"""

import math
from collections.abc import Sequence

from zerosum.deceleration import Comparison
from zerosum.show import numbers as n
from zerosum.show.logs.paper_tables import PARAMETERS
from zerosum.show.logs.subject import Logs
from zerosum.show.logs.terms import PLACES
from zerosum.show.names import printable
from zerosum.show.words import BREAKS, VERDICTS

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": "'",
    "`": r"\textasciigrave{}",
    "-": "-{}",  # two of them are no dash
    "·": r"\textperiodcentered{}",
    "−": "$-$",
    "…": r"\ldots{}",
} | {char: f"\\{char}" for char in "_%&#{}$"}
_SYMBOLS = {"L_d": "$L_d$", "t_d": "$t_d$", "r_d": "$r_d$", "T": "$T$", "reached_minus_fit": "reached $-$ fit"}
_DASH = "---"


def escaped(name: str) -> str:
    """A name as text of a LaTeX document; what pdflatex has no letter for becomes a question mark.

    >>> escaped("50%_a & \\\\input{x} 名")
    '50\\\\%\\\\_a \\\\& \\\\textbackslash{}input\\\\{x\\\\} ?'
    """
    return "".join(_SPECIAL.get(char, char if _known(char) else "?") for char in printable(name, 80))


def _known(char: str) -> bool:
    """Printable ASCII, and the accented letters that the usual encodings have."""
    return " " <= char <= "~" or ("À" <= char <= "ÿ" and char not in "ÐÞðþ×÷")


def fits(logs: Logs) -> str:
    """Table 1: L_d, t_d, r_d with intervals, L_T beside L_T_hat, RSLE, points, verdict."""
    heads = ["run", "$L_d$", "$t_d$", "$r_d$", "$L_T$", r"$\hat L_T$", "RSLE", "points", "verdict"]
    rows = []
    for name, one in logs.named:
        fit, believed = one.fit, one.fit.verdict in BREAKS
        row = [escaped(name)]
        for form in (n.L_D, n.T_D, n.R_D):
            value = getattr(fit, form.symbol) if believed else math.nan
            row.append(_measured(value, fit.intervals.get(form.symbol) if believed else None, form))
        row += [_number(fit.L_T, n.LOSS), _number(fit.L_T_hat if believed else math.nan, n.LOSS)]
        rows.append([*row, _number(fit.rsle, n.RSLE), f"{fit.n_bins}", VERDICTS[fit.verdict]])
    note = f"L_d, L_T: nats per token; t_d: steps; brackets: {logs.levels} percent intervals; points: seen by the fit"
    return _tabular(heads, rows, note)


def parameters(logs: Logs) -> str:
    """The appendix table: parameters of the one-break law, with standard errors where the procedure gives them."""
    heads = ["run", "$b$", "$c_0$", "$c_1$", "$d_1$", "$f_1$", "RSLE"]
    rows = []
    for name, one in logs.named:
        fit, believed = one.fit, one.fit.verdict in BREAKS
        errors = fit.errors or {}
        cells = []
        for symbol in PARAMETERS:
            value = getattr(fit.params, symbol) if believed else math.nan
            error = value * errors.get("log_d1", math.nan) if symbol == "d1" else errors.get(symbol, math.nan)
            cells.append(_with_error(value, error))
        rows.append([escaped(name), *cells, _number(fit.rsle, n.RSLE)])
    note = "after the sign: standard errors if residuals were independent (procedure paper); that of d1: d1 se(log d1)"
    return _tabular(heads, rows, note)


def comparison(logs: Logs) -> str:
    """How the differences in reached loss split; one row for each pair."""
    found = [_SYMBOLS[term.name] for one in logs.comparisons for term in one.terms]
    names = list(dict.fromkeys(found))
    rows = [_pair(one, names) for one in logs.comparisons]
    methods = "; or ".join(dict.fromkeys(one.method for one in logs.comparisons))
    note = (
        "nats per token, b minus a; below 0: b is better; the terms add up to the total, which has no interval; "
        f"brackets: {logs.levels} percent intervals of the terms ({methods}); a description, no cause"
    )
    return _tabular(["a", "b", *names, "total"], rows, note)


def _pair(one: Comparison, names: Sequence[str]) -> list[str]:
    """All to the same decimal, so that a reader can add them up."""
    found = {_SYMBOLS[term.name]: _to(PLACES, term.nats, term.interval) for term in one.terms}
    return [escaped(one.a), escaped(one.b), *(found.get(name, _DASH) for name in names), _to(PLACES, one.total)]


def _measured(value: float, ends: n.Ends, form: n.Form) -> str:
    return _to(n.decimals(value, ends, form), value, ends)


def _to(places: int, value: float, ends: n.Ends = None) -> str:
    if not math.isfinite(value):
        return _DASH
    shown = _math(n.number(value, places))
    return shown + (rf" {{\scriptsize[{', '.join(_math(n.number(end, places)) for end in ends)}]}}" if ends else "")


def _number(value: float, form: n.Form) -> str:
    return _measured(value, None, form)


def _with_error(value: float, error: float) -> str:
    if not math.isfinite(value):
        return _DASH
    if not (math.isfinite(error) and error > 0):
        return _math(n.number(value, n.decimals(value)))
    places = n.decimals(value, (value - error, value + error))
    return rf"{_math(n.number(value, places))} {{\scriptsize$\pm$ {_math(n.number(error, places))}}}"


def _math(number: str) -> str:
    """A written number in math mode: a true minus, thousands that do not spread, powers of ten.

    >>> _math("−1,234.5"), _math("9.7e+10")
    ('$-1{,}234.5$', '$9.7\\\\cdot10^{10}$')
    """
    mantissa, _, power = number.replace("−", "-").replace(",", "{,}").partition("e")
    return f"${mantissa}\\cdot10^{{{int(power)}}}$" if power else f"${mantissa}$"


def _tabular(heads: Sequence[str], rows: Sequence[Sequence[str]], note: str) -> str:
    left = sum(head in ("run", "a", "b") for head in heads)
    columns = "l" * left + "r" * (len(heads) - left)
    body = [" & ".join(row) + r" \\" for row in rows]
    lines = [
        f"% zerosum; needs the package booktabs; {note}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        " & ".join(heads) + r" \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"
