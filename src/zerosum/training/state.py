"""The state of a training run: model, optimizer, step and random generators; how it is built, saved and restored."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors import SafetensorError
from safetensors.torch import load_model
from torch import Tensor, nn
from transformers.utils import logging as transformers_logging

from zerosum.atomic import new_folder, part_of
from zerosum.errors import InputError
from zerosum.losses.batch_size import is_out_of_memory
from zerosum.training.acceleration import new_accelerator_on
from zerosum.training.execution import set_execution
from zerosum.training.models import build_model
from zerosum.training.recipe import Recipe
from zerosum.training.reference import load_reference, require_readable
from zerosum.training.resume_state import RESUME_FILE, optimizer_state, read_resume_file, write_resume_state
from zerosum.training.sharding import shard, together, whole_model


@dataclass
class TrainingState:
    """A run after `step` updates, ready for the next. model and optimizer: as accelerate prepared them.

    Where the processes share the weights (`is_sharded`), the parameters of the model are DTensors.
    """

    recipe: Recipe
    accelerator: Accelerator
    model: nn.Module
    optimizer: Any
    step: int

    @cached_property
    def plain_model(self) -> nn.Module:
        """The model without the wrapper of data-parallel training, to measure and to save."""
        model: nn.Module = self.accelerator.unwrap_model(self.model)
        return model

    @cached_property
    def reference(self) -> Any:
        """The model that the objective compares with, loaded when it is needed; None where it compares with none."""
        source = self.recipe.objective.reference_model
        if source is None:
            return None
        model = load_reference(source, self.accelerator.device)
        require_readable(model, source, self.recipe.data.open().vocabulary, self.recipe.batch.length)
        return model

    @property
    def is_sharded(self) -> bool:
        """Whether each process holds only a part of the weights and of the optimizer's state."""
        return _is_sharded(self.recipe, self.accelerator)

    @property
    def parameters(self) -> list[Tensor]:
        """The trained parameters in the order in which the optimizer numbers them."""
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    @property
    def plain_optimizer(self) -> torch.optim.Optimizer:
        """The optimizer without accelerate's wrapper."""
        optimizer: torch.optim.Optimizer = self.optimizer.optimizer
        return optimizer


def new_accelerator(recipe: Recipe) -> Accelerator:
    """The device and processes of a run: one process, or the processes that torchrun or accelerate started."""
    accelerator = new_accelerator_on(recipe.device, recipe.mixed_precision)
    if recipe.batch.sequences % accelerator.num_processes:
        raise InputError(
            f"batch.sequences {recipe.batch.sequences} cannot be shared evenly by {accelerator.num_processes} "
            "processes. Choose a multiple."
        )
    return accelerator


@contextmanager
def preserved_generators(device: torch.device) -> Iterator[None]:
    """Restore torch's global random generators, of the CPU and of `device`, at the end of the block."""
    # Devices are listed because fork_rng would initialize every GPU of the machine.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield


def new_state(recipe: Recipe) -> TrainingState:
    """The state before the first update. Seeds torch's global generators."""
    torch.manual_seed(recipe.seed)
    return prepared(recipe, build_model(recipe), step=0)


def save(
    state: TrainingState, folder: Path, write_more: Callable[[Path, nn.Module], None] = lambda folder, model: None
) -> None:
    """Write a Hugging Face folder (weights, config, tokenizer) and the resume state; all or nothing.

    write_more: writes further files into the folder before it gets its final name; it receives the whole model. Every
    process calls `save`; the main process writes, and where the weights are shared, each its part of the optimizer.
    The weights are those that the optimizer evaluates (`OptimizerSettings.evaluation_weights`).
    """
    accelerator = state.accelerator
    generators = _generator_states(accelerator)
    with state.recipe.optimizer.evaluation_weights(state.plain_optimizer), ExitStack() as stack:
        model = whole_model(state.plain_model, accelerator.is_main_process) if state.is_sharded else state.plain_model
        with together(accelerator):
            if accelerator.is_main_process:
                stack.enter_context(new_folder(folder))
        part = part_of(folder)
        with together(accelerator):
            write_resume_state(
                part, state.step, state.optimizer.state_dict(), generators, is_main=accelerator.is_main_process
            )
        with together(accelerator):
            if accelerator.is_main_process and model is not None:
                with _without_progress_bars():
                    model.save_pretrained(part)  # type: ignore[operator]
                    state.recipe.data.open().save_tokenizer(part)
                    write_more(part, model)
        with together(accelerator):
            stack.close()


