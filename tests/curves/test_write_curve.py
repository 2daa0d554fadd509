"""What is written reads back as the same numbers."""

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from zerosum.curves import clean_curve, read_curve, write_curve
from zerosum.errors import InputError

positive = st.floats(1e-300, 1e300)
rows = st.lists(st.tuples(st.integers(0, 2**52), positive, positive, st.floats(-1e300, 1e300)), min_size=1, max_size=40)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows, st.booleans(), st.booleans(), st.booleans())
@example([(0, 1.0, 1.125, 0.0)], False, True, False)  # digits in groups, to a reader of counts
def test_round_trip(tmp_path, rows, whole, with_tokens, with_lr):
    step, loss, tokens, lr = np.array(sorted(rows), dtype=float).T
    step = step if whole else step / 3
    given = {"tokens": tokens if with_tokens else None, "lr": lr if with_lr else None}
    before = clean_curve("a", step, loss, **given, on_repeat="last")
    write_curve(before, tmp_path / "a.csv")
    after = read_curve(tmp_path / "a.csv")
    for axis in ("step", "loss", "tokens", "lr"):
        np.testing.assert_array_equal(getattr(after, axis), getattr(before, axis))


def test_text_of_the_file(tmp_path):
    write_curve(clean_curve("a", [1, 2], [3.25, 3.0], tokens=[512, 1024], lr=[1e-3, 1e-4]), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "step,tokens,loss,lr\n1,512,3.25,0.001\n2,1024,3.0,0.0001\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_axes_that_are_not_there_have_no_column(tmp_path):
    write_curve(clean_curve("a", [1, 2], [3.5, 3.25]), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "step,loss\n1,3.5\n2,3.25\n"


@pytest.mark.parametrize("place", ["none/a.csv", "a\0b"])
def test_place_that_cannot_be_written(tmp_path, place):
    with pytest.raises(InputError, match="cannot be written"):
        write_curve(clean_curve("a", [1], [3.5]), tmp_path / place)
    assert list(tmp_path.iterdir()) == []


def test_published_curves_survive(reference_data, tmp_path):
    for path in sorted((reference_data / "curves").glob("*/*.csv")):
        before = read_curve(path)
        write_curve(before, tmp_path / path.name)
        after = read_curve(tmp_path / path.name)
        np.testing.assert_array_equal(after.step, before.step)
        np.testing.assert_array_equal(after.loss, before.loss)
        assert after.cleaning == before.cleaning
