"""The same for a labelled store of per-token losses (an xarray Dataset): pairs of checkpoints, groups of tokens, time.

A store has `loss` [checkpoint, sequence, position] in nats, NaN where nothing is predicted, and the coordinates `step`
(checkpoint), `token` (sequence, position) and, where known, `document` and `domain` (sequence, or each position),
`first_token` (sequence). Two checkpoints are held in memory at a time.
"""

from zerosum.interference.labelled._averages import AveragedPair, AveragedStore, RawAndAveraged, beside_averages
from zerosum.interference.labelled._branches import Branches, measure_branches
from zerosum.interference.labelled._change import (
    Change,
    Units,
    change_between,
    choose_units,
    coordinate,
    same_tokens,
    steps_of,
    tokens_of,
    units_of,
)
from zerosum.interference.labelled._checkpoint_steps import SPLITS, BatchStep, CheckpointSteps, Unseen
from zerosum.interference.labelled._findings import GroupsOverTime, LeftOut, StoreFindings, findings_of
from zerosum.interference.labelled._harm_comparisons import harm_pairs, harm_split
from zerosum.interference.labelled._harm_matrix import HarmCell, HarmMatrix, HarmPair, HarmRow, HarmSplit
from zerosum.interference.labelled._harm_store import HarmMatrices, read_harms, write_harms
from zerosum.interference.labelled._harm_sums import Columns, RowSums
from zerosum.interference.labelled._heat import DocumentChange, HeatMap, TokenChange, heat_map
from zerosum.interference.labelled._mean_losses import CheckpointLoss, StoreLosses, mean_losses
from zerosum.interference.labelled._measure import (
    MeasuredGroups,
    NoiseFloor,
    PairInterference,
    SplitFactors,
    measure_groups,
    measure_labelled,
    measure_pair,
    split_factors,
)
from zerosum.interference.labelled._moved import Moved, most_moved
from zerosum.interference.labelled._one_step import Changes, OneStep, Split, measure_changes, one_steps
from zerosum.interference.labelled._persistence import Persistence, WorseOften, persistence, worse_often
from zerosum.interference.labelled._problems import EXCLUDED_CODES, StoreProblem
from zerosum.interference.labelled._quantities import QuantityOverTraining, quantities_over_training
from zerosum.interference.labelled._store import StoreInterference, measure_store
from zerosum.interference.labelled._text import TokenText
from zerosum.interference.labelled.groupings import Labels, grouping_names, label

__all__ = [
    "EXCLUDED_CODES",
    "SPLITS",
    "AveragedPair",
    "AveragedStore",
    "BatchStep",
    "Branches",
    "Change",
    "Changes",
    "CheckpointLoss",
    "CheckpointSteps",
    "Columns",
    "DocumentChange",
    "GroupsOverTime",
    "HarmCell",
    "HarmMatrices",
    "HarmMatrix",
    "HarmPair",
    "HarmRow",
    "HarmSplit",
    "HeatMap",
    "Labels",
    "LeftOut",
    "MeasuredGroups",
    "Moved",
    "NoiseFloor",
    "OneStep",
    "PairInterference",
    "Persistence",
    "QuantityOverTraining",
    "RawAndAveraged",
    "RowSums",
    "Split",
    "SplitFactors",
    "StoreFindings",
    "StoreInterference",
    "StoreLosses",
    "StoreProblem",
    "TokenChange",
    "TokenText",
    "Units",
    "Unseen",
    "WorseOften",
    "beside_averages",
    "change_between",
    "choose_units",
    "coordinate",
    "findings_of",
    "grouping_names",
    "harm_pairs",
    "harm_split",
    "heat_map",
    "label",
    "mean_losses",
    "measure_branches",
    "measure_changes",
    "measure_groups",
    "measure_labelled",
    "measure_pair",
    "measure_store",
    "most_moved",
    "one_steps",
    "persistence",
    "quantities_over_training",
    "read_harms",
    "same_tokens",
    "split_factors",
    "steps_of",
    "tokens_of",
    "units_of",
    "worse_often",
    "write_harms",
]
