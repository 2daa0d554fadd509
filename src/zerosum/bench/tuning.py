"""Tuning of a learning rate: the same number of rates for every arm, chosen by the loss after the cooldown.

Rates are a factor of 2 apart around the arm's own. The best few of short runs are trained over the whole horizon, and
the best of these wins. A best rate at the edge extends the grid once by two rates; if the best is still at an edge, the
arm is undertuned. Pure: results come in, and the rates that are still needed go out.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

EXTENSION = 2  # rates that are added beyond an edge
FACTOR = 2.0

Losses = Mapping[tuple[float, bool], float]
"""Loss by (rate, whether over the whole horizon): the mean over tuning seeds, infinite where one diverged. Rates whose
runs are not all done are absent."""


@dataclass(frozen=True)
class Tuning:
    """How far the tuning of an arm is.

    rates: of the grid, extended where it was. needed: (rate, full) whose runs have to be trained first; none of them
    left: `best` is the best rate. at_edge: it is the lowest or the highest that was tried, or nothing converged.
    """

    rates: tuple[float, ...]
    needed: tuple[tuple[float, bool], ...] = ()
    best: float = math.nan
    at_edge: bool = False


def grid(center: float, number: int) -> tuple[float, ...]:
    """Rates around a center, a factor of 2 apart.

    >>> grid(1.0, 5), grid(1.0, 4)
    ((0.25, 0.5, 1.0, 2.0, 4.0), (0.5, 1.0, 2.0, 4.0))
    """
    first = -((number - 1) // 2)
    return tuple(_rounded(center * FACTOR**power) for power in range(first, first + number))


def tune(center: float, number: int, finalists: int, losses: Losses) -> Tuning:
    """Where the tuning of an arm is, from the results that are there.

    >>> tune(1.0, 3, 1, {}).needed
    ((0.5, False), (1.0, False), (2.0, False))
    >>> short = {(0.5, False): 2.0, (1.0, False): 1.9, (2.0, False): 2.1}
    >>> tune(1.0, 3, 1, short).needed, tune(1.0, 3, 1, {**short, (1.0, True): 1.8}).best
    (((1.0, True),), 1.0)
    """
    rates, extended = grid(center, number), False
    while True:
        needed = _missing(rates, False, losses)
        if needed:
            return Tuning(rates, needed)
        order = sorted(rates, key=lambda rate: (losses[rate, False], rate))
        if not extended and _at_edge(order[0], rates):
            rates, extended = _extended(rates, order[0]), True
            continue
        full = order[:finalists]
        needed = _missing(full, True, losses)
        if needed:
            return Tuning(rates, needed)
        best = min(full, key=lambda rate: (losses[rate, True], rate))
        if not extended and _at_edge(best, rates):
            rates, extended = _extended(rates, best), True
            continue
        return Tuning(rates, (), best, _at_edge(best, rates) or math.isinf(losses[best, True]))


def _missing(rates: tuple[float, ...] | list[float], full: bool, losses: Losses) -> tuple[tuple[float, bool], ...]:
    return tuple((rate, full) for rate in rates if (rate, full) not in losses)


def _at_edge(rate: float, rates: tuple[float, ...]) -> bool:
    return rate in (rates[0], rates[-1])


def _extended(rates: tuple[float, ...], edge: float) -> tuple[float, ...]:
    """Rates with more beyond the edge."""
    if edge == rates[0]:
        return (*(_rounded(edge / FACTOR**k) for k in range(EXTENSION, 0, -1)), *rates)
    return (*rates, *(_rounded(edge * FACTOR**k) for k in range(1, EXTENSION + 1)))


def _rounded(rate: float) -> float:
    return float(f"{rate:.6g}")
