"""Whether the break of a curve lies at the loss of an n-gram model of the training text."""

from collections.abc import Mapping
from dataclasses import replace

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
        f"{model} model has {known[model]:.3g} on held-out text"
    )
    return replace(fit, reasons=(*fit.reasons, Reason("n-gram-stage", "note", message)))
