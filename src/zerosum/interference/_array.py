"""The formulas on plain arrays. N tokens along `axis`; all arithmetic in float64."""

from typing import Any

import numpy as np
from jaxtyping import Float


def as_float64(x: Any) -> Float[np.ndarray, "..."]:
    """Any array-like (NumPy, xarray, a torch tensor on any device, lists) as a float64 array."""
    if hasattr(x, "detach"):  # a torch tensor: bfloat16 has no NumPy type, so widen before converting
        x = x.detach().cpu().double()
    return np.asarray(x, dtype=np.float64)


def net_ratio(x: Any, axis: int = -1) -> Any:
    """Signed share of all movement that survives: R = sum(x) / sum(|x|).

    x: signed changes along `axis` (nats for losses). Range [-1, 1]; NaN where every x is zero or any x is NaN.

    >>> net_ratio([-3.0, 1.0])
    -0.5
    """
    x = as_float64(x)
    net, mass = x.sum(axis), np.abs(x).sum(axis)
    with np.errstate(invalid="ignore"):  # 0 / 0 is the documented NaN
        ratio = net / mass
    return float(ratio) if np.ndim(ratio) == 0 else ratio


def destructive_interference(x: Any, axis: int = -1) -> Any:
    """Share of all movement that cancels: D = 1 - |sum(x)| / sum(|x|).

    0: every token moves the same way. 1: perfect cancellation. NaN where every x is zero or any x is NaN.
    x: signed changes along `axis` (nats for losses); arrays, DataArrays and torch tensors alike.
    Returns a float, or an array of the remaining axes. Source: Mircea et al. 2025, arXiv 2506.05447.

    D depends on the number of tokens: N independent changes of mean zero already give about 1 - 0.8/sqrt(N).
    Use `measure` for D with its N, nulls and interval.

    >>> destructive_interference([-3.0, 1.0])
    0.5
    >>> destructive_interference([[-1.0, -2.0], [1.0, -1.0]]).tolist()
    [0.0, 1.0]
    """
    folded = 1.0 - np.abs(net_ratio(x, axis))
    return float(folded) if np.ndim(folded) == 0 else folded
