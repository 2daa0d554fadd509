import numpy as np
import pytest

from zerosum.errors import InputError
from zerosum.training.batches import batch
from zerosum.training.recipe import Recipe
from zerosum.training.text import read_text, windows

STREAM = np.arange(1000, dtype=np.uint16)


def test_batch_is_a_function_of_seed_and_step_alone(recipe: Recipe) -> None:
    first = batch(recipe, 3).ids
    np.random.default_rng(0).random(10)
    batch(recipe, 4)
    np.testing.assert_array_equal(batch(recipe, 3).ids, first)
    assert first.shape == (4, 9)
    assert first.dtype == np.int64


def test_steps_and_seeds_give_different_batches() -> None:
    seen = {windows(STREAM, seed, step, sequences=4, length=8).tobytes() for seed in range(10) for step in range(10)}
    assert len(seen) == 100


def test_windows_are_stretches_of_the_stream_one_from_each_part() -> None:
    rows = windows(STREAM, 0, 0, sequences=31, length=8)
    assert (np.diff(rows, axis=1) == 1).all()
    assert ((rows[:, 0] / (992 / 31)).astype(int) == np.arange(31)).all()


def test_every_place_is_equally_likely() -> None:
    starts = np.concatenate([windows(STREAM[:40], 0, step, sequences=4, length=8)[:, 0] for step in range(2000)])
    counts = np.bincount(starts, minlength=32)
    assert len(counts) == 32  # the last window ends with the stream
    assert abs(counts - 250).max() < 5 * np.sqrt(250)


def test_batches_are_training_text(recipe: Recipe) -> None:
    train = read_text(recipe.data.folder, recipe.data.held_out_share).train.tobytes()
    for row in batch(recipe, 0).ids:
        assert row.astype(np.uint16).tobytes() in train


def test_pinned_batch() -> None:
    # Runs of older versions continue with the same batches: these digits must not change.
    assert windows(STREAM, 1, 2, sequences=3, length=1).tolist() == PINNED


PINNED = [[149, 150], [476, 477], [805, 806]]


def test_too_short_a_stream_is_an_error() -> None:
    with pytest.raises(InputError, match="8 training tokens: too few for windows of 8"):
        windows(STREAM[:8], 0, 0, sequences=1, length=8)
