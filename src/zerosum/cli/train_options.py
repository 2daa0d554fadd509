"""Options of `zerosum train`: changes of the recipe, data, what a run starts from, and where its log goes."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer


class Tracker(StrEnum):
    """Where the log can be sent beside metrics.jsonl."""

    TENSORBOARD = "tensorboard"
    WANDB = "wandb"


@dataclass(frozen=True)
class Choices:
    """What is different from the recipe that is named, and where the log goes."""

    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            metavar="DATA",
            help="Folder that zerosum data wrote; or small texts, read as bytes into the run.",
        ),
    ] = None
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change a value of the recipe, as optimizer.lr=1e-3."),
    ] = None
    seed: Annotated[int | None, typer.Option(min=0, help="Of initial weights and batches.")] = None
    checkpoint: Annotated[
        str | None,
        typer.Option("--from", metavar="CHECKPOINT", help="Start from the weights of this model; its sizes count."),
    ] = None
    branch: Annotated[
        str | None,
        typer.Option(
            "--branch", metavar="RUN@STEP", help="Continue the full state of another run at a step; --set changes it."
        ),
    ] = None
    cooldown: Annotated[
        str | None,
        typer.Option(
            "--cooldown", metavar="SHARE", help="With --branch: let the rate fall to 0 over this share of STEP: 20%."
        ),
    ] = None
    track: Annotated[
        list[Tracker] | None, typer.Option("--track", help="Send the log there, too; may be given twice.")
    ] = None
