"""From a curve and what the caller asks for to the points that are fitted."""

from dataclasses import dataclass
from math import isfinite

from zerosum.curves import LossCurve
from zerosum.deceleration import paper, robust
from zerosum.deceleration._record import Phase
from zerosum.deceleration.observed import Observed, observe
from zerosum.deceleration.points import Points
from zerosum.deceleration.procedures import Procedure
from zerosum.errors import InputError

PROCEDURES: dict[str, Procedure] = {one.PROCEDURE.name: one.PROCEDURE for one in (robust, paper)}


@dataclass(frozen=True)
class Prepared:
    """curve: as given. fitted: the part to fit. seen: what the curve says of its run. cutoff: steps to drop."""

    curve: LossCurve
    fitted: LossCurve
    seen: Observed
    how: Procedure
    points: Points
    cutoff: float

    @property
    def last_step(self) -> float:
        """Of the part to fit."""
        return float(self.fitted.step[-1])


def prepare(curve: LossCurve, procedure: str, cutoff: float | int | None, phase: Phase | None) -> Prepared:
    """Raises InputError for an unknown procedure or phase, or for a cut-off out of range."""
    if procedure not in PROCEDURES:
        raise InputError(f"procedure {procedure!r}: not known. Choose one of {', '.join(sorted(PROCEDURES))}.")
    how = PROCEDURES[procedure]
    if phase not in (None, "stable", "whole"):
        raise InputError(f"phase {phase!r}: not known. Choose one of stable, whole.")
    fitted, seen = observe(curve, stop=(phase or how.phase) == "stable")
    start = how.default_cutoff(fitted, seen) if cutoff is None else checked(cutoff)
    return Prepared(curve, fitted, seen, how, how.points(fitted), start)


def checked(cutoff: float | int) -> float:
    """A cut-off, if it is one."""
    if not (isfinite(cutoff) and cutoff >= 0):
        raise InputError(f"cut-off {cutoff!r}: not a step. Give 0 or a positive number of steps.")
    return float(cutoff)


def checked_level(level: float) -> float:
    """The nominal coverage of intervals, if it is one."""
    if not 0 < level < 1:
        raise InputError(f"level {level!r}: not between 0 and 1. Give the coverage of the intervals, e.g. 0.95.")
    return level
