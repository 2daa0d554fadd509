"""The passes over all tokens, batch after batch: sums, a sample of them, first-order changes, losses.

Batches only split the work: sums of different tokens add. Where memory runs out, a batch is halved.

Letters: S sequences of L = T + 1 tokens.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch.nn import functional

from zerosum.errors import InputError
from zerosum.gradients._exact import exact_sums
from zerosum.gradients._first_order import first_order
from zerosum.gradients._general import general_changes, general_sums
from zerosum.gradients._oracle import oracle_sums
from zerosum.gradients._parameters import Parameter
from zerosum.gradients._prepare import LOGITS, Batch
from zerosum.gradients._recorder import Unsupported
from zerosum.gradients._sampled import SampledMass, sampled_mass
from zerosum.gradients._sums import GradientSums
from zerosum.losses.batch_size import is_out_of_memory

Along = Callable[[int, int], None]
Made = TypeVar("Made")
SUMS: dict[str, Callable[..., GradientSums]] = {"exact": exact_sums, "general": general_sums, "oracle": oracle_sums}


def all_sums(
    model: Any, parts: Sequence[Batch], parameters: Sequence[Parameter], method: str, along: Along
) -> GradientSums:
    """Sums over every token. along: called with tokens done and tokens in all."""
    total, n_tokens = GradientSums.zeros(parameters), sum(part.n_tokens for part in parts)
    along(0, n_tokens)
    for part in parts:
        for _, sums in _in_memory(part, lambda batch: SUMS[method](model, batch.tokens)):
            total.add(sums)
            along(total.n_tokens, n_tokens)
    return total


def net_sums(model: Any, parts: Sequence[Batch], parameters: Sequence[Parameter], vocabulary: int) -> dict[str, Any]:
    """sum_i g_ij of every parameter, float64, by ordinary backward passes."""
    net = GradientSums.zeros(parameters).net
    tensors = [one.tensor for one in parameters]

    def gradients(batch: Batch) -> Any:
        output = model(batch.tokens[:, :-1])
        logits = getattr(output, "logits", output).flatten(0, 1)
        loss = functional.cross_entropy(logits, batch.tokens[:, 1:].flatten(), reduction="sum")
        return torch.autograd.grad(loss, tensors, allow_unused=True)

    for part in _by_logits(parts, vocabulary):
        for _, found in _in_memory(part, gradients):
            for one, gradient in zip(parameters, found, strict=True):
                if gradient is not None:
                    net[one.name] += gradient
    return net


def sampled(
    model: Any, parts: Sequence[Batch], sizes: Sequence[int], update: Mapping[str, Any] | None, seed: int, along: Along
) -> SampledMass:
    """A sample of each batch, together one sample of all tokens. sizes: how many tokens each gives."""
    found: list[SampledMass] = []
    for k, (part, size) in enumerate(zip(parts, sizes, strict=True)):
        along(k, len(parts))
        own = int(np.random.SeedSequence([seed, k]).generate_state(1)[0])
        try:
            found.append(sampled_mass(model, part.tokens, update, n_tokens=size, seed=own))
        except Unsupported as why:
            raise InputError(f"method sampled: the model has {why}. Choose general.") from None
        except (RuntimeError, MemoryError) as error:
            _require_out_of_memory(error)
            raise _too_little(part) from error
    along(len(parts), len(parts))
    return SampledMass.merge(found)


def all_changes(
    model: Any, parts: Sequence[Batch], update: Mapping[str, Any], shape: tuple[int, int], vocabulary: int
) -> tuple[Float[np.ndarray, "S T"], str]:
    """First-order change of every token's loss, nats, NaN at padding; and what had to be done in another way."""
    changes = np.full(shape, np.nan)
    note = ""

    def forward(batch: Batch) -> Any:
        return first_order(model, batch.tokens, update)

    def backward(batch: Batch) -> Any:
        return general_changes(model, batch.tokens, update)

    for part in _by_logits(parts, vocabulary):
        try:
            made = list(_in_memory(part, backward if note else forward))
        except (NotImplementedError, RuntimeError) as error:
            if "forward" not in str(error).lower():
                raise
            note = "first-order changes by backward passes: an operation of the model knows no forward mode"
            made = list(_in_memory(part, backward))
        for batch, found in made:
            changes[batch.rows, : found.shape[1]] = found.detach().double().cpu().numpy()
    return changes, note


def _by_logits(parts: Sequence[Batch], vocabulary: int) -> Iterator[Batch]:
    """The same sequences in batches whose logits fit whole."""
    for part in parts:
        size = max(1, LOGITS // (vocabulary * (part.tokens.shape[1] - 1)))
        yield from map(Batch, _split(part.rows, size), part.tokens.split(size))


def _split(rows: Int64[np.ndarray, " s"], size: int) -> list[Int64[np.ndarray, " part"]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _in_memory(part: Batch, make: Callable[[Batch], Made]) -> Iterator[tuple[Batch, Made]]:
    """What `make` makes of the batch, or of its halves where memory runs out."""
    try:
        made = make(part)
    except (RuntimeError, MemoryError) as error:
        _require_out_of_memory(error)
        if len(part.rows) == 1:
            raise _too_little(part) from error
    else:
        yield part, made
        return
    for half in part.halves():
        yield from _in_memory(half, make)


def _require_out_of_memory(error: BaseException) -> None:
    if not is_out_of_memory(error):
        raise error


def _too_little(part: Batch) -> InputError:
    return InputError(
        f"not enough memory for {len(part.rows)} sequences of {part.tokens.shape[1]} tokens. Give shorter sequences, "
        "smaller batches, or another device."
    )
