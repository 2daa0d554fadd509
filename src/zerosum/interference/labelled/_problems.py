"""Problems of checkpoints recorded in a store: `problems` in its attrs, a list of {code, steps, message}."""

from collections.abc import Iterator
from dataclasses import dataclass

from zerosum.interference.labelled._change import Store
from zerosum.missing import UNKNOWN_STEP

EXCLUDED_CODES = ("identical-weights", "implausible-loss", "other-configuration", "unused-weights")
"""Codes of checkpoints whose losses are not those of their step: they are in no summary."""


@dataclass(frozen=True)
class StoreProblem:
    """code: of the cause, "incomplete" where the measurement was not finished. sentence: untrusted text for people."""

    code: str
    steps: tuple[int, ...]
    sentence: str


def excluded_steps(store: Store) -> dict[int, str]:
    """Step -> code, of the checkpoints that are in no summary."""
    excluded: dict[int, str] = {}
    for problem in problems_of(store):
        if problem.code in EXCLUDED_CODES:
            excluded |= {step: problem.code for step in problem.steps if step not in excluded}
    return excluded


def problems_of(store: Store) -> Iterator[StoreProblem]:
    """An unfinished measurement, and the problems recorded in the store. Entries of another form are ignored."""
    if store.attrs.get("complete") is False:
        yield StoreProblem(
            "incomplete", (), "not everything is measured yet: start the measurement again, and it continues"
        )
    notes = store.attrs.get("problems")
    for note in notes if isinstance(notes, list | tuple) else ():
        if isinstance(note, dict) and isinstance(note.get("message"), str):
            steps = note.get("steps")
            numbers = steps if isinstance(steps, list | tuple) else ()
            known = tuple(step for step in numbers if isinstance(step, int) and step != UNKNOWN_STEP)
            message: str = note["message"]
            named = message.startswith("step") or not known
            yield StoreProblem(str(note.get("code", "")), known, message if named else f"{_listed(known)}: {message}")


def _listed(steps: tuple[int, ...]) -> str:
    return f"step{'s' * (len(steps) > 1)} {', '.join(map(str, steps))}"
