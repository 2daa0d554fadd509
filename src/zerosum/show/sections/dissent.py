"""Gradient dissent of a run: at the last checkpoint by place, over the checkpoints, and where it reaches its levels."""

from collections.abc import Iterator, Mapping, Sequence

from zerosum.dissent import NUMBERS, ONE_MATRIX, ONE_VECTOR, PLACES, Dissent, DissentOverTraining
from zerosum.show import numbers as n
from zerosum.show.report import Report
from zerosum.show.sections import _dissent as shared
from zerosum.show.sections._single_run import problem_sentences, spread_evenly
from zerosum.show.table import CSV, SCREEN, Column, Table, Text, Value

TITLE = "Gradient dissent"
PLACE = 60
MOST_ROWS = 5  # checkpoints on the terminal's first screen
MEANING = (
    "Dissent is −cos of attraction towards the label and repulsion from all other tokens: 1 is total dissent, below 0 "
    "both pull one way."
)
ONE_IS_STATIONARY = (
    "All N tokens together are one vector; its dissent is 1 wherever their mean loss is stationary, whatever the "
    "model, unless embedding and head are one matrix: read it beside the loss, and compare it for equal N."
)
RATIO = "ratio: length of repulsion over that of attraction. cancels: share of both lengths that their sum loses."
RANGES = "Head rows: those that are a label, each counting once. 5 % to 95 %: of the tokens or rows."
FORMULAS = {
    "dissent": """With logits <code>z = W h</code>, q = softmax(z) and label y, minus the gradient at the hidden state h
is a + r: attraction <code>a = (1 − q_y)(w_y − w̄)</code>, repulsion <code>r = −Σ_{v≠y} q_v (w_v − w̄)</code>, w̄ the mean
row of W. Dissent is <code>−cos(a, r)</code>, the ratio <code>‖r‖ / ‖a‖</code>, and
<code>1 − ‖a + r‖ / (‖a‖ + ‖r‖)</code> cancels (Mircea et al. 2024).""",
}

absent = shared.none


def headline(report: Report) -> str:
    """Dissent of single tokens and of all together at the last checkpoint, beside the loss."""
    last = shared.measured(report).last
    together = [f"{place} {shared.in_line(last.estimate(place))}" for place in ("head", "body") if _known(last, place)]
    all_tokens = f"; of all together, {' and '.join(together)}" if together else ""
    text = (
        f"{_at(last)}mean loss {shared.loss(last)}, dissent of single tokens "
        f"{shared.in_line(last.estimate('token'))} (N\xa0=\xa0{n.count(last.N)}){all_tokens}."
    )
    return f"{text[:1].upper()}{text[1:]}"


def _at(checkpoint: Dissent) -> str:
    return "" if checkpoint.step is None else f"Step {n.count(checkpoint.step)}: "


def _known(checkpoint: Dissent, place: str) -> bool:
    return any(checkpoint.estimate(place, name).known for name in NUMBERS)  # type: ignore[arg-type]


def sentences(report: Report) -> Iterator[str]:
    """What dissent is, where it reaches its levels, and what the numbers are of."""
    over = shared.measured(report)
    yield from problem_sentences(over.all_checkpoints)
    yield MEANING
    yield from _reached(over)
    yield ONE_IS_STATIONARY
    yield from _counts(over.last)
    yield from (f"No interval for {what}: {why}." for why, what in _without_interval(over.last).items())
    yield from (f"{note[:1].upper()}{note[1:]}." for note in over.last.notes)


def _reached(over: DissentOverTraining) -> Iterator[str]:
    for place, crossing in over.reached:
        what = f"Dissent of the {place} at {crossing.level:g}"
        if crossing.code != "reached":
            yield f"{what}: {crossing.reason}."
            continue
        low, high = (n.count(step) for step in crossing.between or ())
        later = "" if crossing.stays else "; later it falls below again"
        step, loss = n.number(crossing.step, n.decimals(crossing.step)), n.number(crossing.loss, 2)
        yield f"{what}: reached at about step {step}, mean loss {loss}, between checkpoints {low} and {high}{later}."


def _counts(last: Dissent) -> Iterator[str]:
    yield f"N = {n.count(last.N)} tokens in {n.counted(last.n_sequences, 'sequence')}."
    if last.head is not None:
        yield f"{n.count(last.n_unlabelled)} rows of the head are no label, so nothing attracts them."
    if left_out := last.token["dissent"].left_out:
        yield f"{n.counted(left_out, 'token')} left out: a force of 0, or too small for the model's precision."
    if last.token["dissent"].interval:
        units = n.counted(last.n_units, last.units)
        yield f"Intervals of means over tokens are 95 %, by bootstrap over {units}."