def restore(folder: Path, recipe: Recipe) -> TrainingState:
    """The state that was saved in `folder`; the folder is only read.

    The random generators of torch, which are global to the process, are restored last, so that nothing here draws from
    them. Raises InputError where the folder does not hold a state of this recipe.
    """
    try:
        model = build_model(recipe)
        # load_model copies into memory that torch allocated: tensors in a mapped file are aligned differently, which
        # changes the last digits of matrix products.
        load_model(model, str(folder / "model.safetensors"))
        saved = read_resume_file(folder / RESUME_FILE)
        state = prepared(recipe, model, step=saved["step"])
        optimizer = optimizer_state(folder, saved, state.parameters, processes=state.accelerator.num_processes)
        _require_its_optimizer(recipe, optimizer)
        state.optimizer.load_state_dict(optimizer)
        settings = recipe.optimizer.for_run(recipe.steps)
        for group, own in zip(state.optimizer.param_groups, settings.groups(model), strict=True):
            group.update({name: number for name, number in own.items() if name != "params"})  # a branch can change them
        settings.load_training_weights(state.plain_optimizer)
        _restore_generators(state.accelerator, saved["generators"])
    except (OSError, SafetensorError, RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        if is_out_of_memory(error):
            raise
        # The message of torch is left out: it advises to load the file in a way that runs code in it.
        raise InputError(
            f"{folder}: cannot be continued from: damaged, or not of this recipe. Give a checkpoint of this recipe, or "
            f"delete the run {folder.parent} and start the same command again: it is trained again."
        ) from error
    return state


def _is_sharded(recipe: Recipe, accelerator: Accelerator) -> bool:
    return recipe.sharding == "fsdp" and accelerator.num_processes > 1  # one process has nobody to share with


def _require_its_optimizer(recipe: Recipe, saved: dict[str, Any]) -> None:
    """Raise ValueError where a state is of another kind of optimizer: torch would take it without a word."""
    groups = saved["param_groups"]
    kind = type(recipe.optimizer)
    if not (kind.saved_layout.matches(groups, saved["state"]) and kind.was_saved_in(groups)):
        raise ValueError("a state of another optimizer")


def prepared(recipe: Recipe, model: nn.Module, step: int) -> TrainingState:
    """The state of a model with a new optimizer. Seeds the generators of processes other than the main one."""
    accelerator = new_accelerator(recipe)
    if not accelerator.is_main_process:  # else the sequences of all processes would share their dropout
        torch.manual_seed(recipe.seed + accelerator.process_index)
    set_execution(model, recipe)
    settings = recipe.optimizer.for_run(recipe.steps)
    if _is_sharded(recipe, accelerator):
        shard(model, accelerator.device, accelerator.num_processes)
        wrapped, optimizer = model, accelerator.prepare_optimizer(settings.build(model))
    else:
        model.to(accelerator.device)
        wrapped, optimizer = accelerator.prepare(model, settings.build(model))
    for replaced in ("forward", "_original_forward"):  # accelerate's bfloat16 forward pass, which `update` chooses
        vars(model).pop(replaced, None)  # itself: measurements of the model are in float32
    wrapped.train()
    return TrainingState(recipe, accelerator, wrapped, optimizer, step)


def _generator_states(accelerator: Accelerator) -> dict[str, Tensor]:
    """States of torch's generators in all processes, by device type: [process, byte]."""
    states = {"cpu": torch.get_rng_state()}
    if accelerator.device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(accelerator.device)
    return {name: accelerator.gather(state[None].to(accelerator.device)).cpu() for name, state in states.items()}


def _restore_generators(accelerator: Accelerator, states: dict[str, Tensor]) -> None:
    own = accelerator.process_index
    if own >= len(states["cpu"]):  # the run had fewer processes: this one keeps the seed of its own
        return
    # clone: torch 2.13 crashes on a state that is a slice of a larger tensor.
    torch.set_rng_state(states["cpu"][own].clone())
    if accelerator.device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"][own].clone(), accelerator.device)


@contextmanager
def _without_progress_bars() -> Iterator[None]:
    """Hide the progress bar that transformers shows for every saved checkpoint: training prints nothing."""
    was_enabled = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_enabled:
            transformers_logging.enable_progress_bar()
