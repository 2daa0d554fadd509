"""Every optimizer, objective and aggregator takes steps on a pretended GPU, which refuses to mix devices."""

import pytest
import torch
from pretend_gpu import pretended_gpu

from zerosum.training import batch, optimizer_step
from zerosum.training.aggregators import AGGREGATORS
from zerosum.training.changes import with_changes
from zerosum.training.objectives import OBJECTIVES
from zerosum.training.optimizers import OPTIMIZERS
from zerosum.training.state import new_state

KINDS = [(kinds.noun, kind) for kinds in (OPTIMIZERS, OBJECTIVES, AGGREGATORS) for kind in kinds.names()]


def weights_after_two_steps(recipe):
    state = new_state(recipe)
    for step in range(2):
        optimizer_step(state, batch(recipe, step))
    assert {parameter.device.type for parameter in state.plain_model.parameters()} == {state.accelerator.device.type}
    return [parameter.detach().cpu().clone() for parameter in state.plain_model.parameters()]


@pytest.mark.parametrize(("part", "kind"), KINDS)
def test_steps_on_a_pretended_gpu_are_those_on_the_cpu(recipe, tmp_path, part, kind):
    changes = {f"{part}.kind": kind, "batch.passes": 2}
    if kind == "rho1":
        other = new_state(with_changes(recipe, {"seed": 6})).plain_model
        other.save_pretrained(tmp_path / "reference")
        changes["objective.reference"] = str(tmp_path / "reference")
    changed = with_changes(recipe, changes)
    expected = weights_after_two_steps(changed)
    with pretended_gpu():
        on_gpu = weights_after_two_steps(with_changes(changed, {"device": "auto"}))
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(on_gpu, expected, strict=True))
