"""Section: how much cancels between averages of weights, beside the weights of each step."""

from collections.abc import Iterator
from typing import Any

from zerosum.interference.labelled import AveragedPair, AveragedStore, RawAndAveraged
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.report import Report
from zerosum.show.table import Column, Table, Text, Value

TITLE = "Averaged weights"
PLACE = 31.5
HOW_TO_READ = (
    "Each point is a pair of checkpoints, drawn at the earlier step: once for the weights of these steps (raw), once "
    "for averages of weights that end there. Averaging removes movement that would average out along the optimizer's "
    "path. What D remains is opposition between tokens, or a floor that the model has met. M says how far the average "
    "token's loss moved. Bands are 95 % intervals over whole documents or sequences. Hollow points: the later average "
    "still holds iterates from before the earlier step, which makes both ends alike by itself."
)
FORMULAS = {
    "Averages of weights": (
        "<code>last:K</code>: the mean of the last K iterates (LAWA). <code>ema:β</code>: iterates weighted by "
        "β<sup>age</sup>, with weights that sum to 1 (bias correction as in Adam). Losses are measured at the averaged "
        "weights; they are not averages of losses. D averaged − D raw and M averaged / M raw have a paired bootstrap-t "
        "over the same units."
    ),
}
SHOWN = 1  # pairs of each average in the first answer on a terminal
QUANTITIES = {"D": "destructive interference D", "M": "movement M (nats per token)"}
CHANGE = n.Form("change_in_D", "", most=3, signed=True)
COLUMNS = (
    Column("average"),
    Column("steps"),
    Column("D_raw", "D raw", form=n.D, interval=True),
    Column("D_averaged", "D averaged", form=n.D, interval=True),
    Column("change_in_D", "D averaged − D raw", form=CHANGE, interval=True),
    Column("M_raw", "M raw", "nats per token", form=n.M, interval=True),
    Column("M_averaged", "M averaged", "nats per token", form=n.M, interval=True),
    Column("M_ratio", "M averaged / M raw", form=n.Form("M_ratio", "", most=3), interval=True),
    Column("delta_L_raw", "ΔL raw", "nats per token", form=n.DELTA_L, interval=True),
    Column("delta_L_averaged", "ΔL averaged", "nats per token", form=n.DELTA_L, interval=True),
    Column("overlap", "overlap", "share", form=n.SHARE),
    Column("N", "N", "tokens"),
)


def absent(report: Report) -> str | None:
    """Only runs whose averages were measured."""
    return None if _stores(report) else ""


def _stores(report: Report) -> list[tuple[str, AveragedStore]]:
    """(name of run and average, average) of every run."""
    records = report.each(RawAndAveraged)
    several = len(records) > 1
    return [
        (f"{label}, {store.average}" if several else store.average, store)
        for label, record in records
        for store in record.stores
    ]


def _last(store: AveragedStore) -> AveragedPair:
    """The last pair, of those whose averages have no iterates in common if there are any."""
    return ([pair for pair in store.pairs if not pair.shares_iterates] or store.pairs)[-1]


def headline(report: Report) -> str:
    """D of averaged and of raw weights at the last pair."""
    name, store = _stores(report)[0]
    pair = _last(store)
    return (
        f"{_where(name, pair)}: D is {n.text(pair.averaged.D, None, n.D)} averaged and "
        f"{n.text(pair.raw.D, None, n.D)} raw."
    )


def sentences(report: Report) -> Iterator[str]:
    """What averaging changes at the last pair, and what was averaged."""
    for name, store in _stores(report):
        yield _sentence(name, _last(store))
    yield from dict.fromkeys(store.about for _, store in _stores(report) if store.about)


def _where(name: str, pair: AveragedPair) -> str:
    return f"Averages {name}, steps {n.count(pair.from_step)} to {n.count(pair.to_step)}"


def _sentence(name: str, pair: AveragedPair) -> str:
    ratio, change = pair.M_ratio, pair.change_in_D
    return (
        f"{_where(name, pair)}: D averaged − D raw is {n.text(change.value, change.interval, CHANGE)}. M averaged is "
        f"{n.text(ratio.value, ratio.interval, n.SHARE)} times M raw. The mean loss "
        f"{_moved(pair.averaged.delta_L)} averaged, {_moved(pair.raw.delta_L)} raw."
    )


def _moved(delta_L: float) -> str:
    verb = "falls" if delta_L <= 0 else "rises"
    return f"{verb} by {n.number(abs(delta_L), n.decimals(delta_L))}"


