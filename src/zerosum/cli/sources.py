"""What verbs that take many sources share: options for reading, one bad source among twenty, JSON, exit codes."""

import json
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from zerosum.errors import InputError
from zerosum.report.names import printable

if TYPE_CHECKING:
    from zerosum.curves import LossCurve

Given = TypeVar("Given")
Done = TypeVar("Done")


class OnResume(StrEnum):
    """Which of the steps trained twice stays."""

    LAST = "last"
    FIRST = "first"
    ERROR = "error"


def _column(axis: str, words: str) -> Any:
    return typer.Option(f"--{axis}", metavar="NAME", help=f"Column of the {words}, where its name is not a usual one.")


Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help="Loss logs: files of any known format, run folders, or W&B runs as wandb:entity/project/run_id.",
        show_default=False,
    ),
]
LossColumn = Annotated[str | None, _column("loss", "loss")]
StepColumn = Annotated[str | None, _column("step", "step")]
TokensColumn = Annotated[str | None, _column("tokens", "tokens seen")]
LrColumn = Annotated[str | None, _column("lr", "learning rate")]
Resume = Annotated[
    OnResume, typer.Option("--on-resume", help="Of steps trained twice, after a restart, which stays; or refuse.")
]
BytesPerToken = Annotated[
    float | None,
    typer.Option("--bytes-per-token", metavar="B", help="The loss is in bits per byte: convert it to nats per token."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")]


@dataclass(frozen=True)
class Reading:
    """How every source of one call is read; see `zerosum.read_curve`."""

    loss: str | None
    step: str | None
    tokens: str | None
    lr: str | None
    on_resume: OnResume
    bytes_per_token: float | None

    def __call__(self, source: str) -> "LossCurve":
        """Read one source."""
        from zerosum.curves import read_curve

        return read_curve(
            source,
            loss=self.loss,
            step=self.step,
            tokens=self.tokens,
            lr=self.lr,
            on_resume=self.on_resume.value,
            bytes_per_token=self.bytes_per_token,
        )


@dataclass(frozen=True)
class Failure:
    """A source that could not be used, as it was given, and why in one line."""

    source: str
    message: str


def each(
    given: Iterable[tuple[str, Given]], work: Callable[[Given], Done]
) -> tuple[list[tuple[str, Done]], list[Failure]]:
    """Do `work` on everything given, (source, what to work on), and go on where one of them cannot be used."""
    done: list[tuple[str, Done]] = []
    failed: list[Failure] = []
    for source, one in given:
        try:
            done.append((source, work(one)))
        except (InputError, OSError) as error:
            failed.append(Failure(source, _one_line(source, error)))
    return done, failed


def _one_line(source: str, error: InputError | OSError) -> str:
    """Value, cause and remedy; the value is named where the error speaks of something else."""
    if isinstance(error, OSError):
        return f"{source}: cannot be used ({error.strerror or error}). Check the path and its permissions."
    message = " ".join(str(error).split())
    return message if source.rstrip("/") in message else f"{source}: {message}"


def print_json(name: str, documents: list[dict[str, Any]], failed: list[Failure]) -> None:
    """`{name: [...], "errors": [{source, message}]}` on stdout, in ASCII so that no terminal or locale matters."""
    document = {name: documents, "errors": [asdict(one) for one in failed]}
    text = json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)
    print(re.sub("[^ -~\n]", _escaped, text))


def _escaped(found: re.Match[str]) -> str:
    # A file's name that is no UTF-8 holds lone surrogates, which strict JSON readers refuse.
    char = "\ufffd" if "\ud800" <= found[0] <= "\udfff" else found[0]
    return json.dumps(char)[1:-1]


def finish(failed: list[Failure], of: int) -> None:
    """Say on stderr what failed, one line each, and leave with exit code 2; do nothing where all went well."""
    if not failed:
        return
    for one in failed:
        print(f"zerosum: {printable(one.message, 2_000)}", file=sys.stderr)
    if of > 1:
        rest = "; the others are complete" if len(failed) < of else ""
        print(f"zerosum: {len(failed)} of {of} sources could not be used{rest}.", file=sys.stderr)
    raise typer.Exit(2)
