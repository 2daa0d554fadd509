"""Bits per byte, perplexities, gaps in the steps, and learning rates logged more seldom than the loss."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from written import put

from zerosum.curves import clean_curve, read_curve
from zerosum.curves.gaps import find_gaps
from zerosum.curves.side_axes import between, from_same_step
from zerosum.errors import InputError


@pytest.mark.parametrize("name", ["val_bpb", "train/bpb", "bits_per_byte", "Bits per byte", "bits/byte", "train-bpc"])
def test_bits_per_byte_are_refused_unless_asked_for(tmp_path, name):
    path = put(tmp_path / "a.csv", f"step,{name}\n1,1.5\n2,1.25\n")
    with pytest.raises(InputError, match=r"in bits per byte, not in nats per token\. Say bytes_per_token=B"):
        read_curve(path, loss=name)
    curve = read_curve(path, loss=name, bytes_per_token=4)
    np.testing.assert_allclose(curve.loss, np.array([1.5, 1.25]) * 4 * math.log(2))
    assert curve.cleaning == ("bits per byte times 2.77259 (4 bytes per token) as nats per token",)


@pytest.mark.parametrize("name", ["loss", "subpixel_loss", "bpbx", "habits per bytecode"])
def test_other_names_are_nats(tmp_path, name):
    assert read_curve(put(tmp_path / "a.csv", f"step,{name}\n1,1.5\n2,1.25\n"), loss=name).cleaning == ()


@pytest.mark.parametrize("factor", [0, -1, math.nan, math.inf])
def test_bytes_per_token_must_be_a_positive_number(tmp_path, factor):
    with pytest.raises(InputError, match=r"bytes_per_token: .* is not a number above 0"):
        read_curve(put(tmp_path / "a.csv", "step,loss\n1,1.5\n2,1.25\n"), bytes_per_token=factor)


def test_perplexity_is_no_loss(tmp_path):
    with pytest.raises(InputError, match="'train_ppl' is a perplexity"):
        read_curve(put(tmp_path / "a.csv", "step,train_ppl\n1,1.5\n2,1.25\n"), loss="train_ppl")


def test_gap_is_told_with_its_ends():
    step = np.r_[0.0:100, 500:600, 700:800]
    assert find_gaps(step) == [(99, 500), (599, 700)]
    assert clean_curve("a", step, np.ones(300)).cleaning == (
        "2 gaps in the steps (99 to 500, 599 to 700): nothing was filled in",
    )


def test_stray_row_behind_the_end_stays_and_is_told():
    step = np.r_[1.0:3_001, 30_000_000]
    curve = clean_curve("a", step, np.ones(3_001))
    np.testing.assert_array_equal(curve.step, step)
    assert curve.cleaning == (
        "1 gap in the steps (3000 to 30000000): nothing was filled in",
        "the last row, step 30000000, stands alone behind a gap: remove it if it is a stray one",
    )


@pytest.mark.parametrize("rows", [1, 5, 9])
def test_gap_near_an_end(rows):
    few, many = np.arange(0.0, rows), np.arange(500.0, 700)
    assert find_gaps(np.r_[few, many]) == [(rows - 1.0, 500.0)]
    assert find_gaps(np.r_[many, 2_000.0 + few]) == [(699.0, 2_000.0)]


@pytest.mark.parametrize(
    "step",
    [
        np.arange(5.0),
        np.r_[0.0:1_000, 1_000:1_060:10],
        np.r_[0.0:3, 10:1_000:10],
        np.arange(1_000.0),
        np.unique(np.geomspace(1, 1e6, 200).round()),
        np.r_[0.0:100, 100:10_000:10],
        np.cumsum(np.random.default_rng(0).integers(1, 4, 500)).astype(float),
    ],
    ids=["short", "thinned at the end", "dense at the start", "even", "log-spaced", "thinned later", "uneven"],
)
def test_logs_without_gaps(step):
    assert find_gaps(step) == []


@given(st.lists(st.integers(1, 10**6), min_size=0, max_size=80))
def test_gaps_are_neighbouring_steps(distances):
    step = np.cumsum([0, *distances]).astype(float)
    pairs = set(pairwise(step))
    assert set(find_gaps(step)) <= pairs


def test_learning_rate_logged_every_tenth_step_is_interpolated_aloud():
    step = np.arange(1_000.0)
    lr = np.where(step % 10 == 0, 1e-3 * (1 - step / 1_000), np.nan)
    curve = clean_curve("a", step, np.ones(1_000), lr=lr)
    np.testing.assert_allclose(curve.lr[:991], 1e-3 * (1 - step[:991] / 1_000))
    np.testing.assert_array_equal(curve.lr[990:], curve.lr[990])
    assert curve.cleaning == ("lr of 900 rows interpolated between the 100 that have it",)


def test_tokens_are_not_held_past_the_last_logged_one():
    step = np.arange(101.0)
    tokens, filled = between(step, np.where((step % 2 == 0) & (step < 99), step, np.nan), hold=False)
    assert filled == 0
    assert np.isnan(tokens[1])


def test_too_few_values_are_not_interpolated():
    step = np.arange(101.0)
    assert between(step, np.where(step % 50 == 0, 1.0, np.nan), hold=True)[1] == 0
    assert between(step, np.full(101, np.nan), hold=True)[1] == 0


@pytest.mark.parametrize(("first", "value"), [(True, 0.1), (False, 0.2)])
def test_values_in_rows_of_their_own(first, value):
    step = np.array([5.0, 5, 5, 6])
    lr, filled = from_same_step(step, np.array([0.1, np.nan, 0.2, np.nan]), np.array([0, 1, 0, 1]) > 0, first=first)
    assert filled == 1
    np.testing.assert_array_equal(lr, [0.1, value, 0.2, np.nan])


@pytest.mark.parametrize("base", [2.0, 10.0])
def test_base_of_the_logarithm_is_told_by_the_perplexity(tmp_path, base):
    nats = 6.0 * np.arange(1, 21) ** -0.2
    rows = [f"{k},{y / math.log(base):.4f},{math.exp(y):.2f}" for k, y in enumerate(nats, 1)]
    curve = read_curve(put(tmp_path / "a.csv", "\n".join(["step,loss,ppl", *rows, ""])))
    np.testing.assert_allclose(curve.loss, nats, rtol=1e-3)
    assert curve.cleaning_codes == ("converted",)


@pytest.mark.parametrize(("factor", "codes"), [(1.0, ()), (1.3, ("unit-doubtful",))])
def test_perplexity_beside_the_loss(tmp_path, factor, codes):
    nats = 6.0 * np.arange(1, 21) ** -0.2
    rows = [f"{k},{y * factor:.6f},{math.exp(y):.6f}" for k, y in enumerate(nats, 1)]
    curve = read_curve(put(tmp_path / "a.csv", "\n".join(["step,loss,ppl", *rows, ""])))
    np.testing.assert_allclose(curve.loss, nats * factor, rtol=1e-5)
    assert curve.cleaning_codes == codes


@pytest.mark.parametrize(
    ("first", "last", "words"), [(6449, 3143, "perhaps sums"), (20.2, 3.0, "large initialisation")]
)
def test_losses_above_any_vocabulary_are_doubted(first, last, words):
    curve = clean_curve("a", range(1, 31), np.geomspace(first, last, 30))
    assert curve.cleaning_codes == ("unit-doubtful",)
    assert words in curve.cleaning[0]
    assert clean_curve("a", range(1, 31), np.geomspace(11.9, 3, 30)).cleaning == ()
