"""Which checkpoints to compare."""

from collections.abc import Iterable


def doubling_pairs(steps: Iterable[int], tolerance: float = 0.05) -> tuple[list[tuple[int, int]], list[int]]:
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
