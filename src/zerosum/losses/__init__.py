"""Per-token losses of checkpoints, and the labelled store that holds them. Must not know how losses are summed up."""

from zerosum.losses._around import AroundStep, StepLosses
from zerosum.losses._measure import measure_losses
from zerosum.losses._store import STORE, open_store
from zerosum.losses._token_losses import token_losses

__all__ = ["STORE", "AroundStep", "StepLosses", "measure_losses", "open_store", "token_losses"]
