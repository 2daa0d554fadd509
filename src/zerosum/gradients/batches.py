"""What measurements on a model begin with: checked input, tokens in batches, halves where memory is short.

Letters: S sequences of L = T + 1 tokens, s of them in a batch.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64

from zerosum.errors import InputError
from zerosum.gradients.parameters import Parameter, trainable
from zerosum.losses import token_losses
from zerosum.losses.batch_size import free_memory, is_out_of_memory
from zerosum.losses.forward import logits_of
from zerosum.losses.precision import full_float32
from zerosum.tokens import PADDING, token_ids

Result = TypeVar("Result")
TokensPerBatch = int | Literal["auto"]
Along = Callable[[str, int, int], None]
"""Called with what is being done, how many sequences are done, and of how many."""
MOST = 4_096  # tokens of a batch; float32 holds their sums well, and more make nothing faster
WORK = 1 << 35  # parameters times tokens of a batch, so that a killed process loses no more than a minute or two
FEWEST = 8  # sequences of a batch, which are measured side by side, where the data has them
TRIED = 8  # tokens of the first backward pass
LOGITS = 1 << 25  # numbers of logits in a block of positions, 128 MiB


@dataclass(frozen=True)
class Batch:
    """Sequences of one length. rows: [s] which of all sequences. tokens: [s, L] ids on the model's device."""

    rows: Int64[np.ndarray, " s"]
    tokens: Any

    @property
    def n_tokens(self) -> int:
        """Predicted tokens."""
        return int(self.tokens.shape[0] * (self.tokens.shape[1] - 1))

    def halves(self) -> "tuple[Batch, Batch]":
        """Its first and second half."""
        middle = len(self.rows) // 2
        return Batch(self.rows[:middle], self.tokens[:middle]), Batch(self.rows[middle:], self.tokens[middle:])


