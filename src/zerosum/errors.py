"""The error type whose message is written for users."""

from typing import ClassVar


class InputError(ValueError):
    """The user's input cannot be used. The message is one line: the value, the cause and the remedy.

    The command line prints the message without a traceback and exits with code 2. code: what scripts decide on, of the
    few errors that have one.
    """

    code: ClassVar[str | None] = None


MEASURED_AGAIN = "measured-again"  # code of the problem of a measurement that was repeated because of damage


class Damaged(InputError):
    """A file of a store is missing or has changed since it was written.

    place: the store, or the part of it that holds the file. what: as "loss/c/0/0/0 is missing". remedy: the command
    that repairs the store.
    """

    def __init__(self, place: object, what: str, remedy: str):
        super().__init__(f"{place}: damaged: {what}. {remedy}")
        self.what = what


class Diverged(InputError):
    """A loss or a gradient that is not finite ended the training of a run."""

    code = "diverged"


class MissingExtra(InputError):
    """A package is missing that one of the optional extras installs."""

    def __init__(self, package: str, extra: str):
        super().__init__(
            f"{package}: not installed, but needed here. Install the extra: pip install 'zerosum[{extra}]'"
        )


class InputWarning(UserWarning):
    """Something about the input that its user should know; the work goes on."""
