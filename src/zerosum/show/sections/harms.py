"""Who harms whom: what a step on the tokens of one group of tokens does to the loss of each other group."""

import math
from collections.abc import Iterator
from typing import Any

from zerosum.interference.labelled import HarmCell, HarmMatrices, HarmMatrix, HarmRow, HarmSplit
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.names import printable, short_distinct_names
from zerosum.show.report import Report
from zerosum.show.section import with_sentences
from zerosum.show.table import PEOPLE, Column, Table, Text, Value, with_ends

TITLE = "Who harms whom"
PLACE = 37
OF_ONE_RUN = HarmMatrices
HOW_TO_READ = (
    "A row is the group of training tokens that a step is taken on, a column the group of held-out tokens that is "
    "measured: orange, the loss of the column rises (harm); blue, it falls (help). Numbers are changes of the mean "
    "loss in units of 0.001 nats per token; · marks a cell whose 95 % interval contains 0. Left: real steps on one "
    "group alone, without what momentum and decay do in every step, which is the row below them. Right: the share of "
    "each group in one step on all tokens, to first order; these rows, with momentum and decay, sum up to the whole "
    "step, which is the last row."
)
FORMULAS = {
    "Who harms whom": (
        "All steps start from the weights and moments of the checkpoint. <b>Real</b>: L(θ + u(g_h)) − L(θ + u(0)), "
        "with g_h the mean gradient of the tokens of group h, clipped as in the run, and u(0) the step at a gradient "
        "of zero: momentum and weight decay. <b>Share</b>: Σ_j g_ij u_hj, with u_h the Shapley value of group h in "
        "the update u(Σ_h w_h g_h): how much the update changes when the part w_h g_h is added, the mean over orders "
        "of adding the groups. <code>u(0) + Σ_h u_h = u</code>. For SGD, u_h = −lr w_h g_h. <b>Asymmetry</b>: "
        "|A − Aᵀ| / |A + Aᵀ| over the cells off the diagonal."
    )
}
SPECIAL = {"no-gradient": "momentum and decay", "all-tokens": "all tokens"}
NATS = n.Form("delta_L", "nats per token", digits=2, signed=True)
MILLI = 1_000


def absent(report: Report) -> str | None:
    """Only `zerosum step --by` measures it."""
    return None if report.only(HarmMatrices) else ""


def _matrices(report: Report) -> tuple[HarmMatrix, ...]:
    harms = report.only(HarmMatrices)
    return harms.matrices if harms else ()


def headline(report: Report) -> str:
    """Which step helps and which harms another group most."""
    return " ".join(_answer(matrix) for matrix in _matrices(report)[:1])


def _answer(matrix: HarmMatrix) -> str:
    others = sorted((cell.measured.delta_L, h, g, cell) for h, g, cell in matrix.cells() if h != g)
    if not others or others[0][0] == others[-1][0] == 0:
        return f"By {matrix.by}: a step on one group changes no other group."
    words = []
    for verb, (value, h, g, cell) in (("helps", others[0]), ("harms", others[-1])):
        if (value < 0) == (verb == "helps") and value:
            unsure = "" if cell.delta_L.excludes(0) else ", not distinguishable from 0"
            words.append(f"on {_name(matrix, h)} {verb} {_name(matrix, g)} most ({_nats(cell)}{unsure})")
    if others[-1][0] <= 0:
        words.append("no step harms another group")
    return (
        f"By {matrix.by}: a step {'; one '.join(words[:2])}."
        if others[-1][0] > 0
        else (f"By {matrix.by}: a step {words[0]}, and no step harms another group on average.")
    )


def _name(matrix: HarmMatrix, k: int) -> str:
    return short_distinct_names(matrix.groups, 24)[k]


def _nats(cell: HarmCell) -> str:
    return " ".join(part for part in n.written(cell.delta_L.value, cell.delta_L.interval, NATS) if part)


def answer(report: Report) -> Iterator[Table | str]:
    """For each group whom a step on it helps and harms most, and how much of all harm stays inside the groups."""
    matrices = _matrices(report)
    for matrix in matrices[:1]:
        yield _short(matrix)
        yield _where(matrix.harm_real)
        yield _asymmetry(matrix)
        yield from (f"Note: {note}." for note in matrix.notes)
    yield from map(_answer, matrices[1:])


def sentences(report: Report) -> Iterator[str]:
    """Each grouping: answer, where the harm falls, asymmetry, whole step, and how it was measured."""
    for matrix in _matrices(report):
        yield _answer(matrix)
        yield f"Steps on one group alone: {_where(matrix.harm_real)}"
        yield f"One step on all tokens, first order: {_where(matrix.harm_shares)}"
        yield _asymmetry(matrix)
        yield _whole(matrix)
        yield _many(matrix)
        yield f"Groups: {matrix.by_note}. {_tokens(matrix)}"
        yield from (f"Note: {note}." for note in matrix.notes)


