"""Which runs of a sweep are done, running, waiting or failed, read from their run directories."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from zerosum import sharing
from zerosum.atomic import write_text
from zerosum.errors import Diverged
from zerosum.sweep.plan import Plan, SweptRun
from zerosum.training import run_folder
from zerosum.training.metrics import read_rows

State = Literal["done", "running", "queued", "waiting", "failed"]
FAILURES = "failures"


@dataclass(frozen=True)
class RunState:
    """A run of a sweep and how far it is. step: updates that are logged. loss: of the last of them, nats per token.

    held_out_loss: of the last checkpoint that measured it. error: why it failed, in one line. diverged: it failed
    because its loss or gradient was not finite; another try would fail in the same way.
    """

    run: SweptRun
    state: State
    step: int
    loss: float | None
    held_out_loss: float | None
    error: str | None = None
    diverged: bool = False

    def to_json(self) -> dict[str, Any]:
        """All values by name; a loss that is missing is null with its reason."""
        document: dict[str, Any] = {
            "name": self.run.recipe.name,
            "out": str(self.run.folder),
            "recipe": self.run.source,
            "seed": self.run.recipe.seed,
            "set": self.run.changes,
            "state": self.state,
            "step": self.step,
            "steps": self.run.recipe.steps,
            "loss": self.loss,
            "held_out_loss": self.held_out_loss,
            "error": self.error,
        }
        if self.loss is None:
            document["loss_reason"] = "no update is logged"
        if self.held_out_loss is None:
            document["held_out_loss_reason"] = "none is logged: it is measured where held_out is above 0"
        return document


def states(plan: Plan, queued: Mapping[str, str] | None = None) -> list[RunState]:
    """How far every run of a sweep is. queued: names of run directories that wait in a queue, with the job's number."""
    return [state_of(plan, run, (queued or {}).get(run.folder.name)) for run in plan.runs]


def state_of(plan: Plan, run: SweptRun, job: str | None = None) -> RunState:
    """How far one run is. job: number of its job in a queue; None where it is in none."""
    folder, recipe = run.folder, run.recipe
    rows = read_rows(folder / run_folder.METRICS, recipe.first_step) if folder.is_dir() else []
    error, code = _failure(plan, run)
    held_out = [row["held_out_loss"] for row in rows if row.get("held_out_loss") is not None]
    if folder.is_dir() and run_folder.is_finished(folder, recipe):
        state: State = "done"
    elif (folder / run_folder.LOCK).exists() and not sharing.is_stale(folder / run_folder.LOCK):
        state = "running"
    elif job is not None:
        state = "queued"
    else:
        state = "waiting" if error is None else "failed"
    return RunState(
        run=run,
        state=state,
        step=recipe.first_step + len(rows),
        loss=rows[-1].get("loss") if rows else None,
        held_out_loss=held_out[-1] if held_out else None,
        error=error if state == "failed" else None,
        diverged=state == "failed" and code == Diverged.code,
    )


def note_failure(plan: Plan, run: SweptRun, message: str | None, code: str | None = None) -> None:
    """Record why a run failed; None: it is tried anew. code: of the error, of those that have one."""
    file = _failure_file(plan, run)
    if message is None:
        file.unlink(missing_ok=True)
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps({"run": run.folder.name, "error": message, "code": code}) + "\n")


def _failure(plan: Plan, run: SweptRun) -> tuple[str | None, str | None]:
    """Why a run failed, and the code of the error."""
    try:
        noted = json.loads(_failure_file(plan, run).read_text(encoding="utf-8"))
        return str(noted["error"]), noted.get("code")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None, None


def _failure_file(plan: Plan, run: SweptRun) -> Path:
    return plan.out / FAILURES / f"{run.folder.name}.json"
