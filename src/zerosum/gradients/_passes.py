"""The passes over one batch: sums, a sample of them, first-order changes, losses after the update.

Batches only split the work: sums of different tokens add. Where memory runs out, a batch is halved.

Letters: S sequences of L = T + 1 tokens, s of them in a batch.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from zerosum.gradients._exact import Layout, exact_sums
from zerosum.gradients._first_order import first_order
from zerosum.gradients._general import general_changes, general_sums
from zerosum.gradients._oracle import oracle_sums
from zerosum.gradients._positionwise import positionwise_sums
from zerosum.gradients._sampled import SampledMass, sampled_mass
from zerosum.gradients._spot import is_same_change
from zerosum.gradients._sums import GradientSums
from zerosum.gradients.batches import LOGITS, Batch, in_memory
from zerosum.gradients.layerwise._per_token import TokenNumbers
from zerosum.gradients.parameters import Parameter

Update = Mapping[str, Any] | None
SUMS: dict[str, Callable[..., GradientSums]] = {"exact": exact_sums, "general": general_sums, "oracle": oracle_sums}
NO_FORWARD_MODE = ("forward", "setup_context", "functorch")  # in what torch says of operations that know none
BY_BACKWARD = "first-order changes by backward passes: an operation of the model knows no forward mode"
OTHERWISE = "first-order changes by backward passes: forward mode gives others on this model"


def sums_of(
    model: Any, part: Batch, update: Update, method: str, layout: Layout | None
) -> Iterator[tuple[Batch, GradientSums, TokenNumbers]]:
    """Sums over every token of the batch, and the numbers of each token; of its halves where memory is short.

    layout: of the model, for method exact.
    """
    known = {"layout": layout} if method == "exact" else {}

    def sums(batch: Batch) -> tuple[GradientSums, TokenNumbers]:
        whole = SUMS[method](model, batch.tokens, update, per_token=True, **known)
        assert whole.tokens is not None  # noqa: S101 - they were asked for
        return whole, whole.tokens

    yield from ((batch, *both) for batch, both in in_memory(part, sums))


def sample_of(
    model: Any,
    part: Batch,
    update: Update,
    losses: Float32[np.ndarray, "s T"],
    layout: Layout | None,
    drawn: tuple[int, int],
) -> SampledMass:
    """A sample of the batch, its rows those of all sequences. losses: before the update, nats. drawn: tokens, seed.

    Where memory is short, each half of the batch gives its share of the tokens.
    """
    size, seed = drawn

    def sample(batch: Batch) -> SampledMass:
        places = np.searchsorted(part.rows, batch.rows)
        drawn = sampled_mass(
            model,
            batch.tokens,
            update,
            losses[places],
            n_tokens=-(-size * len(places) // len(part.rows)),
            seed=seed + int(places[0]),
            layout=layout,
        )
        drawn.row[:] = batch.rows[drawn.row]
        return drawn

    return SampledMass.merge([sampled for _, sampled in in_memory(part, sample)])


def proxy_of(model: Any, part: Batch, parameters: Sequence[Parameter], vocabulary: int) -> GradientSums:
    """Sums over positions, not over token gradients; see `positionwise_sums`."""
    total = GradientSums.zeros(parameters)
    for few in _by_logits(part, vocabulary):
        for _, sums in in_memory(few, lambda batch: positionwise_sums(model, batch.tokens)):
            total.add(sums)
    return total


def changes_of(
    model: Any, part: Batch, update: Mapping[str, Any], vocabulary: int
) -> tuple[Float[np.ndarray, "s t"], str]:
    """First-order change of every token's loss, nats; and what had to be done in another way."""
    note = ""
    changes = np.empty((len(part.rows), part.tokens.shape[1] - 1))

    def forward(batch: Batch) -> Any:
        return first_order(model, batch.tokens, update)

    def backward(batch: Batch) -> Any:
        return general_changes(model, batch.tokens, update)

    at = 0
    for few in _by_logits(part, vocabulary):
        try:
            made = list(in_memory(few, backward if note else forward))
        except (NotImplementedError, RuntimeError) as error:
            if not any(word in str(error).lower() for word in NO_FORWARD_MODE):
                raise
            note = BY_BACKWARD
            made = list(in_memory(few, backward))
        if at == 0 and not note and not is_same_change(model, made[0][0].tokens, made[0][1], update):
            note = OTHERWISE
            made = list(in_memory(few, backward))
        for batch, of_batch in made:
            changes[at : at + len(batch.rows)] = of_batch.detach().double().cpu().numpy()
            at += len(batch.rows)
    return changes, note


def _by_logits(part: Batch, vocabulary: int) -> Iterator[Batch]:
    """The same sequences in batches whose logits fit whole."""
    size = max(1, LOGITS // (vocabulary * (part.tokens.shape[1] - 1)))
    for first in range(0, len(part.rows), size):
        yield Batch(part.rows[first : first + size], part.tokens[first : first + size])
