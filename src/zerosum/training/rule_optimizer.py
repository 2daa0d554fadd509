"""An optimizer of torch that applies a rule to each parameter."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

FirstState = Callable[[Tensor, dict[str, Any]], dict[str, Any]]
Update = Callable[[Tensor, Tensor, dict[str, Any], dict[str, Any]], None]


class RuleOptimizer(torch.optim.Optimizer):
    """See `RuleSettings` for the two functions. Parameters without gradient are left as they are."""

    def __init__(self, groups: list[dict[str, Any]], first_state: FirstState, update: Update):
        self._first_state, self._update = first_state, update
        super().__init__(groups, {})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    state = self.state[parameter]
                    if not state:
                        state.update(self._first_state(parameter, group))
                    self._update(parameter, parameter.grad, state, group)
