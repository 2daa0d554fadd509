"""The n-gram ladder of the text that a run was trained on, in its run directory, and the note on the fit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from zerosum.atomic import write_text
from zerosum.curves.folders import OUR_LOG
from zerosum.deceleration import Analysis, with_ngram_stage
from zerosum.errors import InputError
from zerosum.tokens.ngrams import NgramLadder

NGRAMS = "ngrams.json"
_ADAPTER = TypeAdapter(NgramLadder)


def write_ngrams(run: Path, ladder: NgramLadder) -> None:
    """Write the ladder into a run directory."""
    write_text(run / NGRAMS, _ADAPTER.dump_json(ladder, indent=1, warnings="error").decode() + "\n")


def ngrams_of(log: str | Path) -> NgramLadder | None:
    """The ladder of a run, by its directory or our own log in it; None where none was written.

    Raises InputError where the file is damaged.
    """
    path = Path(log)
    file = (path.parent if path.name == OUR_LOG else path) / NGRAMS
    if not file.is_file():
        return None
    try:
        return _ADAPTER.validate_json(file.read_bytes(), strict=True)
    except (OSError, ValidationError, RecursionError) as error:
        cause = error.errors()[0]["msg"] if isinstance(error, ValidationError) else type(error).__name__
        raise InputError(
            f"{file}: damaged, or no n-gram ladder ({' '.join(cause.split())[:200]}). Delete it: the rest of the run "
            "stays usable."
        ) from None


def ngrams_document(ladder: NgramLadder | None) -> dict[str, Any]:
    """The key `ngrams` of a run's JSON, without the time it took; nothing without a ladder."""
    if ladder is None:
        return {}
    document = ladder.to_json()
    del document["seconds"]
    rungs = [{"order": rung.order, "model": rung.model, **rung.loss.flat("loss")} for rung in ladder.rungs]
    return {"ngrams": document | {"rungs": rungs}}


def noted(analysis: Analysis, ladder: NgramLadder | None) -> Analysis:
    """The analysis of a run's curve, with the note `n-gram-stage` where it applies."""
    if ladder is None:
        return analysis
    losses = {rung.model: rung.loss.value for rung in ladder.rungs}
    return replace(analysis, fit=with_ngram_stage(analysis.fit, losses))
