"""The checks of types and shapes that every other test runs under."""

from collections.abc import Iterator

import numpy as np
import pytest
from jaxtyping import Float, TypeCheckError
from type_checks import checked

from zerosum.deceleration.bnsl import hinge


@checked
def rows(x: Float[np.ndarray, "row column"], result: object) -> Float[np.ndarray, " row"]:
    return result


@checked
def both(x: Float[np.ndarray, " row"] | None, y: "Float[np.ndarray, ' row']") -> None:
    rows(np.zeros((1, 1)), np.zeros(1))  # another call, with axes of its own


def test_parameters_and_results_are_checked_against_each_other():
    x = np.zeros((3, 2))
    assert len(rows(x, np.zeros(3))) == 3
    for parameter, result in ((x, np.zeros(2)), (x, np.zeros((3, 1))), (x, [0.0] * 3), (x[0], np.zeros(2))):
        with pytest.raises(TypeCheckError):
            rows(parameter, result)


def test_axes_of_one_name_have_one_size_in_a_call():
    both(np.zeros(3), np.zeros(3))
    both(np.zeros(2), np.zeros(2))
    both(None, np.zeros(2))
    with pytest.raises(TypeCheckError):
        both(np.zeros(3), np.zeros(2))


@checked
def numbers(x: Float[np.ndarray, " row"]) -> Iterator[int]:
    yield len(x)
    yield from map(len, [rows(np.zeros((2, 1)), np.zeros(2))])


def test_what_a_generator_is_given_is_checked_in_a_scope_of_its_own():
    several = numbers(np.zeros(3)), numbers(np.zeros(4))
    assert [next(one) for one in several] == [3, 4]
    assert [next(one) for one in several] == [2, 2]
    with pytest.raises(TypeCheckError):
        next(numbers([0.0]))


def test_the_package_is_checked():
    with pytest.raises(TypeCheckError):
        hinge([0.0], 0.0, 1.0)
