"""Runs of a sweep as jobs of SLURM, through submitit. A job continues its run, so a preempted one is just requeued."""

import io
import json
import time
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zerosum.atomic import write_text
from zerosum.errors import InputError, MissingExtra
from zerosum.sweep.plan import Plan, SweptRun
from zerosum.sweep.status import RunState

if TYPE_CHECKING:
    import submitit

Cluster = Literal["slurm", "local"]
_JOBS = "jobs.json"
_LOGS = "slurm"
_UNKNOWN_AT_FIRST = 600.0  # seconds
_OVER = (
    "COMPLETED",
    "FAILED",
    "CANCELLED",
    "TIMEOUT",
    "OUT_OF_MEMORY",
    "NODE_FAIL",
    "BOOT_FAIL",
    "DEADLINE",
)


class TrainingJob:
    """The work of one job, which submitit runs on the cluster, once in each process of the job."""

    def __init__(self, plan: Plan, run: SweptRun):
        self.plan, self.run = plan, run

    def __call__(self) -> None:
        """Train or continue the run; the processes of one job find each other as those of torchrun do.

        Raises RuntimeError where the run fails, so that the job counts as failed in the queue, too.
        """
        import submitit

        from zerosum.sweep.work import train_one

        if submitit.JobEnvironment().num_tasks > 1:
            submitit.helpers.TorchDistributedEnvironment().export(set_cuda_visible_devices=False)
        if failure := train_one(self.plan, self.run):
            raise RuntimeError(failure)

    def checkpoint(self) -> "submitit.helpers.DelayedSubmission":
        """What is requeued when the job is preempted or its time is over: itself, as a run continues by itself."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


def queued_jobs(plan: Plan, cluster: Cluster = "slurm") -> dict[str, str]:
    """Numbers of the jobs that wait or run, by name of their run directory."""
    jobs = _read_jobs(plan)
    if not jobs:
        return {}
    submitit = _submitit()
    kind = submitit.SlurmJob if cluster == "slurm" else submitit.LocalJob
    states = {name: kind(plan.out / _LOGS, number).state for name, number in jobs.items()}
    # SLURM does not know a job in its first moments, and forgets it after some weeks.
    is_new = time.time() - (plan.out / _JOBS).stat().st_mtime < _UNKNOWN_AT_FIRST
    over = _OVER if is_new else (*_OVER, "UNKNOWN")
    return {name: jobs[name] for name, state in states.items() if not state.startswith(over)}


def submit(plan: Plan, waiting: list[RunState], jobs: int | None, cluster: Cluster = "slurm") -> None:
    """Submit a job for each run, at most `jobs` of them at a time (None: no limit).

    The numbers of the jobs are kept in the sweep's folder, so that no run is submitted twice.
    Raises InputError where SLURM is not there, or refuses the jobs.
    """
    submitit, slurm = _submitit(), plan.slurm
    if cluster == "slurm" and not submitit.SlurmExecutor.affinity() > 0:
        raise InputError("--executor slurm: sbatch is not found. Start it on a login node, or use --executor local.")
    executor = submitit.AutoExecutor(plan.out / _LOGS, cluster=cluster)
    options: dict[str, Any] = {"timeout_min": slurm.minutes, "cpus_per_task": slurm.cpus, "nodes": slurm.nodes}
    options |= {"tasks_per_node": max(1, slurm.gpus), "gpus_per_node": slurm.gpus}
    if slurm.memory_gb is not None:
        options["mem_gb"] = slurm.memory_gb
    if cluster == "slurm":
        if slurm.partition:
            options["slurm_partition"] = slurm.partition
        options |= {"slurm_array_parallelism": jobs or len(waiting), "slurm_additional_parameters": slurm.more}
    executor.update_parameters(name="zerosum", **options)
    try:
        with redirect_stderr(io.StringIO()), executor.batch():  # submitit prints the refusal, too
            submitted = [executor.submit(TrainingJob(plan, state.run)) for state in waiting]
    except submitit.core.utils.FailedJobError as error:
        cause = " ".join(str(error).split())[-200:] or "no reason given"
        raise InputError(f"--executor slurm: sbatch refused the jobs ({cause}). Correct slurm: in the file.") from error
    numbers = {state.run.folder.name: job.job_id for state, job in zip(waiting, submitted, strict=True)}
    write_text(plan.out / _JOBS, json.dumps(_read_jobs(plan) | numbers, indent=2) + "\n")


def _read_jobs(plan: Plan) -> dict[str, str]:
    file: Path = plan.out / _JOBS
    try:
        return {str(name): str(number) for name, number in json.loads(file.read_text(encoding="utf-8")).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{file}: cannot be read, and the jobs of this sweep are in it. Copy it back.") from error


def _submitit() -> Any:
    try:
        import submitit
    except ImportError as missing:
        raise MissingExtra("submitit", "slurm") from missing
    return submitit
