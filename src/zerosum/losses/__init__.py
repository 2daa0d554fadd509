"""Per-token losses of checkpoints, and the labelled store that holds them. Must not know how losses are summed up.

Names are loaded when first used: a command line then lists `quantities` without xarray.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from zerosum.losses._around import AroundStep, StepLosses
    from zerosum.losses._measure import measure_losses
    from zerosum.losses._model_losses import ModelLosses
    from zerosum.losses._own_store import own_store
    from zerosum.losses._store import STORE, open_store
    from zerosum.losses._token_losses import token_losses

_FILES = {
    "_around": ["AroundStep", "StepLosses"],
    "_measure": ["measure_losses"],
    "_model_losses": ["ModelLosses"],
    "_own_store": ["own_store"],
    "_store": ["STORE", "open_store"],
    "_token_losses": ["token_losses"],
}
__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs=_FILES)

__all__ = [
    "STORE",
    "AroundStep",
    "ModelLosses",
    "StepLosses",
    "measure_losses",
    "open_store",
    "own_store",
    "token_losses",
]
