"""Everything a training run is at one step: build it, save it, restore it."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors import SafetensorError
from safetensors.torch import load_model
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils import logging as transformers_logging

from zerosum.atomic import new_folder
from zerosum.errors import InputError
from zerosum.training.recipe import Recipe
from zerosum.training.text import END_OF_DOCUMENT
from zerosum.training.tokenizer import byte_tokenizer

RESUME_FILE = "training_state.pt"


@dataclass
class TrainingState:
    """A run after `step` updates, ready for the next. model and optimizer are as accelerate prepared them."""

    recipe: Recipe
    accelerator: Accelerator
    model: nn.Module
    optimizer: Any
    step: int

    @property
    def plain_model(self) -> nn.Module:
        """The model without the wrapper of data-parallel training: what to measure and to save."""
        model: nn.Module = self.accelerator.unwrap_model(self.model)
        return model


def new_accelerator(recipe: Recipe) -> Accelerator:
    """The devices and processes that this run uses: one process, or those that torchrun or accelerate started."""
    accelerator = Accelerator(cpu=recipe.device == "cpu", mixed_precision=recipe.mixed_precision)
    if recipe.batch.sequences % accelerator.num_processes:
        raise InputError(
            f"batch.sequences {recipe.batch.sequences} cannot be shared evenly by {accelerator.num_processes} "
            "processes. Choose a multiple."
        )
    return accelerator


@contextmanager
def generators_put_back(recipe: Recipe) -> Iterator[None]:
    """Afterwards torch's global random generators are as they were: a run seeds them, and restores them to its own."""
    device = new_accelerator(recipe).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):  # all devices would be woken up
        yield


def build_model(recipe: Recipe) -> nn.Module:
    """The model with random weights, drawn from torch's global generator."""
    part = recipe.model
    config = LlamaConfig(
        vocab_size=part.vocabulary,
        hidden_size=part.hidden_size,
        intermediate_size=part.intermediate_size,
        num_hidden_layers=part.layers,
        num_attention_heads=part.heads,
        num_key_value_heads=part.heads,
        max_position_embeddings=part.context,
        tie_word_embeddings=part.tied_embeddings,
        initializer_range=part.initial_std,
        bos_token_id=None,
        eos_token_id=END_OF_DOCUMENT,
        attn_implementation="sdpa",
    )
    model: nn.Module = LlamaForCausalLM(config)
    return model


def build_optimizer(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    """AdamW; matrices decay, vectors (the norms) do not."""
    part = recipe.optimizer
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": part.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=part.lr, betas=part.betas, eps=part.eps, fused=True)


def new_state(recipe: Recipe) -> TrainingState:
    """The run before its first update. Seeds torch's global generators."""
    torch.manual_seed(recipe.seed)
    return _prepared(recipe, build_model(recipe), step=0)


def save(state: TrainingState, folder: Path) -> None:
    """Write a Hugging Face folder (weights, config, tokenizer) and the resume state; complete or not there at all.

    Every process calls it, the main one writes.
    """
    generators = _generator_states(state.accelerator)
    if state.accelerator.is_main_process:
        buffer = io.BytesIO()
        optimizer = state.optimizer.state_dict()
        torch.save({"step": state.step, "optimizer": optimizer, "generators": generators}, buffer)
        with new_folder(folder) as part, _without_progress_bars():
            state.plain_model.save_pretrained(part)  # type: ignore[operator]
            byte_tokenizer().save_pretrained(part)
            (part / RESUME_FILE).write_bytes(buffer.getvalue())
    state.accelerator.wait_for_everyone()


def restore(folder: Path, recipe: Recipe) -> TrainingState:
    """The run as it was when `folder` was saved; the folder is only read.

    The random generators of torch come last, so that nothing done here moves them; they are global to the process.
    Raises InputError where the folder does not hold a state of this recipe.
    """
    try:
        model = build_model(recipe)
        # Copied into memory that torch allocated: tensors left in the mapped file are aligned differently, and the
        # last digits of a matrix product depend on that.
        load_model(model, str(folder / "model.safetensors"))
        saved = _read_resume_file(folder / RESUME_FILE)
        state = _prepared(recipe, model, step=saved["step"])
        state.optimizer.load_state_dict(saved["optimizer"])
        _restore_generators(state.accelerator, saved["generators"])
    except (OSError, SafetensorError, RuntimeError, ValueError, KeyError, TypeError) as error:
        # Not the reader's own words: torch's advise to read the file in a way that runs what it holds.
        raise InputError(
            f"{folder}: cannot be continued from: damaged, or not of this recipe. Give a checkpoint of this recipe, or "
            f"delete the run {folder.parent} and start the same command again: it is trained again."
        ) from error
    return state


def _read_resume_file(file: Path) -> dict[str, Any]:
    try:
        # Never anything but tensors and plain containers: a checkpoint from elsewhere must not run code. A damaged one
        # makes torch's reader raise whatever the damage happens to lead to.
        saved = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(f"{file.name}: damaged") from error
    if not (isinstance(saved, dict) and isinstance(saved.get("step"), int)):
        raise ValueError(f"{file.name}: no training state")
    return saved


def _prepared(recipe: Recipe, model: nn.Module, step: int) -> TrainingState:
    accelerator = new_accelerator(recipe)
    model.to(accelerator.device)
    wrapped, optimizer = accelerator.prepare(model, build_optimizer(recipe, model))
    wrapped.train()
    return TrainingState(recipe, accelerator, wrapped, optimizer, step)


def _generator_states(accelerator: Accelerator) -> dict[str, Tensor]:
    """State of torch's generators in every process: device type -> [process, byte]."""
    states = {"cpu": torch.get_rng_state()}
    if accelerator.device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(accelerator.device)
    return {name: accelerator.gather(state[None].to(accelerator.device)).cpu() for name, state in states.items()}


def _restore_generators(accelerator: Accelerator, states: dict[str, Tensor]) -> None:
    def own(name: str) -> Tensor:  # a run may be continued, or one step measured, with other processes than it had
        # A copy: torch 2.13 crashes on a state that lies inside a larger tensor.
        return states[name][accelerator.process_index % len(states[name])].clone()

    torch.set_rng_state(own("cpu"))
    if accelerator.device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(own("cuda"), accelerator.device)


@contextmanager
def _without_progress_bars() -> Iterator[None]:
    """Training prints nothing; transformers shows a bar for every saved checkpoint."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
