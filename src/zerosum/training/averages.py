"""The callback that writes averages of weights while a run trains; `checkpoints.running_averages` makes them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch

from zerosum.checkpoints.average_folders import FACTS, FOLDER, copy_settings
from zerosum.checkpoints.average_form import Averaged, AverageForm, parse_average
from zerosum.checkpoints.running_averages import ListedEnds, RunningAverages, Tensors
from zerosum.training.callback import AfterStep, Callback, TrainingContext
from zerosum.training.recipe import Recipe


class AveragedWeights(Callback):
    """Writes `averages/<average>/` into each checkpoint: a Hugging Face folder with the averaged weights.

    Averaged are the trained parameters as the optimizer evaluates them (`OptimizerSettings.evaluated`); everything
    else is that of the checkpoint. The state is saved with the run, so that a resumed run gives the same averages.
    """

    is_trusted: ClassVar[bool] = True

    def __init__(self, recipe: Recipe):
        self._forms = [parse_average(text) for text in recipe.averages]
        self._optimizer = recipe.optimizer
        self._first = recipe.first_step
        self._averages = RunningAverages(self._forms, self._first, ListedEnds(recipe.checkpoint_steps[1:]))
        self._model: torch.nn.Module | None = None
        self._parameters: Tensors = []
        self._weights: Tensors = []

    def is_due(self, update: int) -> bool:
        """Whether a window or an EMA needs this iterate."""
        return self._averages.needs(update)

    def after_step(self, context: AfterStep) -> None:
        """Add the iterate to the sum, if a window needs it, and to each EMA."""
        self._averages.add(context.step, self._evaluated(context))

    def on_checkpoint(self, context: TrainingContext, folder: Path) -> None:
        """Write the averages that end here."""
        for form in self._forms:
            self._write(form, context, folder)
        self._averages.forget(context.step)

    def _write(self, form: AverageForm, context: TrainingContext, folder: Path) -> None:
        model: Any = context.model
        trained = _trained(model)
        start = self._averages.start(form, context.step)
        averages = self._averages.average(form, context.step) or trained
        by_parameter = dict(zip(trained, averages, strict=True))
        written: dict[torch.Tensor, torch.Tensor] = {}
        for value in model.state_dict(keep_vars=True).values():  # a tied matrix has two names, and is written once
            written[value] = by_parameter.get(value, value).detach().to(value.device, value.dtype)
        state = {name: written[value] for name, value in model.state_dict(keep_vars=True).items()}
        place = folder / FOLDER / form.place
        model.save_pretrained(place, state_dict=state)
        copy_settings(folder, place)
        iterates = (min(start + 1, context.step), context.step)
        averaged = Averaged(form.text, max(1, context.step - start), iterates, True, self._optimizer.evaluated_at or "")
        (place / FACTS).write_text(json.dumps(averaged.to_json()), encoding="utf-8")

    def state_dict(self) -> Mapping[str, Any]:
        """The sums and EMAs; see `RunningAverages`."""
        return self._averages.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up the sums and EMAs."""
        self._averages.load_state_dict(state)

    def _evaluated(self, context: TrainingContext) -> Tensors:
        """The trained parameters as the optimizer evaluates them; on the CPU where the device has no float64."""
        if context.model is not self._model:
            self._model, self._parameters = context.model, _trained(context.model)
            self._weights = [weight.detach() for weight in self._parameters]  # of the same memory
        weights = self._weights
        if self._optimizer.evaluated_at:
            weights = [self._optimizer.evaluated(context.optimizer, weight).detach() for weight in self._parameters]
        return [weight.cpu() for weight in weights] if weights[0].device.type == "mps" else weights


def _trained(model: torch.nn.Module) -> Tensors:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]
