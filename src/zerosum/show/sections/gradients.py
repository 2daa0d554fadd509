"""Per-token gradients of a run: how much of the gradient cancels between tokens, and what it does to an update."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from zerosum.gradients import INTERVALS, NUMBERS, POSITIONWISE, DtypeError, GradientInterference, GradientsOverTraining
from zerosum.show import numbers as n
from zerosum.show.report import Report
from zerosum.show.sections import _gradient_words as words
from zerosum.show.sections._single_run import absent_of_several, problem_sentences, spread_evenly
from zerosum.show.table import PEOPLE, SCREEN, Column, Table, Text, Value

TITLE = "Gradients of single tokens"
PLACE = 50
OF_ONE_RUN = GradientsOverTraining
COMPARED = {"norm_l1": "sums of sizes", "norm_l2": "lengths", "moved": "sum |p|", "first_order": "first-order changes"}
KINDS = {"matrix": "matrices", "norm": "norms", "bias": "biases"}
MOST_NOTES = 12  # on a page
MOST_ROWS = 5  # checkpoints on the terminal's first screen
IN_ANSWER = ("D_grad", "D_grad_matrices", "C_g", "C_ug", "C_uG", "D_first_order", "null_unit", "D_loss")
OVER_STEPS = ("D_grad", "noise_scale", "C_g", "D_loss")  # on the first screen
MEANINGS = {
    "D_grad": "what cancels between tokens, mean over coordinates",
    "D_grad_matrices": "the same of matrices alone",
    "C_g": "do tokens agree, coordinate by coordinate",
    "C_ug": "do the coordinates of a token agree",
    "C_uG": "do coordinates agree, once tokens are added",
    "D_first_order": "what cancels of first-order loss changes",
    "null_unit": "the same with a random sign per {units}",
    "D_loss": "what cancels of the real loss changes",
}
HEADS = {"null": "D_first_order, a sign per token", "null_unit": "a sign per {units}", "D_loss": "of the real changes"}
COLUMNS = ("D_grad", "D_grad_matrices", "C_g", "C_ug", "C_uG", "D_first_order", "null", "null_unit", "D_loss")
FACTS = ("source", "step", "tokens_seen", "units", "N", "n_sequences", "n_positions", "method", "n_sampled", "dtype")
IN_CSV = (*FACTS, "estimated_seconds", *NUMBERS)
OF_PARTS = ("name", "kind", "numel", "touched", "D_grad", "C_g", "C_ug", "C_uG")
SUMS = ("sum_ij_abs_p", "sum_j_abs_sum_i_p", "sum_ij_p")
FORMULAS = {
    "D_grad": """With g the gradient of one token’s loss: <code>D_grad = mean_j (1 − |Σ_i g_ij| /
Σ_i |g_ij|)</code> over coordinates j of matrices, norms and biases that any token i has a gradient in beyond rounding;
<code>D_grad_matrices</code> over those of matrices alone. Embedding and head are left out. It depends on N: D of
different N cannot be compared.""",
}


def absent(report: Report) -> str | None:
    """Only of one run at a time."""
    return absent_of_several(report, GradientsOverTraining)


def headline(report: Report) -> str:
    """How much of the gradient cancels at the last checkpoint."""
    return cancels(words.measured(report).last)


def cancels(checkpoint: GradientInterference) -> str:
    """How much of the gradient cancels between the tokens of one checkpoint."""
    D_grad = checkpoint.estimate("D_grad")
    if not D_grad.known:
        return words.at_step(checkpoint, f"D_grad is not known: {D_grad.reason}.")
    how = "by a positionwise proxy, which is not the gradient of single tokens, " if checkpoint.is_proxy else ""
    return words.at_step(
        checkpoint,
        f"{how}{words.percent(D_grad)} of the gradient cancels between tokens, mean over {_coordinates(checkpoint)} "
        f"({_tokens(checkpoint)}).",
    )


def _coordinates(checkpoint: GradientInterference) -> str:
    """How many coordinates of which kinds of parameters D_grad is the mean of."""
    parameters = [parameter for parameter in checkpoint.parameters if parameter.kind in KINDS]
    kinds = [KINDS[kind] for kind in KINDS if any(parameter.kind == kind for parameter in parameters)]
    touched = sum(parameter.touched or 0 for parameter in parameters)
    what = " and ".join(filter(None, [", ".join(kinds[:-1]), *kinds[-1:]])) or "parameters"
    return f"{n.count(touched)} coordinates of {what}" if touched else f"the coordinates of {what}"


def _tokens(checkpoint: GradientInterference) -> str:
    """N, how many of the tokens were sampled, and how sure D_grad is."""
    D_grad, text = checkpoint.estimate("D_grad"), f"N\xa0=\xa0{n.count(checkpoint.N)} tokens"
    if not checkpoint.is_exact:
        text += f", of which the gradients of {n.count(checkpoint.n_sampled)} were formed"
    if D_grad.interval:
        return f"{text}; 95 % interval for the draw of the sample"
    if checkpoint.is_exact:
        return f"{text}; exact for these; another draw of texts would differ"
    return f"{text}; no interval: {D_grad.reason}"


def sentences(report: Report) -> Iterator[str]:
    """The headline; which checkpoints are left out of comparisons."""
    yield headline(report)
    yield from problem_sentences(words.measured(report).checkpoints)
    if left_out := words.not_compared(words.measured(report)):
        yield left_out


def answer(report: Report) -> Iterator[Table | str]:
    """The numbers of one checkpoint, or the main ones of a few checkpoints; tokens verified, where that was asked."""
    over = words.measured(report)
    yield from problem_sentences(over.checkpoints)
    yield _one_checkpoint(over.last) if len(over.checkpoints) == 1 else _few_checkpoints(over)
    if over.last.verified:
        yield f"verified: {verified(over.last)}"


def _one_checkpoint(checkpoint: GradientInterference) -> Table:
    estimates = {name: checkpoint.estimate(name) for name in IN_ANSWER}
    rows = [
        (name, words.with_interval(number), MEANINGS[name].format(units=checkpoint.units))
        for name, number in estimates.items()
        if number.known
    ]
    columns = (Column("name", " "), Column("value"), Column("what it is"))
    return Table("", "", columns, tuple(rows), _missing(checkpoint))


def _missing(checkpoint: GradientInterference) -> str:
    if checkpoint.first_order is None:
        return f"No C_g, C_ug, C_uG: {checkpoint.reasons['C_g']}. Give --after or --train."
    return f"No C_g, C_ug, C_uG: {checkpoint.reasons['C_uG']}." if "C_uG" in checkpoint.reasons else ""


def _few_checkpoints(over: GradientsOverTraining) -> Table:
    names = _known(over, OVER_STEPS)
    columns = (Column("step"), Column("loss", unit="nats/token", form=n.LOSS), *(Column(name) for name in names))
    rows = tuple(
        (checkpoint.step, checkpoint.loss, *(checkpoint.estimate(name) for name in names))
        for checkpoint in spread_evenly(over.checkpoints, MOST_ROWS)
    )
    number = len(over.checkpoints)
    more = "" if len(rows) == number else f"{len(rows)} of {number} checkpoints. "
    return Table("", "", columns, rows, f"{more}{_missing(over.last)}".strip())


def _known(over: GradientsOverTraining, names: Sequence[str]) -> list[str]:
    """The names of numbers that at least one checkpoint has."""
    return [name for name in names if any(checkpoint.estimate(name).known for checkpoint in over.checkpoints)]


def tables(report: Report) -> Iterator[Table]:
    """Every checkpoint with its numbers, how they were measured, and for scripts every parameter and layer."""
    over = words.measured(report)
    documents = [checkpoint.to_json() for checkpoint in over.checkpoints]
    yield _checkpoints(over, documents)
    yield _how_measured(over)
    proxies = [{"step": document.get("step"), **document.get(POSITIONWISE, {})} for document in documents]
    for part in ("parameters", "layers"):
        yield from _parts_in_csv(part, part, documents)
        yield from _parts_in_csv(f"{POSITIONWISE}_{part}", part, proxies)


def _checkpoints(over: GradientsOverTraining, documents: Sequence[dict[str, Any]]) -> Table:
    known = _known(over, COLUMNS)
    people = (
        Column("step", "Step", on=PEOPLE),
        Column("N", unit="tokens", on=PEOPLE),
        *(Column(name, name, HEADS.get(name, "").format(units=over.units), words.SHARE, on=PEOPLE) for name in known),
    )
    rows = tuple(_for_people(checkpoint, known) for checkpoint in over.checkpoints)
    intervals = [name for name in INTERVALS if any(document["intervals"][name] for document in documents)]
    scripts = [_for_scripts(document, intervals) for document in documents]
    units = over.last.n_units
    caption = "Every checkpoint"
    caption += f" (intervals of D over {n.counted(units, over.last.units)})" if units else ""
    return Table("checkpoints", caption, people, rows).with_csv(scripts)


def _for_people(checkpoint: GradientInterference, names: Sequence[str]) -> tuple[Value, ...]:
    formed = f"gradients of {n.count(checkpoint.n_sampled)}" if not checkpoint.is_exact else ""
    return (
        Text(n.count(checkpoint.step), note="positionwise proxy" if checkpoint.is_proxy else ""),
        Text(n.count(checkpoint.N), note=formed),
        *(checkpoint.estimate(name) for name in names),
    )


def _for_scripts(document: dict[str, Any], intervals: Sequence[str]) -> dict[str, Value]:
    """At full precision. intervals: names of those whose ends are columns."""
    row = {name: document.get(name) for name in IN_CSV}
    for name in intervals:
        low, high = document["intervals"][name] or (None, None)
        row |= {f"{name}_low": low, f"{name}_high": high}
    return row


def _parts_in_csv(stem: str, part: str, documents: Sequence[dict[str, Any]]) -> Iterator[Table]:
    """Parameters or layers of every checkpoint, if there are any. stem: of the file."""
    names = (*OF_PARTS, *SUMS)
    rows = [
        {"step": document.get("step")} | {name: row[name] for name in names}
        for document in documents
        for row in document.get(part, ())
    ]
    if rows:
        yield Table(stem, f"Every checkpoint, {stem.replace('_', ' ')}, for scripts").with_csv(rows)


def _how_measured(over: GradientsOverTraining) -> Table:
    """How numbers were measured, why some have no interval, and what was noted meanwhile."""
    last = over.last
    facts = [("method", f"{last.method}, N = {n.count(last.N)} tokens in {n.counted(last.n_sequences, 'sequence')}")]
    if last.intervals:
        texts = n.counted(last.n_units, last.units) if last.n_units else f"{last.units}s"
        facts.append(
            ("brackets", f"95 % intervals: of D_loss, M_loss and first-order numbers over {texts}, else of the sample")
        )
    facts += [("no interval", text) for text in without_interval(over)]
    if last.dtype_error:
        facts.append(("precision", narrowed(last.dtype, last.dtype_error)))
    facts += [("verified", verified(checkpoint)) for checkpoint in over.checkpoints if checkpoint.verified]
    facts += [("note", f"{note}.") for note in notes(over.checkpoints)[:MOST_NOTES]]
    columns = (Column("what", " ", on=SCREEN), Column("how", " ", on=SCREEN))
    return Table("how-measured", "Intervals and notes of the measurement", columns, tuple(facts))


def narrowed(dtype: str, error: DtypeError) -> str:
    """What passes in bfloat16 change."""
    return (
        f"passes in {dtype}; against float32, on {error.tokens} tokens: gradients differ by up to "
        f"{error.gradients:.1g} of their size, norm_l1 by {error.norm_l1:.1g}, D_grad by {error.D_grad:+.1g}"
    )


def verified(checkpoint: GradientInterference) -> str:
    """How far single tokens are from their own backward pass, of a checkpoint of which some were compared."""
    assert checkpoint.verified is not None  # noqa: S101 - asked for before
    gaps = [
        f"{what} by {getattr(checkpoint.verified, name):.1g}"
        for name, what in COMPARED.items()
        if math.isfinite(getattr(checkpoint.verified, name))
    ]
    tokens = f"{n.counted(checkpoint.verified.K, 'token')} by one backward pass each"
    return words.at_step(checkpoint, f"{tokens}: differences are at most, of {', '.join(gaps)} (relative)")


def without_interval(over: GradientsOverTraining) -> list[str]:
    """Why numbers of the checkpoints have no interval: each reason with the names that it holds for."""
    names: dict[str, dict[str, None]] = {}
    for checkpoint in over.checkpoints:
        for name in (*COLUMNS[:6], "D_loss"):
            number = checkpoint.estimate(name)
            if number.known and not number.interval:
                names.setdefault(number.reason, {})[name] = None
    return [f"{', '.join(several)}: {reason}" for reason, several in names.items()]


def notes(checkpoints: Sequence[GradientInterference]) -> list[str]:
    """Every note once; of which checkpoints, where not of all."""
    steps: dict[str, list[int | None]] = {}
    for checkpoint in checkpoints:
        for note in checkpoint.notes:
            steps.setdefault(note, []).append(checkpoint.step)
    return [
        note if len(several) == len(checkpoints) else f"{words.steps_named(several)}: {note}"
        for note, several in steps.items()
    ]
