"""The checks of types and shapes that every other test runs under."""

import numpy as np
import pytest
from jaxtyping import Float, TypeCheckError, jaxtyped
from type_checks import beartype_once

from zerosum.deceleration.bnsl import hinge


@jaxtyped(typechecker=beartype_once)
def rows(x: Float[np.ndarray, "row column"], result: object) -> Float[np.ndarray, " row"]:
    return result


def test_parameters_and_results_are_checked_against_each_other():
    x = np.zeros((3, 2))
    assert len(rows(x, np.zeros(3))) == 3
    for parameter, result in ((x, np.zeros(2)), (x, np.zeros((3, 1))), (x, [0.0] * 3), (x[0], np.zeros(2))):
        with pytest.raises(TypeCheckError):
            rows(parameter, result)


def test_the_package_is_checked():
    with pytest.raises(TypeCheckError):
        hinge([0.0], 0.0, 1.0)
