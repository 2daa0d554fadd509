"""`zerosum dissent` on a terminal: over the checkpoints, and at the last one by place, label frequency and layer."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zerosum.cli.terminal import estimate, labelled, plain_table, screen
from zerosum.show.dissent.subject import (
    PLACES,
    READ,
    DissentOverTraining,
    Document,
    Reached,
    Value,
    known,
    mean_of,
    spreads_at,
    value_of,
)
from zerosum.show.names import printable
from zerosum.show.numbers import count, counted, decimals, number

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

WIDE = 110  # columns of a terminal from which an interval stands on one line
LEGEND = (
    "dissent: −cos of attraction towards the label and repulsion from all other tokens; 1 is total dissent, below 0 "
    "both pull one way. ratio: length of repulsion over that of attraction. cancels: share of both lengths that their "
    "sum loses. Head rows: those that are a label, each counting once. One vector: all N tokens together; its dissent "
    "is 1 wherever their mean loss is stationary, whatever the model, unless embedding and head are one matrix: read "
    "it beside the loss; compare it for equal N."
)


def show(source: str, over: DissentOverTraining, out: Path | None) -> None:
    """Print everything of one call."""
    from rich.text import Text

    console, last = screen(), over.last
    wide = console.width >= WIDE
    console.print(Text(printable(source), style="bold"))
    if len(over.documents) > 1:
        console.print(_steps(over, wide))
        console.print(labelled(_reached(over.reached)))
    console.print(Text(f"\n{_at(last)}", style="bold"))
    console.print(_places(last, wide))
    console.print(Text(LEGEND, style="dim"))
    console.print(Text("\nBy how often the label comes", style="bold"))
    console.print(_frequency(last, wide))
    if last["layers"]:
        console.print(Text("\nAll tokens together, in the layers", style="bold"))
        console.print(_layers(last))
    console.print(labelled(_said(last)))
    if out is not None:
        where = printable(str(out), 1_000)
        console.print(f"written: {where}: dissent.json, tables (CSV) and figures/", soft_wrap=True)


def _at(last: Document) -> str:
    loss = mean_of(last["loss"])
    places = decimals(*loss)
    ends = f" [{', '.join(number(end, places) for end in loss.ends)}]" if loss.ends else ""
    return f"Step {count(last['step'])}: mean loss {number(loss.value, places)}{ends} nats per token"


def _cell(found: Value, wide: bool) -> "Text":
    from rich.text import Text

    return estimate(*found, wide) if found.ends else Text(_plain(found.value))


def _plain(value: float) -> str:
    """A number without an interval, a dash for NaN; near 1, where the distance to it counts, with more digits.

    >>> _plain(0.5), _plain(0.99541), _plain(-0.25), _plain(12.3456)
    ('0.500', '0.9954', '−0.250', '12.3')
    """
    if 0.99 <= abs(value) < 1:
        return number(value, 4)
    return number(value, 3 if abs(value) < 10 else decimals(value))


def _steps(over: DissentOverTraining, wide: bool) -> "Table":
    from rich.text import Text

    table = plain_table("step", "mean loss\nnats/token", *(name.replace(", ", ",\n") for name in PLACES.values()))
    table.title, table.title_justify, table.title_style = "dissent", "left", "bold"
    losses, found = over.losses(), [over.over_steps(place) for place in PLACES]
    for k, step in enumerate(over.steps):
        table.add_row(Text(count(step)), *(_cell(each[k], wide) for each in (losses, *found)))
    return table


def _reached(reached: Sequence[Reached]) -> Iterator[tuple[str, str]]:
    for one in reached:
        found, what = one.found, f"{PLACES[one.place].partition(',')[0]} at {one.level:g}"
        if not one.known:
            yield "reached", f"{what}: {found['reason']}"
            continue
        low, high = (count(step) for step in found["between"])
        later = "" if found["stays"] else "; later it falls below again"
        step, loss = number(found["step"], decimals(found["step"])), number(found["loss"], 2)
        yield "reached", f"{what}: about step {step}, mean loss {loss}, between checkpoints {low} and {high}{later}"


def _places(last: Document, wide: bool) -> "Table":
    from rich.text import Text

    table = plain_table("", "dissent", "ratio", "cancels", "N")
    for place, name in PLACES.items():
        values = [value_of(last, place, one) for one in READ]
        if all(math.isnan(one.value) for one in values):
            continue
        spreads = spreads_at(last, place)
        n = spreads["dissent"]["N"] if spreads else last["N"]
        table.add_row(Text(name), *(_cell(one, wide) for one in values), Text(count(n)))
        if spreads:
            ranges = [_range(spreads[one]["quantiles"]) for one in READ]
            table.add_row(*(Text(one, style="dim") for one in ("  5 % to 95 %", *ranges, "")))
    return table


def _range(quantiles: Document) -> str:
    return f"{number(quantiles['5%'], 2)} to {number(quantiles['95%'], 2)}" if quantiles else "—"


def _frequency(last: Document, wide: bool) -> "Table":
    from rich.text import Text

    headings = ("mean loss\nnats/token", "dissent\ntokens", "ratio\ntokens", "dissent\nhead rows")
    table = plain_table("times", "labels", "tokens", *headings)
    for one in last["frequency"]:
        token, rows = one["token"], one["rows"]
        cells = [_cell(mean_of(token[name]), wide) for name in ("loss", "dissent", "magnitude_ratio")]
        cells.append(_cell(mean_of(rows["dissent"]), wide) if rows else Text("—"))
        counts = (Text(count(one["n_labels"])), Text(count(token["loss"]["N"])))
        table.add_row(Text(one["label_count"]), *counts, *cells)
    return table


def _layers(last: Document) -> "Table":
    from rich.text import Text

    table = plain_table("layer", "coordinates", "dissent", "ratio", "cancels")
    for one in (*last["layers"], {"name": "whole body", **last["body"]}):
        cells = [Text(_plain(known(one[name]))) for name in READ]
        table.add_row(Text(printable(one["name"], 60)), Text(count(one["numel"])), *cells)
    return table


def _said(last: Document) -> Iterator[tuple[str, str]]:
    yield "tokens", f"N = {count(last['N'])} in {counted(last['n_sequences'], 'sequence')}"
    if last["head"]:
        yield "head rows", f"{count(last['head']['n_unlabelled'])} more are no label, so nothing attracts them"
    if left_out := last["token"]["dissent"]["left_out"]:
        yield "left out", f"{counted(left_out, 'token')} with a force of 0, or too small for the model's precision"
    if last["token"]["dissent"]["interval"]:
        units = counted(last["n_units"], last["units"])
        yield "brackets", f"95 % intervals of means over tokens, by bootstrap over {units}"
    yield from (("no interval", f"of {what}: {why}") for why, what in _without_interval(last).items())
    yield from (("note", f"{note}.") for note in last["notes"][1:])  # the first one is in the legend


def _without_interval(last: Document) -> dict[str, str]:
    """Reason -> what it leaves without an interval."""
    found: dict[str, list[str]] = {}
    if "interval_reason" in last["token"]["dissent"]:
        found[last["token"]["dissent"]["interval_reason"]] = ["means over tokens"]
    else:
        for one in last["frequency"]:
            if why := one["token"]["dissent"].get("interval_reason"):
                found.setdefault(why, []).append(f"tokens whose label comes {one['label_count']} times")
    if last["head"]:
        found.setdefault(last["head"]["rows"]["dissent"]["interval_reason"], []).append("means over head rows")
    for place in ("head", "body"):
        if last[place]:
            found.setdefault(last[place]["interval_reason"], []).append(place)
    return {why: " and ".join(names) for why, names in found.items()}
