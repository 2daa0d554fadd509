"""Names of the logged values, all under `zerosum/`. docs/monitor.md has this table; the names are a contract."""

from typing import Literal

from zerosum.curves.monitor_rows import PREFIX

Span = Literal["step", "batch", "double", "double_average"]

SPANS: dict[Span, str] = {
    "step": "held-out tokens, over one update",
    "batch": "tokens of the batch, over its own update",
    "double": "held-out tokens, from half this many steps to this step",
    "double_average": "held-out tokens at averaged weights, from half this many steps to this step",
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
FACTORS = {
    "C_between": "1 - D of the net changes of the groups",
    "C_within": "1 - D inside groups, so that C_between C_within = 1 - D",
}
SPLIT_SPANS: tuple[Span, ...] = ("step", "double")
LOSS = PREFIX + "loss"
LOSS_AVERAGE = PREFIX + "loss_average"
C_G, C_UG, C_UPDATE = PREFIX + "C_g", PREFIX + "C_ug", PREFIX + "C_uG"
NOISE_SCALE, COSINE = PREFIX + "noise_scale", PREFIX + "micro_cosine"
CONFLICT_RATE, CONFLICT_RATE_NULL = PREFIX + "conflict_rate", PREFIX + "conflict_rate_null"
COST = PREFIX + "cost"
WARNINGS = PREFIX + "warnings"
WARNING, MESSAGE, REASON = PREFIX + "warning", PREFIX + "message", PREFIX + "reason"  # texts
STEP = PREFIX + "step"  # in our own loop alone, whose rows count the update
T_D, L_D, R_D = PREFIX + "t_d", PREFIX + "L_d", PREFIX + "r_d"
L_END, TOTAL_STEPS = PREFIX + "L_end", PREFIX + "total_steps"
FORECAST_ERROR = PREFIX + "forecast_error"
OTHERS = {
    LOSS: "mean loss of the held-out tokens before the update, nats per token",
    LOSS_AVERAGE: "the same at averaged weights",
    C_G: "first order, of an update u: do tokens agree: sum_j abs(sum_i p_ij) / sum_ij abs(p_ij)",
    C_UG: "first order, of an update u: sum_i abs(sum_j p_ij) / sum_ij abs(p_ij), with p_ij = g_ij u_j",
    C_UPDATE: "first order, of an update u: abs(sum_ij p_ij) / sum_j abs(sum_i p_ij); 1 - D is C_g C_uG / C_ug",
    NOISE_SCALE: "gradient noise scale of micro-batches, tokens; only where noise does not hide the gradient",
    COSINE: "mean cosine between the gradients of two micro-batches",
    CONFLICT_RATE: "share of pairs of micro-batches whose gradients have a negative product",
    CONFLICT_RATE_NULL: "that share where gradients are noise alone",
    COST: "time of the monitor over time of training, so far",
    WARNINGS: "warnings told so far, see below; also logged at once when one is told",
    T_D: "step of the break in the training loss; only where a break is shown",
    L_D: "loss at the break, nats per token",
    R_D: "log-log rate after the break",
    L_END: "expected training loss at the last step, nats per token, if the fitted law goes on",
    TOTAL_STEPS: "the last step, where it is known",
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
    factors = {
        name_of(number, span): f"{meaning}: {SPANS[span]}"
        for span in SPLIT_SPANS
        for number, meaning in FACTORS.items()
    }
    return spans | factors | OTHERS
