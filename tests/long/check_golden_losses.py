"""The tiny recipes start with the losses in tests/golden.

The larger sizes, and the variants of the smallest that `make test` leaves out: largest difference of the first 50
losses from the golden file, in nats per token.
"""

import pytest
from golden_losses import TOLERANCE, compared, first_losses, others
from inputs import write_source_code

SEEDS = "those of the recipes"


@pytest.mark.parametrize("name", others())
def test_first_losses(name, table, tmp_path, request):
    write_source_code(tmp_path / "code")
    losses = first_losses(name, tmp_path / "code", tmp_path)
    difference = compared(name, losses, request.config.getoption("--renew-golden", default=False))
    table.add(recipe=name, first=f"{losses[0]:.4f}", last=f"{losses[-1]:.4f}", difference=f"{difference:.1g}")
    assert difference <= TOLERANCE, f"{name}: make golden, where this is meant"
