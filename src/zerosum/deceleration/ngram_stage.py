"""Whether the break of a curve lies at the loss of an n-gram model of the training text."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import pairwise

from zerosum.deceleration._record import Fit, Reason

NEAR = 0.05  # of the n-gram model's loss


def with_ngram_stage(fit: Fit, losses: Mapping[str, float]) -> Fit:
    """The fit, with a note where L_d is within 5 % of the loss of an n-gram model of the training text.

    losses: name of each model -> its loss on held-out text, nats per token. The note is about the nearest. It changes
    neither verdict nor numbers. No note without a break.
    """
    known = {model: loss for model, loss in losses.items() if loss > 0}
    if not (fit.has_break and known):
        return fit
    model = min(known, key=lambda name: abs(fit.L_d / known[name] - 1))
    if abs(fit.L_d / known[model] - 1) > NEAR:
        return fit
    message = (
        f"the break lies at the loss of the {model} model of this text: L_d is {fit.L_d:.3g} nats per token, and the "
        f"{model} model has {known[model]:.3g} on held-out text{_by_chance(known.values())}"
    )
    return replace(fit, reasons=(*fit.reasons, Reason("n-gram-stage", "note", message)))


def _by_chance(losses: Iterable[float]) -> str:
    """How often a break would be so near to a model if L_d had nothing to do with them."""
    share = chance(losses)
    return "" if math.isnan(share) else f"; {100 * share:.0f} % of the losses between these models are so near to one"


def chance(losses: Iterable[float]) -> float:
    """Share of the losses between the lowest and the highest, on a logarithmic scale, that are within 5 % of any.

    NaN for fewer than two different losses.
    """
    rungs = sorted(losses)
    whole = math.log(rungs[-1] / rungs[0])
    if whole == 0:
        return math.nan
    up, down = math.log1p(NEAR), -math.log1p(-NEAR)
    gaps = [math.log(high / low) for low, high in pairwise(rungs)]
    return sum(min(gap, up + down) for gap in gaps) / whole
