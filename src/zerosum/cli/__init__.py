"""The command line: one file per verb. Exit codes: 0 done, 2 the input or the call is wrong, 1 a bug of ours.

A file here with a GROUP is a verb: its function of the same name is the command, and help lists it in that group. A
file whose name begins with an underscore belongs to a verb, which imports it when it runs.
"""

import gc
import sys
import warnings
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import TextIO

import typer

import zerosum
from zerosum.errors import InputError, InputWarning
from zerosum.memory import hold_freed_memory
from zerosum.show.names import printable

INTERRUPTED = 130
GROUPS = ("read", "measure", "train", "compare")

app = typer.Typer(
    name="zerosum",
    help="Training dynamics of language models: loss deceleration and zero-sum learning, measured with error bars.",
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _verbs() -> Iterator[tuple[str, ModuleType]]:
    """Name and file of every verb, group by group."""
    names = [info.name for info in iter_modules(__path__) if not info.name.startswith("_")]
    modules = {name: import_module(f"{__name__}.{name}") for name in names}
    verbs = [(name, module) for name, module in modules.items() if hasattr(module, "GROUP")]
    yield from sorted(verbs, key=lambda verb: GROUPS.index(verb[1].GROUP))


for _name, _file in _verbs():
    app.command(rich_help_panel=_file.GROUP, epilog=getattr(_file, "EPILOG", None))(getattr(_file, _name))


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
    gc.set_threshold(50_000)  # by default, collections take a seventh of the time in which torch and transformers load
    hold_freed_memory()
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        code, message = _run()
    if message:
        _say(message)
    sys.exit(code)


def _say(message: str) -> None:
    print(f"zerosum: {printable(' '.join(message.split()), 2_000)}", file=sys.stderr)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Our own warnings as one line; those of libraries as Python shows them."""
    if issubclass(category, InputWarning):
        _say(str(message))
    else:
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))


def _is_out_of_memory(error: Exception) -> bool:
    if "torch" not in sys.modules:
        return isinstance(error, MemoryError)
    from zerosum.losses.batch_size import is_out_of_memory

    return is_out_of_memory(error)


def _run() -> tuple[int, str]:
    """Exit code, and what to say."""
    try:
        code = app(standalone_mode=False) or 0
    except InputError as error:
        return 2, str(error)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        if _is_out_of_memory(error):
            cause = str(error)[:100] or type(error).__name__
            remedy = "Give a smaller --tokens-per-batch (of training: --set batch.passes=N), or another device."
            return 2, f"not enough memory ({cause}). {remedy}"
        if not hasattr(error, "format_message"):  # typer's errors of usage have it, whichever click they stand on
            raise
        return 2, f"{error.format_message()} See zerosum --help."
    return code, "stopped. Start the same command again: it continues." if code == INTERRUPTED else ""
