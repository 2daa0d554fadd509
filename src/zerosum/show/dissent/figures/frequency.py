"""Dissent by how often the label comes: of the tokens, and of the head's rows."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zerosum.show.dissent import tables
from zerosum.show.dissent.subject import DissentOverTraining, Document, mean_of
from zerosum.show.drawing.axes import panels
from zerosum.show.drawing.legend import legend_below, run_handles
from zerosum.show.drawing.style import Layout, RunStyle, run_styles, style
from zerosum.show.numbers import count

TITLE = "Dissent by frequency of the label"
HOW_TO_READ = (
    "From left to right, tokens whose label comes ever more often among those measured; below each class, how many "
    "tokens it has. Left: mean dissent of these tokens at their last hidden states, with its 95 % interval over texts "
    "(documents or sequences) where it has one. Right: mean dissent of their labels' rows of the head; lines reach "
    "from the first to the third quartile of the rows. At most four checkpoints are drawn; the tables have all."
)
MOST = 4
SHIFT = 0.07  # of a class, between checkpoints


def plot(over: DissentOverTraining, layout: Layout = "wide") -> Figure:
    """Tokens in one panel, rows of the head in the other."""
    with style():
        drawn = chosen(over)
        with_rows = any(one["rows"] for one in over.last["frequency"])
        fig, axes = panels(1 + with_rows, layout, height=3.4, columns=2)
        looks = run_styles([f"step {count(one['step'])}" for one in drawn])
        for k, (one, look) in enumerate(zip(drawn, looks, strict=True)):
            place = SHIFT * (k - (len(drawn) - 1) / 2)
            for ax, which in zip(axes, ("token", "rows"), strict=False):
                _series(ax, one, which, look, place)
        for ax, title in zip(axes, ("Tokens: mean, 95 % interval", "Rows of the head: mean, quartiles"), strict=False):
            _axis(ax, over.last, layout)
            ax.set_title(title)
        legend_below(fig, run_handles(looks), layout)
    return fig


def chosen(over: DissentOverTraining) -> list[Document]:
    """The checkpoints that are drawn: the last one, and others spread evenly before it."""
    n = len(over.documents)
    places = {round(k * (n - 1) / (MOST - 1)) for k in range(MOST)} if n > MOST else set(range(n))
    return [over.documents[k] for k in sorted(places)]


def _series(ax: Axes, one: Document, which: str, look: RunStyle, shift: float) -> None:
    found = [each[which]["dissent"] for each in one["frequency"] if each[which]]
    values = [mean_of(each) for each in found]
    places = [k + shift for k in range(len(found))]
    for place, value, each in zip(places, values, found, strict=True):
        quantiles = each["quantiles"]
        ends = value.ends if which == "token" else (quantiles.get("25%"), quantiles.get("75%"))
        if ends and None not in ends:
            ax.vlines(place, *ends, color=look.colour, linewidth=1.2, zorder=2)
    ax.plot(places, [one.value for one in values], color=look.colour, marker=look.marker, linestyle=look.line, zorder=3)


def _axis(ax: Axes, last: Document, layout: Layout) -> None:
    classes = last["frequency"]
    least = [int(one["label_count"].partition(" ")[0].replace(",", "")) for one in classes]
    tokens = [one["token"]["loss"]["N"] for one in classes]
    names = [f"{_short(low)}+\n{_short(n)}" for low, n in zip(least, tokens, strict=True)]
    ax.set_xticks(range(len(classes)), names, fontsize=8.5 if layout == "wide" else 7)
    ax.set_xlim(-0.5, len(classes) - 0.5)
    ax.set_xlabel("occurrences of the label (below: tokens)")
    ax.set_ylabel("dissent, −cos")


def _short(n: int) -> str:
    """A count as it fits below a tick.

    >>> _short(950), _short(1024), _short(32907), _short(4_200_000)
    ('950', '1k', '33k', '4.2M')
    """
    if n < 1_000:
        return str(n)
    size, letter = (n / 1e6, "M") if n >= 999_500 else (n / 1e3, "k")
    return f"{size:.2g}{letter}" if size < 99.5 else f"{size:.0f}{letter}"


def alt(over: DissentOverTraining) -> str:
    """What the figure shows, for who cannot see it."""
    said = [
        f"{one['label_count']} times: {mean_of(one['token']['dissent']).value:.2f}" for one in over.last["frequency"]
    ]
    step = count(over.last["step"])
    return f"Mean dissent of tokens by how often their label comes, at step {step}. {'; '.join(said)}."


def table(over: DissentOverTraining) -> pd.DataFrame:
    """What is drawn, and the same of all other checkpoints."""
    return tables.frequency(over)
