"""Provenance of numbers: the checkpoint, and the units that intervals resample."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from zerosum.checkpoints import UNUSED_WEIGHTS, Problem, Run, unused_weights
from zerosum.missing import NO_STEP, UNKNOWN_STEP

if TYPE_CHECKING:
    from zerosum.tokens import TokenSequences

NO_TOKENS_SEEN = "neither the run nor a name says"
FEWEST_DOCUMENTS = 20  # with fewer, sequences are resampled


def checkpoint_to_json(source: str, step: int | None, tokens_seen: int | None) -> dict[str, Any]:
    """Which checkpoint a record is of; nothing where it is not of a checkpoint."""
    if step is None and not source:
        return {}
    document = {"source": source, "step": step} | ({} if step is not None else {"step_reason": NO_STEP})
    document |= {"tokens_seen": tokens_seen}
    return document | ({} if tokens_seen is not None else {"tokens_seen_reason": NO_TOKENS_SEEN})


def problems_of(run: Run, step: int) -> tuple[Problem, ...]:
    """Problems of one checkpoint beside the others of its run."""
    return tuple(problem for problem in run.configuration_problems if step in problem.steps)


def problems_of_model(model: Any, step: int) -> tuple[Problem, ...]:
    """Problems that show when the model of a checkpoint is loaded."""
    sentence = unused_weights(model)
    steps = () if step == UNKNOWN_STEP else (step,)
    return (Problem(UNUSED_WEIGHTS, steps, sentence),) if sentence else ()


def other_place(default: Path, place: Path) -> str:
    """A note on where a measurement is stored, if not in the default place."""
    return f"stored in {place.name}, because {default.name} holds other data, options or weights"


def units_of(tokens: "TokenSequences") -> Literal["document", "sequence"]:
    """What intervals resample: documents where there are enough of them."""
    documents = np.unique(tokens.document[tokens.document >= 0]).size
    return "document" if documents >= FEWEST_DOCUMENTS else "sequence"
