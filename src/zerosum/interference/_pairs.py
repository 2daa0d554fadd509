"""Which checkpoints to compare."""

import re
from collections.abc import Iterable
from itertools import pairwise

from zerosum.errors import InputError

Pair = tuple[int, int]


def doubling_pairs(steps: Iterable[int], tolerance: float = 0.05) -> tuple[list[Pair], list[int]]:
    """Pairs `t -> 2t`: for each step the one nearest its double, within `tolerance` of it (a fraction).

    Published suites need the slack: Pythia has 512, then 1000. Step 0 has no double and is in neither list. Returns the
    pairs and the steps without a partner.

    >>> doubling_pairs([0, 1, 2, 4, 512, 1000, 3000])
    ([(1, 2), (2, 4), (512, 1000)], [4, 1000, 3000])
    """
    known = sorted({step for step in steps if step > 0})
    pairs, alone = [], []
    for step in known:
        nearest = min(known, key=lambda other: abs(other - 2 * step))
        if nearest > step and abs(nearest - 2 * step) <= tolerance * 2 * step:
            pairs.append((step, nearest))
        else:
            alone.append(step)
    return pairs, alone


def consecutive_pairs(steps: Iterable[int]) -> list[Pair]:
    """Each step with the next one.

    >>> consecutive_pairs([4, 0, 1])
    [(0, 1), (1, 4)]
    """
    known = sorted(set(steps))
    return list(pairwise(known))


def chosen_pairs(wanted: str, steps: Iterable[int]) -> tuple[list[Pair], list[int]]:
    """The pairs that `wanted` names among steps, in order, and those steps that "doubling" leaves without a partner.

    wanted: "doubling", "consecutive", or pairs as "100:200,200:1000". Raises InputError where there is no such pair.

    >>> chosen_pairs("1:4, 4:8", [1, 2, 4, 8])
    ([(1, 4), (4, 8)], [])
    """
    known = sorted(set(steps))
    if len(known) < 2:
        have = f"only step {known[0]}" if known else "no step"
        raise InputError(f"{have} is measured, and a change needs two checkpoints. Measure the losses of another one.")
    if wanted == "consecutive":
        return consecutive_pairs(known), []
    if wanted != "doubling":
        return sorted({_named(text, known) for text in wanted.split(",")}), []
    pairs, alone = doubling_pairs(known)
    if not pairs:
        raise InputError(
            f"steps {_listed(known)}: none has another within 5 % of its double. "
            f"Use --pairs consecutive, or name pairs as {known[0]}:{known[1]}."
        )
    return pairs, alone


def _named(text: str, known: list[int]) -> Pair:
    if not (match := re.fullmatch(r"\s*(\d{1,18})\s*:\s*(\d{1,18})\s*", text, re.ASCII)):
        raise InputError(f"pairs {text!r}: not FROM:TO. Give pairs as 100:200,200:1000, or doubling or consecutive.")
    first, last = int(match[1]), int(match[2])
    for step in (first, last):
        if step not in known:
            near = sorted(sorted(known, key=lambda other: abs(other - step))[:3])
            raise InputError(f"step {step}: not measured. The nearest that are: {_listed(near)}.")
    if first == last:
        raise InputError(f"pair {first}:{last}: twice the same step, so nothing changes. Name two steps, as 100:200.")
    if first > last:
        raise InputError(f"pair {first}:{last}: goes from a later step to an earlier one. Name it as {last}:{first}.")
    return first, last


def _listed(steps: list[int], most: int = 12) -> str:
    shown = ", ".join(map(str, steps[:most]))
    return shown if len(steps) <= most else f"{shown} and {len(steps) - most} more"
