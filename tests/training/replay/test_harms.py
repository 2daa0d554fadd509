"""Who harms whom, on models whose truth is known: opposed targets, disjoint parameters, sums, brute force."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny import VOCABULARY, move, parameter_groups, tiny_model

from zerosum import InputError
from zerosum.losses import token_losses
from zerosum.tokens import TokenSequences
from zerosum.training.optimizer_choice import Choice
from zerosum.training.replay.checkpoint_steps import StepOptions
from zerosum.training.replay.group_steps import Stepper, mean_gradients, shares_of_update, total
from zerosum.training.replay.harms import harm_matrix
from zerosum.training.replay.step_groups import MOST_GROUPS, step_groups
from zerosum.training.replay.updater import find_updater


class Bigrams(torch.nn.Module):
    """A table of logits, a row for each token before: rows share nothing."""

    def __init__(self, vocabulary=6):
        super().__init__()
        self.table = torch.nn.Embedding(vocabulary, vocabulary)
        self.table.weight.data = torch.randn(vocabulary, vocabulary, generator=torch.Generator().manual_seed(0))
        self.config = SimpleNamespace(vocab_size=vocabulary)

    def forward(self, ids):
        return self.table(ids)

    def get_output_embeddings(self):
        return None


def texts(*sequences, repeat=24):
    """Each sequence of ids is a document of its own domain, `repeat` times."""
    ids = np.concatenate([np.tile(ids, (repeat, 1)) for ids in sequences])
    K = len(sequences)
    domain_of = np.repeat(np.arange(K), repeat).astype(np.int32)
    names = tuple(f"document {k}" for k in range(len(ids)))
    return TokenSequences(ids, np.arange(len(ids)), names, domain_of, tuple("abcdefgh"[:K]))


def matrix_of(model, train, held_out, optimizer, *, by="domain", size=4, batches=2, clip=0.0, updater=None):
    updater = updater or find_updater(Path(), model, Choice.parse(optimizer), clip)
    groups = step_groups(by, train, held_out, lambda ids: token_losses(model, ids), size, batches, 0)
    return harm_matrix(model, updater, train, held_out, groups, StepOptions(clip=clip))


def no_losses(ids):
    return np.zeros((len(ids), ids.shape[1] - 1))


def numbers(rows):
    return np.array([[cell.measured.delta_L for cell in row.cells] for row in rows])


def random_texts(K=3, seed=0, repeat=24, vocabulary=VOCABULARY):
    rng = np.random.default_rng(seed)
    text = texts(*[np.zeros(13, dtype=np.int64)] * K, repeat=repeat)
    text.ids[:] = rng.integers(0, vocabulary // 2, text.ids.shape) + text.domain[:, None] * (vocabulary // 2 // K)
    return text


def test_opposed_targets_harm_each_other_as_the_closed_form_says():
    """After 0, domain a has 1 and domain b has 2, each as probable: their gradients are exactly opposed."""
    model = Bigrams().double()
    model.table.weight.data[0] = torch.tensor([-50.0, 0.0, 0.0, -50.0, -50.0, -50.0])
    q = np.array([0.0, 0.5, 0.5, 0.0, 0.0, 0.0])
    gradients = np.array([q - np.eye(6)[label] for label in (1, 2)])
    text = texts([0, 1], [0, 2])
    matrix = matrix_of(model, text, text, "sgd:lr=0.001")
    expected = -0.001 * gradients @ gradients.T
    found = numbers(matrix.real)
    np.testing.assert_allclose(found[:2, :2], expected, rtol=2e-3)
    np.testing.assert_allclose(numbers(matrix.shares)[:2, :2], expected / 2, rtol=1e-4)
    assert expected[0, 1] == -expected[0, 0] > 0
    assert found[2].tolist() == [0, 0, 0]  # SGD without momentum or decay does nothing without a gradient
    assert matrix.harm_real.inside.value == 0
    assert matrix.harm_real.between.value == 1
    assert matrix.asymmetry.value < 1e-3
    assert matrix.real[0].cells[1].delta_L.excludes(0)


def test_disjoint_parameters_leave_the_others_exactly_alone():
    text = texts([0, 1, 0], [2, 3, 2], [4, 5, 4])
    for optimizer in ("sgd:lr=0.1", "adamw:lr=0.01,weight_decay=0"):
        matrix = matrix_of(Bigrams(), text, text, optimizer)
        for rows in (numbers(matrix.real)[:3, :3], numbers(matrix.shares)[:3, :3]):
            assert (np.diag(rows) < 0).all()
            assert (rows[~np.eye(3, dtype=bool)] == 0).all()
        assert np.isnan(matrix.harm_real.inside.value)
        json.dumps(matrix.to_json(), allow_nan=False)


def test_for_sgd_a_real_step_is_its_first_order_change_up_to_the_square_of_the_rate():
    text, errors = random_texts(), []
    for rate in (0.01, 0.005):
        matrix = matrix_of(move(tiny_model().double()), text, text, f"sgd:lr={rate}")
        first_order = numbers(matrix.shares)[:3] / np.array(matrix.weights)[:, None]
        errors.append(np.abs(numbers(matrix.real)[:3] - first_order).max())
    assert errors[1] / errors[0] == pytest.approx(0.25, rel=0.2)


def saved_adamw(model, text):
    """AdamW after three steps: it has momentum, and decays matrices."""
    groups = parameter_groups(model, weight_decay=(0.1, 0.0))
    optimizer = torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.95))
    for _ in range(3):
        ids = torch.as_tensor(text.ids[:30])
        logits = model(ids[:, :-1]).logits
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).backward()
        optimizer.step()
        optimizer.zero_grad()
    return optimizer


@pytest.fixture(scope="module")
def adamw(tmp_path_factory):
    """A model, its saved AdamW, and texts of three domains."""
    folder, text = tmp_path_factory.mktemp("adamw"), random_texts()
    model = tiny_model().double()
    torch.save(saved_adamw(model, text).state_dict(), folder / "optimizer.pt")
    return model, find_updater(folder, model, clip=0.05), text, random_texts(seed=1)


def test_rows_sum_to_the_step_and_columns_to_all_tokens(adamw):
    model, updater, text, held_out = adamw
    matrix = matrix_of(model, text, held_out, "", updater=updater, clip=0.05)
    shares, real = numbers(matrix.shares), numbers(matrix.real)
    share_of = np.array(matrix.heldout_tokens[:-1]) / matrix.heldout_tokens[-1]
    for rows in (shares, real):
        np.testing.assert_allclose(rows[:, :3] @ share_of, rows[:, 3], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(shares.sum(0), [matrix.first_order_sum(k) for k in range(4)], rtol=1e-12)
    # The step on all tokens, taken by hand, to first order from a small multiple of its update.
    groups = step_groups("domain", text, held_out, no_losses, 4, 2, 0)
    for k, batch in enumerate(groups.batches):
        start = [parameter.detach().clone() for parameter in model.parameters()]
        updater.restart()
        losses = torch.nn.functional.cross_entropy(
            model(torch.as_tensor(text.ids[batch.rows][:, :-1])).logits.transpose(1, 2),
            torch.as_tensor(text.ids[batch.rows][:, 1:]),
            reduction="none",
        )
        code = torch.as_tensor(batch.code)
        sum(float(w) * losses[code == g].mean() for g, w in enumerate(batch.weights)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.05)
        updater.step()
        update = [parameter.detach() - before for parameter, before in zip(model.parameters(), start, strict=True)]
        stepper = Stepper(model, updater, start)
        stepper.reset()
        ids = held_out.ids
        moved = []
        for sign in (-1e-3, 1e-3):
            with stepper.moved([sign * part for part in update]):
                moved.append(exact_losses(model, ids))
        by_hand = ((moved[1] - moved[0]) / 2e-3).mean()
        found = sum(row.cells[3].of_batches[k] for row in matrix.shares)
        assert found == pytest.approx(float(by_hand), rel=1e-4)


def exact_losses(model, ids):
    with torch.no_grad():
        logits = model(torch.as_tensor(ids[:, :-1])).logits.transpose(1, 2)
        return torch.nn.functional.cross_entropy(logits, torch.as_tensor(ids[:, 1:]), reduction="none")


def test_shares_of_an_update_by_brute_force(adamw):
    """Shapley values over both orders of two groups, and a share's changes by one backward pass for each token."""
    model, updater, text, held_out = adamw
    stepper = Stepper(model, updater, [parameter.detach().clone() for parameter in model.parameters()])
    code = np.broadcast_to(text.domain[::6, None] // 2, (12, 12)).astype(np.int64)
    gradients = mean_gradients(model, text.ids[::6], code, 2, rows=5)
    shares, idle = shares_of_update(stepper, gradients, seed=0)
    whole = stepper.update(total(gradients))
    for k, part in enumerate(idle):
        torch.testing.assert_close(part + sum(share[k] for share in shares), whole[k], rtol=1e-9, atol=1e-14)
    alone = [stepper.update(gradient) for gradient in gradients]
    for k, other in ((0, 1), (1, 0)):
        for share, own, without, nothing, both in zip(shares[k], alone[k], alone[other], idle, whole, strict=True):
            by_hand = ((own - nothing) + (both - without)) / 2
            torch.testing.assert_close(share, by_hand, rtol=1e-9, atol=1e-14)
    from zerosum.gradients import first_order_changes

    update = dict(zip(dict(model.named_parameters()), shares[1], strict=True))
    found = first_order_changes(model, held_out.ids[:2], update)
    losses = torch.nn.functional.cross_entropy(
        model(torch.as_tensor(held_out.ids[:2, :-1])).logits.transpose(1, 2),
        torch.as_tensor(held_out.ids[:2, 1:]),
        reduction="none",
    )
    for place in np.ndindex(*found.shape):
        own = torch.autograd.grad(losses[place], list(model.parameters()), retain_graph=True)
        assert found[place] == pytest.approx(
            float(sum((g * u).sum() for g, u in zip(own, shares[1], strict=True))), rel=1e-4, abs=1e-9
        )


def test_groups_of_tokens_inside_sequences_and_texts_of_other_lengths():
    train, held_out = random_texts(), random_texts(seed=2)
    held_out = TokenSequences(held_out.ids[:, :9].copy(), held_out.document, held_out.documents)
    held_out.ids[3, 5:] = -1
    for by in ("token-frequency", "initial-loss"):
        groups = step_groups(by, train, held_out, lambda ids: ids[:, 1:] / 7.0, 6, 2, 0)
        assert int((groups.held_out >= 0).sum()) == int(held_out.predicted.sum())
        assert all(batch.weights.sum() == pytest.approx(1) for batch in groups.batches)
        assert len(groups.names) >= 2
    matrix = matrix_of(Bigrams(VOCABULARY), train, held_out, "sgd:lr=0.1", by="position", size=6, batches=1)
    assert matrix.heldout_tokens[-1] == int(held_out.predicted.sum()) == sum(matrix.heldout_tokens[:-1])
    assert matrix.groups[:3] == ("1", "2-3", "4-7")


def test_many_domains_become_others_and_a_small_text_has_no_interval():
    text = texts(*[[k, k + 1, k] for k in range(8)], repeat=4)
    text = TokenSequences(
        text.ids, text.document, text.documents, (np.arange(32) // 2).astype(np.int32), tuple(map(str, range(16)))
    )
    groups = step_groups("domain", text, text, no_losses, 1, 1, 0)
    assert len(groups.names) == MOST_GROUPS
    assert groups.names[-1] == "5 others"
    matrix = matrix_of(Bigrams(9), text, text, "sgd:lr=0.1", size=1, batches=1)
    estimate = matrix.real[0].cells[0].delta_L
    assert estimate.interval is None
    assert "needs at least 20" in estimate.reason


@pytest.mark.parametrize(
    ("by", "train", "held_out", "words"),
    [
        ("domain", texts([0, 1]), texts([0, 1], [0, 2]), "the training text has 1 domain. Give several --train"),
        ("domain", texts([0, 1], [0, 2]), TokenSequences(np.zeros((3, 4), int), np.zeros(3, int), ("x",)), "no known"),
        ("document", texts([0, 1], [0, 2]), texts([0, 1], [0, 2]), "needs two"),
        ("domain", texts([0, 1], [0, 2], repeat=1), texts([0, 1], [0, 2]), "fewer than 2 of any domain"),
        ("position", texts([0, 1], [0, 2], repeat=1), texts([0, 1], [0, 2]), "too few for 2 batches of 4"),
        ("weather", texts([0, 1], [0, 2]), texts([0, 1], [0, 2]), "groups by 'weather': not known"),
    ],
)
def test_what_cannot_be_grouped_is_refused_in_one_line(by, train, held_out, words):
    with pytest.raises(InputError, match=words) as error:
        step_groups(by, train, held_out, no_losses, 4, 2, 0)
    assert "\n" not in str(error.value)
