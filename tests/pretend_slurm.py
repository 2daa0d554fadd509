"""Programs in place of SLURM's, which answer as its own do and keep what they were called with."""

import os
from pathlib import Path

import pytest
import submitit


def pretend_slurm(folder: Path, patch: pytest.MonkeyPatch, jobs: str = "4711_0|PENDING") -> Path:
    """Put them first in PATH; the folder in which they lie. jobs: rows of sacct.

    script.sh: the script given last to sbatch. sbatch.calls: a line for each call.
    """
    programs = folder / "bin"
    programs.mkdir()
    for name, answer in {"sbatch": "Submitted batch job 4711", "srun": "", "sacct": f"JobID|State\\n{jobs}"}.items():
        kept = f'cp "$1" {programs}/script.sh 2>/dev/null\necho called >> {programs}/{name}.calls'
        (programs / name).write_text(f"#!/bin/sh\n{kept}\nprintf '{answer}\\n'\n")
        (programs / name).chmod(0o755)
    watcher = type(submitit.SlurmJob.watcher)()  # the one of the class remembers jobs of other tests
    patch.setattr(submitit.SlurmJob, "watcher", watcher)
    patch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return programs
