"""What was asked for and is not there."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Missing:
    """Something that cannot be shown. code: of the cause, for scripts. why: in one line. command: what makes it."""

    what: str
    why: str
    command: str = ""
    code: str = ""


UNKNOWN_STEP = -1  # step of a checkpoint by itself, where neither its name nor its files nor the user state it
NO_STEP = "neither its name nor its files state it; append it to the path, as PATH@STEP"


def step_words(step: int) -> str:
    """A step in a message.

    >>> step_words(400), step_words(UNKNOWN_STEP)
    ('step 400', 'step unknown')
    """
    return "step unknown" if step == UNKNOWN_STEP else f"step {step}"
