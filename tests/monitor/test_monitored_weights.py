"""Optimizers that evaluate at other weights than they train at, as the package schedulefree switches between them."""

import copy
from typing import Any

import numpy as np
import torch
from loops import PROBE, batch_of, model_with_dropout

import zerosum
from zerosum.losses import token_losses


class Averaging(torch.optim.SGD):
    """SGD whose evaluation weights are a step of interpolation away, made in place and only nearly undone."""

    def step(self, closure: Any = None) -> None:
        assert self.param_groups[0].setdefault("train_mode", True)
        super().step(closure)

    def eval(self) -> None:
        self._move(1.7)
        self.param_groups[0]["train_mode"] = False

    def train(self) -> None:
        self._move(1 / 1.7)
        self.param_groups[0]["train_mode"] = True

    def _move(self, factor: float) -> None:
        with torch.no_grad():
            for parameter in self.param_groups[0]["params"]:
                parameter.mul_(factor)


def test_losses_are_those_of_the_evaluated_weights_and_nothing_changes() -> None:
    def run(monitored: bool) -> tuple[Any, zerosum.Monitor | None, Any]:
        model = model_with_dropout()
        optimizer = Averaging(model.parameters(), 0.1)
        monitor = zerosum.Monitor(model, PROBE, schedule=[1], cost="full", optimizer=optimizer) if monitored else None
        torch.manual_seed(0)
        evaluated = None
        for step in range(4):
            ids = batch_of(step)
            model(input_ids=ids, labels=ids).loss.backward()
            if monitor:
                with monitor.step(step):
                    optimizer.step()
            else:
                optimizer.step()
            optimizer.zero_grad()
            if step == 0 and monitored:
                twin = copy.deepcopy(model)
                twin.load_state_dict({name: 1.7 * value for name, value in model.state_dict().items()})
                evaluated = token_losses(twin, PROBE)
        return model, monitor, evaluated

    (model, monitor, evaluated), (without, _, _) = run(True), run(False)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), without.parameters(), strict=True))
    assert monitor is not None
    assert monitor.latest is not None
    np.testing.assert_allclose(monitor.latest.loss, evaluated.mean(dtype=np.float64), rtol=1e-6)
