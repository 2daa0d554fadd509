"""Does a curve bend more than once? Then neither a power law nor the one-break law describes it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from zerosum.deceleration._record import Reason
from zerosum.deceleration.bnsl import BNSL
from zerosum.deceleration.late_drop import EARLIEST
from zerosum.deceleration.local_slopes import largest_turn
from zerosum.deceleration.models import CLEARLY, MODELS, ONE_BREAK, compare_points

BETTER = 2.0  # error on left-out stretches of the better of power law and one break, over that of more breaks
LEAST = 0.01  # of the loss; a law that misses the curve by less, other than by noise, is good enough
AGAIN = 0.5  # rise of the rate after a deceleration, over the fall at its break
STRETCHES = 4  # of equal length in log step, between the break and the last third of the run
POWER_LAW, MORE = "power law", ("two breaks", "three breaks")
LAWS = tuple(law for law in MODELS if law.name in (POWER_LAW, ONE_BREAK, *MORE))


@dataclass(frozen=True)
class Bends:
    """Two or three breaks. t_d: steps. rates: log-log, before the first break and after each.

    better: how many times smaller the error on left-out stretches is than that of the best law with one break or none.
    """

    t_d: tuple[float, ...]
    rates: tuple[float, ...]
    better: float


def more_bends(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], block: Int[np.ndarray, " n"]) -> Bends | None:
    """The law with two breaks, or three where these predict clearly better, if it beats fewer breaks by far; else None.

    x: [n] log steps. y: [n] log losses. block: [n] as `Points.blocks` numbers them. Takes 0.2 s.
    """
    rows = {row.name: row for row in compare_points(x, y, block, LAWS)}
    fewer = min(rows[name].criterion for name in (POWER_LAW, ONE_BREAK))
    two, three = (rows[name] for name in MORE)
    best = three if three.criterion * CLEARLY < two.criterion else two
    if not best.criterion * BETTER < fewer:
        return None
    K = (best.n_params - 2) // 3
    rates = np.cumsum([best.params[name] for name in ("r", *(f"g{k + 1}" for k in range(K)))])
    places = (float(np.exp(best.params[f"log_t{k + 1}"])) for k in range(K))
    return Bends(tuple(places), tuple(rates.tolist()), fewer / best.criterion)


def structured_misfit(residual: Float[np.ndarray, " n"]) -> float:
    """Standard deviation of the part of residuals that is not noise from point to point, as second differences show it.

    residual: [n] of log loss, in the order of steps.
    """
    if len(residual) < 3:
        return 0.0
    noise = float(np.mean(np.diff(residual, 2) ** 2)) / 6
    return float(np.sqrt(max(float(np.mean(residual**2)) - noise, 0.0)))


def bends_instead(
    x: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " n"],
    block: Int[np.ndarray, " n"],
    residual: Float[np.ndarray, " n"],
) -> Reason | None:
    """The reason that the curve bends more than once, or None. residual: of the law with one break, or of none."""
    bends = more_bends(x, y, block) if structured_misfit(residual) > LEAST else None
    if bends is None:
        return None
    number, places = len(bends.t_d), " and ".join(f"{t_d:.0f}" for t_d in bends.t_d)
    text = (
        f"the curve bends more than once: {number} breaks, at steps {places} (log-log rates "
        f"{', '.join(f'{rate:.2g}' for rate in bends.rates)}), predict left-out stretches {bends.better:.2g} times "
        f"better than one or none. Look there, with --breaks {number}"
    )
    return Reason("bends-more-than-once", "blocking", text)


def falls_fast_again(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], law: BNSL, widen: float) -> bool:
    """Whether the rate rises again after a deceleration, before the last third of the run, where rates often decay.

    widen: factor of the standard errors for noise that depends on its neighbours.
    """
    part = (x > np.log(law.t_d)) & (x < x[-1] + np.log(EARLIEST))
    rise = largest_turn(x[part], -y[part], widen=widen, stretches=STRETCHES) if part.any() else 0.0
    return bool(law.c1 < 0 and rise > -AGAIN * law.c1)
