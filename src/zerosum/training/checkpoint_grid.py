"""Steps at which a run saves a checkpoint."""

from pydantic import PositiveInt

from zerosum.training.settings import Part


class CheckpointGrid(Part):
    """Checkpoints between the first and the last: powers of two, or a finer grid.

    per_doubling: checkpoints in each doubling of the step, evenly spaced in its logarithm and rounded; 1 gives the
    powers of two.
    """

    per_doubling: PositiveInt = 1

    def steps(self, first: int, last: int) -> tuple[int, ...]:
        """The first step, those of the grid after it, and the last.

        >>> CheckpointGrid().steps(0, 6)
        (0, 1, 2, 4, 6)
        >>> CheckpointGrid(per_doubling=2).steps(4, 12)
        (4, 6, 8, 11, 12)
        """
        n_points = self.per_doubling * last.bit_length() + 1
        grid = {round(2 ** (k / self.per_doubling)) for k in range(n_points)}
        return tuple(sorted({first, *(step for step in grid if first < step < last), last}))
