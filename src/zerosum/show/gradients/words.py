"""What per-token gradients say, in sentences. Plain text: whoever shows it escapes it. Descriptions, no causes."""

import math
from collections.abc import Iterator, Sequence

from zerosum.show import numbers as n
from zerosum.show.gradients.halving import LayerAgreement, agreement_by_layer
from zerosum.show.gradients.prediction import Prediction, prediction
from zerosum.show.gradients.subject import GradientsOverTraining, Number, OneCheckpoint
from zerosum.show.names import printable

KINDS = {"matrix": "matrices", "norm": "norms", "bias": "biases"}
NAMED = 3  # layers in a sentence
MOST_STEPS = 6  # named in a row
D, RATIO = n.Form("D_grad", "", most=4), n.Form("", "", most=4)


def summary(over: GradientsOverTraining) -> Iterator[str]:
    """Everything that the numbers say, a sentence or two at a time."""
    yield cancels(over.last)
    for about in (opposed_over_time(over), factors_over_time(over), halved(over), predicted(over)):
        if about:
            yield about
    if over.left_out and len(over.lines) > 1:
        yield not_compared(over)


def cancels(one: OneCheckpoint) -> str:
    """How much of the gradient cancels between the tokens of one checkpoint."""
    found = one["D_grad"]
    at = f"At step {n.count(one.step)}"
    if not math.isfinite(found.value):
        return f"{at} D_grad is not known: {found.reason}."
    how = "by a positionwise proxy, which is not the gradient of single tokens, " if one.proxy else ""
    return (
        f"{at}, {how}{percent(found)} of the gradient cancels between tokens, mean over {_coordinates(one)} "
        f"({_tokens(one)})."
    )


def _coordinates(one: OneCheckpoint) -> str:
    """How many coordinates of which kinds of parameters D_grad is the mean of."""
    parts = [part for part in one.parameters if part.kind in KINDS]
    kinds = [KINDS[kind] for kind in KINDS if any(part.kind == kind for part in parts)]
    touched = sum(part.touched or 0 for part in parts)
    what = " and ".join(filter(None, [", ".join(kinds[:-1]), *kinds[-1:]])) or "parameters"
    return f"{n.count(touched)} coordinates of {what}" if touched else f"the coordinates of {what}"


def _tokens(one: OneCheckpoint) -> str:
    found, said = one["D_grad"], f"N\xa0=\xa0{n.count(one.N)} tokens"
    if one.n_sampled < one.N and not one.proxy:
        said += f", of which the gradients of {n.count(one.n_sampled)} were formed"
    return f"{said}; {'95 % interval for the draw of the sample' if found.ends else _why(found)}"


def _why(found: Number) -> str:
    exact = found.reason.startswith("exact for these")
    return found.reason.replace("these N tokens", "these") if exact else f"no interval: {found.reason}"


def percent(share: Number) -> str:
    """A share with its interval, in percent, with more digits where it is near 0 or near 1.

    >>> percent(Number(0.93)).replace(chr(160), " "), percent(Number(0.99871)).replace(chr(160), " ")
    ('93 %', '99.87 %')
    """
    rest = min(share.value, 1 - share.value)
    places = 0 if rest >= 0.0095 else min(4, 1 - math.floor(math.log10(100 * rest))) if rest > 0 else 0
    if share.ends:
        places = max(places, n.decimals(0.0, (100 * share.ends[0], 100 * share.ends[1])))
    ends = (100 * share.ends[0], 100 * share.ends[1]) if share.ends else None
    return f"{n.number(100 * share.value, places)}\xa0% {n.bracket(ends, places)}".strip(" ")


def opposed_over_time(over: GradientsOverTraining) -> str:
    """How D_grad changed from the first checkpoint to the last of the line that can be compared."""
    known = [one for one in over.main.checkpoints if math.isfinite(one["D_grad"].value)]
    if len(known) < 2:
        return ""
    first, last = known[0], known[-1]
    what = "D_grad of the positionwise proxy" if over.main.proxy else "D_grad"
    most = max(known, key=lambda one: one["D_grad"].value)
    inside = most is not first and most is not last
    peak = f" It was largest at step {n.count(most.step)}, {of(most['D_grad'])}." if inside else ""
    changed = _changed(first["D_grad"], last["D_grad"])
    return f"From step {n.count(first.step)} to {n.count(last.step)} {what} {changed}.{peak}"


def _changed(a: Number, b: Number) -> str:
    """How a number changed: it rose or fell only where that is to be seen, and intervals do not overlap."""
    first, last = of(a), of(b)
    if first == last:
        return f"stayed at {first}"
    if a.ends and b.ends and a.ends[0] <= b.ends[1] and b.ends[0] <= a.ends[1]:
        return f"was {first} and {last}: the intervals overlap, so no change is claimed"
    return f"{'rose' if b.value > a.value else 'fell'} from {first} to {last}"


def of(number: Number, form: n.Form = D) -> str:
    """A number with its interval."""
    return n.text(number.value, number.ends, form)


