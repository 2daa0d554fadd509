"""The command line: one file per verb. Exit codes: 0 done, 2 the input or the call is wrong, 1 a bug of ours."""

import sys

import typer

import zerosum
from zerosum.cli.demo import demo
from zerosum.errors import InputError

app = typer.Typer(
    name="zerosum",
    help="Training dynamics of language models: loss deceleration and zero-sum learning, measured with error bars.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(demo)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"zerosum {zerosum.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    """Options of the program itself; a callback also keeps a single verb from becoming the whole program."""


def main() -> None:
    """Run a verb; an InputError is one line on stderr and exit code 2."""
    try:
        app()
    except InputError as error:
        print(f"zerosum: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("zerosum: stopped. Start the same command again: it continues.", file=sys.stderr)
        sys.exit(130)
