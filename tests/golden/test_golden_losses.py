"""Tiny recipes start with the losses in tests/golden/<recipe>.txt, which `make golden` writes anew.

tests/long has the larger sizes and all other variants of the smallest.
"""

import pytest

pytest.importorskip("torch")

from golden_losses import FOLDER, QUICK, TOLERANCE, compared, first_losses, others


@pytest.mark.parametrize("name", QUICK)
def test_first_losses(name, all_inputs, tmp_path, request):
    losses = first_losses(name, all_inputs / "code", tmp_path)
    difference = compared(name, losses, request.config.getoption("--renew-golden", default=False))
    assert difference <= TOLERANCE, f"{name}: make golden, where this is meant"


def test_every_tiny_recipe_has_its_losses():
    assert {file.stem for file in FOLDER.glob("tiny_*.txt")} == {*QUICK, *others()}