def _where(split: HarmSplit) -> str:
    if not split.inside.known:
        return "No token of any group gets worse."
    idle = ""
    if split.no_gradient:
        idle = f", {n.percent(split.no_gradient.value, split.no_gradient.interval)} is of momentum and decay"
    return (
        f"{n.percent(split.inside.value, split.inside.interval)} of all harm to tokens falls inside the group of the "
        f"step, {n.percent(split.between.value, split.between.interval)} on other groups{idle}; were it all the same "
        f"whose step it is, {n.percent(split.expected_inside)} of the harm of groups would fall inside."
    )


def _asymmetry(matrix: HarmMatrix) -> str:
    pairs = matrix.pairs
    if not matrix.asymmetry.known:
        return "No two groups change each other, so there is no asymmetry to measure."
    sure = [pair for pair in pairs if pair.difference.excludes(0)]
    return (
        f"Asymmetry |A − Aᵀ| / |A + Aᵀ| = {n.number(matrix.asymmetry.value, 2)} (0: two groups do the same to each "
        f"other); the difference excludes 0 in {n.count(len(sure))} of {n.counted(len(pairs), 'pair')}."
    )


def _whole(matrix: HarmMatrix) -> str:
    first, real = matrix.first_order_sum(-1), matrix.real[-1].cells[-1]
    text = f"The step on all tokens changes the mean held-out loss by {n.written(first, None, NATS)[0]} to first order"
    return f"{text}, the sum of the shares, and by {_nats(real)} for real." if real else f"{text}."


def _many(matrix: HarmMatrix) -> str:
    cells = [cell for _, _, cell in matrix.cells()]
    sure = sum(cell.delta_L.excludes(0) for cell in cells)
    return (
        f"{n.count(sure)} of {n.counted(len(cells), 'cell')} are distinguishable from 0 by their own 95 % interval; "
        f"were there no effect at all, about {n.number(0.05 * len(cells), 1)} would be."
    )


def _tokens(matrix: HarmMatrix) -> str:
    low, high = min(matrix.train_tokens), max(matrix.train_tokens)
    tokens = " to ".join(dict.fromkeys(n.number(value, 0) for value in (low, high)))
    return f"Each row is a step on {tokens} training tokens; batches: {n.count(matrix.n_batches)}."


def _short(matrix: HarmMatrix) -> Table:
    columns = tuple(Column(name, on=PEOPLE) for name in ("a step on", "itself", "helps most", "harms most", "all"))
    return Table("", "", columns, tuple(_extremes(matrix, h) for h in range(len(matrix.groups))), _legend(matrix))


def _legend(matrix: HarmMatrix) -> str:
    return (
        "Change of the mean held-out loss, 0.001 nats per token, by a real step on one group, beyond momentum and "
        "decay. ·: the 95 % interval contains 0, or there is none."
    )


def _extremes(matrix: HarmMatrix, h: int) -> tuple[Value, ...]:
    others = [(cell.measured.delta_L, g, cell) for row, g, cell in matrix.cells() if row == h and g != h]
    low, high = (min(others)[1:], max(others)[1:]) if others else (None, None)

    names = short_distinct_names(matrix.groups, 13)

    def named(found: "tuple[int, HarmCell] | None", sign: int) -> Text:
        if found is None or sign * found[1].measured.delta_L <= 0:
            return Text("—")
        return Text(f"{names[found[0]]} {_milli(found[1])}")

    row = matrix.real[h].cells
    return (Text(names[h]), _cell(row[h]), named(low, -1), named(high, 1), _cell(row[-1]))


def _cell(cell: HarmCell | None) -> Text:
    return Text("—" if cell is None else _milli(cell))


def _milli(cell: HarmCell) -> str:
    value = MILLI * cell.measured.delta_L
    return n.written(value, None, NATS)[0] + ("" if cell.delta_L.excludes(0) else "·")


def tables(report: Report) -> Iterator[Table]:
    """Both matrices, every cell with its interval."""
    for matrix in _matrices(report):
        yield _short(matrix)
        for kind, rows in (("real", matrix.real), ("first_order", matrix.shares)):
            yield _cells(matrix, kind, rows)