def factors_over_time(over: GradientsOverTraining) -> str:
    """By how much each factor of 1 - D_first_order changed: what the arithmetic says, which names no cause."""
    known = [(one.step, found) for one in over.main.checkpoints if (found := _factors(one))]
    if len(known) < 2:
        return ""
    (first, (C_a, ratio_a)), (last, (C_b, ratio_b)) = known[0], known[-1]
    agree, coordinates = C_b / C_a, ratio_b / ratio_a
    whole = agree * coordinates
    both = (agree < 1) == (coordinates < 1)
    larger = "C_g" if abs(math.log(agree)) > abs(math.log(coordinates)) else "C_uG / C_ug"
    most = f"; in logarithms most of it is {larger}" if both else f"; the two changed in opposite ways, {larger} more"
    return (
        f"From step {n.count(first)} to {n.count(last)} what is left of the first-order loss changes, "
        f"1 − D_first_order, changed by a factor of {_factor(whole)}: C_g (tokens agree) by {_factor(agree)} times "
        f"C_uG / C_ug (coordinates agree) by {_factor(coordinates)}{most}. This is arithmetic on two checkpoints; "
        "it has no interval and names no cause."
    )


def _factors(one: OneCheckpoint) -> tuple[float, float] | None:
    C, over, under = (one[name].value for name in ("C_g", "C_uG", "C_ug"))
    known = all(math.isfinite(value) and value > 0 for value in (C, over, under))
    return (C, over / under) if known else None


def _factor(value: float) -> str:
    return f"{value:.2g}"


def halved(over: GradientsOverTraining) -> str:
    """In which layers agreement halved first, and in how many it did not."""
    found = agreement_by_layer(over.main)
    inside = [one for one in found if one.halved.within]
    if not found:
        return ""
    many = f"{n.count(len(found))} layers" if len(found) > 1 else "the only layer"
    if not inside:
        return f"In none of {many} did agreement between tokens, 1 − D_grad, fall to half of its largest value."
    first = "; ".join(map(_when, inside[:NAMED]))
    rest = (
        f" In {n.count(len(found) - len(inside))} of {many} it did not within these checkpoints."
        if len(inside) < len(found)
        else ""
    )
    return f"Agreement between tokens, 1 − D_grad, fell to half of its largest value first in {first}.{rest}"


def _when(one: LayerAgreement) -> str:
    found = one.halved
    between = f"between {n.count(found.low)} and {n.count(found.high)}"
    return f"{ending(one.layer, 40)} (step {step(found.step)}, {between})"


def ending(name: str, longest: int) -> str:
    """A name for a small place: of a long one the end, which is where layers and parameters differ.

    >>> ending("model.decoder.layers.11", 10)
    '…layers.11'
    """
    clean = printable(name, 1_000)
    return clean if len(clean) <= longest else f"…{clean[1 - longest :]}"


def step(value: float) -> str:
    """An interpolated step: two digits are enough.

    >>> step(31.62), step(1234.5), step(0.512)
    ('32', '1,200', '0.51')
    """
    return n.count(float(f"{value:.2g}"))


def predicted(over: GradientsOverTraining) -> str:
    """How well first-order changes predict the real ones at the last checkpoint that has both."""
    known = [one for one in over.checkpoints if one.changes is not None]
    if not known or known[-1].changes is None:
        return ""
    return f"At step {n.count(known[-1].step)}, {fit(prediction(known[-1].changes))}"


def fit(found: Prediction) -> str:
    """How well first-order changes predict real ones, honestly: as they stand, and after a line was fitted."""
    tokens = f"N\xa0=\xa0{n.count(found.N)} tokens"
    if not math.isfinite(found.correlation.value):
        return f"first-order and real loss changes of {tokens} cannot be compared: all of one kind are equal."
    if found.explained.value > 0:
        said = f"first-order changes as they stand explain {percent(found.explained)} of the variance of the real ones"
    else:
        said = "first-order changes as they stand predict the real ones worse than their mean would"
    why = "" if found.correlation.ends else f"; no intervals: {found.correlation.reason}"
    return (
        f"{said} ({tokens}; correlation {of(found.correlation)}, slope {of(found.slope)}; the best straight line "
        f"explains {percent(found.line_explains)}; {percent(found.same_sign)} of tokens move the way predicted{why})."
    )


def notes(measured: Sequence[tuple[int, Sequence[str]]]) -> list[str]:
    """Every note once; of which checkpoints, where not of all. measured: step and notes of each checkpoint.

    >>> notes([(1, ["a"]), (2, ["a", "b"]), (4, ["a", "b"])])
    ['a', 'steps 2, 4: b']
    """
    steps: dict[str, list[int]] = {}
    for step_, its in measured:
        for note in its:
            steps.setdefault(note, []).append(step_)
    return [note if len(of) == len(measured) else f"{_steps(of)}: {note}" for note, of in steps.items()]


def _steps(several: Sequence[int]) -> str:
    shown = ", ".join(map(n.count, several[:MOST_STEPS]))
    more = f" and {n.count(len(several) - MOST_STEPS)} more" if len(several) > MOST_STEPS else ""
    return f"step{'s' if len(several) > 1 else ''} {shown}{more}"


def not_compared(over: GradientsOverTraining) -> str:
    """Which checkpoints are not compared with the others."""
    proxies = {one.proxy for one in over.left_out if one.proxy != over.main.proxy}
    other_N = [one for one in over.left_out if one.proxy == over.main.proxy]
    why = [*(["of another N"] if other_N else []), *(["of another method"] if proxies else [])]
    which = _steps([one.step for one in over.left_out])
    return f"Left out, as {' or '.join(why)}: {which}. The others are {over.main.label}."
