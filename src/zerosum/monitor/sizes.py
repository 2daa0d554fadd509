"""How much of a set of sequences is measured, and how long a forward pass over it will take."""

from dataclasses import dataclass

from zerosum.monitor.cost import Cost

FEWEST = 20  # sequences; fewer give no interval
SHORTEST = 16  # predictions of a sequence
OF_AN_UPDATE = 1 / 3
"""Share of the time of an update that a first pass is taken to last: that of its forward pass, about."""


@dataclass(frozen=True)
class Size:
    """The first `predictions` of each of the first `sequences`."""

    sequences: int
    predictions: int

    @property
    def tokens(self) -> int:
        """Predicted tokens, with padding."""
        return self.sequences * self.predictions

    @property
    def work(self) -> str:
        """The kind of work that a forward pass over them is."""
        return f"pass {self.sequences}x{self.predictions}"


def sizes(sequences: int, predictions: int) -> tuple[Size, ...]:
    """All sequences, and halves of them down to 20 and then to 16 predictions of each; the largest first.

    >>> [size.work for size in sizes(64, 100)]
    ['pass 64x100', 'pass 32x100', 'pass 20x100', 'pass 20x50', 'pass 20x25', 'pass 20x16']
    """
    smaller = [Size(sequences, predictions)]
    while sequences > FEWEST or predictions > SHORTEST:
        if sequences > FEWEST:
            sequences = max(FEWEST, sequences // 2)
        else:
            predictions = max(SHORTEST, predictions // 2)
        smaller.append(Size(sequences, predictions))
    return tuple(smaller)


def pass_seconds(size: Size, of: tuple[Size, ...], cost: Cost) -> float:
    """Predicted seconds of a forward pass. of: all sizes of the same sequences, the largest first.

    From measured passes over this size; else the next smaller one measured, in proportion to the tokens; else a larger
    one. Before the first pass, over the smallest size: a third of an update.
    """
    if size.work in cost.recent:
        return cost.predicted(size.work)
    at = of.index(size)
    for smaller in of[at + 1 :]:
        if smaller.work in cost.recent:
            return cost.predicted(smaller.work) * size.tokens / smaller.tokens
    for larger in reversed(of[:at]):
        if larger.work in cost.recent:
            return cost.predicted(larger.work)
    return OF_AN_UPDATE * cost.per_update * size.tokens / of[-1].tokens
