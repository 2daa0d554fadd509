"""Real optimizer steps from anyone's checkpoint: each batch is one update from the same weights and moments.

Letters: K batches of s sequences, S held-out sequences, T predicted positions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator
from jaxtyping import Float32, Int, Int64

from zerosum.errors import InputError
from zerosum.losses import StepLosses, token_losses
from zerosum.training.optimizer_states import Updater
from zerosum.training.step import update

LOGITS = 2**25  # numbers held at a time on the way back, 128 MiB; as many again for their gradient
MOST = 8_192  # tokens that go forward and back at a time; more make nothing faster


@dataclass(frozen=True)
class RealStep:
    """One update. losses: of every token around it, nats. held_out_before: the same for every batch.

    loss: mean over the batch before it. grad_norm: Euclidean norm of the gradient before clipping.
    """

    losses: StepLosses
    held_out_before: Float32[np.ndarray, "S T"]
    loss: float
    grad_norm: float


def draw_batches(n_sequences: int, size: int, number: int, seed: int) -> Int64[np.ndarray, "K s"]:
    """Which sequences are in each of `number` batches of `size`: drawn at random, none of them twice.

    >>> sorted(draw_batches(6, size=3, number=2, seed=0).ravel().tolist())
    [0, 1, 2, 3, 4, 5]
    """
    if size * number > n_sequences:
        raise InputError(
            f"{n_sequences} training sequences: too few for {number} batches of {size}. Give more --train data, or a "
            "smaller --batch-size or --batches."
        )
    drawn = np.random.default_rng(seed).permutation(n_sequences)[: size * number]
    return drawn.reshape(number, size).astype(np.int64)


def real_steps(
    model: Any,
    updater: Updater,
    batches: Int[np.ndarray, "K s L"],
    held_out: Int[np.ndarray, "S M"],
    *,
    tokens_per_batch: int | Literal["auto"] = "auto",
) -> Iterator[RealStep]:
    """Take one step for each batch and measure both sides of it; the model is put back before the next one.

    The model is in evaluation mode throughout: nothing is dropped out, so a step is a function of weights, optimizer
    and batch alone. batches, held_out: token ids, -1 where a sequence is padded. tokens_per_batch: how many go through
    the model at a time, which changes no result.
    Raises InputError where a loss or a gradient is not finite, and where memory is short.
    """
    model.eval()
    device = next(model.parameters()).device
    accelerator = Accelerator(cpu=device.type == "cpu", mixed_precision="no")
    start = [parameter.detach().clone() for parameter in model.parameters()]
    held_out_before = token_losses(model, held_out, tokens_per_batch=tokens_per_batch)
    rows = rows_of(model, batches.shape[2] - 1, tokens_per_batch)
    for number, ids in enumerate(batches, start=1):
        before = token_losses(model, ids, tokens_per_batch=tokens_per_batch)
        updater.restart()
        try:
            tokens = torch.as_tensor(ids, dtype=torch.int64, device=device)
            loss, norm = update(accelerator, model, updater.optimizer, tokens, clip=updater.clip, rows=rows)
            after = token_losses(model, ids, tokens_per_batch=tokens_per_batch)
            held_out_after = token_losses(model, held_out, tokens_per_batch=tokens_per_batch)
        except torch.OutOfMemoryError as error:
            raise InputError(
                "not enough memory for one step: weights twice, gradients and moments have to fit. Give a smaller "
                "--tokens-per-batch or another --device."
            ) from error
        finally:
            put_back(model, start)
        _require_finite(number, norm.item(), after[ids[:, 1:] >= 0], held_out_after[held_out[:, 1:] >= 0])
        yield RealStep(StepLosses(before, after, held_out_after), held_out_before, loss.item(), norm.item())


def left_out(model: Any) -> list[str]:
    """What the run's own loss had by the model's settings and these steps have not, a sentence each."""
    settings = model.config.to_dict()
    rates = {
        name: value
        for name, value in settings.items()
        if ("dropout" in name or name.endswith("pdrop"))
        and not name.startswith(("summary", "classifier"))  # of heads that a language model does not have
        and isinstance(value, int | float)
        and value > 0
    }
    found = []
    if rates:
        listed = ", ".join(f"{name} {value:g}" for name, value in rates.items())
        found.append(
            f"the model's settings have {listed}; the steps here drop nothing out, so that they are reproducible"
        )
    if settings.get("output_router_logits"):
        found.append("the run added a loss for balanced experts (output_router_logits); the steps here do without it")
    return found


def put_back(model: Any, start: list[torch.Tensor]) -> None:
    """Parameters as they were, gradients gone."""
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), start, strict=True):
            parameter.copy_(value)
            parameter.grad = None


def rows_of(model: Any, length: int, tokens_per_batch: int | Literal["auto"]) -> int:
    """Sequences that go forward and back at a time."""
    if tokens_per_batch != "auto":
        return max(1, tokens_per_batch // length)
    vocabulary = model.get_output_embeddings().weight.shape[0] if model.get_output_embeddings() is not None else 1
    return max(1, min(MOST, LOGITS // vocabulary) // length)


def _require_finite(number: int, norm: float, *losses: np.ndarray) -> None:
    if not (np.isfinite(norm) and all(np.isfinite(one).all() for one in losses)):
        raise InputError(
            f"batch {number}: gradient norm {norm}, and a loss after the step is not finite. Is the learning rate or a "
            "moment of the optimizer damaged? Give another rate with --optimizer."
        )