def _cells(matrix: HarmMatrix, kind: str, rows: tuple[HarmRow, ...]) -> Table:
    columns = (
        Column("step_on", "step on", on=PEOPLE),
        Column("measured_on", "measured on", on=PEOPLE),
        Column("delta_L", "ΔL", "nats per token", n.DELTA_L, on=PEOPLE),
        Column("D", form=n.D, on=PEOPLE),
        Column("M", unit="nats", form=n.M, on=PEOPLE),
        Column("N", unit="changes", on=PEOPLE),
    )
    found = [(row, name, cell) for row in rows for name, cell in zip(_columns(matrix), row.cells, strict=True) if cell]
    shown = tuple(
        (
            Text(printable(_row_name(row), 40)),
            Text(printable(name, 40)),
            cell.delta_L,
            cell.measured.estimate("D"),
            cell.measured.estimate("M"),
            cell.measured.N,
        )
        for row, name, cell in found
    )
    words = "a real step on one group alone" if kind == "real" else "the shares of one step, to first order"
    stem = f"harms_{matrix.by.replace('-', '_')}_{kind}"
    csv = [_flat(row, name, cell) for row, name, cell in found]
    return Table(stem, f"By {matrix.by}: {words}", columns, shown).with_csv(csv)


def _columns(matrix: HarmMatrix) -> tuple[str, ...]:
    return (*matrix.groups, "all held-out")


def _row_name(row: HarmRow) -> str:
    return SPECIAL.get(row.kind, row.name)


def _flat(row: HarmRow, column: str, cell: HarmCell) -> dict[str, Any]:
    document: dict[str, Any] = {"row": row.kind, "step_on": _row_name(row), "measured_on": column}
    document |= with_ends("delta_L", cell.delta_L)
    for name in ("R", "D", "M", "harmful_share"):
        document |= with_ends(name, cell.measured.estimate(name))
    return document | {"N": cell.measured.N, "null": cell.measured.null, "null_unit": cell.measured.null_unit}


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """Two heat maps for each grouping: real steps on one group alone, and the shares of one step on all tokens."""
    matrices = _matrices(report)
    tallest = max(len(matrix.groups) for matrix in matrices) + 3
    with d.style():
        fig, axes = d.panels(2 * len(matrices), layout, height=1.1 + 0.27 * tallest, columns=2)
        for k, matrix in enumerate(matrices):
            _panel(axes[2 * k], matrix, matrix.real, f"by {matrix.by}: real steps on one group", layout)
            _panel(axes[2 * k + 1], matrix, matrix.shares, "shares of one step on all tokens, first order", layout)
        handles = [
            d.Patch(color=d.SERIES[0], alpha=0.6, label="the loss falls"),
            d.Patch(color=d.SERIES[1], alpha=0.6, label="the loss rises (harm)"),
            d.entry("· not distinguishable from 0", marker=""),
        ]
        d.legend_below(fig, handles, layout)
    return fig


def _panel(ax: "d.Axes", matrix: HarmMatrix, rows: tuple[HarmRow, ...], title: str, layout: "d.Layout") -> None:
    values = [[None if cell is None else MILLI * cell.measured.delta_L for cell in row.cells] for row in rows]
    labels = ["" if cell is None else _milli(cell) for row in rows for cell in row.cells]
    if rows is matrix.shares:
        sums = [MILLI * matrix.first_order_sum(k) for k in range(len(matrix.groups) + 1)]
        values.append([value if matrix.heldout_tokens[k] else None for k, value in enumerate(sums)])
        labels += ["" if value is None else n.written(value, None, NATS)[0] for value in values[-1]]
    of_groups = [abs(value) for row in values[: len(matrix.groups)] for value in row if value is not None]
    largest = max(of_groups, default=0.0) or 1.0
    across = len(matrix.groups) + 1
    d.heat_map(ax, values, lambda value: d.from_minus_to_plus(max(-1.0, min(1.0, value / largest))), None)
    size = 6.5 if across <= 9 and layout != "narrow" else 5.2
    for place, text in enumerate(labels):
        y, x = divmod(place, across)
        ax.text(x, y, text, ha="center", va="center", color=d.INK, fontsize=size).set_in_layout(False)
    names = short_distinct_names(list(matrix.groups), 16)
    last = [SPECIAL[row.kind] for row in rows if row.kind in SPECIAL] + (["the sum"] if rows is matrix.shares else [])
    ax.set_xticks(range(across), [*names, "all held-out"], rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(values)), [*names, *last])
    ax.axvline(across - 1.5, color=d.MUTED, linewidth=0.8)
    ax.axhline(len(matrix.groups) - 0.5, color=d.MUTED, linewidth=0.8)
    ax.set_title(title)
    ax.set_ylabel("step on")
    ax.set_xlabel("measured on")


alt = with_sentences("Heat maps of the change of the loss of each group by a step on each group.", sentences)


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each cell of both matrices."""
    return [
        {"by": matrix.by, "kind": kind} | {key: _known(value) for key, value in _flat(row, name, cell).items()}
        for matrix in _matrices(report)
        for kind, rows in (("real", matrix.real), ("first_order", matrix.shares))
        for row in rows
        for name, cell in zip(_columns(matrix), row.cells, strict=True)
        if cell
    ]


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
