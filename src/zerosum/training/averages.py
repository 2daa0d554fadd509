"""The callback that averages weights while a run trains: means of the last K iterates, and EMAs, in constant memory.

    last:K     at step t: the mean of the iterates after updates t - K + 1 to t; before step K of all iterates so far
    ema:beta   weights of iterate k at step t in proportion to beta^(t - k): an exponential moving average with bias
               correction, avg += (1 - beta) / (1 - beta^n) (iterate - avg), n iterates so far

The start (step 0, or the checkpoint that a branch continues) is no iterate: the average at the start is the start.
torch.optim.swa_utils has the same EMA without bias correction, in float32, and no mean of a window.

All `last:K` share one running sum. The mean of a window is the difference of the sum at its end and at its start; the
sum at the start is held until then. Held at once: at most one sum more than there are checkpoints in a doubling of the
step, for each K, whatever K is. Sums are float64, 8 bytes a parameter each, and so is each EMA.
Sources: LAWA (Kaddour 2022, arXiv 2209.14981); bias correction as in Adam (Kingma and Ba 2015).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zerosum.checkpoints.average_folders import FACTS, FOLDER, copy_settings
from zerosum.checkpoints.average_form import Averaged, AverageForm, parse_average
from zerosum.training.callback import AfterStep, Callback, TrainingContext
from zerosum.training.recipe import Recipe

Tensors = list[Tensor]
_SUM, _SUM_AT = "sum", "sum at "


class AveragedWeights(Callback):
    """Writes `averages/<average>/` into each checkpoint: a Hugging Face folder with the averaged weights.

    Averaged are the trained parameters as the optimizer evaluates them (`OptimizerSettings.evaluated`); everything
    else is that of the checkpoint. The state is saved with the run, so that a resumed run gives the same averages.
    """

    def __init__(self, recipe: Recipe):
        self._forms = [parse_average(text) for text in recipe.averages]
        self._optimizer = recipe.optimizer
        self._first = recipe.first_step
        self._windows = Windows([form.last for form in self._forms if form.last], recipe.checkpoint_steps)
        self._sum: Tensors | None = None
        self._sums_at_starts: dict[int, Tensors] = {}
        self._emas: dict[str, Tensors] = {}
        self._loaded = False
        self._model: torch.nn.Module | None = None
        self._parameters: Tensors = []

    def is_due(self, update: int) -> bool:
        """Whether a window or an EMA needs this iterate."""
        return self._windows.has(update) or any(form.decay for form in self._forms)

    def after_step(self, context: AfterStep) -> None:
        """Add the iterate to the sum, if a window needs it, and to each EMA."""
        step = context.step
        weights = self._evaluated(context)
        if self._loaded:
            self._move_to(weights[0].device)
        self._add_to_sum(step, weights)
        for form in self._forms:
            if form.decay:
                ema = self._emas[form.text] = self._emas.get(form.text) or _zeros(weights)
                share = (1 - form.decay) / (1 - form.decay ** (step - self._first))
                torch._foreach_mul_(ema, 1 - share)
                torch._foreach_add_(ema, weights, alpha=share)

    def _add_to_sum(self, step: int, weights: Tensors) -> None:
        windows = self._windows
        if not windows.continues(step):
            self._sum = None
        if windows.has(step):
            self._sum = self._sum or _zeros(weights)
            torch._foreach_add_(self._sum, weights)
            if step in windows.starts and windows.continues(step + 1):
                self._sums_at_starts[step] = [total.clone() for total in self._sum]

    def on_checkpoint(self, context: TrainingContext, folder: Path) -> None:
        """Write the averages that end here."""
        for form in self._forms:
            self._write(form, context, folder)
        for start in [start for start in self._sums_at_starts if self._windows.starts[start] <= context.step]:
            del self._sums_at_starts[start]
        if not self._windows.continues(context.step + 1):
            self._sum = None

    def _write(self, form: AverageForm, context: TrainingContext, folder: Path) -> None:
        model: Any = context.model
        trained = _trained(model)
        start = self._start(form, context.step)
        averages = self._average(form, start, context.step) or trained
        by_parameter = dict(zip(trained, averages, strict=True))
        written: dict[Tensor, Tensor] = {}
        for value in model.state_dict(keep_vars=True).values():  # a tied matrix has two names, and is written once
            written[value] = by_parameter.get(value, value).detach().to(value.device, value.dtype)
        state = {name: written[value] for name, value in model.state_dict(keep_vars=True).items()}
        place = folder / FOLDER / form.place
        model.save_pretrained(place, state_dict=state)
        copy_settings(folder, place)
        iterates = (min(start + 1, context.step), context.step)
        averaged = Averaged(form.text, max(1, context.step - start), iterates, True, self._optimizer.evaluated_at or "")
        (place / FACTS).write_text(json.dumps(averaged.to_json()), encoding="utf-8")

    def _start(self, form: AverageForm, step: int) -> int:
        """The step before the first iterate of an average at a step."""
        return max(self._first, step - form.last) if form.last else self._first

    def _average(self, form: AverageForm, start: int, step: int) -> Tensors | None:
        """The average at a step, parameter by parameter; None at the start of the run."""
        if step == self._first:
            return None
        if form.decay:
            return self._emas[form.text]
        if self._sum is None:
            raise RuntimeError(f"no sum for the window that ends at step {step}")
        at_start = self._sums_at_starts.get(start)
        totals = self._sum if at_start is None else torch._foreach_sub(self._sum, at_start)
        return list(torch._foreach_div(totals, float(step - start)))

    def state_dict(self) -> Mapping[str, Any]:
        """The sums and EMAs, named as `sum/<parameter>`, `sum at 64/<parameter>`, `ema:0.995/<parameter>`."""
        sums = {} if self._sum is None else {_SUM: self._sum}
        sums |= {f"{_SUM_AT}{step}": totals for step, totals in self._sums_at_starts.items()}
        return {
            f"{name}/{k}": tensor for name, totals in (sums | self._emas).items() for k, tensor in enumerate(totals)
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up the sums and EMAs; they are moved to the device of the model with the next update."""
        totals: dict[str, Tensors] = {}
        for key in sorted(state, key=lambda key: int(key.rpartition("/")[2])):
            totals.setdefault(key.rpartition("/")[0], []).append(state[key])
        self._sum = totals.pop(_SUM, None)
        at_starts = [name for name in totals if name.startswith(_SUM_AT)]
        self._sums_at_starts = {int(name.removeprefix(_SUM_AT)): totals.pop(name) for name in at_starts}
        self._emas = totals
        self._loaded = True

    def _move_to(self, device: torch.device) -> None:
        for totals in filter(None, (self._sum, *self._sums_at_starts.values(), *self._emas.values())):
            totals[:] = [tensor.to(device) for tensor in totals]
        self._loaded = False

    def _evaluated(self, context: TrainingContext) -> Tensors:
        """The trained parameters as the optimizer evaluates them; on the CPU where the device has no float64."""
        if context.model is not self._model:
            self._model, self._parameters = context.model, _trained(context.model)
        weights = [self._optimizer.evaluated(context.optimizer, weight).detach() for weight in self._parameters]
        return [weight.cpu() for weight in weights] if weights[0].device.type == "mps" else weights


class Windows:
    """The steps (t - K, t] before each checkpoint t, for each K; of windows that begin before the run, what is in it.

    starts: step before the first iterate of a window -> end of the last window that starts there.
    """

    def __init__(self, sizes: Sequence[int], checkpoints: Sequence[int]):
        first, last = checkpoints[0], checkpoints[-1]
        self._first = first
        self.starts: dict[int, int] = {}
        self._has, self._continues = np.zeros(last - first + 2, bool), np.zeros(last - first + 2, bool)
        for end in checkpoints[1:]:
            for size in sizes:
                start = max(first, end - size)
                self.starts[start] = max(end, self.starts.get(start, end))
                self._has[start + 1 - first : end + 1 - first] = True
                self._continues[start + 2 - first : end + 1 - first] = True

    def has(self, step: int) -> bool:
        """Whether the iterate of this step lies in a window."""
        return bool(self._has[step - self._first])

    def continues(self, step: int) -> bool:
        """Whether a window holds the iterates of this step and of the one before."""
        return bool(self._continues[step - self._first])


def _trained(model: torch.nn.Module) -> Tensors:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def _zeros(weights: Iterable[Tensor]) -> Tensors:
    return [torch.zeros_like(weight, dtype=torch.float64) for weight in weights]
