"""Dissent: what pulls towards the label against what pushes away from all other tokens, as pure functions.

Letters: N tokens, V vocabulary, d width. z = W h are the logits, q = softmax(z), y the label. Source: Mircea et al.
2024, Gradient Dissent in Language Model Training and Saturation; rows of W are centred by their mean here.
"""

from dataclasses import dataclass
from typing import Any


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
        a, r = self.attraction.double(), self.repulsion.double()
        return -(a * r).sum(1) / (a.norm(dim=1) * r.norm(dim=1))

    @property
    def magnitude_ratio(self) -> Any:
        """||repulsion|| / ||attraction|| of each row, [n]; NaN or infinite where the latter is 0."""
        return self.repulsion.double().norm(dim=1) / self.attraction.double().norm(dim=1)

    @property
    def cancellation(self) -> Any:
        """Share of both that cancels, 1 - ||a + r|| / (||a|| + ||r||), [n], in [0, 1]; NaN where both are 0."""
        a, r = self.attraction.double(), self.repulsion.double()
        return 1 - (a + r).norm(dim=1) / (a.norm(dim=1) + r.norm(dim=1))


def at_hidden_states(hidden: Any, head: Any, labels: Any) -> TwoForces:
    """Forces on the last hidden state of each token: a = (1 - q_y)(w_y - w), r = -sum_{v != y} q_v (w_v - w).

    w: the mean row. hidden: [N, d]. head: W, [V, d]. labels: [N] ids.
    """
    q = (hidden @ head.T).softmax(1)
    rows = head - head.mean(0)
    of_label, of_rows = q.gather(1, labels[:, None]), rows[labels]
    return TwoForces((1 - of_label) * of_rows, of_label * of_rows - q @ rows)


def at_head_rows(hidden: Any, head: Any, labels: Any) -> TwoForces:
    """Forces on each row of the head from all N tokens together: towards those it labels, away from all others.

    Rows that label no token have no attraction. Arguments as for `at_hidden_states`; the result is [V, d].
    """
    import torch

    q = (hidden @ head.T).softmax(1)
    attraction = torch.zeros_like(head)
    attraction.index_add_(0, labels, (1 - q.gather(1, labels[:, None])) * hidden)
    others = q.scatter(1, labels[:, None], 0.0)
    return TwoForces(attraction, -(others.T @ hidden))
