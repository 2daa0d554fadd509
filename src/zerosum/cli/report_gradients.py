"""The part of `zerosum report` on per-token gradients: read where a run has them, else how to measure them."""

import shlex
from typing import TYPE_CHECKING, Any

from zerosum.errors import InputError

if TYPE_CHECKING:
    from zerosum.gradients import GradientsOverTraining
    from zerosum.runs import RunDirectory
    from zerosum.show import Missing, RunReport

WHAT, CODE = "Per-token gradients", "no-gradients"


def measured_gradients(run: "RunDirectory | None", missing: "list[Missing]") -> "GradientsOverTraining | None":
    """What the run's store of per-token gradients says; one that cannot be used does not take the rest of the page."""
    from zerosum.show import Missing

    if run is None:
        missing.append(Missing(WHAT, "a store of losses has none. Give the run directory instead.", code=CODE))
        return None
    if not run.gradients.is_dir():
        command = f"zerosum gradients {shlex.quote(str(run.path))} --data TEXTS"
        missing.append(Missing(WHAT, "they were not measured. Measure them:", command, CODE))
        return None
    from zerosum.gradients import read_gradients

    try:
        return read_gradients(run.gradients, run.name)
    except InputError as error:
        missing.append(Missing(WHAT, " ".join(str(error).split()), code=CODE))
        return None


def gradients_document(told: "RunReport") -> dict[str, Any]:
    """The documents of all checkpoints for JSON, or why there are none."""
    if told.gradients is not None:
        return {"gradients": [checkpoint.to_json() for checkpoint in told.gradients.checkpoints]}
    return {"gradients": None, "gradients_reason": next(one.why for one in told.missing if one.code == CODE)}
