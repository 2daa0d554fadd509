"""Runs against runs: what repeating a run with other seeds changes. numpy and scipy only; never torch."""

from zerosum.comparison.seeds import AcrossSeeds, OneSeed, PairOverSeeds, across_seeds

__all__ = ["AcrossSeeds", "OneSeed", "PairOverSeeds", "across_seeds"]
