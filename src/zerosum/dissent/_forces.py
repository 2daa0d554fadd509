"""Dissent: what pulls towards the label against what pushes away from all other tokens, as pure functions.

Letters: n tokens, V vocabulary, d width. z = W h + b are the logits, q = softmax(z), y the label, w the mean row of W.
Source: Mircea et al. 2024, Gradient Dissent in Language Model Training and Saturation.

Rows of W are centred by their mean, because q does not change when all rows move together. The sum of both forces does
not either, but their angle would: without centring, dissent says as much about w as about the tokens.

With centred rows, a token's forces are (1 - q_y) w_y and -(1 - q_y) times the mean row of its competitors, those
weighed by their chances. So a token's dissent is the cosine of its label's row and that mean: how alike what is left to
choose from looks, whatever q_y is. It is -1 where all other tokens are equally likely.
"""

import math
from dataclasses import dataclass
from typing import Any

BLOCK = 1 << 24  # coordinates whose products are held at a time


@dataclass(frozen=True)
class TwoForces:
    """Attraction and repulsion, rows of tensors. Their sum is minus the gradient of the loss, nats per unit of h or W.

    attraction: [n, d] towards the label. repulsion: [n, d] away from the other tokens.
    """

    attraction: Any
    repulsion: Any

    @property
    def dissent(self) -> Any:
        """-cos(attraction, repulsion) of each row, [n], in [-1, 1]; 1: total dissent. NaN where one of them is 0."""
        a, r = wide(self.attraction), wide(self.repulsion)
        return 0.0 - ((a * r).sum(1) / (a.norm(dim=1) * r.norm(dim=1))).clamp(-1, 1)

    @property
    def magnitude_ratio(self) -> Any:
        """||repulsion|| / ||attraction|| of each row, [n]; NaN or infinite where the latter is 0."""
        return wide(self.repulsion).norm(dim=1) / wide(self.attraction).norm(dim=1)

    @property
    def cancellation(self) -> Any:
        """Share of both that cancels, 1 - ||a + r|| / (||a|| + ||r||), [n], in [0, 1]; NaN where both are 0."""
        a, r = wide(self.attraction), wide(self.repulsion)
        return (1 - (a + r).norm(dim=1) / (a.norm(dim=1) + r.norm(dim=1))).clamp(0, 1)


@dataclass(frozen=True)
class ForceProducts:
    """Two forces on a set of coordinates, as what is read off them needs; those of different coordinates add.

    dot: <A, R>. attraction, repulsion, net: squared norms of A, R and A + R. numel: coordinates.
    """

    dot: float = 0.0
    attraction: float = 0.0
    repulsion: float = 0.0
    net: float = 0.0
    numel: int = 0

    def __add__(self, other: "ForceProducts") -> "ForceProducts":
        mine, added = vars(self), vars(other)
        return ForceProducts(**{name: mine[name] + added[name] for name in mine})

    @property
    def dissent(self) -> float:
        """-cos(A, R), in [-1, 1]; 1: total dissent. NaN where one of them is 0."""
        size = math.sqrt(self.attraction) * math.sqrt(self.repulsion)
        return 0.0 - max(-1.0, min(1.0, self.dot / size)) if size > 0 else math.nan

    @property
    def magnitude_ratio(self) -> float:
        """||R|| / ||A||; NaN where A is 0."""
        return math.sqrt(self.repulsion / self.attraction) if self.attraction > 0 else math.nan

    @property
    def cancellation(self) -> float:
        """Share of both that cancels, 1 - ||A + R|| / (||A|| + ||R||), in [0, 1]; NaN where both are 0."""
        both = math.sqrt(self.attraction) + math.sqrt(self.repulsion)
        return max(0.0, min(1.0, 1 - math.sqrt(self.net) / both)) if both > 0 else math.nan


def wide(x: Any) -> Any:
    """The tensor in float64; on the CPU where its device has no such numbers."""
    return x.cpu().double() if x.device.type == "mps" else x.double()


def products(attraction: Any, repulsion: Any) -> ForceProducts:
    """Of two tensors of one shape."""
    total = ForceProducts()
    for part in zip(attraction.flatten().split(BLOCK), repulsion.flatten().split(BLOCK), strict=True):
        a, r = map(wide, part)
        dot, attraction, repulsion, net = (float(value) for value in (a @ r, a @ a, r @ r, (a + r).square().sum()))
        total += ForceProducts(dot, attraction, repulsion, net, a.numel())
    return total


def competitors(logits: Any, labels: Any) -> Any:
    """q of all tokens but the label, which has 0 there, [n, V]. Its sum is 1 - q_y, exact to rounding where q_y is 1.

    logits: [n, V]. labels: [n] ids.
    """
    return logits.softmax(1).scatter_(1, labels[:, None], 0.0)


def at_hidden_states(others: Any, rows: Any, labels: Any) -> TwoForces:
    """Forces on the last hidden state of each token: a = (1 - q_y)(w_y - w), r = -sum_{v != y} q_v (w_v - w).

    others: [n, V] as of `competitors`. rows: W with its mean row taken off, [V, d]. labels: [n] ids.
    """
    return TwoForces(others.sum(1, keepdim=True) * rows[labels], -(others @ rows))


def at_head_rows(others: Any, hidden: Any, labels: Any) -> TwoForces:
    """Forces on each row of the head from n tokens together, [V, d] float64: towards the hidden states it labels, away
    from all others: a_v = sum_{i: y_i = v} (1 - q_iv) h_i, r_v = -sum_{i: y_i != v} q_iv h_i.

    Rows that label no token have no attraction. others, labels: as for `at_hidden_states`. hidden: [n, d].
    """
    repulsion = wide(-(others.T @ hidden))
    pulls = wide(others.sum(1, keepdim=True) * hidden)
    labels = labels.to(pulls.device)
    return TwoForces(repulsion.new_zeros(repulsion.shape).index_add_(0, labels, pulls), repulsion)
