"""Options of the verbs that take a real optimizer step: which optimizer, how it clips, on how many sequences."""

from dataclasses import dataclass
from typing import Annotated

import typer

from zerosum.training.optimizers import OPTIMIZERS


@dataclass(frozen=True)
class Stepping:
    """How a step from a checkpoint is taken."""

    optimizer: Annotated[
        str,
        typer.Option(
            metavar="NAME:lr=RATE,...",
            help="saved: the state beside the weights; saved:lr=RATE with another rate. Where none was saved "
            f"one of {', '.join(OPTIMIZERS.names())} with its numbers, as in adamw:lr=RATE,beta1=..,beta2=..",
        ),
    ] = "saved"
    clip: Annotated[
        float | None,
        typer.Option(
            metavar="NORM", help="Largest norm of the gradient, 0 for none. Without it the run's; unknown: 1."
        ),
    ] = None
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size", min=1, metavar="S", help="Training sequences of a step. Without it the run's, or 32."
        ),
    ] = None
