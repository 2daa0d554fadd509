"""What verbs that take many sources share: one bad source among twenty, JSON, exit codes."""

import json
import re
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from zerosum.errors import InputError
from zerosum.show.names import printable

Given = TypeVar("Given")
Done = TypeVar("Done")

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help="Loss logs: files of any known format, run folders, or W&B runs as wandb:entity/project/run_id.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")]

EXIT_CODES = (
    "Exit codes: 0 done; 2 a source or the call is wrong; 1 a bug of ours. One bad source among many gives 2 as well: "
    "the others are complete, and stderr, or errors in the JSON, names the bad one."
)


@dataclass(frozen=True)
class Failure:
    """A source that could not be used, as it was given, and why in one line. bug: the fault is ours.

    code: of errors that scripts may decide on, None of the others.
    """

    source: str
    message: str
    bug: bool = False
    code: str | None = None


def each(
    given: Iterable[tuple[str, Given]], work: Callable[[Given], Done]
) -> tuple[list[tuple[str, Done]], list[Failure]]:
    """Do `work` on every (source, job); a source that cannot be used does not stop the others.

    An unexpected error is a bug: its traceback is printed, and the work on the other sources goes on.
    """
    done: list[tuple[str, Done]] = []
    failed: list[Failure] = []
    for source, job in given:
        try:
            done.append((source, work(job)))
        except (InputError, OSError) as error:
            failed.append(Failure(source, one_line(source, error), code=getattr(error, "code", None)))
        except Exception as error:  # noqa: BLE001 - nineteen good sources must not be lost with a twentieth
            traceback.print_exc()
            what = f"{type(error).__name__}: {error}".strip(": ")
            failed.append(
                Failure(source, f"{source}: a bug in zerosum ({what}). Please report it with this log.", True)
            )
    return done, failed


def one_line(source: str, error: InputError | OSError) -> str:
    """Value, cause and remedy. Prefixes the source where the message lacks it."""
    if isinstance(error, OSError):
        return f"{source}: cannot be used ({error.strerror or error}). Check the path and its permissions."
    message = " ".join(str(error).split())
    return message if source.rstrip("/") in message else f"{source}: {message}"


def as_document(name: str, documents: list[dict[str, Any]], failed: list[Failure], **more: Any) -> dict[str, Any]:
    """`{name: [...], ..., "errors": [{source, message}]}`. more: what else belongs into the document, by name.

    An error that has a code has it as "code", too.
    """
    errors = [
        {"source": failure.source, "message": failure.message} | ({"code": failure.code} if failure.code else {})
        for failure in failed
    ]
    return {name: documents, **more, "errors": errors}


def print_json(
    name: str, documents: list[dict[str, Any]], failed: list[Failure], page: Path | None = None, **more: Any
) -> None:
    """Print `as_document` on stdout. page: the report that was written, as the entry "report"."""
    print_document(as_document(name, documents, failed, **more) | ({} if page is None else {"report": str(page)}))


def print_document(document: dict[str, Any]) -> None:
    """Print one JSON document on stdout, in ASCII so that no terminal or locale matters."""
    text = json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)
    print(re.sub("[^ -~\n]", _escaped, text))


def _escaped(match: re.Match[str]) -> str:
    # A file's name that is no UTF-8 holds lone surrogates, which strict JSON readers refuse.
    char = "\ufffd" if "\ud800" <= match[0] <= "\udfff" else match[0]
    return json.dumps(char)[1:-1]


def finish(failed: list[Failure], of: int) -> None:
    """Print what failed on stderr, one line each, and exit with code 2, or 1 where a bug of ours was among it.

    of: how many sources there were; 0 prints no count of failures. Does nothing where all went well.
    """
    if not failed:
        return
    for failure in failed:
        print(f"zerosum: {printable(failure.message, 2_000)}", file=sys.stderr)
    if of > 1:
        rest = "; the others are complete" if len(failed) < of else ""
        print(f"zerosum: {len(failed)} of {of} sources could not be used{rest}.", file=sys.stderr)
    raise typer.Exit(1 if any(failure.bug for failure in failed) else 2)
