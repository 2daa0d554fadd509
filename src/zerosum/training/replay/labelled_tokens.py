"""Loss changes of token sequences over a step, in the form that groupings of tokens take: a store in memory."""

import numpy as np
import xarray as xr
from jaxtyping import Float

from zerosum.interference.labelled import Change
from zerosum.tokens import TokenSequences


def change_of(
    tokens: TokenSequences, before: Float[np.ndarray, "S T"], after: Float[np.ndarray, "S T"], step: int = 0
) -> Change:
    """The changes after - before, nats, of the predicted tokens; step: the one they begin at."""
    kept = tokens.predicted
    place = "sequence" if tokens.document.ndim == 1 else ("sequence", "position")
    coordinates = {
        "step": ("checkpoint", np.array([step])),
        "token": (("sequence", "position"), tokens.ids[:, 1:]),
        "first_token": ("sequence", tokens.ids[:, 0]),
        "document": (place, tokens.document),
    }
    if tokens.domain is not None:
        coordinates["domain"] = (place, tokens.domain)
    losses = np.where(kept, before, np.nan)
    store = xr.Dataset(
        {"loss": (("checkpoint", "sequence", "position"), losses[None])},
        coordinates,
        {"documents": list(tokens.documents), "domains": list(tokens.domains)},
    )
    x = np.where(kept, after.astype(np.float64) - before, np.nan)
    return Change(store, step, step + 1, losses, x, kept, 0)
