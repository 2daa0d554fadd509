"""Runs against runs: repeats over seeds, arms against a baseline. numpy and scipy only; never torch."""

from zerosum.comparison.equal_loss import EqualLoss, LossInterval, equal_loss, preset_levels
from zerosum.comparison.over_sizes import gain_slope, rate_slope
from zerosum.comparison.paired import (
    PairedDifference,
    Verdict,
    more_seeds_needed,
    paired_differences,
    seeds_needed,
    verdict_of,
)
from zerosum.comparison.rates import best_between, rate_sensitivity
from zerosum.comparison.seeds import AcrossSeeds, OneSeed, PairOverSeeds, across_seeds
from zerosum.comparison.speed_up import SpeedUp, speed_up

__all__ = [
    "AcrossSeeds",
    "EqualLoss",
    "LossInterval",
    "OneSeed",
    "PairOverSeeds",
    "PairedDifference",
    "SpeedUp",
    "Verdict",
    "across_seeds",
    "best_between",
    "equal_loss",
    "gain_slope",
    "more_seeds_needed",
    "paired_differences",
    "preset_levels",
    "rate_sensitivity",
    "rate_slope",
    "seeds_needed",
    "speed_up",
    "verdict_of",
]
