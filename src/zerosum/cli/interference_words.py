"""`zerosum interference` on a terminal: one table of pairs, and what it says in words."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from zerosum.cli.interference_groups import about_groups, groups_table
from zerosum.cli.interference_time import about_persistence, moved_table, persistence_table
from zerosum.cli.terminal import estimate, labelled, plain_table, screen
from zerosum.show import interference_words as words
from zerosum.show.names import printable
from zerosum.show.numbers import count, decimals, number, percent

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from zerosum.interference.labelled import PairInterference, StoreInterference

WIDE = 110  # columns of a terminal from which every number has a column

LEGEND = (
    "D: share of all movement of the N losses that cancels. chance: D with random signs, of each token above, of each "
    "{unit} below; excess: D minus the latter. M: mean size of a change, ΔL: change of the mean loss, nats per token. "
    "worse: share of all movement that raises a loss. [brackets]: {level:g} % intervals over {unit}s."
)


def show(found: "Sequence[tuple[str, StoreInterference]]") -> None:
    """Print everything of each store."""
    from rich.text import Text

    console = screen()
    wide = console.width >= WIDE
    for source, one in found:
        if not one.pairs:
            continue
        last = one.last
        if len(found) > 1:
            console.print(_heading(printable(source)))
        console.print(_wide_pairs(one.pairs) if wide else _pairs(one.pairs))
        console.print(Text(_legend(last), style="dim"))
        console.print(labelled(_sentences(one)))
        if not one.sound:
            continue
        if last.groups:
            console.print(_heading(f"By {last.groups.by}, steps {words.steps(last)}"))
            console.print(groups_table(last.groups, wide))
            console.print(labelled(about_groups(one.sound)))
        if one.persistence:
            console.print(_heading("Do the same tokens keep paying?"))
            console.print(persistence_table(one.persistence))
            console.print(labelled(about_persistence(one)))
        if moved := one.moved[last.from_step, last.to_step]:
            console.print(_heading(f"Lost and gained most, steps {words.steps(last)}"))
            console.print(moved_table(moved))


def _heading(words: str) -> "Text":
    from rich.text import Text

    return Text(f"\n{words}", style="bold")


def _legend(pair: "PairInterference") -> str:
    level = pair.measured.interval.level if pair.measured.interval else 0.95
    return LEGEND.format(unit=pair.units, level=100 * level)


def _pairs(pairs: "Sequence[PairInterference]") -> "Table":
    """Two lines for each pair, which fit 80 columns."""
    from rich.text import Text

    table = plain_table("steps", "D", "chance", "excess\nworse", "M nats\nN", "ΔL\nnats")
    for pair in pairs:
        found, ends = pair.measured, pair.measured.interval
        mark = " *" if pair.problem else ""
        table.add_row(
            Text(f"{count(pair.from_step)} to\n{count(pair.to_step)}{mark}"),
            estimate(found.D, ends.D if ends else None, True),
            Text(f"{number(found.null, 3)}\n{number(found.null_unit, 3)}"),
            Text(f"{number(found.excess, 3)}\n{percent(found.harmful_share)}"),
            Text(f"{number(found.M, decimals(found.M, ends.M if ends else None))}\n{count(found.N)}"),
            estimate(found.delta_L, ends.delta_L if ends else None, True),
        )
    return table


def _wide_pairs(pairs: "Sequence[PairInterference]") -> "Table":
    """The same with a column for every number, and all intervals."""
    from rich.text import Text

    table = plain_table("steps", "D", "chance", "excess", "M\nnats", "ΔL\nnats", "worse\n%", "N")
    for pair in pairs:
        found, ends = pair.measured, pair.measured.interval
        worse = (100 * ends.harmful_share[0], 100 * ends.harmful_share[1]) if ends else None
        mark = " *" if pair.problem else ""
        table.add_row(
            Text(f"{count(pair.from_step)} to {count(pair.to_step)}{mark}"),
            estimate(found.D, ends.D if ends else None, True),
            Text(f"{number(found.null, 3)}\n{number(found.null_unit, 3)}"),
            Text(number(found.excess, 3)),
            estimate(found.M, ends.M if ends else None, True),
            estimate(found.delta_L, ends.delta_L if ends else None, True),
            estimate(100 * found.harmful_share, worse, True),
            Text(count(found.N)),
        )
    return table


def _sentences(one: "StoreInterference") -> Iterator[tuple[str, str]]:
    """What the table says, and all that limits it."""
    if one.sound:
        yield from _summary(one)
    else:
        yield "says", words.set_aside(one)
    if one.sound and (aside := words.set_aside(one)):
        yield "left aside", aside
    if len({pair.measured.N for pair in one.pairs}) > 1:
        yield "N differs", "D of pairs with different N cannot be compared; read each against its own chance."
    if most := max(pair.measured.left_out for pair in one.pairs):
        torn = max(pair.one_sided for pair in one.pairs)
        lost = f", up to {count(torn)} of them at one of the two steps only: was it interrupted?" if torn else ""
        yield "left out", f"up to {count(most)} position{'s' * (most > 1)} without a loss{lost}"
    yield "noise", words.noise(one.sound or one.pairs)
    yield from (("problem", text) for text in one.problems)
    if one.unpaired:
        yield "unpaired", f"no step within 5 % of twice {', '.join(map(count, one.unpaired))}"


def _summary(one: "StoreInterference") -> Iterator[tuple[str, str]]:
    """What the last sound pair says, how it differs from the first, and whether it differs from chance."""
    last = one.last
    yield "says", words.harm(last)
    if change := words.first_to_last(one):
        yield "", change
    if last.measured.interval is None:
        yield "no interval", last.measured.interval_reason or ""
    elif math.isfinite(last.measured.null_unit):
        yield "chance", words.against_chance(last)
