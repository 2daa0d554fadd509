"""Tables as LaTeX: booktabs, numbers in math mode, names that pdflatex can set. A name is text, never a command."""

from collections.abc import Sequence

from zerosum.show.names import printable

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
DASH = "---"


def escape(name: str) -> str:
    """A name as text of a LaTeX document; what pdflatex has no letter for becomes a question mark.

    >>> escape("50%_a & \\\\input{x} 名")
    '50\\\\%\\\\_a \\\\& \\\\textbackslash{}input\\\\{x\\\\} ?'
    """
    return "".join(_SPECIAL.get(char, char if _known(char) else "?") for char in printable(name, 80))


def _known(char: str) -> bool:
    """Printable ASCII, and the accented letters that the usual encodings have."""
    return " " <= char <= "~" or ("À" <= char <= "ÿ" and char not in "ÐÞðþ×÷")


def in_math(number: str) -> str:
    """A written number in math mode: a true minus, thousands that do not spread, powers of ten.

    >>> in_math("−1,234.5"), in_math("9.7e+10")
    ('$-1{,}234.5$', '$9.7\\\\cdot10^{10}$')
    """
    mantissa, _, power = number.replace("−", "-").replace(",", "{,}").partition("e")
    return f"${mantissa}\\cdot10^{{{int(power)}}}$" if power else f"${mantissa}$"


def tabular(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int, note: str) -> str:
    """A whole tabular. left: how many columns, from the first on, are words. note: a comment above it."""
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
