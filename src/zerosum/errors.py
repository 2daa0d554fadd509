"""The one error that users are meant to read."""


class InputError(ValueError):
    """What the caller gave cannot be used: one line with the value, the cause and the remedy.

    The command line prints the message without a traceback and exits with code 2.
    """


class MissingExtra(InputError):
    """A package of an optional extra is not installed."""

    def __init__(self, package: str, extra: str):
        super().__init__(
            f"{package}: not installed, and this needs it. Install the extra: pip install 'zerosum[{extra}]'"
        )
