"""Dissent against step, with the loss of the same tokens beside it."""

from typing import Any

from zerosum.dissent import PLACES, DissentOverTraining, Place
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.report import Report
from zerosum.show.sections import _dissent as shared
from zerosum.tokens.ngrams import NgramLadder

TITLE = "Dissent over training"
PLACE = 62
HOW_TO_READ = (
    "Left: −cos of attraction towards the labels and repulsion from all other tokens. At 1, total dissent, neither can "
    "improve the loss without the other undoing it; at 0 they are unrelated, below 0 they help each other. Tokens: "
    "each at its own last hidden state, mean with its 95 % interval. Head rows: of each label's row, all tokens "
    "together. Head and body: all tokens together and all their coordinates as one vector; this is 1 wherever the mean "
    "loss of these tokens is stationary, whatever the model (unless embedding and head are one matrix), so read it "
    "beside the loss on the right. Open marks: where head or body first reaches the levels of the dotted lines, "
    "between two checkpoints."
)
DOTTED = (0, (1, 1.5))
Looks = dict[Place, "d.RunStyle"]


def absent(report: Report) -> str | None:
    """A single checkpoint has no course over training."""
    if (why := shared.none(report)) is not None:
        return why
    over = shared.measured(report)
    if len(over.checkpoints) == 1:
        return "one checkpoint was measured; give the run directory to measure all of its checkpoints"
    return None if _drawn(over) else "dissent is not known at any checkpoint"


def _drawn(over: DissentOverTraining) -> list[Place]:
    return [place for place in PLACES if any(estimate.known for estimate in over.over_steps(place))]


def _looks() -> "Looks":
    return {
        "token": d.RunStyle(d.SERIES[0], "o", "-", shared.NAMES["token"], 1.0),
        "rows": d.RunStyle(d.SERIES[5], "s", d.LINES[2], shared.NAMES["rows"], 1.0),
        "head": d.RunStyle(d.SERIES[4], "^", d.LINES[1], shared.NAMES["head"], 1.0),
        "body": d.RunStyle(d.SERIES[1], "D", "-", shared.NAMES["body"], 1.0),
    }


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """Dissent in one panel, mean loss in the other."""
    over, looks = shared.measured(report), _looks()
    with d.style():
        fig, (dissent, loss) = d.panels(2, layout, height=3.4, columns=2)
        for place in _drawn(over):
            d.with_band(dissent, over.steps, over.over_steps(place), looks[place])
        d.with_band(loss, over.steps, over.losses(), d.RunStyle(d.INK, "o", "-", None, 1.0))
        _levels(over, dissent, loss, looks)
        for ax, label in ((dissent, "dissent, −cos"), (loss, "nats per token")):
            d.log_axis(ax, "x", over.steps, pad=1.3, most=12)
            ax.set_xlabel("step")
            ax.set_ylabel(label)
        dissent.set_title("Attraction against repulsion")
        loss.set_title(f"Mean loss of the same {n.count(over.last.N)} tokens")
        ladder = report.only(NgramLadder)
        rungs = d.rung_lines(loss, ladder.by_model if ladder else {})
        d.legend_below(fig, [*_legend(over, looks), *rungs], layout)
    return fig


def _levels(over: DissentOverTraining, dissent: "d.Axes", loss: "d.Axes", looks: Looks) -> None:
    """Lines at the levels and at total dissent, and marks where head and body first reach them."""
    dissent.axhline(1, color=d.MUTED, linewidth=0.8, zorder=1)
    for place, crossing in over.reached:
        dissent.axhline(crossing.level, color=d.MUTED, linewidth=0.8, linestyle=DOTTED, zorder=1)
        if crossing.code == "reached":
            look = looks[place]
            for ax, height in ((dissent, crossing.level), (loss, crossing.loss)):
                mark, edge = look.marker, look.colour
                ax.plot(crossing.step, height, mark, color=d.PAPER, markeredgecolor=edge, markersize=7, zorder=5)


def _legend(over: DissentOverTraining, looks: Looks) -> "list[d.Line2D]":
    entries = d.run_handles([looks[place] for place in _drawn(over)])
    if levels := sorted({crossing.level for _, crossing in over.reached if crossing.code == "reached"}):
        words = " or ".join(f"{level:g}" for level in levels)
        entries.append(d.entry(f"first at {words}", marker="o", color=d.PAPER, markeredgecolor=d.INK, markersize=7))
    return entries


def alt(report: Report) -> str:
    """Alt text."""
    over = shared.measured(report)
    first, last = n.count(over.steps[0]), n.count(over.steps[-1])
    courses = []
    for place, name in shared.NAMES.items():
        values = over.over_steps(place)
        courses.append(f"{name}: {n.number(values[0].value, 3)} to {n.number(values[-1].value, 3)}")
    losses = over.losses()
    return (
        f"Dissent and mean loss against step, from step {first} to {last}. {'; '.join(courses)}; mean loss: "
        f"{n.number(losses[0].value, 3)} to {n.number(losses[-1].value, 3)} nats per token."
    )


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each checkpoint."""
    return list(shared.place_rows(shared.measured(report)))
