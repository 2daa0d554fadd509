"""The command line: one file per verb. Exit codes: 0 done, 2 the input or the call is wrong, 1 a bug of ours."""

import sys

import typer

import zerosum
from zerosum.cli.compare import compare
from zerosum.cli.curves import curves
from zerosum.cli.demo import demo
from zerosum.cli.dissent import dissent
from zerosum.cli.explain import explain
from zerosum.cli.fit import fit
from zerosum.cli.gradients import gradients
from zerosum.cli.interference import interference
from zerosum.cli.losses import losses
from zerosum.cli.report import report
from zerosum.cli.sources import EXIT_CODES
from zerosum.cli.step import step
from zerosum.errors import InputError

INTERRUPTED = 130

app = typer.Typer(
    name="zerosum",
    help="Training dynamics of language models: loss deceleration and zero-sum learning, measured with error bars.",
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command(epilog=EXIT_CODES)(curves)
app.command(epilog=EXIT_CODES)(fit)
app.command(epilog=EXIT_CODES)(compare)
app.command()(explain)
app.command()(losses)
app.command()(interference)
app.command()(gradients)
app.command()(dissent)
app.command()(step)
app.command()(report)
app.command()(demo)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"zerosum {zerosum.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    """Options of the program itself; without a verb, the help."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run a verb; what is wrong with the input or the call is one line on stderr and exit code 2."""
    code, message = _run()
    if message:
        print(f"zerosum: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


def _run() -> tuple[int, str]:
    """Exit code, and what to say."""
    try:
        code = app(standalone_mode=False) or 0
    except InputError as error:
        return 2, str(error)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        if not hasattr(error, "format_message"):  # typer's errors of usage have it, whichever click they stand on
            raise
        return 2, f"{error.format_message()} See zerosum --help."
    return code, "stopped. Start the same command again: it continues." if code == INTERRUPTED else ""
