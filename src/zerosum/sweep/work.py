"""One run of a sweep, trained in whatever process it was given to."""

import os
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from zerosum.errors import InputError
from zerosum.sweep.plan import Plan, SweptRun
from zerosum.sweep.status import note_failure
from zerosum.training.cost import RecordCost
from zerosum.training.disk import bytes_to_come, require_free
from zerosum.training.notices import Tell, warn
from zerosum.training.outcome import train_timed
from zerosum.training.run_folder import writing


def train_one(
    plan: Plan, run: SweptRun, report: Callable[..., Any] = lambda *news: None, tell: Tell = warn
) -> str | None:
    """Train or continue a run. Returns why it failed, which is also noted in the sweep's folder; None where it is done.

    An unexpected error is a bug: its traceback is printed, and it does not stop the other runs. A BrokenPipeError of
    `report` is none, and is raised. Of several processes that train one run together, the first notes.
    report: called as (name of the run directory, steps, step, note) while the run trains. tell: receives the notices of
    the run, which name its directory.
    """
    notes = os.environ.get("RANK", "0") == "0"
    if notes:
        note_failure(plan, run, None)
    name, steps = run.folder.name, run.recipe.steps
    code = None
    try:
        with writing(run.folder):
            require_free(run.folder, bytes_to_come(run.recipe, run.folder), "Free some space, or choose another --out.")
        train_timed(
            run.recipe,
            run.folder,
            callbacks=(RecordCost(run.folder),),
            report=lambda step, loss: report(name, steps, step, f"loss {loss:.3f}"),
            on_notice=lambda notice: tell(replace(notice, message=f"{name}: {notice.message}")),
        )
    except InputError as error:
        message, code = str(error), error.code
    except BrokenPipeError:  # the process that started this one was killed, and nobody hears its reports
        raise
    except Exception as error:  # noqa: BLE001 - the other runs must not be lost with this one
        traceback.print_exc()
        message = f"a bug in zerosum ({type(error).__name__}: {error}). Please report it."
    else:
        return None
    if notes:
        note_failure(plan, run, message, code)
    return message
