"""Steps at which a run saves a checkpoint or measures, spaced evenly in their logarithm."""

from functools import lru_cache

from pydantic import PositiveInt

from zerosum.training.settings import Part


class CheckpointGrid(Part):
    """Checkpoints between the first and the last: powers of two, or a finer grid, and any others by name.

    per_doubling: checkpoints in each doubling of the step, evenly spaced in its logarithm and rounded; 1 gives the
    powers of two. also: further steps, such as half of the last.
    """

    per_doubling: PositiveInt = 1
    also: tuple[PositiveInt, ...] = ()

    def steps(self, first: int, last: int) -> tuple[int, ...]:
        """The first step, those of the grid after it, and the last.

        >>> CheckpointGrid().steps(0, 6)
        (0, 1, 2, 4, 6)
        >>> CheckpointGrid(per_doubling=2).steps(4, 12)
        (4, 6, 8, 11, 12)
        >>> CheckpointGrid(also=(3, 9)).steps(0, 6)
        (0, 1, 2, 3, 4, 6)
        """
        n_points = self.per_doubling * last.bit_length() + 1
        grid = {round(2 ** (k / self.per_doubling)) for k in range(n_points)} | set(self.also)
        return tuple(sorted({first, *(step for step in grid if first < step < last), last}))


@lru_cache
def steps_per_decade(per_decade: int, last: int) -> frozenset[int]:
    """Steps 10^(k / per_decade) up to `last`, rounded; none where `per_decade` is 0.

    >>> sorted(steps_per_decade(2, 40))
    [1, 3, 10, 32]
    """
    n_points = per_decade * len(str(last))
    return frozenset(step for k in range(n_points) if (step := round(10 ** (k / per_decade))) <= last)
