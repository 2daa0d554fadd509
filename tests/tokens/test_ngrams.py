"""The n-gram ladder against a slow Witten-Bell of dictionaries, and what it says of the text of the demo."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from zerosum import InputError
from zerosum.tokens import HeldOutDocument, _ngram_counts, ngrams
from zerosum.tokens.ngrams import ladder_of_documents, model_name, ngram_ladder
from zerosum.training.corpora.python import PythonSettings


def counts_of(stretches, highest):
    """Context -> how often each token follows it, for contexts of up to `highest` - 1 tokens."""
    counts = defaultdict(Counter)
    for stretch in stretches:
        for at, token in enumerate(stretch):
            for length in range(min(at, highest - 1) + 1):
                counts[tuple(stretch[at - length : at])][token] += 1
    return counts


def probability(counts, context, token, vocabulary):
    """p(token | context) by the formula, from the longest context to none."""
    lower = probability(counts, context[1:], token, vocabulary) if context else 1 / vocabulary
    following = counts.get(context, Counter())
    total, types = sum(following.values()), len(following)
    return (following[token] + types * lower) / (total + types) if total else lower


def slow_losses(stretches, windows, vocabulary, highest):
    """Losses of all orders, one token after the other."""
    counts = counts_of(stretches, highest)
    losses = []
    for order in range(1, highest + 1):
        each = [
            -math.log(probability(counts, tuple(window[max(0, at - order + 1) : at]), window[at], vocabulary))
            for window in windows
            for at in range(1, len(window))
        ]
        losses.append(math.fsum(each) / len(each))
    return losses


def random_case(seed):
    """Training ids, windows and vocabulary: few ids or many, some windows of a single token or without one."""
    rng = np.random.default_rng(seed)
    vocabulary = int(rng.choice([1, 2, 5, 40, 2**32]))
    most = min(vocabulary, 30)
    train = np.minimum(rng.geometric(0.2, rng.integers(1, 300)), most) - 1
    windows = [np.minimum(rng.geometric(0.2, rng.integers(0, 12)), most) - 1 for _ in range(rng.integers(1, 9))]
    return train, [*windows, np.zeros(2, np.int64)], vocabulary


@pytest.mark.parametrize("seed", range(40))
def test_losses_are_those_of_the_slow_model(seed, monkeypatch):
    monkeypatch.setattr(_ngram_counts, "STRETCH", 7)
    monkeypatch.setattr(_ngram_counts, "_CHUNK", 3)
    if seed % 2:
        monkeypatch.setattr(_ngram_counts, "_LARGEST_TABLE", 0)
    train, windows, vocabulary = random_case(seed)
    highest = 1 + seed % 5
    stretches = [train[at : at + 7].tolist() for at in range(0, len(train), 7)]
    fast = ngram_ladder(train.astype(np.uint32), windows, vocabulary, highest=highest)
    slow = slow_losses(stretches, [window.tolist() for window in windows], vocabulary, highest)
    np.testing.assert_allclose(fast.losses, slow, rtol=1e-12)
    assert fast.counted_tokens == fast.train_tokens == len(train)
    assert fast.scored_tokens == sum(max(0, len(window) - 1) for window in windows)


@pytest.mark.parametrize("context", [[1, 2, 3], [3, 3, 3], [4, 4, 9], [9, 9, 9]])
def test_probabilities_of_all_next_tokens_add_up_to_one(context):
    train = np.random.default_rng(0).integers(0, 5, 200)
    before = ngram_ladder(train, [np.array(context)], 10).losses  # means of two predicted tokens
    for order, shorter in enumerate(before):
        after = [ngram_ladder(train, [np.array([*context, token])], 10).losses[order] for token in range(10)]
        assert sum(math.exp(2 * shorter - 3 * loss) for loss in after) == pytest.approx(1, rel=1e-12)


def test_a_long_text_is_counted_in_stretches_at_even_distances(monkeypatch):
    monkeypatch.setattr(_ngram_counts, "STRETCH", 10)
    train, windows = np.arange(96) % 7, [np.arange(30) % 7]
    ladder = ngram_ladder(train, windows, 7, most_counted=45)
    assert (ladder.counted_tokens, ladder.train_tokens) == (40, 96)
    stretches = [train[at : at + 10].tolist() for at in (0, 20, 50, 70)]
    np.testing.assert_allclose(ladder.losses, slow_losses(stretches, [windows[0].tolist()], 7, 4), rtol=1e-12)
    assert "counted on 40 of 96 training tokens" in ladder.rungs[0].loss.method


def test_short_documents_are_windows_and_nothing_gives_no_ladder():
    short = [HeldOutDocument("a", 0, np.array([1, 2])), HeldOutDocument("b", 1, np.array([3]))]
    ladder = ladder_of_documents(np.array([1, 2, 3]), short, 5)
    assert ladder is not None
    assert ladder.scored_tokens == 1
    assert ladder_of_documents(np.array([1, 2, 3]), short[1:], 5) is None
    assert ladder_of_documents(np.array([1, 2, 3]), [], 5) is None
    for train, held_out in (([], [np.array([1, 2])]), ([1], [np.array([1])])):
        with pytest.raises(InputError, match="too few for n-grams"):
            ngram_ladder(np.array(train, np.int64), held_out, 5)


def test_the_ladder_of_pythons_standard_library_is_known(monkeypatch):
    """3.34, 2.60, 1.94, 1.51 nats by another program; here on an eighth of the text, which raises the longer orders."""
    monkeypatch.setattr(ngrams, "COUNTED", 1 << 22)
    ladder = PythonSettings().open().ngrams
    assert ladder is not None
    np.testing.assert_allclose(ladder.losses, [3.34, 2.60, 1.94, 1.51], rtol=0.08)
    assert list(map(model_name, range(1, 5))) == [rung.model for rung in ladder.rungs]
    assert [rung.loss.N for rung in ladder.rungs] == [ladder.scored_tokens] * 4
    assert ladder.vocabulary == 257
