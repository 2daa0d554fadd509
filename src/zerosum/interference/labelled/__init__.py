"""The same for a labelled store of per-token losses (an xarray Dataset): pairs of checkpoints, groups of tokens, time.

A store has `loss` [checkpoint, sequence, position] in nats, NaN where nothing is predicted, and the coordinates `step`
(checkpoint), `token` (sequence, position) and, where known, `document` and `domain` (sequence, or each position),
`first_token` (sequence). Two checkpoints are held in memory at a time.
"""

from zerosum.interference.labelled._change import (
    Change,
    Units,
    change_between,
    coordinate,
    same_tokens,
    steps_of,
    tokens_of,
    units_of,
)
from zerosum.interference.labelled._measure import (
    MeasuredGroups,
    NoiseFloor,
    PairInterference,
    measure_groups,
    measure_pair,
)
from zerosum.interference.labelled._moved import Moved, most_moved
from zerosum.interference.labelled._persistence import Persistence, WorseOften, persistence, worse_often
from zerosum.interference.labelled._store import StoreInterference, measure_store
from zerosum.interference.labelled._text import TokenText
from zerosum.interference.labelled.groupings import Labels, grouping_names

__all__ = [
    "Change",
    "Labels",
    "MeasuredGroups",
    "Moved",
    "NoiseFloor",
    "PairInterference",
    "Persistence",
    "StoreInterference",
    "TokenText",
    "Units",
    "WorseOften",
    "change_between",
    "coordinate",
    "grouping_names",
    "measure_groups",
    "measure_pair",
    "measure_store",
    "most_moved",
    "persistence",
    "same_tokens",
    "steps_of",
    "tokens_of",
    "units_of",
    "worse_often",
]
