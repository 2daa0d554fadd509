"""`zerosum interference --by` on a terminal: each group of tokens, and which groups pay for which."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from zerosum.cli.terminal import estimate, plain_table
from zerosum.show import interference_words as words
from zerosum.show.names import printable
from zerosum.show.numbers import count, number, percent

if TYPE_CHECKING:
    from rich.table import Table

    from zerosum.interference import Group, Interference
    from zerosum.interference.labelled import MeasuredGroups, PairInterference

SHOWN = 16
NAME = (18, 40)  # characters of a name in a narrow and a wide terminal
EARLIER = 8


def groups_table(groups: "MeasuredGroups", wide: bool) -> "Table":
    """The groups in their order, or those with the largest net changes where there are many; two lines for each."""
    from rich.text import Text

    table = plain_table("group\nN", "share,\nmoved", "D", "chance", "own ΔL\nnats", "share,\nnet ΔL")
    largest = sorted(groups.split.groups, key=lambda group: -abs(float(group.sums.net.sum())))[:SHOWN]
    shown = {group.name for group in largest}
    for group, found in _each(groups):
        if group.name not in shown:
            continue
        ends = found.interval
        table.add_row(
            Text(f"{printable(group.name, NAME[wide])}\n{count(group.N)}"),
            Text(percent(group.w)),
            estimate(found.D, ends.D if ends else None, True),
            Text(f"{number(found.null, 3)}\n{number(found.null_unit, 3)}"),
            estimate(found.delta_L, ends.delta_L if ends else None, True),
            Text(percent(group.net_share).replace("-", "−")),
        )
    return table


def _each(groups: "MeasuredGroups") -> "Iterator[tuple[Group, Interference]]":
    return zip(groups.split.groups, groups.measured, strict=True)


def about_groups(pairs: "Sequence[PairInterference]") -> Iterator[tuple[str, str]]:
    """What the groups are, where the cancelling is, and which groups moved against the mean loss of the last pair."""
    last = pairs[-1]
    groups = last.groups
    if groups is None:
        return
    parts = groups.split
    yield "groups", f"{groups.note}."
    if (hidden := len(parts.groups) - SHOWN) > 0:
        yield "", f"Shown are the {SHOWN} with the largest net change; {count(hidden)} more: --json, --out."
    yield "who pays", words.who_pays(groups, last.measured.delta_L)
    yield (
        "where",
        f"{words.where(groups, last.measured)} Groups differ in N: read each D against its own chance.",
    )
    earlier = [(pair, pair.groups.split) for pair in pairs[:-1][-EARLIER:] if pair.groups]
    if earlier:
        products = (
            f"{count(pair.from_step)} to {count(pair.to_step)}: "
            f"{number(split.C_between, 3)} × {number(split.C_within, 3)}"
            for pair, split in earlier
        )
        yield "before", f"between × within, steps {'; '.join(products)}"
    if bare := sum(found.interval is None for found in groups.measured):
        yield "no interval", f"{count(bare)} of {count(len(groups.measured))} groups: in fewer than 20 {last.units}s"