def _without_interval(last: Dissent) -> dict[str, str]:
    """Reason -> the numbers without an interval for that reason."""
    reasons: dict[str, list[str]] = {}
    tokens = last.token["dissent"]
    if tokens.interval is None:
        reasons[tokens.reason or "not given"] = ["means over tokens"]
    else:
        for labels in last.frequency:
            if labels.token["dissent"].interval is None:
                why = labels.token["dissent"].reason or "not given"
                reasons.setdefault(why, []).append(f"tokens whose label occurs {labels.name} times")
    if last.head is not None:
        reasons[ONE_MATRIX] = ["means over head rows"]
    if vectors := [place for place in ("head", "body") if getattr(last, place) is not None]:
        reasons[ONE_VECTOR] = vectors
    return {why: " and ".join(names) for why, names in reasons.items()}


def answer(report: Report) -> Iterator[Table | str]:
    """A few checkpoints, or the places of a single one; why tokens have no interval."""
    over = shared.measured(report)
    yield from problem_sentences(over.all_checkpoints)
    if len(over.checkpoints) == 1:
        yield _places(over.last, small=True)
    else:
        chosen = spread_evenly(over.checkpoints, MOST_ROWS)
        rest = len(over.checkpoints) - len(chosen)
        more = f"{n.counted(rest, 'checkpoint')} between them not shown. " if rest else ""
        yield _checkpoints(chosen, f"{more}{MEANING}")
    tokens = over.last.token["dissent"]
    if tokens.interval is None:
        yield f"No interval for means over tokens: {tokens.reason or 'not given'}."


def tables(report: Report) -> Iterator[Table]:
    """Every checkpoint, the levels, and the places of the last checkpoint."""
    over = shared.measured(report)
    yield Table("checkpoints", "Dissent of each checkpoint").with_csv(list(shared.checkpoint_rows(over)))
    if over.reached:
        yield _levels(over)
    if len(over.checkpoints) > 1:
        yield _checkpoints(over.checkpoints, "")
    yield _places(over.last)


def _checkpoints(checkpoints: Sequence[Dissent], legend: str) -> Table:
    names = {place: shared.NAMES[place].partition(", ") for place in PLACES}
    heads = (Column(place, head, below, shared.FORM, on=SCREEN) for place, (head, _, below) in names.items())
    columns = (Column("step", on=SCREEN), Column("loss", "loss", "mean, nats", n.LOSS, on=SCREEN), *heads)
    rows = tuple(
        (checkpoint.step, checkpoint.loss.estimate, *(shared.cell(checkpoint.estimate(place)) for place in PLACES))
        for checkpoint in checkpoints
    )
    return Table("", "Dissent over the checkpoints", columns, rows, legend)


def _levels(over: DissentOverTraining) -> Table:
    """Where head and body first reach each level."""
    names = ("of", "level", "step", "loss", "between_low", "between_high", "stays", "reason")
    rows: list[tuple[Value, ...]] = []
    for place, crossing in over.reached:
        low, high = crossing.between or (None, None)
        reached = (crossing.step, crossing.loss, low, high, crossing.stays)
        rows.append((place, crossing.level, *(reached if crossing.code == "reached" else [None] * 5), crossing.reason))
    columns = tuple(Column(name, on=CSV) for name in names)
    return Table("reached", "First checkpoints at a level", columns, tuple(rows))


def _places(last: Dissent, small: bool = False) -> Table:
    """The three numbers of each place at one checkpoint. small: without the ranges of tokens and rows."""
    rows: list[tuple[Value, ...]] = []
    for place, name in shared.NAMES.items():
        if not _known(last, place):
            continue
        spreads = last.spreads(place)
        N = spreads["dissent"].N if spreads else last.N
        rows.append((name, *(shared.cell(last.estimate(place, number)) for number in NUMBERS), N))
        if spreads and not small:
            rows.append(("  5 % to 95 %", *(_range(spreads[number].quantiles) for number in NUMBERS), Text("")))
    numbers = (Column(name, form=shared.FORM, on=SCREEN) for name in ("dissent", "ratio", "cancels", "N"))
    columns = (Column("place", " ", on=SCREEN), *numbers)
    legend = f"{MEANING} {RATIO}" if small else f"{RATIO} {RANGES}"
    return Table("", "Dissent by place, last checkpoint", columns, tuple(rows), legend)


def _range(quantiles: Mapping[int, float]) -> Text:
    return Text(f"{n.number(quantiles[5], 2)} to {n.number(quantiles[95], 2)}" if quantiles else "—")
