"""Loss curves that others wrote -> `LossCurve`. Knows file formats; knows nothing of fits or models."""

from zerosum.curves._curve import LossCurve

__all__ = ["LossCurve"]
