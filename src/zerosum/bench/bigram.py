"""The null arm in which no parameter is shared: a table of the logits of the next token given this one, with Adam.

Trained on the baseline's batches at a constant rate with a cooldown, and measured like its trunks. Meeting the floor of
bigrams looks like zero-sum learning, and here no token can be improved at the expense of another row's.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from zerosum.atomic import new_file
from zerosum.bench.plan import Bench
from zerosum.bench.results import RAW, RunCurve, RunResult
from zerosum.comparison.equal_loss import equal_loss
from zerosum.errors import InputError
from zerosum.tokens import PADDING, TokenSequences
from zerosum.training.batches import batch
from zerosum.training.held_out import held_out_tokens
from zerosum.training.recipe import Recipe
from zerosum.training.step import cpu_threads

RATE, BETAS = 0.01, (0.9, 0.95)
LARGEST_VOCABULARY = 4_096


def is_possible(recipe: Recipe) -> bool:
    """Whether the table of the data's tokens is small enough."""
    return recipe.data.open().vocabulary <= LARGEST_VOCABULARY


@dataclass(frozen=True)
class Measured:
    """Held-out sequences whose losses are stored at each checkpoint, the most of the final loss, and the cooldown."""

    sequences: int
    final: int
    cooldown: int


def measured_in(bench: Bench, recipe: Recipe) -> Measured:
    """As the bench declares it for its runs."""
    declared = bench.declaration
    return Measured(declared.measured, declared.final_held_out, bench.cooldown_steps(recipe.steps))


def file_of(pool: Path, recipe: Recipe, measured: Measured) -> Path:
    """Where the table's losses of a seed are stored."""
    values = recipe.model_dump(mode="json", include={"data", "batch", "seed", "steps", "checkpoints"})
    values |= asdict(measured) | {"held_out": recipe.held_out_per_decade}
    key = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
    return pool / f"bigram-seed{recipe.seed}-{recipe.steps}-{key}.npz"


def train_table(file: Path, recipe: Recipe, measured: Measured) -> None:
    """Train the table on the batches of a baseline's recipe, and store its losses; nothing where they are there."""
    if file.is_file():
        return
    pairs = _pairs(held_out_tokens(recipe, measured.sequences))
    n = recipe.data.open().vocabulary
    table = torch.zeros(n, n, requires_grad=True)
    adam = torch.optim.Adam([table], lr=RATE, betas=BETAS)
    grid, logged = set(recipe.checkpoint_steps) - {0}, recipe.held_out_steps

    def losses(pairs: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        with torch.no_grad():
            return -functional.log_softmax(table, dim=1)[pairs]

    stored, means = {}, {}
    with cpu_threads(1):
        for step in range(1, recipe.steps + measured.cooldown + 1):
            ids = torch.from_numpy(batch(recipe, step - 1).ids)
            here, there = ids[:, :-1].flatten(), ids[:, 1:].flatten()
            here, there = here[there != PADDING], there[there != PADDING]
            rows, place = torch.unique(here, return_inverse=True)
            loss = functional.cross_entropy(table[rows][place], there)
            adam.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            left = (recipe.steps + measured.cooldown + 1 - step) / (measured.cooldown + 1)
            adam.param_groups[0]["lr"] = RATE * min(1.0, left)
            adam.step()
            if step <= recipe.steps and step in grid | logged:
                now = losses(pairs)
                means[step] = float(now.double().mean())
                if step in grid:
                    stored[step] = now.numpy()
    final = losses(_pairs(held_out_tokens(recipe, most=measured.final))).double().mean()
    file.parent.mkdir(parents=True, exist_ok=True)
    with new_file(file) as part, part.open("wb") as stream:
        np.savez(
            stream,
            steps=np.array(list(stored)),
            losses=np.stack(list(stored.values())),
            logged=np.array(list(means)),
            means=np.array(list(means.values())),
            final=final.numpy(),
        )


def _pairs(tokens: TokenSequences) -> tuple[torch.Tensor, torch.Tensor]:
    """Each token and the one that follows it."""
    scored = tokens.ids[:, 1:] != PADDING
    given, following = tokens.ids[:, :-1][scored], tokens.ids[:, 1:][scored]
    return torch.from_numpy(given), torch.from_numpy(following)


def read_table(file: Path, recipe: Recipe, levels: list[float]) -> RunResult:
    """The table's run. levels: as in `equal_loss`; none for no movement. Raises InputError where it is damaged."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            values = {name: stored[name] for name in ("steps", "losses", "logged", "means", "final")}
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(f"{file}: damaged. Delete it and start the same command again.") from error
    logged = [int(step) for step in values["logged"]]
    tokens = tuple(recipe.tokens_seen(step) for step in logged)
    curve = RunCurve(tuple(logged), tokens, tuple(map(float, values["means"])))
    moved = {RAW: equal_loss(values["steps"].astype(float).tolist(), values["losses"], levels)} if levels else {}
    return RunResult(recipe.seed, float(values["final"]), movement=moved, verdict="not-fitted", curve=curve)
