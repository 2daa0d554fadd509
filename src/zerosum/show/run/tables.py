"""The tables of the page on one run: pairs, groups, concordance, tokens that moved most."""

from zerosum.interference import Interference
from zerosum.interference.labelled import GroupsOverTime, HeatMap, Moved, StoreFindings
from zerosum.show import numbers as n
from zerosum.show.interference_words import steps
from zerosum.show.run.figures.groups import shown
from zerosum.show.run.heat import visible
from zerosum.show.tables import Cell, Table, measured

CONTEXT = 28  # characters before a token


def interfering(found: Interference, form: n.Form) -> Cell:
    """One number of a measurement with its interval, or why it has none."""
    ends = getattr(found.interval, form.symbol) if found.interval else None
    why = found.reasons.get(form.symbol) or found.interval_reason
    return measured(getattr(found, form.symbol), ends, form, "" if ends else f"no interval: {why}")


def pairs(losses: StoreFindings) -> Table:
    """Every pair of checkpoints with N, nulls, intervals and noise floor."""
    columns = (
        ("Steps", ""),
        ("N", "tokens"),
        ("D", ""),
        ("M", "nats per token"),
        ("R", "net ratio"),
        ("delta_L", "nats per token"),
        ("Harmful share", ""),
        ("null", "D, a sign per token"),
        ("null_unit", f"D, a sign per {losses.last.units}"),
        ("excess", "D − null_unit"),
        ("Noise floor", "largest D by differences of this size"),
    )
    rows = []
    for pair in losses.found.pairs:
        found, noise = pair.measured, pair.noise_floor
        rows.append((
            Cell(f"{steps(pair)}{' *' if pair.problem else ''}", note=pair.problem or ""),
            Cell(n.count(found.N), note=f"{n.count(found.left_out)} left out" if found.left_out else ""),
            *(interfering(found, form) for form in (n.D, n.M, n.R, n.DELTA_L, n.SHARE)),
            *(Cell(n.number(value, 3)) for value in (found.null, found.null_unit, found.excess)),
            Cell("—", note="not measured") if noise.reason else Cell(f"{noise.D:.2g}", note=f"M {noise.M:.2g} nats"),
        ))  # fmt: skip
    return Table("Every pair of checkpoints", columns, tuple(rows))


def groups(one: GroupsOverTime) -> Table:
    """The groups of the last pair; those with the largest net changes where there are many."""
    pair, split = one.last
    columns = (
        ("Group", ""),
        ("w", "share of movement"),
        ("R", "net ratio inside"),
        ("D", "inside"),
        ("null, null_unit", "D by chance"),
        ("M", "nats per token"),
        ("delta_L", "own, nats per token"),
        ("Net share", "of the net change"),
        ("N", "tokens"),
    )
    rows = []
    for group, found in shown(split):
        nulls = Cell(n.number(found.null, 3), n.number(found.null_unit, 3))
        main = (Cell(group.name), Cell(n.percent(group.w)))
        rest = [interfering(found, form) for form in (n.R, n.D, n.M, n.DELTA_L)]
        share = Cell(n.percent(group.net_share).replace("-", "−"))
        rows.append((*main, *rest[:2], nulls, *rest[2:], share, Cell(n.count(group.N))))
    hidden = len(split.split.groups) - len(rows)
    more = f": the {len(rows)} with the largest net change of {n.count(hidden + len(rows))}" if hidden else ""
    return Table(f"By {one.by}, steps {steps(pair)}{more}", columns, tuple(rows))


def where(losses: StoreFindings) -> Table:
    """Cancelling between the groups and within them at the last pair, for every grouping."""
    columns = (
        ("Groups", ""),
        ("C_between", "1: no cancelling there"),
        ("of random groups", "C_between by chance"),
        ("C_within", "1: no cancelling there"),
        ("C = 1 − D", "their product"),
    )
    rows = []
    for one in losses.groups:
        pair, groups = one.last
        parts = groups.split
        numbers = (parts.C_between, parts.C_between_null, parts.C_within, 1 - pair.measured.D)
        name = Cell(f"by {one.by}", note=f"{n.count(len(parts.groups))} groups")
        rows.append((name, *(Cell(n.number(value, 3)) for value in numbers)))
    return Table(f"Where it cancels, steps {steps(losses.last)} (no intervals)", columns, tuple(rows))


def concordance(losses: StoreFindings) -> Table:
    """Agreement of signs between pairs, beside what independent signs would give."""
    columns = (
        ("Steps", ""),
        ("and then", ""),
        ("Shared checkpoint", ""),
        ("Agree", "% of movement"),
        ("By chance", "% of movement"),
        ("Excess", "% points"),
        ("N", "tokens"),
    )
    rows = []
    for row in losses.found.persistence:
        found = row.found
        ends = found.intervals.get("excess")
        excess = measured(100 * found.excess, (100 * ends[0], 100 * ends[1]) if ends else None, n.PLAIN)
        why = "" if ends else f"no interval: {found.interval_reason}"
        rows.append((
            Cell(_between(row.first)),
            Cell(_between(row.second)),
            Cell("yes" if row.shares_checkpoint else "no"),
            Cell(n.number(100 * found.agreement, 1)),
            Cell(n.number(100 * found.expected, 1)),
            Cell(excess.main, excess.below, why),
            Cell(n.count(found.N)),
        ))  # fmt: skip
    return Table("Agreement of signs between pairs of checkpoints", columns, tuple(rows))


def _between(pair: tuple[int, int]) -> str:
    return f"{n.count(pair[0])} → {n.count(pair[1])}"


def moved(heat: HeatMap) -> Table:
    """Single predictions and token ids that lost and gained most, in their text."""
    columns = (
        ("What", ""),
        ("Net change", "nats, sum"),
        ("N", "predictions"),
        ("Mean", "nats per prediction"),
        ("Text", "the token stands in › ‹"),
    )
    rows = tuple(
        (
            Cell("one prediction" if one.kind == "prediction" else "all of one id"),
            Cell(("+" if one.net > 0 else "") + n.number(one.net, 2)),
            Cell(n.count(one.N)),
            Cell(("+" if one.net > 0 else "") + n.number(one.mean, n.decimals(one.mean, None))),
            _text(one),
        )
        for one in heat.moved
        if one.kind != "document"
    )
    between = _between((heat.from_step, heat.to_step))
    return Table(f"Tokens that lost and gained most, steps {between}", columns, rows)


def _text(one: Moved) -> Cell:
    own = f"›{visible(one.text)}‹".replace("\n", "")
    if one.kind == "token":
        return Cell(own, note=f"id {one.token}")
    before = visible(one.context).replace("\n", "")[-CONTEXT:] if one.context else ""
    return Cell(before + own, note=f"sequence {one.sequence}, position {one.position}")
