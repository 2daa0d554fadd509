"""What a grid of learning rates says: how much the loss depends on the rate, and where between them the best lies."""

import math
from collections.abc import Mapping

import numpy as np

from zerosum.estimate import Estimate

OCTAVES = 2  # on either side of the best rate
NEAR = 0.05  # octaves by which a rate may miss its place
NATS = "nats per token"


def rate_sensitivity(losses: Mapping[float, float], best: float, highest: float = math.nan) -> Estimate:
    """Mean of what the loss is above its lowest at the 5 rates from best / 4 to 4 best, nats per token.

    losses: mean over tuning seeds by rate, after equal training; infinite where a run diverged. A loss counts as at
    most `highest`, that of a unigram model: a diverged run predicts no better. No value where one of these rates was
    not tried, or a run diverged and `highest` is not known. Source: Wortsman et al. 2024, arXiv 2309.14322, over a
    fixed window.
    """
    wanted = [best * 2.0**k for k in range(-OCTAVES, OCTAVES + 1)]
    nearest = [min(losses, key=lambda lr: abs(math.log2(lr / rate)), default=math.nan) for rate in wanted]
    missing = [r for r, lr in zip(wanted, nearest, strict=True) if not abs(math.log2(lr / r)) < NEAR]
    if missing:
        reason = f"rates not tried: {', '.join(f'{rate:.3g}' for rate in missing)}"
        return Estimate(math.nan, reason=reason, N=len(wanted) - len(missing), of="rates", unit=NATS)
    known = [losses[lr] if math.isnan(highest) else min(losses[lr], highest) for lr in nearest]
    reason = "one grid of rates; no interval over seeds"
    if not all(map(math.isfinite, known)):
        reason = "a run diverged or is missing, and the loss of a unigram model is not known"
    value = float(np.mean(known)) - min(known) if all(map(math.isfinite, known)) else math.nan
    return Estimate(value, reason=reason, N=len(known), of="rates", unit=NATS)


def best_between(losses: Mapping[float, float]) -> float:
    """Lowest point of the parabola in log rate through the lowest loss of a grid of rates and its two neighbours.

    NaN where the lowest loss lies at the edge, a neighbour diverged, or the three are equal: then it is not known.
    """
    rates = sorted(losses)
    best = min(rates, key=losses.__getitem__, default=math.nan)
    if not rates or best in (rates[0], rates[-1]):
        return math.nan
    place = rates.index(best)
    near = rates[place - 1 : place + 2]
    y = [losses[lr] for lr in near]
    if not all(map(math.isfinite, y)) or y[0] + y[2] <= 2 * y[1]:
        return math.nan
    a, b, _ = np.polyfit(np.log(np.array(near) / best), y, 2).tolist()
    return best * math.exp(-b / (2 * a))
