"""What was asked for and is not there."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Missing:
    """Something that cannot be shown. code: of the cause, for scripts. why: in one line. command: what makes it."""

    what: str
    why: str
    command: str = ""
    code: str = ""
