"""How a number is written for people: rounded to what its interval supports, its interval beside it.

JSON and CSV carry full precision; this is only for pages, figures and terminals. Loads nothing heavy: a terminal
shows a fit sooner than matplotlib loads.
"""

import math
from dataclasses import dataclass

Ends = tuple[float, float] | None
SCALES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
WORDS = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"), (1e3, "thousand"))
HUGE = 1e9  # from here on digits are counted, not written


@dataclass(frozen=True)
class Form:
    """How one quantity is written.

    symbol: its name in JSON. unit: "" for a ratio. digits: significant ones where no interval says how many.
    most: decimal places never exceeded. places: decimal places where they are fixed. scale: what people read is the
    number times this, 100 for percent. signed: whether a positive number has its plus.
    """

    symbol: str
    unit: str = ""
    digits: int = 3
    most: int = 6
    places: int | None = None
    scale: float = 1.0
    signed: bool = False


PLAIN = Form("")
PERCENT = Form("", "%", scale=100.0)
L_D = Form("L_d", "nats per token")
T_D = Form("t_d", "steps")
R_D = Form("r_d", "")
RSLE = Form("rsle", "")
CRITERION = Form("criterion", "", digits=2, most=4)
TERM = Form("nats", "nats per token", places=4, signed=True)
LOSS = Form("final_loss", "nats per token")
D = Form("D", "", most=3)
M = Form("M", "nats per token")
R = Form("R", "", most=3)
DELTA_L = Form("delta_L", "nats per token")
SHARE = Form("harmful_share", "", most=3)


def decimals(value: int | float, ends: Ends = None, form: Form = PLAIN) -> int:
    """Decimal places: two significant digits of the interval's half width, or `digits` of the value without one.

    >>> decimals(2.5858, (2.53, 2.64), L_D), decimals(176.3, (150.0, 210.0), T_D), decimals(0.0123, None, M)
    (3, 0, 4)
    """
    half = (ends[1] - ends[0]) / 2 if ends else 0.0
    size, wanted = (half, 2) if half > 0 and math.isfinite(half) else (abs(value), form.digits)
    if size == 0 or not math.isfinite(size):
        return 0
    return max(0, min(form.most, wanted - 1 - math.floor(math.log10(size))))


def number(value: int | float, places: int) -> str:
    """One number with a true minus sign and thousands separators; a dash where it is not known.

    >>> number(-1234.5, 1), number(float("nan"), 2), number(9.68e10, 0), number(-0.001, 2)
    ('−1,234.5', '—', '9.7e+10', '0.00')
    """
    if not math.isfinite(value):
        return "—"
    return (f"{value:.1e}" if abs(value) >= HUGE else f"{value:z,.{places}f}").replace("-", "−")


def bracket(ends: Ends, places: int) -> str:
    """An interval, or nothing where there is none. It does not break over two lines.

    >>> bracket((2.531, 2.644), 2), bracket(None, 2)
    ('[2.53,\xa02.64]', '')
    """
    return f"[{number(ends[0], places)},\xa0{number(ends[1], places)}]" if ends else ""


def text(value: float, ends: Ends, form: Form, unit: bool = True) -> str:
    """Value, interval and unit in one line.

    >>> text(2.5858, (2.53, 2.64), L_D), text(0.0123, None, D)
    ('2.586 [2.530,\xa02.640] nats per token', '0.012')
    """
    places = decimals(value, ends, form)
    parts = (number(value, places), bracket(ends, places), form.unit if unit else "")
    return " ".join(part for part in parts if part)


def written(value: float, ends: Ends, form: Form) -> tuple[str, str]:
    """A number and its interval as people read them, both to the same decimal place: scaled, with a sign if asked.

    >>> written(0.25, (0.2, 0.3), PERCENT), written(0.5, None, Form("", signed=True, places=1))
    (('25.0', '[20.0,\xa030.0]'), ('+0.5', ''))
    """
    value = form.scale * value
    ends = (form.scale * ends[0], form.scale * ends[1]) if ends else None
    places = decimals(value, ends, form) if form.places is None else form.places
    signs = (_signed if form.signed else number)(value, places)
    if ends is None:
        return signs, ""
    low, high = ((_signed if form.signed else number)(end, places) for end in ends)
    return signs, f"[{low},\xa0{high}]"


def _signed(value: float, places: int) -> str:
    text = number(value, places)
    return f"+{text}" if value > 0 and text.strip("0.,") else text


def count(n: int | float | None) -> str:
    """A whole number with thousands separators; others as short as they are; a dash where it is not known.

    >>> count(262152.0), count(0.5), count(float("nan"))
    ('262,152', '0.5', '—')
    """
    if n is None or not math.isfinite(n):
        return "—"
    return f"{n:,.0f}" if n == math.floor(n) and abs(n) < HUGE else f"{n:g}"


def params(N: float) -> str:
    """A number of parameters.

    >>> params(1.44e9), params(66758784.0)
    ('1.44B', '66.8M')
    """
    scale, unit = next(((scale, unit) for scale, unit in SCALES if scale <= N), (1.0, ""))
    return f"{N / scale:.3g}{unit}"


def in_words(largest: float, unit: str = "") -> Form:
    """How counts up to the largest are written: in thousands, millions, ... of a unit.

    >>> in_words(8.4e6, "tokens").unit, in_words(300.0).unit
    ('million tokens', '')
    """
    scale, word = next(((scale, word) for scale, word in WORDS if scale <= largest), (1.0, ""))
    return Form("", f"{word} {unit}".strip(), scale=1 / scale)


def counted(n: int, what: str) -> str:
    """So many of something, whose plural ends in s.

    >>> counted(1, "sequence"), counted(1_024, "document")
    ('1 sequence', '1,024 documents')
    """
    return f"{count(n)} {what}{'' if n == 1 else 's'}"


def percent(share: float, ends: Ends = None) -> str:
    """A share as a percentage with its interval, with more digits where it is small.

    >>> percent(0.2486), percent(0.0123, (0.0101, 0.0149)), percent(float("nan"))
    ('25\xa0%', '1.2\xa0% [1.0,\xa01.5]', '—')
    """
    if not math.isfinite(share):
        return "—"
    places = 0 if abs(share) >= 0.0995 else 1 if abs(share) >= 0.00995 else 2
    low_high = (100 * ends[0], 100 * ends[1]) if ends else None
    return f"{100 * share:.{places}f}\xa0% {bracket(low_high, places)}".rstrip(" ")
