"""How well first-order changes predict real ones, against its definitions and against leaving units out by hand."""

import math

import numpy as np
import pytest
from gradient_records import changes, record

from zerosum.errors import InputError
from zerosum.gradients.over_training import TokenChanges, binned, changes_of, prediction


def test_prediction_is_what_its_definitions_say():
    x, y = changes(slope=0.6)
    found = prediction(TokenChanges.of(x, y))
    known = np.isfinite(x)
    x, y = x[known], y[known]
    assert found.N == x.size == 19_999
    assert found.correlation.value == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-10)
    assert found.slope.value == pytest.approx(np.polyfit(x, y, 1)[0], rel=1e-8)
    assert found.explained.value == pytest.approx(1 - ((y - x) ** 2).sum() / ((y - y.mean()) ** 2).sum(), rel=1e-10)
    assert found.line_explains.value == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2, rel=1e-10)
    assert found.same_sign.value == pytest.approx(np.mean(np.sign(x) == np.sign(y)))


def test_jackknife_is_what_leaving_each_sequence_out_gives():
    x, y = changes(sequences=25, positions=30)
    found = prediction(TokenChanges.of(x, y))
    without = [prediction(TokenChanges.of(np.delete(x, k, 0), np.delete(y, k, 0))).slope.value for k in range(25)]
    error = math.sqrt(24 / 25 * np.sum((np.array(without) - np.mean(without)) ** 2))
    reach = 2.0638985616280205 * error  # Student's t with 24 degrees of freedom, 97.5 %
    assert found.slope.interval == pytest.approx((found.slope.value - reach, found.slope.value + reach), rel=1e-8)


def test_units_may_be_documents():
    """Which are as many tokens as they are, wherever they stand."""
    x, y = changes(sequences=25, positions=30)
    document = np.arange(x.size).reshape(x.shape) // 33
    found = prediction(TokenChanges.of(x, y, document, "document"))
    of = [np.where(document == k, np.nan, x) for k in range(23)]
    without = np.array([prediction(TokenChanges.of(one, y)).slope.value for one in of])
    error = math.sqrt(22 / 23 * np.sum((without - without.mean()) ** 2))
    half = (found.slope.interval[1] - found.slope.interval[0]) / 2
    assert half == pytest.approx(2.0738730679040147 * error, rel=1e-8)  # 22 degrees of freedom
    few = prediction(TokenChanges.of(x[:10], y[:10], document[:10], "document"))
    assert few.slope.reason == "10 documents; an interval needs at least 20"


def test_intervals_cover_about_95_percent():
    """Of correlation and slope of tokens that share a part with their sequence."""
    rng = np.random.default_rng(0)
    hits = np.zeros(2)
    for _ in range(400):
        shared = rng.normal(size=(2, 30, 1))
        x = rng.normal(size=(30, 20)) + shared[0]
        y = 0.5 * x + rng.normal(size=x.shape) + 0.5 * shared[1]
        found = prediction(TokenChanges.of(x, y))
        true = {"correlation": 0.5 * 2 / math.sqrt(2 * (0.25 * 2 + 1.25)), "slope": 0.5}
        hits += [not getattr(found, name).excludes(value) for name, value in true.items()]
    assert np.all((hits / 400 >= 0.92) & (hits / 400 <= 0.98))


def test_a_prediction_that_misses_more_than_the_mean_explains_less_than_nothing():
    x, _ = changes()
    found = prediction(TokenChanges.of(x, -x))
    assert found.explained.value < 0
    assert found.correlation.value == pytest.approx(-1)


@pytest.mark.parametrize(
    ("x", "y", "why"),
    [
        (np.zeros((30, 4)), np.ones((30, 4)), "all changes are equal"),
        (np.arange(9.0), np.arange(9.0), "which sequence a token is from is not known"),
        (np.arange(8.0).reshape(2, 4), np.arange(8.0).reshape(2, 4) ** 2, "2 sequences; an interval needs at least 20"),
    ],
)
def test_no_interval_without_a_reason(x, y, why):
    found = prediction(TokenChanges.of(x, y))
    assert found.slope.interval is None
    assert found.slope.reason == why


@pytest.mark.parametrize("spread", ["heavy", "even"])
def test_every_token_is_in_the_bin_of_its_changes(spread):
    x, y = (
        changes(sequences=20, positions=20) if spread == "heavy" else np.random.default_rng(0).uniform(-1, 1, (2, 9, 9))
    )
    given = TokenChanges.of(x, y)
    bins = binned(given, 12)
    assert (bins.width is None) == (spread == "even")
    slow = np.zeros_like(bins.count)
    for a, b in zip(given.first_order, given.loss_change, strict=True):
        slow[tuple(min(11, int(np.searchsorted(bins.edges, one, "right")) - 1) for one in (a, b))] += 1
    assert np.array_equal(bins.count, slow)
    assert bins.count.sum() == len(given.first_order)
    assert bins.edges == pytest.approx(-bins.edges[::-1])


def test_changes_of_a_checkpoint_are_of_its_known_tokens_with_their_units():
    x, y = changes(30, 8, seed=1)
    found = changes_of(record(4, pair=(x, y)))
    assert np.array_equal(found.first_order, x[np.isfinite(x)])
    assert np.array_equal(found.loss_change, y[np.isfinite(y)])
    assert np.array_equal(found.unit, np.repeat(np.arange(30), 8)[np.isfinite(x).ravel()])
    unit = np.arange(240).reshape(30, 8) // 10
    documents = changes_of(record(4, pair=(x, y), unit=unit, units="document"))
    assert np.array_equal(documents.unit, unit[np.isfinite(x)])
    assert documents.units == "document"


def test_a_checkpoint_without_both_changes_has_none():
    x, y = changes(30, 8)
    assert changes_of(record(4)) is None
    assert changes_of(record(4, pair=(x, np.full_like(y, np.nan)))) is None
    with pytest.raises(InputError, match="not one pair for each token"):
        TokenChanges.of(np.zeros(3), np.zeros(4))
