"""C_g and C_uG / C_ug against step: which factor of what is left of the first-order changes becomes smaller."""

import math
from collections.abc import Iterator
from typing import Any

from zerosum.estimate import Estimate
from zerosum.gradients import GradientInterference, GradientsOverTraining
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.report import Report
from zerosum.show.section import with_sentences
from zerosum.show.sections import _gradient_axes as axes
from zerosum.show.sections import _gradient_words as words

TITLE = "Do tokens disagree, or coordinates?"
PLACE = 52
OF_ONE_RUN = GradientsOverTraining
HOW_TO_READ = (
    "What is left of all first-order loss changes when tokens are added up is a product: 1 − D_first_order = C_g × "
    "C_uG / C_ug. With p the part of a coordinate in the first-order change of a token's loss, C_g says how much "
    "tokens agree, coordinate by coordinate (1: in every coordinate all tokens gain or all lose). C_uG / C_ug "
    "compares coordinates: how much they agree when tokens have been added (C_uG) with how much they agree inside "
    "one token (C_ug); below 1 coordinates agree less about the batch than about a token. The three axes have one "
    "logarithmic scale, so that heights can be compared: the curves of the first two panels, added, give the "
    "triangles of the third. D rises with whichever factor falls. Diamonds are what is left of the real loss "
    "changes, which need not be the same. The grey lines are what chance would leave of the first-order changes, "
    "with a random sign for each token or for each text (document or sequence). Bands are 95 % intervals: of D over "
    "these texts, of C for the draw of a sample."
)
NAMES = ("C_g", "C_ug", "C_uG", "D_first_order", "D_loss", "null", "null_unit")
FORMULAS = {
    "C_g, C_ug, C_uG": """With u the update and <code>p_ij = g_ij u_j</code>: <code>C_g = Σ_j |Σ_i p_ij| /
Σ_ij |p_ij|</code>, <code>C_ug = Σ_i |Σ_j p_ij| / Σ_ij |p_ij|</code>,
<code>C_uG = |Σ_ij p_ij| / Σ_j |Σ_i p_ij|</code>, over all trainable
parameters; <code>1 − D_first_order = C_g C_uG / C_ug</code>.""",
}


def absent(report: Report) -> str | None:
    """Where fewer than two checkpoints were measured with an update, or by a method that has no C_ug."""
    over = report.only(GradientsOverTraining)
    if over is None:
        return ""
    known = [
        checkpoint for checkpoint in over.checkpoints if checkpoint.estimate("C_g").known and ratio(checkpoint).known
    ]
    if not known and over.last.is_proxy:
        return "method positionwise forms no token gradient, so there is no C_ug"
    if not known:
        return next(number.reason for number in map(over.last.estimate, ("C_g", "C_ug", "C_uG")) if not number.known)
    return None if len(known) > 1 else "one checkpoint was measured with an update, and this figure is about several"


def ratio(checkpoint: GradientInterference) -> Estimate:
    """C_uG / C_ug. Its interval is that of C_ug, where C_uG is exact."""
    over, under = checkpoint.estimate("C_uG"), checkpoint.estimate("C_ug")
    known = over.known and under.value > 0
    ends = under.interval if known and under.interval and under.interval[0] > 0 else None
    return Estimate(
        over.value / under.value if known else math.nan,
        (over.value / ends[1], over.value / ends[0]) if ends else None,
        under.reason,
        checkpoint.N,
        "tokens",
    )


def sentences(report: Report) -> Iterator[str]:
    """Which factor changed by how much."""
    if text := change_in_factors(words.measured(report)):
        yield text


