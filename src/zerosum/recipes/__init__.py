"""Functions that return full training recipes. A new experiment is a new function here, not a new flag."""

from zerosum.recipes.demo import demo_suite

__all__ = ["demo_suite"]
