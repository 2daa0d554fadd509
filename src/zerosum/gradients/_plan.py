"""Chooses the method: from what was asked for, what the model allows, and how long it would take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from zerosum.errors import InputError
from zerosum.gradients._exact import Layout, exact_seconds, layout_of
from zerosum.gradients._oracle import oracle_sums
from zerosum.gradients._sample import FEWEST, stretches
from zerosum.gradients.batches import Batch, require_memory, require_seed
from zerosum.gradients.layerwise._pieces import Unsupported
from zerosum.gradients.parameters import Parameter
from zerosum.losses.batch_size import is_out_of_memory

METHODS = ("auto", "exact", "sampled", "general", "oracle", "positionwise")
# Bytes for each coordinate, sums and what makes them.
HELD = {"exact": 56, "general": 40, "oracle": 40, "sampled": 72, "positionwise": 56}


@dataclass(frozen=True)
class Plan:
    """method: one of METHODS but auto. note: why; empty where there is nothing to say. seconds: about how long exact
    sums, or at most how long the general path takes; None where that was not asked. dtype: of the passes that sums over
    tokens come from.
    """

    method: str
    note: str = ""
    seconds: float | None = None
    dtype: str = "float32"

    @property
    def label(self) -> str:
        """What progress bars say while the measurement runs."""
        words = self.note or self.method
        return words if self.seconds is None or self.method == "sampled" else f"{words}, about {in_words(self.seconds)}"


def layout_or_why(model: Any, tokens: Any, causal: bool | None = None) -> tuple[Layout | None, str]:
    """What the layer rules know of the model; or None, and what they do not know of it. causal: as of `layout_of`."""
    try:
        return layout_of(model, tokens, causal), ""
    except Unsupported as why:
        return None, f"the layer rules do not know {why}"
    except Exception as error:  # a layer called in an unexpected way may raise anything
        if is_out_of_memory(error):
            raise
        return None, f"the layer rules fail on this model ({type(error).__name__})"


def require_sense(method: str, n_sampled: int, seed: int, budget: float | int) -> None:
    """Raises InputError for a method, a sample, a seed or a budget that cannot be."""
    if method not in METHODS:
        raise InputError(f"method {method!r}: unknown. Choose one of {', '.join(METHODS)}.")
    if not isinstance(budget, int | float) or not budget > 0:
        raise InputError(f"budget of {budget} minutes: give a positive number.")
    require_seed(seed)
    if not isinstance(n_sampled, int):
        raise InputError(f"sample of {n_sampled!r} tokens: give a whole number.")
    if n_sampled < FEWEST:
        raise InputError(f"sample of {n_sampled} tokens: too few for an interval. Take at least {FEWEST}.")


def choose(
    model: Any,
    parts: Sequence[Batch],
    update: Mapping[str, Any] | None,
    layout: Layout | None,
    why: str,
    wanted: tuple[str, int, float | int],
) -> Plan:
    """The way to go. layout, why: as `layout_or_why` gives them. wanted: method, tokens of a sample, and the minutes
    that auto may take.

    Raises InputError where auto finds no way within the budget, and for a sample of a model that has no layer rules.
    """
    method, n_sampled, budget = wanted
    if method in ("general", "oracle"):
        return Plan(method)
    longest, n_tokens = parts[-1], sum(part.n_tokens for part in parts)
    if layout is None:
        return _without_rules(model, longest, method, why, n_tokens, budget)
    if method != "auto":
        if method == "sampled" and (why_not := _no_sample(parts, n_sampled)):
            raise InputError(f"{why_not}. Take all of them, method exact.")
        return Plan(method)
    seconds = n_tokens * exact_seconds(model, longest.tokens, layout, update)
    if seconds <= 60 * budget:
        return Plan("exact", f"exact: within the budget of {in_words(60 * budget)}", seconds)
    if why_not := _no_sample(parts, n_sampled):
        longer = f"exact sums would take about {in_words(seconds)}, the budget is {in_words(60 * budget)}"
        raise InputError(f"{longer}, and {why_not}. Give a larger budget or fewer sequences.")
    return Plan("sampled", f"sampled: exact sums would take longer than the budget of {in_words(60 * budget)}", seconds)


def _without_rules(model: Any, part: Batch, method: str, why: str, n_tokens: int, budget: float | int) -> Plan:
    if method not in ("auto", "exact"):
        raise InputError(f"method {method}: {why}. Choose general.")
    began = perf_counter()
    oracle_sums(model, part.tokens[:1], which=[(0, part.tokens.shape[1] - 2)])
    seconds = n_tokens * (perf_counter() - began)  # at most: batched backward passes take less
    if method == "auto" and seconds > 60 * budget:
        raise InputError(
            f"{why}; the general path would take up to {in_words(seconds)}, the budget is {in_words(60 * budget)}. "
            "Give a larger budget, fewer sequences, or method general."
        )
    return Plan("general", f"general path: {why}", seconds)


def sample_sizes(parts: Sequence[Batch], n_sampled: int) -> list[int]:
    """Sample size of each batch: its share of the tokens, rounded up."""
    n_tokens = sum(part.n_tokens for part in parts)
    return [-(-n_sampled * part.n_tokens // n_tokens) for part in parts]


def _no_sample(parts: Sequence[Batch], n_sampled: int) -> str:
    """Why no sample can be drawn; empty where one can. Of a batch it may take all."""
    taken, n_tokens = 0, sum(part.n_tokens for part in parts)
    for part, size in zip(parts, sample_sizes(parts, n_sampled), strict=True):
        taken += len(part.rows) * stretches(size, len(part.rows), part.tokens.shape[1] - 1)
    return "" if taken < n_tokens else f"a sample of {n_sampled} would be all of these {n_tokens:,} tokens"


def require_room(parameters: Sequence[Parameter], method: str) -> None:
    """Raises InputError where the sums of all coordinates do not fit."""
    needed = HELD[method] * sum(parameter.tensor.numel() for parameter in parameters)
    require_memory(needed, parameters[0].tensor.device, "sums of every coordinate")


def in_words(seconds: float | int) -> str:
    """A duration, roughly.

    >>> in_words(12.3), in_words(600), in_words(20_000)
    ('12 s', '10 minutes', '5.6 hours')
    """
    if seconds < 90:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5_400 else f"{seconds / 3_600:.1f} hours"