def change_in_factors(over: GradientsOverTraining) -> str:
    """By how much each factor of 1 - D_first_order changed: what the arithmetic says, which names no cause."""
    pairs = [(checkpoint.step or 0, _factors(checkpoint)) for checkpoint in over.main.checkpoints]
    known = [(step, factors) for step, factors in pairs if factors]
    if len(known) < 2:
        return ""
    (first, (C_first, ratio_first)), (last, (C_last, ratio_last)) = known[0], known[-1]
    agree, coordinates = C_last / C_first, ratio_last / ratio_first
    larger = "C_g" if abs(math.log(agree)) > abs(math.log(coordinates)) else "C_uG / C_ug"
    same_way = (agree < 1) == (coordinates < 1)
    most = f"in logarithms most of it is {larger}" if same_way else f"the two changed in opposite ways, {larger} more"
    return (
        f"From step {n.count(first)} to {n.count(last)} what is left of the first-order loss changes, "
        f"1 − D_first_order, changed by a factor of {agree * coordinates:.2g}: C_g (tokens agree) by {agree:.2g} times "
        f"C_uG / C_ug (coordinates agree) by {coordinates:.2g}; {most}. This is arithmetic on two checkpoints; "
        "it has no interval and names no cause."
    )


def _factors(checkpoint: GradientInterference) -> tuple[float, float] | None:
    C, over, under = (checkpoint.value(name) for name in ("C_g", "C_uG", "C_ug"))
    known = all(math.isfinite(value) and value > 0 for value in (C, over, under))
    return (C, over / under) if known else None


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """Both factors and their product."""
    over = words.measured(report)
    with d.style():
        fig, panels = d.panels(3, layout, height=2.9, columns=3)
        reached = axes.series(panels[0], over, axes.reading("C_g"), axes.BLUE)
        reached += axes.series(panels[1], over, ratio, axes.ORANGE)
        reached += axes.series(panels[2], over, axes.remainder("D_first_order"), axes.GREEN, floor=1e-9)
        reached += axes.series(panels[2], over, axes.remainder("D_loss"), axes.PURPLE, floor=1e-9)
        reached += _nulls(panels[2], over)
        heads = ("C_g (tokens)", "C_uG / C_ug (coordinates)", f"1 − D ({axes.title_N(over)})")
        for ax, head in zip(panels, heads, strict=True):
            ax.set_title(head)
            ax.axhline(1, color=d.MUTED, linewidth=0.8, zorder=1)
            d.log_axis(ax, "y", [*reached, 1.0], pad=1.3, most=7)
            axes.step_axis(ax, axes.steps_of(over.checkpoints))
        axes.warn(fig, over, layout)
        d.legend_below(fig, [*_entries(), *d.null_handles(over.units), *axes.handles(over)], layout)
    return fig


def _nulls(ax: "d.Axes", over: GradientsOverTraining) -> list[float]:
    """What chance would leave; returns the values the axis has to reach."""
    from zerosum.show.drawing.interference_series import TOKEN_NULL, UNIT_NULL

    reached = []
    for name, dashes in {"null": TOKEN_NULL, "null_unit": UNIT_NULL}.items():
        left = [axes.remainder(name)(checkpoint).value for checkpoint in over.checkpoints]
        reached += [value for value in left if math.isfinite(value)]
        steps = axes.steps_of(over.checkpoints)
        ax.plot(steps, left, color=d.MUTED, linestyle=dashes, linewidth=1, zorder=1.5)
    return reached


def _entries() -> "list[d.Line2D]":
    return [
        axes.entry("C_g", axes.BLUE),
        axes.entry("C_uG / C_ug", axes.ORANGE),
        axes.entry("first-order changes, 1 − D_first_order", axes.GREEN),
        axes.entry("real changes, 1 − D_loss", axes.PURPLE),
    ]


alt = with_sentences(
    "C_g, C_uG / C_ug, and 1 − D of first-order and of real loss changes, against step, with what chance would leave.",
    sentences,
)


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each checkpoint, with intervals."""
    return [
        axes.row(checkpoint, NAMES) | {"C_uG_over_C_ug": ratio(checkpoint).value}
        for checkpoint in words.measured(report).checkpoints
    ]
