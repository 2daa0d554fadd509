"""Many runs from one file: a grid of recipes, seeds and changes, side by side on this machine or as jobs of SLURM.

Every run is continued where it was stopped, so the same command continues a sweep that was killed.
"""

from zerosum.sweep.plan import Plan, SlurmSettings, SweptRun, read_plan, slurm_settings
from zerosum.sweep.status import RunState, state_of, states

__all__ = ["Plan", "RunState", "SlurmSettings", "SweptRun", "read_plan", "slurm_settings", "state_of", "states"]
