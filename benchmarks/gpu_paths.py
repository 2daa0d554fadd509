"""The paths that `gpu.py` checks: a function each, which prepares the work and returns it for others to call and time.

What is called returns numbers by name, of which a difference of 0.01 means 1 %, 0.01 nats, or 0.01 in D.
Letters: S sequences of T predicted tokens, d width, L layers, V vocabulary, K tokens of a sample.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from zerosum import first_order_changes, gradient_interference, token_losses
from zerosum.dissent import measure_dissent
from zerosum.gradients._exact import exact_seconds, layout_of
from zerosum.gradients.batches import measuring
from zerosum.recipes import named_recipe
from zerosum.training import Recipe, batch, optimizer_step, restore, train
from zerosum.training.changes import with_changes
from zerosum.training.optimizer_choice import Choice
from zerosum.training.optimizers.adamw import AdamWSettings
from zerosum.training.replay.real_steps import real_steps
from zerosum.training.replay.updater import find_updater
from zerosum.training.state import new_state

Numbers = dict[str, Any]
Work = Callable[[], Numbers]
STEPS, RESUMED = 3, 4  # of training that is compared and timed, and of the run that is resumed
SEQUENCES_OF_A_PASS = 8  # in training
RATE = 1e-4


@dataclass(frozen=True)
class Shape:
    """A Llama of the paper: SwiGLU of inner width d / 2, tied embeddings. length: T of the timed work."""

    name: str
    d: int
    L: int
    heads: int
    V: int = 50_304
    length: int = 1_024

    @property
    def settings(self) -> dict[str, Any]:
        """Fields of the configuration."""
        return {
            "vocab_size": self.V, "hidden_size": self.d, "intermediate_size": self.d // 2,
            "num_hidden_layers": self.L, "num_attention_heads": self.heads, "num_key_value_heads": self.heads,
            "max_position_embeddings": self.length, "tie_word_embeddings": True, "initializer_range": 0.02,
        }  # fmt: skip

    @property
    def body(self) -> int:
        """Weights of the matrices below the head."""
        return self.L * (4 * self.d**2 + 3 * self.d * self.d // 2)

    def forward(self, T: int) -> float:
        """Floating-point operations of a forward pass, for each token: matrices, head, attention."""
        return 2 * (self.body + self.V * self.d) + 2 * self.L * self.d * T


@dataclass(frozen=True)
class Place:
    """Where a path runs. model: float32, random weights, the same everywhere. dtype: of the forward passes."""

    shape: Shape
    model: Any
    device: torch.device
    dtype: str = "float32"

    def ids(self, S: int, T: int) -> np.ndarray:
        return np.random.default_rng(S).integers(0, self.shape.V, (S, T + 1))

    def update(self) -> dict[str, Any]:
        """A random update of the size of a training step, the same on every device."""
        shapes = tuple((name, parameter.shape) for name, parameter in self.model.named_parameters())
        return {name: u.to(self.device) for name, u in _update(shapes).items()}

    def recipe(self, S: int, T: int, steps: int) -> Recipe:
        """A recipe of the paper in this shape, on the source of the benchmarks, one token for each byte."""
        changes = {
            "steps": steps,
            "data": {"kind": "python", "folder": str(Path(__file__).parent)},
            "batch": {"sequences": S, "length": T, "passes": -(-S // SEQUENCES_OF_A_PASS)},
            "optimizer.lr": RATE,
            "held_out": 2,
            "schedule.warmup_steps": 0,
            "threads": torch.get_num_threads(),
            "device": "cpu" if self.device.type == "cpu" else "auto",
            "mixed_precision": "bf16" if self.dtype == "bfloat16" else "no",
        }
        sizes = {f"model.{name}": value for name, value in self.shape.settings.items()}
        return with_changes(named_recipe("paper_14m"), changes | sizes)


def model_of(shape: Shape) -> Any:
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**shape.settings)).eval()


@lru_cache(maxsize=1)
def _update(shapes: tuple[tuple[str, torch.Size], ...]) -> dict[str, Any]:
    draw = torch.Generator().manual_seed(1)
    return {name: RATE * torch.randn(shape, generator=draw) for name, shape in shapes}


def losses(place: Place, S: int, T: int) -> Work:
    """`zerosum.token_losses`; in bfloat16 the weights are bfloat16, as `zerosum losses --dtype bfloat16` loads them."""
    model = place.model if place.dtype == "float32" else deepcopy(place.model).to(torch.bfloat16)
    return lambda: {"loss": token_losses(model, place.ids(S, T))}


def exact(place: Place, S: int, T: int) -> Work:
    """`zerosum.gradient_interference` of every token."""
    return _gradients(place, place.ids(S, T), method="exact")


def sampled(place: Place, S: int, T: int) -> Work:
    """`zerosum.gradient_interference` from a sample: a quarter of the tokens, 16 to 256."""
    return _gradients(place, place.ids(S, T), method="sampled", n_sampled=max(16, min(256, S * T // 4)))


def _gradients(place: Place, ids: np.ndarray, method: str, **choice: Any) -> Work:
    """With the number of notes: a device on which something has to be done in another way says so in one."""
    update = place.update()

    def work() -> Numbers:
        record = gradient_interference(place.model, ids, update, method=method, dtype=place.dtype, **choice)
        if record.method != method:
            raise RuntimeError(f"measured by method {record.method}: {record.notes}")
        numbers: Numbers = {
            name: getattr(record, name) for name in ("D_grad", "D_grad_matrices", "C_g", "C_ug", "C_uG")
        }
        return numbers | {"norm_l1": np.log(record.per_token["norm_l1"]), "notes": len(record.notes)}

    return work


def exact_estimate(place: Place, S: int, T: int) -> float:
    """Seconds that the sums of `exact` take for all tokens, from five positions in the middle of the sequences."""
    with measuring(place.model):
        tokens = torch.as_tensor(place.ids(S, T), device=place.device)
        return S * T * exact_seconds(place.model, tokens, layout_of(place.model, tokens[:, :17]), place.update())


def first_order(place: Place, S: int, T: int) -> Work:
    """`zerosum.first_order_changes`, relative to the largest change."""
    update = place.update()
    return lambda: {"change": first_order_changes(place.model, place.ids(S, T), update)}


def dissent(place: Place, S: int, T: int) -> Work:
    """`zerosum.dissent.measure_dissent`: of each token, of the head and of the body."""

    def work() -> Numbers:
        record = measure_dissent(place.model, place.ids(S, T))
        numbers: Numbers = {name: record.per_token[name] for name in ("dissent", "cancellation")}
        for name in ("head", "body"):
            forces = getattr(record, name)
            numbers |= {f"{name} dissent": forces.dissent, f"{name} cancellation": forces.cancellation}
        return numbers

    return work


def step(place: Place, S: int, T: int) -> Work:
    """One AdamW step and the losses around it, as `zerosum step` takes it: changes relative to the largest one."""
    settings = AdamWSettings(lr=RATE, betas=(0.9, 0.95), eps=1e-5, weight_decay=0.1)
    updater = find_updater(Path(), place.model, Choice(settings), clip=1.0)
    ids, held_out = place.ids(S, T), place.ids(S + 1, T)[1:]

    def work() -> Numbers:
        result = next(real_steps(place.model, updater, ids[None], held_out))
        on_batch = result.losses.batch_after - result.losses.batch_before
        return {"batch": on_batch, "held out": result.losses.held_out_after - result.held_out_before}

    return work


def training(place: Place, S: int, T: int) -> Work:
    """Three steps of the training loop's engine: the loss of each, relative."""
    recipe = place.recipe(S, T, steps=STEPS)
    state, batches = new_state(recipe), [batch(recipe, number) for number in range(recipe.steps)]

    def work() -> Numbers:
        results = [optimizer_step(state, tokens) for tokens in batches]
        return {"loss": np.log([result.loss for result in results])}

    return work


def resumed(place: Place, S: int, T: int) -> Work:
    """`zerosum.training.train` to a run directory, and again from its middle: largest difference of weights."""
    recipe = place.recipe(S, T, steps=RESUMED)

    def work() -> Numbers:
        with TemporaryDirectory() as folder:
            train(recipe, folder)
            state = restore(Path(folder) / f"checkpoint-{RESUMED // 2}", recipe)
            for number in range(RESUMED // 2, RESUMED):
                optimizer_step(state, batch(recipe, number))
            whole = restore(Path(folder) / f"checkpoint-{RESUMED}", recipe)
        pairs = zip(state.plain_model.parameters(), whole.plain_model.parameters(), strict=True)
        return {"weights": max(float((mine - theirs).detach().abs().max()) for mine, theirs in pairs)}

    return work
