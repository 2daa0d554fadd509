"""The training loop's side of callbacks: calls them, checks that they only read, collects values, saves their state."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from zerosum.errors import InputError
from zerosum.training.batch_gradient import AfterPass
from zerosum.training.callback import AfterStep, BeforeStep, Callback, TrainingContext
from zerosum.training.corpus import Batch
from zerosum.training.held_out import COLUMN as HELD_OUT
from zerosum.training.metrics import Row
from zerosum.training.sharding import local_part
from zerosum.training.state import TrainingState, preserved_generators
from zerosum.training.step import StepResult

STATE_FILE = "callbacks.json"
TENSOR_FILE = "callbacks.safetensors"
_COLUMNS = frozenset([*(field.name for field in fields(Row)), HELD_OUT])
_REMEDY = "Give a checkpoint of this recipe and the callbacks it was trained with, or start in another folder."


class CallbackRunner:
    """Calls the callbacks of a run in the order given. Raises InputError where two of them have the same name."""

    def __init__(self, callbacks: Sequence[Callback]):
        self._callbacks = tuple(callbacks)
        for name, number in Counter(callback.name for callback in callbacks).items():
            if number > 1:
                raise InputError(f"{number} callbacks are named {name!r}. Give each another `name`.")

    def before_step(self, state: TrainingState, batch: Batch) -> None:
        """Call `before_step` of each callback."""
        if not _takes_part(state):
            return
        context = BeforeStep(state.step, state.plain_model, state.plain_optimizer, batch.ids)
        for callback in self._due("before_step", state.step + 1):
            with _weights_for(state, callback), _only_reading(state, f"{callback.name}.before_step"):
                callback.before_step(context)

    def after_pass(self, state: TrainingState, batch: Batch) -> AfterPass | None:
        """What to call after each backward pass of the update at hand; None where no callback wants to be called."""
        if not _takes_part(state):
            return None
        context = BeforeStep(state.step, state.plain_model, state.plain_optimizer, batch.ids)
        wanted = [(each.name, each.after_pass(context)) for each in self._due("after_pass", state.step + 1)]
        calls = [(name, call) for name, call in wanted if call is not None]

        def call_each(tokens: int) -> None:
            for name, call in calls:
                with _only_reading(state, f"{name}.after_pass"):
                    call(tokens)

        return call_each if calls else None

    def after_step(self, state: TrainingState, batch: Batch, result: StepResult) -> dict[str, float | None]:
        """Call `after_step` of each callback; their values for the log, None where a value is not finite."""
        if not _takes_part(state):
            return {}
        context = AfterStep(
            state.step, state.plain_model, state.plain_optimizer, batch.ids, result.loss, result.lr, result.grad_norm
        )
        columns: dict[str, float | None] = {}
        for callback in self._due("after_step", state.step):
            checks = nullcontext() if callback.is_trusted else _only_reading(state, f"{callback.name}.after_step")
            with _weights_for(state, callback), checks:
                values = callback.after_step(context)
            for column, value in (values or {}).items():
                if column in _COLUMNS or column in result.values or column in columns:
                    raise InputError(f"{callback.name}: the log already has {column!r}. Give the value another name.")
                columns[column] = _number(callback, column, value)
        return columns

    def on_checkpoint(self, state: TrainingState, folder: Path, model: nn.Module) -> None:
        """Call `on_checkpoint` of each callback in the main process. model: with its whole weights."""
        context = TrainingContext(state.step, model, state.plain_optimizer)
        for callback in self._defining("on_checkpoint"):
            with _only_reading(state, f"{callback.name}.on_checkpoint"):
                callback.on_checkpoint(context, folder)

    def _due(self, method: str, update: int) -> list[Callback]:
        """The callbacks that define a method and want it called around this update."""
        return [callback for callback in self._defining(method) if callback.is_due(update)]

    def _defining(self, method: str) -> list[Callback]:
        """The callbacks that define a method; the checks around a call cost about 0.1 ms."""
        default = getattr(Callback, method)
        return [callback for callback in self._callbacks if getattr(type(callback), method) is not default]

    def save(self, folder: Path) -> None:
        """Write the states of all callbacks into a folder; nothing where no callback has a state."""
        values: dict[str, dict[str, Any]] = {}
        tensors: dict[str, Tensor] = {}
        for callback in self._callbacks:
            state = dict(callback.state_dict())
            own = {key: value for key, value in state.items() if isinstance(value, Tensor)}
            if any(isinstance(value, DTensor) for value in own.values()):
                raise InputError(
                    f"state of callback {callback.name}: holds a part of a tensor that several processes share. Return "
                    "its `full_tensor()`."
                )
            if state:
                values[callback.name] = {key: value for key, value in state.items() if key not in own}
            tensors |= {f"{callback.name}/{key}": tensor.detach().cpu().clone() for key, tensor in own.items()}
        if values:
            try:
                (folder / STATE_FILE).write_text(json.dumps(values), encoding="utf-8")
            except (TypeError, ValueError) as error:
                raise InputError(
                    f"state of callbacks {', '.join(values)}: not JSON and tensors of torch ({error}). "
                    "Return numbers, texts, lists, dicts and tensors."
                ) from error
        if tensors:
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / TENSOR_FILE)

    def load(self, state: TrainingState, folder: Path) -> None:
        """Give each callback its saved state. A callback without saved state starts anew.

        Raises InputError where a file is damaged, or holds the state of a callback that the run no longer has.
        """
        if not _takes_part(state):
            return
        states = _read_states(folder)
        by_name = {callback.name: callback for callback in self._callbacks}
        if missing := sorted(states.keys() - by_name.keys()):
            raise InputError(f"{folder}: the run was trained with the callback {missing[0]!r}, missing now. {_REMEDY}")
        for name, values in states.items():
            by_name[name].load_state_dict(values)


def _takes_part(state: TrainingState) -> bool:
    """Whether this process calls callbacks: the main one, and all where sums over weights need all of them."""
    return state.is_sharded or state.accelerator.is_main_process


def _read_states(folder: Path) -> dict[str, dict[str, Any]]:
    """The saved state of each callback by its name."""
    if not (folder / STATE_FILE).is_file():
        return {}
    try:
        states: dict[str, dict[str, Any]] = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
        tensors = load_file(folder / TENSOR_FILE) if (folder / TENSOR_FILE).is_file() else {}
        for path, tensor in tensors.items():
            name = next(name for name in states if path.startswith(f"{name}/"))
            states[name][path.removeprefix(f"{name}/")] = tensor.clone()
    except (OSError, ValueError, TypeError, AttributeError, StopIteration, SafetensorError) as error:
        raise InputError(f"{folder}: the state of its callbacks is damaged. {_REMEDY}") from error
    return states


def _number(callback: Callback, column: str, value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{callback.name}: {column} is {str(value)[:80]!r}, not a number. Return numbers from after_step."
        ) from error
    return number if math.isfinite(number) else None


def _weights_for(state: TrainingState, callback: Callback) -> AbstractContextManager[None]:
    """Inside, the parameters hold the weights that the callback asks for."""
    if callback.at_evaluation_weights:
        return state.recipe.optimizer.evaluation_weights(state.plain_optimizer)
    return nullcontext()


@contextmanager
def _only_reading(state: TrainingState, call: str) -> Iterator[None]:
    """Restore random generators, training modes and gradients; raise InputError where training itself was changed."""
    modules = list(state.plain_model.modules())  # going through them takes most of the time of a small callback
    modes = [(module, module.training) for module in modules]
    before = _versions(state, modules)
    gradients = {tensor: (tensor.grad, tensor.grad._version) for tensor in _tensors(modules) if tensor.grad is not None}
    with preserved_generators(state.accelerator.device):
        yield
    for module, training in modes:
        if module.training != training:
            module.training = training
    modules = list(state.plain_model.modules())
    for tensor in _tensors(modules):
        if tensor.grad is not None:
            tensor.grad = None
    for tensor, (gradient, _) in gradients.items():
        tensor.grad = gradient
    gradients_changed = any(gradient._version != version for gradient, version in gradients.values())
    if gradients_changed or _versions(state, modules) != before:
        raise InputError(
            f"{call}: changed the {'gradients' if gradients_changed else 'weights or the optimizer'}; a callback only "
            "reads. Work on a copy of the model (copy.deepcopy), or write an optimizer."
        )


def _tensors(modules: Sequence[nn.Module]) -> list[Tensor]:
    """Parameters and buffers of modules, without those of the modules inside them."""
    own = (tensors for module in modules for tensors in (module._parameters, module._buffers))
    return [tensor for tensors in own for tensor in tensors.values() if tensor is not None]


def _versions(state: TrainingState, modules: Sequence[nn.Module]) -> list[Any]:
    """Identities and versions of all tensors of model and optimizer, and the numbers of the optimizer's groups.

    torch counts the changes that are made to a tensor in place; changes through `.data` are not counted.
    """
    optimizer = state.plain_optimizer
    tensors = _tensors(modules)
    tensors += [value for values in optimizer.state.values() for value in values.values() if isinstance(value, Tensor)]
    numbers: list[Mapping[str, Any]] = [
        {key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups
    ]
    return [[(local_part(tensor).data_ptr(), tensor._version) for tensor in tensors], numbers]
