"""Laws across runs: what size and training tokens do to the loss. numpy and scipy only; never torch."""

from zerosum.scaling.reason import Reason
from zerosum.scaling.table import LossTable, read_table

__all__ = ["LossTable", "Reason", "read_table"]