def batches(
    ids: Int64[np.ndarray, "S L"], parameters: Sequence[Parameter], size: TokensPerBatch, vocabulary: int
) -> list[Batch]:
    """Batches of sequences of one length, without their padding, the longest last.

    size: predictions of a batch; "auto": by the size of the model alone, so that every process makes the same ones.
    Raises InputError where there is nothing but padding.
    """
    lengths = (ids != PADDING).sum(1)
    if not (lengths > 1).any():
        raise InputError("tokens: nothing but padding, so there is nothing to predict. Give other tokens.")
    device, parts = parameters[0].tensor.device, []
    for length in np.unique(lengths[lengths > 1]):
        rows = np.flatnonzero(lengths == length).astype(np.int64)
        most = _sequences(parameters, int(length) - 1, vocabulary) if size == "auto" else size // (length - 1)
        for part in np.array_split(rows, -(-len(rows) // max(1, int(most)))):
            parts.append(Batch(part, torch.as_tensor(ids[part, :length], device=device)))
    return parts


def _sequences(parameters: Sequence[Parameter], length: int, vocabulary: int) -> int:
    """How many to a batch."""
    tokens = min(MOST, WORK // sum(int(parameter.tensor.numel()) for parameter in parameters))
    return min(max(FEWEST, tokens // length), max(1, LOGITS // (32 * vocabulary)))


def in_memory(batch: Batch, measure: Callable[[Batch], Result]) -> Iterator[tuple[Batch, Result]]:
    """(batch, result of `measure`), of its halves where memory runs out.

    Raises InputError where a single sequence does not fit.
    """
    try:
        result = measure(batch)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        if len(batch.rows) == 1:
            raise InputError(
                f"not enough memory for one sequence of {batch.tokens.shape[1]} tokens. Give shorter sequences, or "
                "another device."
            ) from error
    else:
        yield batch, result
        return
    if batch.tokens.is_cuda:
        torch.cuda.empty_cache()
    for half in batch.halves():
        yield from in_memory(half, measure)


@contextmanager
def measuring(model: Any) -> Iterator[None]:
    """Evaluation mode, gradients and products in full float32 (no TF32) inside the block; what was before after it,
    the gradients that the parameters hold among that."""
    modes = [(module, module.training) for module in model.modules()]
    held = [(parameter, parameter.grad) for parameter in model.parameters()]
    model.eval()
    for parameter, _ in held:
        parameter.grad = None
    try:
        with full_float32(), torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training
        for parameter, gradient in held:
            parameter.grad = gradient


def require_parameters(model: Any) -> tuple[Parameter, ...]:
    """The trainable parameters. Raises InputError where there is none, or they are not in float32 or float64."""
    if not isinstance(model, torch.nn.Module):
        raise InputError(f"model: a {type(model).__name__}, not a module of torch. Give a causal language model.")
    if getattr(getattr(model, "config", None), "is_encoder_decoder", False):
        raise InputError(f"model: {type(model).__name__} has an encoder. Give a causal language model.")
    parameters = trainable(model)
    if not parameters:
        raise InputError("model: every parameter is frozen. Set requires_grad where gradients are to be measured.")
    for parameter in parameters:
        if parameter.tensor.dtype not in (torch.float32, torch.float64):
            dtype = str(parameter.tensor.dtype).removeprefix("torch.")
            raise InputError(
                f"model: {parameter.name} is {dtype}, too coarse for sums of gradients. Load it in float32."
            )
    return parameters


def measured_losses(
    model: Any, tokens: Any, size: TokensPerBatch, when: str
) -> tuple[Float32[np.ndarray, "S T"], Int64[np.ndarray, "S L"]]:
    """Losses, nats, and the ids of tokens. Raises InputError for ids that do not fit, and losses that are not finite.

    when: what the losses are of, for the error.
    """
    losses = token_losses(model, tokens, tokens_per_batch=size)  # checks the ids, too
    ids = token_ids(tokens)
    require_finite(losses, ids, when)
    return losses, ids


def require_backward(model: Any, parameters: Sequence[Parameter], ids: Int64[np.ndarray, "S L"]) -> None:
    """Raises InputError where a model has no backward pass in evaluation mode, as Reformer, tried on a few tokens."""
    tensors = [parameter.tensor for parameter in parameters]
    few = torch.as_tensor(np.maximum(ids[:1, :TRIED], 0), device=tensors[0].device)
    try:
        logits = logits_of(model, few)
        if logits.requires_grad:
            torch.autograd.grad(logits.sum(), tensors, allow_unused=True)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        cause = next(iter(str(error).strip().splitlines()), "")[:120]
        raise InputError(
            f"model: it has no gradient in evaluation mode ({type(error).__name__}: {ascii(cause)[1:-1]}), which is "
            "measured without dropout. Give a model with a backward pass there."
        ) from error


def vocabulary_of(model: Any, ids: Int64[np.ndarray, "S L"]) -> int:
    """Size of the vocabulary; where the model does not name it, the ids that are used."""
    return int(getattr(getattr(model, "config", None), "vocab_size", None) or ids.max() + 1)


def require_memory(needed: int, device: Any, sums: str) -> None:
    """Raises InputError where so many bytes are not free. sums: what takes them."""
    free = free_memory(torch.device(device))
    if needed > free:
        raise InputError(
            f"not enough memory: {sums} take {needed / 2**30:.1f} GiB beside the model, {free / 2**30:.1f} GiB are "
            "free. Use a larger machine or another device."
        )


def require_seed(seed: int) -> None:
    """Raises InputError where it is none."""
    if not isinstance(seed, int) or seed < 0:
        raise InputError(f"seed {seed}: give 0 or a positive number.")


def checked_unit(unit: Any, losses: Float[np.ndarray, "S T"]) -> Any:
    """The resampling unit as [S, 1] or [S, T]; None where there is none. Raises InputError for another shape."""
    if unit is None:
        return None
    S, T = losses.shape
    try:
        shape = np.shape(unit)
    except ValueError:  # rows of different lengths
        shape = None
    if shape not in ((S,), (S, 1), (S, T)):
        raise InputError(f"unit: shape {shape}, for {S} sequences of {T} predictions. Give one for each of either.")
    return np.asarray(unit).reshape(S, -1)


def require_finite(losses: Float[np.ndarray, "S T"], ids: Int64[np.ndarray, "S L"], when: str) -> None:
    """Refuse losses that are not finite where there is a token to predict."""
    bad = np.argwhere(~np.isfinite(losses) & (ids[:, 1:] != PADDING))
    if len(bad):
        s, t = bad[0]
        raise InputError(
            f"{len(bad)} losses {when} are not finite (first: sequence {s}, position {t}). Did the run diverge, or is "
            "float16 too narrow? Give another checkpoint, or float32."
        )
