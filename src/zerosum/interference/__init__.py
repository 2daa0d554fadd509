"""How much of all movement cancels: R, D, M, groups, nulls and intervals for any signed array.

Knows arrays and nothing of models; never imports torch, though its tensors are welcome.
"""

from zerosum.interference._agreement import Agreement, sign_agreement
from zerosum.interference._array import as_float64, destructive_interference, net_ratio
from zerosum.interference._branches import BranchAgreement, branch_agreement
from zerosum.interference._groups import Group, GroupSplit, split, sums_by_group
from zerosum.interference._interval import fold, interval, no_interval_reason
from zerosum.interference._measure import ChangeInD, change_in_D, difference_in_D, measure, summarize
from zerosum.interference._null import expected_abs_sum, gaussian_abs_sum
from zerosum.interference._over_repeats import over_repeats
from zerosum.interference._pairs import chosen_pairs, consecutive_pairs, doubling_pairs
from zerosum.interference._record import Interference, Interval
from zerosum.interference._sums import InterferenceSums

__all__ = [
    "Agreement",
    "BranchAgreement",
    "ChangeInD",
    "Group",
    "GroupSplit",
    "Interference",
    "InterferenceSums",
    "Interval",
    "as_float64",
    "branch_agreement",
    "change_in_D",
    "chosen_pairs",
    "consecutive_pairs",
    "destructive_interference",
    "difference_in_D",
    "doubling_pairs",
    "expected_abs_sum",
    "fold",
    "gaussian_abs_sum",
    "interval",
    "measure",
    "net_ratio",
    "no_interval_reason",
    "over_repeats",
    "sign_agreement",
    "split",
    "summarize",
    "sums_by_group",
]
