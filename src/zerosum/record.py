"""Records that show themselves: `print(record)`, `record.table()`, `record.plot()`.

A record computes nothing for this and knows no room above its own: `zerosum.show` is loaded by name when somebody asks.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class Record:
    """Base of measurements. Declare them `@dataclass(frozen=True, repr=False)`, so that they print the answer."""

    def __repr__(self) -> str:
        text: str = _shown().text(self)
        return text

    def table(self) -> "pd.DataFrame":
        """The numbers at full precision, one row for each thing measured."""
        frame: pd.DataFrame = _shown().table(self)
        return frame

    def plot(self) -> "Figure":
        """The figure of the report on this record alone."""
        figure: Figure = _shown().plot(self)
        return figure


def _shown() -> Any:
    return import_module("zerosum.show.records")