def answer(report: Report) -> Iterator[Table | str]:
    """The last pairs of each average."""
    shown = [(name, pair) for name, store in _stores(report) for pair in store.pairs[-SHOWN:]]
    rows = tuple((Text(name), _steps(pair), *_short(pair)) for name, pair in shown)
    heads = ("averages", "steps", "D raw", "D averaged", "difference", "M ratio")
    columns = tuple(Column(head, on=("terminal",)) for head in heads)
    overlapping = "* Both averages have iterates in common. " if any(pair.shares_iterates for _, pair in shown) else ""
    yield Table("", "", columns, rows, legend=f"{overlapping}M ratio: M averaged over M raw.")


def _short(pair: AveragedPair) -> tuple[Text, ...]:
    change = pair.change_in_D
    return (
        *(Text(n.text(measured.D, None, n.D)) for measured in (pair.raw, pair.averaged)),
        Text(n.text(change.value, change.interval, CHANGE)),
        Text(n.text(pair.M_ratio.value, None, n.SHARE)),
    )


def _steps(pair: AveragedPair) -> Text:
    note = "both averages have iterates in common" if pair.shares_iterates else ""
    return Text(f"{n.count(pair.from_step)} to {n.count(pair.to_step)}{' *' if note else ''}", note=note)


def tables(report: Report) -> Iterator[Table]:
    """Every pair of every average, raw and averaged."""
    rows: list[tuple[Value, ...]] = [
        (
            name,
            _steps(pair),
            *(pair.raw.estimate("D"), pair.averaged.estimate("D"), pair.change_in_D),
            *(pair.raw.estimate("M"), pair.averaged.estimate("M"), pair.M_ratio),
            *(pair.raw.estimate("delta_L"), pair.averaged.estimate("delta_L")),
            *(pair.overlap, pair.raw.N),
        )
        for name, store in _stores(report)
        for pair in store.pairs
    ]
    legend = "D averaged − D raw: below 0, averaging removes cancelling. overlap: of both averages, in iterates."
    yield Table("averages", "Raw and averaged weights at every pair of checkpoints", COLUMNS, tuple(rows), legend)


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """D and M of the raw weights and of each kind of average against step."""
    stores = _stores(report)
    longest = max((store for _, store in stores), key=lambda store: len(store.pairs))
    curves = [("raw", longest, "raw"), *((f"averages {name}", store, "averaged") for name, store in stores)]
    with d.style():
        fig, axes = d.panels(2, layout, height=2.9, columns=2)
        looks = d.run_styles([name for name, *_ in curves])
        steps = [pair.from_step for _, store, _ in curves for pair in store.pairs]
        for ax, quantity in zip(axes, QUANTITIES, strict=True):
            drawn = zip(curves, looks, strict=True)
            values = [value for (_, store, which), look in drawn for value in _curve(ax, store, which, quantity, look)]
            d.log_axis(ax, "x", steps, pad=1.25)
            ax.set_xlabel("earlier step t of the pair")
            ax.set_ylabel(QUANTITIES[quantity])
            if quantity == "M":
                d.log_axis(ax, "y", values, pad=1.3)
            else:
                ax.set_ylim(-0.02, 1.04)
        shared = d.entry("averages with iterates in common", marker="o", markerfacecolor=d.PAPER)
        d.legend_below(fig, [*d.run_handles(looks), shared], layout)
    return fig


def _curve(ax: "d.Axes", store: AveragedStore, which: str, quantity: str, look: "d.RunStyle") -> list[float]:
    """Draw one quantity of the raw or the averaged weights; its values."""
    steps = [pair.from_step for pair in store.pairs]
    estimates = [getattr(pair, which).estimate(quantity) for pair in store.pairs]
    d.with_band(ax, steps, estimates, look)
    hollow = [k for k, pair in enumerate(store.pairs) if which == "averaged" and pair.shares_iterates]
    points = [steps[k] for k in hollow], [estimates[k].value for k in hollow]
    ax.plot(*points, linestyle="", marker=look.marker, markerfacecolor=d.PAPER, markeredgecolor=look.colour, zorder=4)
    return [estimate.value for estimate in estimates]


def alt(report: Report) -> str:
    """Alt text."""
    shown = "D and M of each pair of checkpoints, of raw and of averaged weights, against step."
    return " ".join([shown, headline(report), *sentences(report)])


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each pair and kind of weights."""
    return [
        {"average": name, "weights": which, "from_step": pair.from_step, "to_step": pair.to_step}
        | d.interference_columns(getattr(pair, which))
        | {"overlap": pair.overlap}
        for name, store in _stores(report)
        for pair in store.pairs
        for which in ("raw", "averaged")
    ]
