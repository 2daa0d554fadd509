"""Which names in printed lines are the training loss and its step. Where two could be meant, an error names them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from zerosum.curves._note import Note
from zerosum.curves.column_names import LAST_RESORTS
from zerosum.curves.columns import Chooser, axis_of, matching, plain
from zerosum.curves.line_fields import FRACTION, NAMELESS, Line, is_of_validation
from zerosum.errors import InputError

FEWEST = 5  # losses; fewer are an example in a text
FRACTION_2 = f"{FRACTION} (2)"
OPTIMIZER_STEPS = {"step", "steps", "global_step", "global_steps", "num_updates", "optimizer_step"}
RARE = 0.05  # of the lines with a loss: another name of a loss on so few is a summary
REMEDY = "Choose them with loss=NAME, step=NAME (--loss, --step), or give pattern=REGEX (--pattern) with these groups."


def training_lines(lines: Sequence[Line]) -> list[Line]:
    """The lines of training: without those that are of validation, and a loss right below a heading of validation."""
    training = []
    announced = False
    for line in lines:
        has_loss = any(axis_of(name) == "loss" for name in line.numbers)
        if line.is_validation:
            announced = not any("loss" in name.lower() or is_of_validation(name) for name in line.numbers)
            continue
        if not (announced and has_loss):
            training.append(line)
        if has_loss or any(_is_counter(name) or is_of_validation(name) for name in line.numbers):
            announced = False
    return training


def _is_counter(name: str) -> bool:
    return name in (FRACTION, FRACTION_2, *NAMELESS) or axis_of(name) == "step"


def refuse_validation_only(lines: Sequence[Line], source: str) -> None:
    """Raises InputError where every line with a loss speaks of validation."""
    losses = [line for line in lines if any(axis_of(name) == "loss" for name in line.numbers)]
    if losses and all(line.is_validation for line in losses):
        raise InputError(
            f"{source}: all {len(losses)} lines with a loss speak of validation, as {losses[0].text[:60]!r}. "
            "Give the log of the training, or pattern=REGEX (--pattern) with groups step and loss."
        )


def loss_name(lines: Sequence[Line], choose: Chooser, notes: list[Note]) -> str:
    """The name of the training loss. Raises InputError where there is none, or several that differ."""
    names = Counter(name for line in lines for name in line.numbers)
    asked = choose.overrides.get("loss")
    if asked is not None:
        if asked not in names:
            raise InputError(
                f"{choose.source}: no line has a number called {asked[:60]!r}; there are {listed(names)}. {REMEDY}"
            )
        return asked
    known = [name for name in matching("loss", [name for name in names if plain(name) != "train"])]
    most = max((names[name] for name in known), default=0)
    rare = [name for name in known if names[name] <= max(1, RARE * most) < most]
    known = [name for name in known if name not in rare]
    if len(known) > 1:
        known = _without_evaluated(known, lines, notes)
    if len(known) > 1:
        known = _most_exact_if_equal(known, lines, notes)
    if rare:
        notes.append(Note("entries-ignored", f"{listed(rare)}, on a line or two of a summary, ignored"))
    if len(known) == 1 and sum(f"second {known[0]}" in line.numbers for line in lines) > 1:
        known.append(f"second {known[0]}")
    if len(known) == 1:
        return known[0]
    if known:
        raise InputError(f"{choose.source}: the loss could be any of {listed(known)}. {REMEDY}")
    raise InputError(f"{choose.source}: no number is known as the training loss; there are {listed(names)}. {REMEDY}")


def _without_evaluated(known: list[str], lines: Sequence[Line], notes: list[Note]) -> list[str]:
    """Without losses that are printed only beside a validation loss, where another is printed without one."""
    beside = {
        name: all(any(is_of_validation(other) for other in line.numbers) for line in lines if name in line.numbers)
        for name in known
    }
    evaluated = [name for name, always in beside.items() if always]
    if not evaluated or len(evaluated) == len(known):
        return known
    notes.append(Note("column-chosen", f"{listed(evaluated)} of the lines of evaluation was not used"))
    return [name for name in known if name not in evaluated]


def _most_exact_if_equal(known: list[str], lines: Sequence[Line], notes: list[Note]) -> list[str]:
    """One name, where all stand on the same lines with the same value, as far as printed."""
    decimals = dict.fromkeys(known, 0)
    for line in lines:
        there = [name for name in known if name in line.numbers]
        if there and len(there) < len(known):
            return known
        for name in there:
            decimals[name] = max(decimals[name], line.decimals[name])
            unit = 10.0 ** -min(line.decimals[name], line.decimals[known[0]])
            if abs(line.numbers[name] - line.numbers[known[0]]) > 0.51 * unit:
                return known
    best = max(known, key=decimals.__getitem__)
    notes.append(Note("column-chosen", f"{listed(known)} are the same numbers: {best!r} was read"))
    return [best]


def step_name(numbers: Sequence[dict[str, float]], choose: Chooser, *, inline: bool) -> str | None:
    """The name of the step among the numbers that stand with each loss; None where there is none with most of them."""
    asked = choose.overrides.get("step")
    coverage = Counter(name for there in numbers for name in there)
    common = [name for name, count in coverage.items() if 2 * count >= len(numbers)]
    if asked is not None:
        if asked in common or inline:
            return asked if asked in common else None
        raise InputError(
            f"{choose.source}: no number called {asked[:60]!r} stands with the losses; there are {listed(coverage)}. "
            f"{REMEDY}"
        )
    steps = [name for name in common if axis_of(name) == "step" and not is_of_validation(name)]
    inner = [name for name in steps if plain(name) in LAST_RESORTS["step"]]
    nameless = [FRACTION, FRACTION_2, *NAMELESS] if inline else [FRACTION]
    tiers = [[name for name in steps if name not in inner], inner]
    tiers += [[name] for name in nameless if name in common and grows([there.get(name) for there in numbers])]
    for tier in tiers:
        if len(tier) > 1:
            tier = _one_counter(tier, numbers)
        if len(tier) > 1:
            raise InputError(f"{choose.source}: the step could be any of {listed(tier)}. {REMEDY}")
        if tier:
            return tier[0]
    return None


def _one_counter(names: list[str], numbers: Sequence[dict[str, float]]) -> list[str]:
    """Of several counters the one that never goes back, that counts optimizer steps, or that all are equal to."""
    if all(there.get(name) == there.get(names[0]) for there in numbers for name in names):
        return names[:1]
    forward = [name for name in names if grows([there.get(name) for there in numbers], always=True)]
    forward = forward or names
    return [name for name in forward if plain(name) in OPTIMIZER_STEPS] or forward


def grows(values: Iterable[float | None], *, always: bool = False) -> bool:
    """Whether numbers grow from line to line: always, or but for new epochs and restarts."""
    there = [value for value in values if value is not None]
    growing = sum(after > before for before, after in pairwise(there))
    return len(there) >= FEWEST and growing >= (1.0 if always else 0.7) * (len(there) - 1)


def numbers_before(lines: Sequence[Line], loss: str) -> list[dict[str, float]]:
    """For each loss the numbers on the lines since the loss before it; the nearest of each name."""
    merged: list[dict[str, float]] = []
    since: dict[str, float] = {}
    for line in lines:
        since |= line.numbers
        if loss in line.numbers:
            merged.append(since)
            since = {}
    return merged


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names for a message."""
    shown = [repr(name[:60]) for name in names if name]
    return (", ".join(shown[:most]) + (f" and {len(shown) - most} more" if len(shown) > most else "")) or "none"
