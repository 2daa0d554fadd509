"""A few tokens of the user's own model by the slow and obvious way, compared with what the fast ways say of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from zerosum.gradients._exact import BLOCK, Layout, passes
from zerosum.gradients._general import batched
from zerosum.gradients._measurement import prepare
from zerosum.gradients._oracle import token_gradients
from zerosum.gradients._passes import changes_of
from zerosum.gradients._plan import layout_or_why
from zerosum.gradients._prepare import Batch, measuring, require_parameters


@dataclass(frozen=True)
class Verified:
    """K tokens compared. gradients: largest |difference| of a coordinate, over the largest |g_ij| of that token.

    first_order: largest |difference| of a first-order change, over the largest of them; None without an update.
    method: "exact" or "general", whose gradients were compared.
    """

    K: int
    gradients: float
    first_order: float | None
    method: str


def verify(model: Any, tokens: Any, update: Any = None, *, K: int = 8, seed: int = 0) -> Verified:
    """Compare K tokens, drawn at random, with one backward pass for each of them. Arguments as for the measurement."""
    parameters = require_parameters(model)
    with measuring(model):
        ready = prepare(model, tokens, update, parameters, "auto")
        places = [(b, s, t) for b, part in enumerate(ready.parts) for s, t in np.ndindex(*_shape(part.tokens))]
        chosen = np.random.default_rng(seed).permutation(len(places))[:K]
        layout, _ = layout_or_why(model, ready.parts[-1].tokens)
        gaps, changes = [], []
        for b, s, t in (places[int(k)] for k in chosen):
            one = ready.parts[b].tokens[s : s + 1]
            expected = next(token_gradients(model, one, [(0, t)]))
            found = _fast(model, one, t, parameters, layout)
            largest = max(float(g.abs().max()) for g in expected.values())
            gap = max(float((found[name].to(g) - g).abs().max()) for name, g in expected.items())
            gaps.append(gap / largest if largest else gap)
            if ready.update is not None:
                slow = sum(float((expected[name].double() * u.double()).sum()) for name, u in ready.update.items())
                fast, _ = changes_of(model, Batch(np.zeros(1, np.int64), one), ready.update, ready.vocabulary)
                changes.append((float(fast[0, t]), slow))
    largest = max((abs(slow) for _, slow in changes), default=0.0)
    of_changes = max(abs(fast - slow) for fast, slow in changes) / largest if largest else None
    return Verified(len(gaps), max(gaps), of_changes, "exact" if layout else "general")


def _shape(tokens: Any) -> tuple[int, int]:
    return len(tokens), tokens.shape[1] - 1


def _fast(model: Any, one: Any, t: int, parameters: Any, layout: Layout | None) -> dict[str, Any]:
    if layout is not None:
        net, _ = passes(model, one, layout.head, [t], BLOCK)
        return net
    output = model(one[:, :-1])
    logits = getattr(output, "logits", output)[0]
    losses = functional.cross_entropy(logits, one[0, 1:], reduction="none")
    unit = functional.one_hot(torch.tensor([t], device=losses.device), len(losses)).to(losses)
    rows = batched(losses, [p.tensor for p in parameters], unit)
    return {p.name: torch.zeros_like(p.tensor) if g is None else g[0] for p, g in zip(parameters, rows, strict=True)}
