"""Optimizer steps from the checkpoint of any run: each batch gives one update from the same weights and moments.

Axes: K batches of s sequences of L tokens, S held-out sequences of M tokens, T predicted positions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float32, Int, Int64

from zerosum.errors import InputError
from zerosum.losses import StepLosses, token_losses
from zerosum.losses.batch_size import is_out_of_memory
from zerosum.training.acceleration import new_accelerator_on
from zerosum.training.replay.updater import Updater

MOST_LOGITS = 2**25  # logits in memory during a backward pass: 128 MiB, and as much again for their gradient
BATCH_SIZE = 32  # training sequences of a step, where the run does not say
MOST_TRAIN = 16_384  # sequences of training text that batches are drawn from
MOST_TOKENS = 8_192  # tokens in a forward and backward pass; more is not faster


@dataclass(frozen=True)
class RealStep:
    """The outcome of an update. losses: of every token before and after it, nats. held_out_before: losses of the
    held-out tokens before any update, equal for all batches.

    loss: mean over the batch before the update, nats per token. grad_norm: Euclidean norm of the gradient before
    clipping.
    """

    losses: StepLosses
    held_out_before: Float32[np.ndarray, "S T"]
    loss: float
    grad_norm: float


def step_size(updater: Updater, wanted: int | None) -> tuple[int, list[str]]:
    """Sequences of a step: those wanted, or the run's, or 32, and a note where they are assumed."""
    size = wanted or updater.batch_size
    if size is not None:
        return size, []
    return BATCH_SIZE, [
        f"the run's batch size is not saved: {BATCH_SIZE} sequences assumed. What a step does depends on it; give "
        "--batch-size"
    ]


def draw_batches(n_sequences: int, size: int, number: int, seed: int) -> Int64[np.ndarray, "K s"]:
    """Indices of the sequences in each of `number` batches of `size`, drawn at random without replacement.

    >>> sorted(draw_batches(6, size=3, number=2, seed=0).ravel().tolist())
    [0, 1, 2, 3, 4, 5]
    """
    if size * number > n_sequences:
        wanted = f"a batch of {size}" if number == 1 else f"{number} batches of {size}"
        fewer = "" if number == 1 else " or --batches"
        raise InputError(
            f"{n_sequences} training sequences: too few for {wanted}. Give more --train data, or a smaller "
            f"--batch-size{fewer}."
        )
    drawn = np.random.default_rng(seed).permutation(n_sequences)[: size * number]
    return drawn.reshape(number, size).astype(np.int64)


def real_steps(
    model: Any,
    updater: Updater,
    batches: Int[np.ndarray, "K s L"],
    held_out: Int[np.ndarray, "S M"],
    domains: Int64[np.ndarray, "K s"] | None = None,
    *,
    tokens_per_batch: int | Literal["auto"] = "auto",
) -> Iterator[RealStep]:
    """Take one step for each batch and measure losses before and after; the model is restored after each step.

    The model is in evaluation mode throughout: without dropout, a step is a function of weights, optimizer and batch.
    batches, held_out: token ids, -1 is padding. domains: of the sequences of the batches, all 0 by default.
    tokens_per_batch: tokens in each pass through the model, which changes no result.
    Raises InputError where a loss or a gradient is not finite, and where memory is short.
    """
    model.eval()
    device = next(model.parameters()).device
    accelerator = new_accelerator_on(device.type)
    start = [parameter.detach().clone() for parameter in model.parameters()]
    held_out_before = token_losses(model, held_out, tokens_per_batch=tokens_per_batch)
    rows = sequences_at_a_time(model, batches.shape[2] - 1, tokens_per_batch)
    domains = np.zeros(batches.shape[:2], dtype=np.int64) if domains is None else domains
    for number, (ids, domain) in enumerate(zip(batches, domains, strict=True), start=1):
        before = token_losses(model, ids, tokens_per_batch=tokens_per_batch)
        updater.restart()
        try:
            gradient = updater.update(accelerator, model, ids, domain, rows)
            after = token_losses(model, ids, tokens_per_batch=tokens_per_batch)
            held_out_after = token_losses(model, held_out, tokens_per_batch=tokens_per_batch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise InputError(
                "not enough memory for one step: weights twice, gradients and moments have to fit. Give a smaller "
                "--tokens-per-batch or another --device."
            ) from error
        finally:
            restore_parameters(model, start)
        loss, norm = gradient.loss.item(), gradient.norm.item()
        _require_finite(number, norm, after[ids[:, 1:] >= 0], held_out_after[held_out[:, 1:] >= 0])
        yield RealStep(StepLosses(before, after, held_out_after), held_out_before, loss, norm)


def restore_parameters(model: Any, start: list[torch.Tensor]) -> None:
    """Copy the values `start` back into the parameters and remove the gradients."""
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), start, strict=True):
            parameter.copy_(value)
            parameter.grad = None


def sequences_at_a_time(model: Any, length: int, tokens_per_batch: int | Literal["auto"]) -> int:
    """Number of sequences of `length` predicted tokens in a forward and backward pass."""
    if tokens_per_batch != "auto":
        return max(1, tokens_per_batch // length)
    vocabulary = model.get_output_embeddings().weight.shape[0] if model.get_output_embeddings() is not None else 1
    return max(1, min(MOST_TOKENS, MOST_LOGITS // vocabulary) // length)


def _require_finite(number: int, norm: float, *losses: np.ndarray) -> None:
    if not (np.isfinite(norm) and all(np.isfinite(values).all() for values in losses)):
        raise InputError(
            f"batch {number}: gradient norm {norm}, and a loss after the step is not finite. Is the learning rate or a "
            "moment of the optimizer damaged? Give another rate with --optimizer."
        )
