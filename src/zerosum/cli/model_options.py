"""Options of the verbs that run a model: where, and how much of the tokens at a time."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.cli.sources import Failure, one_line
from zerosum.errors import InputError

if TYPE_CHECKING:
    from zerosum.checkpoints import Run

MAIN = os.environ.get("RANK", "0") == "0"  # under torchrun only the first process speaks
TokensPerBatch = Annotated[
    str, typer.Option(metavar="N", help="Predictions per batch; auto: as many as memory allows.")
]
CheckpointOrRun = Annotated[
    str,
    typer.Argument(
        metavar="CHECKPOINT",
        help="A checkpoint, or a run directory: each of its checkpoints in turn, continued where it stopped.",
        show_default=False,
    ),
]
Average = Annotated[
    str | None,
    typer.Option(
        metavar="last:K|ema:BETA|STEP,STEP,...",
        help="Averages of weights: saved by training (averages), or the mean of the checkpoints within K steps.",
    ),
]
Device = Annotated[str, typer.Option(help="auto: a GPU where there is one; or cpu, cuda, cuda:1, mps.")]


def run_of(
    sources: Sequence[str], broken: list[Failure], revisions: str | None = None, average: str | None = None
) -> "Run":
    """The checkpoints of sources as one run. broken: takes those of a run directory that cannot be read.

    average: takes averages of their weights instead. Means of checkpoints are written beside what is measured.
    """
    from zerosum.checkpoints import find_checkpoints

    def refuse(name: str, error: InputError) -> None:
        broken.append(Failure(name, one_line(name, error)))

    if average is None:
        return find_checkpoints(sources, revisions=revisions, refuse=refuse)
    from zerosum.training.run_folder import writing

    with writing(Path(sources[0])):
        return find_checkpoints(sources, revisions=revisions, refuse=refuse, average=average)


def averages_of(runs: "Iterable[Run]") -> dict[str, Any]:
    """For the JSON document: what the weights of checkpoints are averages of; nothing where of none."""
    runs = list(runs)
    averaged = [checkpoint.averaged for run in runs for checkpoint in run.checkpoints if checkpoint.averaged]
    if not averaged:
        return {}
    left_out = [step for run in runs for step in run.not_averaged]
    return {
        "average": averaged[0].kind,
        "averaged": [one.to_json() for one in averaged],
        "not_averaged": left_out,
    }


def say_averages(document: Mapping[str, Any]) -> None:
    """Print what the weights are averages of. document: with the entry "averaged" where they are."""
    from zerosum.checkpoints import Averaged, described
    from zerosum.show.terminal import say

    if averages := list(filter(None, map(Averaged.of_json, document.get("averaged", ())))):
        say(described(averages, document.get("not_averaged", ())))


def batch_tokens(text: str) -> Any:
    """ "auto" or the number that --tokens-per-batch says."""
    if text == "auto":
        return "auto"
    if not text.isdecimal() or not text.isascii() or int(text) < 1:
        raise InputError(f"--tokens-per-batch {text}: give a positive number, or auto.")
    return int(text)


def usable_device(name: str) -> str:
    """The device of torch that --device says, under torchrun one for each process."""
    import torch

    if name == "auto":
        name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else "cpu"
    try:
        return str(torch.empty(0, device=name).device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        cause = str(error).partition("\n")[0]
        raise InputError(f"--device {name}: not usable here ({cause}). Choose cpu, or leave it out.") from error


DTYPES = ("float32", "bfloat16", "float16")
SHORT = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


def dtype_named(text: str, known: Sequence[str] = DTYPES) -> str:
    """The precision that is meant, for a command line. known: those that the verb can use."""
    name = SHORT.get(text.lower(), text.lower())
    if name not in known:
        short = [name for name, meant in SHORT.items() if meant in known]
        raise InputError(f"--dtype {text}: not a precision. Choose one of {', '.join([*known, *short])}.")
    return name
