"""Attraction and repulsion against autograd, written-out sums, and cases whose answer is known."""

import pytest
import torch
from torch.nn import functional

from zerosum.gradients._dissent import TwoForces, at_head_rows, at_hidden_states


@pytest.fixture
def case():
    made = torch.Generator().manual_seed(0)
    hidden, head = (torch.randn(n, 5, generator=made, dtype=torch.float64, requires_grad=True) for n in (9, 7))
    return hidden, head, torch.randint(0, 7, (9,), generator=made)


def gradients(hidden, head, labels):
    loss = functional.cross_entropy(hidden @ head.T, labels, reduction="sum")
    return torch.autograd.grad(loss, [hidden, head])


def test_both_forces_together_are_minus_the_gradient(case):
    for forces, gradient in zip((at_hidden_states(*case), at_head_rows(*case)), gradients(*case), strict=True):
        assert torch.allclose(forces.attraction + forces.repulsion, -gradient, atol=1e-12)


def test_forces_are_those_of_the_written_out_sums(case):
    hidden, head, labels = case
    rows = head - head.mean(0)
    found, at_head = at_hidden_states(*case), at_head_rows(*case)
    attraction, repulsion = torch.zeros(7, 5, dtype=torch.float64), torch.zeros(7, 5, dtype=torch.float64)
    for i, y in enumerate(labels.tolist()):
        q = torch.softmax(head @ hidden[i], 0)
        assert torch.allclose(found.attraction[i], (1 - q[y]) * rows[y])
        assert torch.allclose(found.repulsion[i], -sum(q[v] * rows[v] for v in range(7) if v != y))
        for v in range(7):
            if v == y:
                attraction[v] += (1 - q[v]) * hidden[i]
            else:
                repulsion[v] -= q[v] * hidden[i]
    assert torch.allclose(at_head.attraction, attraction)
    assert torch.allclose(at_head.repulsion, repulsion)


def test_dissent_does_not_change_when_all_rows_move_together(case):
    hidden, head, labels = case
    moved = at_hidden_states(hidden, head + torch.arange(5.0), labels)
    assert torch.allclose(moved.dissent, at_hidden_states(hidden, head, labels).dissent)


def test_two_tokens_in_the_vocabulary_never_dissent(case):
    """With centred rows w and -w both forces on a hidden state point the same way, and equally strongly."""
    hidden, head, labels = case
    found = at_hidden_states(hidden, head[:2], labels % 2)
    assert torch.allclose(found.dissent, torch.tensor(-1.0).double())
    assert torch.allclose(found.magnitude_ratio, torch.tensor(1.0).double())


def test_at_a_stationary_point_dissent_of_head_rows_is_total():
    """Labels as often as predicted: one hidden state, its labels in equal parts, and logits of 0."""
    hidden = torch.tensor([[1.0, 2.0]]).repeat(4, 1)
    found = at_head_rows(hidden, torch.zeros(4, 2), torch.arange(4))
    assert torch.allclose(found.dissent, torch.ones(4).double())
    assert torch.allclose(found.cancellation, torch.ones(4).double())
    assert torch.allclose(found.magnitude_ratio, torch.ones(4).double())


def test_known_angles():
    a = torch.tensor([[1.0, 0.0]] * 4)
    r = torch.tensor([[-2.0, 0.0], [3.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    found = TwoForces(a, r)
    assert found.dissent[:3].tolist() == pytest.approx([1.0, -1.0, 0.0])
    assert found.dissent[3].isnan()
    assert found.cancellation.tolist() == pytest.approx([2 / 3, 0.0, 1 - 2**0.5 / 2, 0.0])
