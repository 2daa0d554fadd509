"""Attraction and repulsion against autograd, written-out sums, and cases whose answer is known."""

import math

import pytest
import torch
from torch.nn import functional

from zerosum.dissent import _forces
from zerosum.dissent._forces import (
    ForceProducts,
    TwoForces,
    at_head_rows,
    at_hidden_states,
    competitors,
    products,
)


@pytest.fixture
def case():
    made = torch.Generator().manual_seed(0)
    hidden, head = (torch.randn(n, 5, generator=made, dtype=torch.float64, requires_grad=True) for n in (9, 7))
    return hidden, head, torch.randint(0, 7, (9,), generator=made)


def forces(hidden, head, labels):
    """At hidden states and at head rows."""
    with torch.no_grad():
        others = competitors(hidden @ head.T, labels)
        return at_hidden_states(others, head - head.mean(0), labels), at_head_rows(others, hidden, labels)


def test_both_forces_together_are_minus_the_gradient(case):
    hidden, head, labels = case
    loss = functional.cross_entropy(hidden @ head.T, labels, reduction="sum")
    for found, gradient in zip(forces(*case), torch.autograd.grad(loss, [hidden, head]), strict=True):
        assert torch.allclose(found.attraction + found.repulsion, -gradient, rtol=0, atol=1e-12)


def test_forces_are_those_of_the_written_out_sums(case):
    hidden, head, labels = case
    rows = head - head.mean(0)
    found, at_head = forces(*case)
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


def test_each_force_is_the_gradient_of_its_part_of_the_loss(case):
    """With chances held fixed: -(1 - q_y) times the label's logit pulls, the others' chances times theirs push."""
    hidden, head, labels = case
    logits = hidden @ head.T
    q = logits.softmax(1).detach()
    label = functional.one_hot(labels, 7).bool()
    above_mean = logits - logits.mean(1, keepdim=True)
    for part, centred in ((above_mean, True), (logits, False)):
        pull = -((1 - q[label]) * part[label]).sum()
        push = (q * part)[~label].sum()
        of, found = (hidden, forces(*case)[0]) if centred else (head, forces(*case)[1])
        for force, loss in ((found.attraction, pull), (found.repulsion, push)):
            (gradient,) = torch.autograd.grad(loss, of, retain_graph=True)
            assert torch.allclose(force, -gradient, rtol=0, atol=1e-12)


def test_dissent_of_a_token_is_how_alike_its_label_and_its_competitors_are(case):
    hidden, head, labels = case
    rows = (head - head.mean(0)).detach()
    others = competitors(hidden @ head.T, labels).detach()
    mean = (others / others.sum(1, keepdim=True)) @ rows
    assert torch.allclose(forces(*case)[0].dissent, functional.cosine_similarity(rows[labels], mean))


def test_dissent_does_not_change_when_all_rows_move_together(case):
    hidden, head, labels = case
    moved = forces(hidden, head + torch.arange(5.0), labels)[0]
    assert torch.allclose(moved.dissent, forces(*case)[0].dissent)


def test_a_label_that_is_all_but_certain_keeps_its_digits():
    """1 - q_y is smaller than what float32 holds beside 1, and the two forces are not less opposed for it."""
    hidden, labels = torch.tensor([[1.0, 0.5]]), torch.tensor([0])
    head = torch.tensor([[30.0, 0.0], [0.0, 1.0], [1.0, -2.0], [2.0, 2.0]])
    narrow, exact = forces(hidden, head, labels)[0], forces(hidden.double(), head.double(), labels)[0]
    assert 0 < exact.attraction.norm() < 1e-9
    for name in ("dissent", "magnitude_ratio", "cancellation"):
        assert torch.allclose(getattr(narrow, name), getattr(exact, name), rtol=1e-5), name


def test_equal_chances_of_all_others_never_dissent():
    rows = torch.randn(6, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = forces(torch.zeros(6, 4, dtype=torch.float64), rows, torch.arange(6))[0]
    assert torch.allclose(found.dissent, -torch.ones(6).double())
    assert torch.allclose(found.magnitude_ratio, torch.full((6,), 1 / 5).double())


def test_two_tokens_in_the_vocabulary(case):
    """With rows w and -w both forces on a hidden state are one; on a row, of one hidden state, they are opposite."""
    hidden, head, _ = case
    at_hidden, at_head = forces(hidden[:1].repeat(4, 1), head[:2], torch.tensor([0, 1, 0, 0]))
    assert torch.allclose(at_hidden.dissent, -torch.ones(4).double())
    assert torch.allclose(at_hidden.magnitude_ratio, torch.ones(4).double())
    assert torch.allclose(at_head.dissent, torch.ones(2).double())
    assert (at_head.cancellation < 0.999).all()


def test_at_a_stationary_point_dissent_of_head_rows_is_total():
    """Labels as often as predicted: one hidden state, its labels in equal parts, and logits of 0."""
    hidden = torch.tensor([[1.0, 2.0]]).repeat(4, 1)
    found = forces(hidden, torch.zeros(4, 2), torch.arange(4))[1]
    for numbers in (found.dissent, found.cancellation, found.magnitude_ratio):
        assert torch.allclose(numbers, torch.ones(4).double())


def test_rows_that_label_nothing_have_no_attraction(case):
    hidden, head, _ = case
    found = forces(hidden, head, torch.arange(9) % 2)[1]
    assert found.dissent[:2].isfinite().all()
    assert found.dissent[2:].isnan().all()
    assert (found.repulsion[2:].norm(dim=1) > 0).all()


def test_known_angles(monkeypatch):
    a = torch.tensor([[1.0, 0.0]] * 4)
    r = torch.tensor([[-2.0, 0.0], [3.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    found = TwoForces(a, r)
    assert found.dissent[:3].tolist() == pytest.approx([1.0, -1.0, 0.0])
    assert found.dissent[3].isnan()
    assert found.cancellation.tolist() == pytest.approx([2 / 3, 0.0, 1 - 2**0.5 / 2, 0.0])
    for k in range(3):
        monkeypatch.setattr(_forces, "BLOCK", 1)
        one = products(a[k], r[k])
        for name in ("dissent", "magnitude_ratio", "cancellation"):
            assert getattr(one, name) == pytest.approx(float(getattr(found, name)[k]))


def test_products_of_parts_add_to_those_of_the_whole():
    a, r = torch.randn(2, 12, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    whole = products(a.view(3, 4), r.view(3, 4))
    parts = products(a[:5], r[:5]) + products(a[5:], r[5:])
    assert vars(parts) == pytest.approx(vars(whole))
    assert whole.dissent == pytest.approx(-float(functional.cosine_similarity(a, r, dim=0)))
    assert whole.cancellation == pytest.approx(1 - float((a + r).norm() / (a.norm() + r.norm())))
    assert math.isnan(ForceProducts(attraction=1.0).dissent)
    assert math.isnan(ForceProducts(repulsion=1.0).magnitude_ratio)
    assert math.isnan(ForceProducts().cancellation)
