"""What every table of a page is made of: numbers with their interval below them, or why there is none."""

from dataclasses import dataclass

from zerosum.deceleration import Fit
from zerosum.show import numbers as n
from zerosum.show.words import BREAKS, VERDICTS


@dataclass(frozen=True)
class Cell:
    """One cell. main: the number or word. below: its interval. note: N, or why something is missing."""

    main: str
    below: str = ""
    note: str = ""


@dataclass(frozen=True)
class Table:
    """columns: (heading, unit). rows: the first cell of each is its heading."""

    caption: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Cell, ...], ...]


def measured(value: int | float, ends: n.Ends, form: n.Form, note: str = "") -> Cell:
    """A number with its interval below it, both to the same decimal place."""
    places = n.decimals(value, ends, form)
    return Cell(n.number(value, places), n.bracket(ends, places), note)


def fitted(fit: Fit, form: n.Form) -> Cell:
    """One number of a break; a dash with the verdict where there is no break to speak of."""
    if fit.verdict not in BREAKS:
        return Cell("—", note=VERDICTS[fit.verdict])
    ends = fit.intervals.get(form.symbol)
    why = "" if ends else f"no interval: {fit.interval_reasons.get(form.symbol, 'not given')}"
    return measured(getattr(fit, form.symbol), ends, form, why)
