"""Gradients of a sample of tokens.

Samples of 256 of 4,096 tokens against all of them: root mean squared error of D_grad, relative error of sum_ij |p_ij|,
and the share of the 95 % intervals of both that hold the exact value. random: a model with random weights. early, late:
models that were trained, on text; they need the reference data. N is the number of samples. The goals are errors of at
most 0.005 and 4 %, and coverage of at least 90 %.
"""

import numpy as np
import pytest
from sampled_accuracy import CASES, accuracy, check_accuracy, random_model, trained_model

SEEDS = "the number of the sample"
SAMPLES = 100


@pytest.mark.parametrize("case", ["random", *CASES])
def test_samples_are_close_to_all_tokens(case, table, count, whole, request):
    trained = case in CASES
    given = trained_model(request.getfixturevalue("reference_data"), case) if trained else random_model()
    samples = count(SAMPLES)
    errors, held = accuracy(*given, samples)
    error_of_D, error_of_mass = np.sqrt(np.mean(np.square(errors), axis=0))
    table.add(
        model=case,
        N=samples,
        error_of_D_grad=f"{error_of_D:.4f}",
        error_of_mass=f"{100 * error_of_mass:.1f} %",
        coverage_of_D_grad=f"{100 * held.mean(0)[0]:.0f} %",
        coverage_of_mass=f"{100 * held.mean(0)[1]:.0f} %",
    )
    if whole:
        check_accuracy(errors, held)
