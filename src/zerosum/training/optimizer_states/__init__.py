"""The optimizer of a checkpoint, with its state, ready for one update: saved beside the weights, or chosen by a user.

A source of saved states is one file here: what it looks like, and how its groups of parameters are found in a model.
"""

from zerosum.training.optimizer_states._choice import Choice
from zerosum.training.optimizer_states._find import find_updater
from zerosum.training.optimizer_states._updater import Updater

__all__ = ["Choice", "Updater", "find_updater"]
