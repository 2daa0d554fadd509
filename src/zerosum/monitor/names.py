"""Names of the logged values, all under `zerosum/`. docs/monitor.md has this table; the names are a contract."""

from typing import Literal

Span = Literal["step", "batch", "double"]

PREFIX = "zerosum/"
SPANS: dict[Span, str] = {
    "step": "held-out tokens, over one update",
    "batch": "tokens of the batch, over its own update",
    "double": "held-out tokens, from half this many steps to this step",
}
NUMBERS = {
    "D": "destructive interference of the loss changes, 0 to 1",
    "R": "net ratio of the loss changes, -1 to 1; positive is worse",
    "M": "mean size of a loss change, nats per token",
    "delta_L": "mean loss change, nats per token",
    "harmful_share": "share of all movement that raises losses, 0 to 1",
    "null_unit": "D if the sign of each sequence or document were random",
    "excess": "D minus null_unit",
    "N": "predicted tokens that were measured; D of different N cannot be compared",
}
ENDS = {
    "D_low": "lower end of the 95 % interval of D",
    "D_high": "upper end of the 95 % interval of D",
}
LOSS = PREFIX + "loss"
COST = PREFIX + "cost"
STEP = PREFIX + "step"  # in our own loop alone, whose rows count the update
T_D, L_D, R_D = PREFIX + "t_d", PREFIX + "L_d", PREFIX + "r_d"
L_END, TOTAL_STEPS = PREFIX + "L_end", PREFIX + "total_steps"
FORECAST_ERROR = PREFIX + "forecast_error"
OTHERS = {
    LOSS: "mean loss of the held-out tokens before the update, nats per token",
    COST: "time of the monitor over time of training, so far",
    T_D: "step of the break in the training loss; only where a break is shown",
    L_D: "loss at the break, nats per token",
    R_D: "log-log rate after the break",
    L_END: "expected training loss at the last step, nats per token, if the fitted law goes on",
    TOTAL_STEPS: "the last step, of L_end",
    FORECAST_ERROR: "loss forecast at half this many steps over the loss that came, minus 1",
}


def name_of(number: str, span: Span) -> str:
    """The logged name of one number.

    >>> name_of("D", "step"), name_of("harmful_share", "step")
    ('zerosum/D_step', 'zerosum/harmful_share')
    """
    plain = number == "harmful_share" and span == "step"
    return f"{PREFIX}{number}" if plain else f"{PREFIX}{number}_{span}"


def meanings() -> dict[str, str]:
    """Every name with its meaning, in the order of the table."""
    spans = {
        name_of(number, span): f"{meaning}: {place}"
        for span, place in SPANS.items()
        for number, meaning in (NUMBERS | ENDS).items()
    }
    return spans | OTHERS
